"""A file somebody was handed, held against the publishers' keys: `assess-registry verify FILE`.

Of a wheel: its signature, strict inspection, and if there is a lock beside it, that the same publisher signed it and
that it names this very wheel. A wheel without a signature of its own is vouched for by a signed lock beside it, or by
nobody. Of a lock: its signature, and that it is one. Whether it fits an interpreter, `open_folder` asks.
"""

import hashlib
import os
from dataclasses import dataclass, replace
from pathlib import Path

from assess_registry.client import Target
from assess_registry.errors import ConfigError, TrustError, WheelError
from assess_registry.folder import (
    FolderPlugin,
    GoneError,
    OpenDirectory,
    folder_registry,
    open_folder,
    open_plugin,
    opened,
)
from assess_registry.keys import KeyId, TrustedKeys, load_trusted_keys
from assess_registry.lock import LOCK_NAME, MAX_LOCK_BYTES, Lock, LockedWheel, parse_lock
from assess_registry.names import ProjectName, Sha256, parse_project
from assess_registry.signatures import SIGNATURE_FILE_BYTES, SIGNATURE_SUFFIX, verify_detached
from assess_registry.wheel import MAX_WHEEL_BYTES, InspectedWheel, Kind, inspect

WHEEL_SUFFIX = ".whl"
_ASK = "do not use it; get it from its publisher again"


@dataclass(frozen=True, kw_only=True, slots=True)
class VerifyReport:
    """What was verified of a file or of a plugin's directory.

    Attributes:
        project, version: of a wheel; empty for a lock.
        sha256: of the file; of a directory, of the plugin's own wheel.
        signer: the trusted key whose signature covers it.
        lock_sha256: of the signed lock that names it; None when none lay beside it: then nobody said what it runs with.
        closure: filenames of the wheels it runs with that were verified, too: of a directory all, of a file none.
    """

    path: Path
    project: ProjectName | str = ""
    version: str = ""
    sha256: Sha256
    signer: KeyId
    lock_sha256: Sha256 | None
    closure: tuple[str, ...] = ()


def verify(file: Path, *, trusted_keys: Path) -> VerifyReport:
    """A wheel, a `pylock.toml`, or the directory that `install` made of a plugin, is what a trusted publisher signed.

    Raises:
        ConfigError: there is no such file, or it is none of these; the directory of keys is not there.
        TrustError: step `signature`, `inspect`, `lock`, `signer`, `length`, `hash`, `keys` or `folder`; of a directory
            also the others of the client's `verify`, for the running interpreter.
        OSError: it may not be read.
    """
    if (file / LOCK_NAME).is_file():
        (report,) = verify_folder(file, trusted_keys=trusted_keys)
        return report
    trusted = load_trusted_keys(trusted_keys)
    if file.suffix != WHEEL_SUFFIX and file.name != LOCK_NAME:
        raise ConfigError(f"{file}: expected a wheel (*{WHEEL_SUFFIX}), {LOCK_NAME} or the directory of one plugin")
    if not os.path.lexists(file):
        raise ConfigError(f"{file}: there is no such file")
    with opened(file.parent, follow=True) as held:
        try:
            if file.name == LOCK_NAME:
                lock, signer = _lock(held, trusted)
                return VerifyReport(path=file, sha256=lock.sha256, signer=signer, lock_sha256=lock.sha256)
            return _wheel(held, file, trusted)
        except GoneError as error:
            raise ConfigError(str(error)) from error


def verify_folder(folder: Path, *, trusted_keys: Path, target: Target | None = None) -> tuple[VerifyReport, ...]:
    """Every plugin of a folder, or the one plugin in a directory of a folder, is what a trusted publisher signed.

    Raises:
        ConfigError: there is no such folder, or no such directory of keys.
        TrustError: as for `open_folder`.
    """
    running = target or Target.running()
    if not (folder / LOCK_NAME).is_file():
        return tuple(_report(each) for each in open_folder(folder, trusted_keys=trusted_keys, target=running))
    directory = folder.resolve()
    try:
        project = parse_project(directory.name)
    except ValueError as error:
        raise ConfigError(f"{folder}: a plugin's directory is named as its project: {error}") from error
    with folder_registry(directory.parent, trusted_keys=trusted_keys) as registry:
        plugin = open_plugin(directory, project, registry=registry, targets=(running,))
    return (replace(_report(plugin), path=folder),)


