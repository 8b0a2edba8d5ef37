"""A folder of plugins: what lies in it, and the proof that all of it is what trusted publishers signed.

    FOLDER/<project>/      one plugin: its wheel and `.sig`, `pylock.toml` and `.sig`, and the wheels it runs with

    for plugin in open_folder(Path("plugins"), trusted_keys=Path("keys"), target=Target.running()):
        plugin.verified

Nothing says which of the files in a folder are meant, so all of them are: one that no signed lock names, one that is
missing, a link, a second version or a second spelling of a name, and the whole folder is refused. Left out are `.lock`
and `.tmp-…`, which installs use: they are never read.

What a folder cannot show is that there is something newer, or that reviewers approved what its publisher signed.
"""

import hashlib
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from assess_registry.client import (
    KeptWheel,
    Registry,
    RegistryConfig,
    Target,
    VerifiedWheel,
    reopen,
    verify,
)
from assess_registry.client.choose import select_own
from assess_registry.client.fetch import MAX_CLOSURE_BYTES
from assess_registry.errors import ConfigError, Issue, TrustError, UnservedError
from assess_registry.folder.directory import GoneError, Kind, OpenDirectory, opened
from assess_registry.keys import KeyId
from assess_registry.lock import LOCK_NAME, MAX_LOCK_BYTES, Lock, LockedWheel, parse_lock
from assess_registry.names import ProjectName, normalize_project, parse_project
from assess_registry.signatures import SIGNATURE_FILE_BYTES, SIGNATURE_SUFFIX, verify_detached

LOCK_FILE, STAGING = ".lock", ".tmp-"
"""What installs use in a folder: a file to lock, and beginnings of names of what is not in its place yet."""

LOCK_SIGNATURE = LOCK_NAME + SIGNATURE_SUFFIX

_TRIES = 5
"""How often a plugin is read anew when an install put another in its place meanwhile."""

_RULE = "assess: everything in a folder of plugins is signed for"
_REMOVE = "find out who put it there and remove it, or install the plugin again: assess-registry install"


Candidates = Callable[[ProjectName], Iterable[Target]]
"""For a project, the targets that a plugin may be for, the best first; at least one."""


@dataclass(frozen=True, kw_only=True, slots=True)
class FolderPlugin:
    """One plugin of a folder.

    Attributes:
        directory: where it lies.
        files: names of everything in it.
        lock: the signed lock.
        target: whom it is for, of those that were tried.
    """

    directory: Path
    files: tuple[str, ...]
    lock: Lock = field(repr=False)
    target: Target = field(repr=False)
    verified: VerifiedWheel = field(repr=False)

    @property
    def project(self) -> ProjectName:
        """The distribution."""
        return self.verified.inspected.project

    @property
    def version(self) -> str:
        """Its version."""
        return self.verified.inspected.version


def open_folder(
    folder: Path, *, trusted_keys: Path, target: Target, candidates: Candidates | None = None
) -> tuple[FolderPlugin, ...]:
    """Every plugin of the folder, proven; or none of them.

    With `candidates`, each plugin for the first of its own targets that it is complete for, and not for `target`.

    Raises:
        ConfigError: there is no such folder.
        TrustError: steps `folder`, `keys`, and those of the client's `verify`; the first thing that is not as signed.
        OSError: something in it may not be read.
    """
    with folder_registry(folder, trusted_keys=trusted_keys) as registry:
        return tuple(
            open_plugin(
                folder / project,
                project,
                registry=registry,
                targets=(target,) if candidates is None else candidates(project),
            )
            for project in projects_of(folder)
        )


def folder_registry(folder: Path, *, trusted_keys: Path) -> Registry:
    """A registry that is nothing but trusted keys, as `verify` wants one; nothing is read from it.

    Raises:
        ConfigError: the directory of keys is not there.
        TrustError: step `keys`; others can change it.
    """
    return Registry(RegistryConfig(url=folder.absolute().as_uri(), trusted_keys=trusted_keys))


def projects_of(folder: Path) -> tuple[ProjectName, ...]:
    """The projects that have a directory in the folder; what is in those is not looked at.

    Raises:
        ConfigError: there is no such folder.
        TrustError: step `folder`; it holds anything but directories with normalised names.
    """
    with opened(folder, follow=True) as directory:
        entries = directory.entries()
    issues = [issue for name, kind in entries.items() for issue in _folder_issues(name, kind)]
    _refuse_all(issues, folder)
    return tuple(parse_project(name) for name in entries if not _is_ours(name))


def open_plugin(
    directory: Path, project: ProjectName, *, registry: Registry, targets: Iterable[Target]
) -> FolderPlugin:
    """The plugin in this directory of its own, proven for the first of these targets that it is complete for.

    Raises:
        TrustError: as for `open_folder`.
    """
    for _ in range(_TRIES):
        with opened(directory, follow=False) as held:
            try:
                return _read(held, project, registry, targets)
            except (GoneError, TrustError) as error:
                # An install exchanged the directory while it was read, and swept what was in it: that is no attack.
                if not held.is_current():
                    continue
                if isinstance(error, TrustError):
                    raise
                raise TrustError(str(error), step="folder", thing=str(directory), next_step=_REMOVE) from error
    raise ConfigError(f"{directory}: it changes all the time; wait for the installs to finish")


def _read(held: OpenDirectory, project: ProjectName, registry: Registry, targets: Iterable[Target]) -> FolderPlugin:
    """1. List  2. the signed lock  3. nothing but what it names  4. bounded reads  5. all the client's steps."""
    entries = held.entries()
    _refuse_all([issue for name, kind in entries.items() if (issue := _kind_issue(name, kind))], held.path)
    try:
        lock, signer = _signed_lock(held, entries, registry)
        version = next((wheel.version for wheel in lock.wheels if wheel.project == project), "")
        target, own, closure = _select(lock, project, version, targets, entries)
    except TrustError as error:
        if error.thing == LOCK_NAME:  # of several locks in a folder, this one
            error.thing = str(held.path / LOCK_NAME)
        raise
    present = [wheel for wheel in lock.wheels if wheel.filename in entries]
    _refuse_all(list(_extra(entries, present, own)), held.path)
    for needed in (own.filename, own.filename + SIGNATURE_SUFFIX):
        if needed not in entries:
            raise _missing(held, needed)
    if sum(wheel.size for wheel in present) > MAX_CLOSURE_BYTES:
        raise TrustError(
            "it and its dependencies are larger than a plugin may be",
            step="length",
            thing=str(held.path),
            expected=f"at most {MAX_CLOSURE_BYTES} bytes in all",
            got=f"{sum(wheel.size for wheel in present)} bytes",
        )
    data = {wheel.filename: _locked_bytes(held, wheel) for wheel in present}
    for wheel in present:
        if wheel.project == own.project and wheel is not own:
            _require_signed_by(signer, held, wheel, data[wheel.filename], registry)
    kept = KeptWheel(
        filename=own.filename,
        data=data[own.filename],
        signature=held.read(own.filename + SIGNATURE_SUFFIX, max_bytes=SIGNATURE_FILE_BYTES),
        lock=lock.data,
        lock_signature=held.read(LOCK_SIGNATURE, max_bytes=SIGNATURE_FILE_BYTES),
        dependencies={wheel.filename: data[wheel.filename] for wheel in closure if wheel.filename in data},
    )
    verified = verify(reopen(kept, registry=registry, target=target), registry=registry, target=target)
    return FolderPlugin(directory=held.path, files=tuple(entries), lock=lock, target=target, verified=verified)


def _select(
    lock: Lock, project: ProjectName, version: str, targets: Iterable[Target], entries: Collection[str]
) -> tuple[Target, LockedWheel, tuple[LockedWheel, ...]]:
    """The first target for which everything is there that the lock selects; else the first that the lock serves.

    Raises:
        UnservedError: it serves none of them; of the first.
        TrustError: step `lock`.
    """
    served: tuple[Target, LockedWheel, tuple[LockedWheel, ...]] | None = None
    refusal: UnservedError | None = None
    for target in targets:
        try:
            own, closure = select_own(lock, project=project, version=version, target=target)
        except UnservedError as error:
            refusal = refusal or error
            continue
        served = served or (target, own, closure)
        if all(wheel.filename in entries for wheel in (own, *closure)):
            return target, own, closure
    if served is None:
        assert refusal is not None  # noqa: S101  there is a target, always: the runtime's own
        raise refusal
    return served


def _signed_lock(held: OpenDirectory, entries: Collection[str], registry: Registry) -> tuple[Lock, KeyId]:
    for needed in (LOCK_NAME, LOCK_SIGNATURE):
        if needed not in entries:
            raise _missing(held, needed)
    data = held.read(LOCK_NAME, max_bytes=MAX_LOCK_BYTES)
    signature = held.read(LOCK_SIGNATURE, max_bytes=SIGNATURE_FILE_BYTES)
    signer = verify_detached(data, signature, registry.trusted, thing=str(held.path / LOCK_NAME))
    return parse_lock(data), signer