def _report(plugin: FolderPlugin) -> VerifyReport:
    verified = plugin.verified
    if verified.signer is None:
        raise ValueError(f"{verified.inspected.filename} is a dependency")
    return VerifyReport(
        path=plugin.directory,
        project=plugin.project,
        version=plugin.version,
        sha256=verified.inspected.sha256,
        signer=verified.signer,
        lock_sha256=plugin.lock.sha256,
        closure=tuple(each.inspected.filename for each in verified.closure),
    )


def _wheel(held: OpenDirectory, file: Path, trusted: TrustedKeys) -> VerifyReport:
    data = held.read(file.name, max_bytes=MAX_WHEEL_BYTES)
    lock, lock_signer = _lock(held, trusted) if _has(held, LOCK_NAME) else (None, None)
    locked = lock.find(file.name) if lock is not None else None
    if not _has(held, file.name + SIGNATURE_SUFFIX):
        if locked is None or lock is None or lock_signer is None:
            raise TrustError(
                "it is not signed",
                step="signature",
                thing=str(file),
                expected=f"a signature in {file.name}{SIGNATURE_SUFFIX}, or a signed {LOCK_NAME} that names it",
                got="neither",
                next_step=_ASK,
            )
        _require_same(data, locked, file)
        inspected = _inspect(data, file, "dependency")
        return _of_wheel(file, inspected, lock_signer, lock)
    signature = held.read(file.name + SIGNATURE_SUFFIX, max_bytes=SIGNATURE_FILE_BYTES)
    signer = verify_detached(data, signature, trusted, thing=str(file))
    inspected = _inspect(data, file, "plugin")
    if lock is not None:
        _require_locked(data, locked, file)
        if lock_signer != signer:
            raise TrustError(
                "the wheel and its lock were signed by different publishers",
                step="signer",
                thing=str(file),
                expected=f"both by {signer}",
                got=f"the lock by {lock_signer}",
                next_step=_ASK,
            )
    return _of_wheel(file, inspected, signer, lock)


def _of_wheel(file: Path, inspected: InspectedWheel, signer: KeyId, lock: Lock | None) -> VerifyReport:
    return VerifyReport(
        path=file,
        project=inspected.project,
        version=inspected.version,
        sha256=inspected.sha256,
        signer=signer,
        lock_sha256=lock.sha256 if lock is not None else None,
    )


def _lock(held: OpenDirectory, trusted: TrustedKeys) -> tuple[Lock, KeyId]:
    path = held.path / LOCK_NAME
    data = held.read(LOCK_NAME, max_bytes=MAX_LOCK_BYTES)
    if not _has(held, LOCK_NAME + SIGNATURE_SUFFIX):
        raise TrustError("it is not signed", step="signature", thing=str(path), next_step=_ASK)
    signature = held.read(LOCK_NAME + SIGNATURE_SUFFIX, max_bytes=SIGNATURE_FILE_BYTES)
    return parse_lock(data), verify_detached(data, signature, trusted, thing=str(path))


def _require_locked(data: bytes, locked: LockedWheel | None, file: Path) -> None:
    if locked is None:
        raise TrustError(
            "the lock beside it does not name it",
            step="lock",
            thing=str(file),
            expected=f"{file.name} in {file.parent / LOCK_NAME}",
            got="other wheels",
            next_step=_ASK,
        )
    _require_same(data, locked, file)


def _require_same(data: bytes, locked: LockedWheel, file: Path) -> None:
    got = hashlib.sha256(data).hexdigest()
    if (got, len(data)) != (locked.sha256, locked.size):
        raise TrustError(
            "these are not the bytes the lock beside it names",
            step="hash",
            thing=str(file),
            expected=f"sha256 {locked.sha256}, {locked.size} bytes",
            got=f"sha256 {got}, {len(data)} bytes",
            next_step=_ASK,
        )


def _inspect(data: bytes, file: Path, kind: Kind) -> InspectedWheel:
    try:
        return inspect(data, file.name, kind=kind)
    except WheelError as error:
        raise TrustError(
            f"it is not acceptable as a {kind}",
            step="inspect",
            thing=str(file),
            next_step="its publisher has to correct it and release another version",
            issues=error.issues,
        ) from error


def _has(held: OpenDirectory, name: str) -> bool:
    return name in held.entries()