def _locked_bytes(held: OpenDirectory, wheel: LockedWheel) -> bytes:
    """Its bytes; those for other platforms are held against the lock here, for `verify` will not see them."""
    data = held.read(wheel.filename, max_bytes=wheel.size)
    got = hashlib.sha256(data).hexdigest()
    if got != wheel.sha256:
        raise TrustError(
            "these are not the bytes its lock names",
            step="hash",
            thing=str(held.path / wheel.filename),
            expected=f"sha256 {wheel.sha256}, {wheel.size} bytes",
            got=f"sha256 {got}, {len(data)} bytes",
            next_step=_REMOVE,
        )
    return data


def _require_signed_by(signer: KeyId, held: OpenDirectory, wheel: LockedWheel, data: bytes, registry: Registry) -> None:
    """The plugin's wheel for another platform was signed by whoever signed the lock."""
    path = held.path / wheel.filename
    signature = held.read(wheel.filename + SIGNATURE_SUFFIX, max_bytes=SIGNATURE_FILE_BYTES)
    got = verify_detached(data, signature, registry.trusted, thing=str(path))
    if got != signer:
        raise TrustError(
            "the wheel and its lock were signed by different publishers",
            step="signer",
            thing=str(path),
            expected=f"both by {signer}",
            got=f"the wheel by {got}",
            next_step=_REMOVE,
        )


def _extra(entries: Mapping[str, Kind], present: Collection[LockedWheel], own: LockedWheel) -> Iterator[Issue]:
    named = {LOCK_NAME, LOCK_SIGNATURE} | {wheel.filename for wheel in present}
    # A signature belongs to a wheel of the plugin that is there, and each of those has one.
    signed = {wheel.filename + SIGNATURE_SUFFIX for wheel in present if wheel.project == own.project}
    for name in entries:
        if name not in named | signed:
            yield _issue("folder-extra", name, "the signed lock does not name it")
    for name in sorted(signed - entries.keys() - {own.filename + SIGNATURE_SUFFIX}):
        yield _issue("folder-unsigned", name.removesuffix(SIGNATURE_SUFFIX), "it is not signed")


def _missing(held: OpenDirectory, name: str) -> TrustError:
    if name.endswith(SIGNATURE_SUFFIX):
        signed = name.removesuffix(SIGNATURE_SUFFIX)
        return TrustError(
            "it is not signed",
            step="signature",
            thing=str(held.path / signed),
            expected=f"a signature in {name}",
            got="no such file",
            next_step="do not use it; install the plugin again from a registry that has it signed",
        )
    return TrustError(
        "there is no lock, so nobody has said what the plugin is" if name == LOCK_NAME else "it is missing",
        step="folder",
        thing=str(held.path),
        expected=f"{name}" + ("" if name == LOCK_NAME else ", which the lock selects for this interpreter"),
        got="no such file",
        next_step="install the plugin again: assess-registry install",
    )


def _folder_issues(name: str, kind: Kind) -> Iterator[Issue]:
    if _is_ours(name):
        return
    if kind != "directory":
        word = {"file": "a file", "link": "a symbolic link"}.get(kind, "no regular file")
        yield _issue("folder-extra", name, f"{word}; each plugin lies in a directory of its own, named as its project")
        return
    try:
        parse_project(name)
    except ValueError as error:
        yield _issue("folder-name", name, f"{error}{_normal(name)}")


def _normal(name: str) -> str:
    """Two directories whose names normalise alike would be two plugins to us, and one to everybody else."""
    try:
        return f": {normalize_project(name)!r} in its one spelling"
    except ValueError:
        return ""


def _kind_issue(name: str, kind: Kind) -> Issue | None:
    if kind == "file":
        return None
    word = {"directory": "a directory", "link": "a symbolic link"}.get(kind, "no regular file")
    return _issue("folder-kind", name, f"{word}; a plugin's directory holds files only")


def _is_ours(name: str) -> bool:
    return name == LOCK_FILE or name.startswith(STAGING)


def _refuse_all(issues: list[Issue], thing: Path) -> None:
    if issues:
        raise TrustError(
            "it holds what nobody signed for",
            step="folder",
            thing=str(thing),
            next_step=_REMOVE,
            issues=tuple(issues),
        )


def _issue(id_: str, entry: str, message: str) -> Issue:
    return Issue(id=id_, entry=entry, message=message, rule=_RULE)
