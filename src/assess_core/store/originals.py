"""The audited wheels of an environment, read back from the store and proven again by the signed lock.

The unpacked copies are no reference: environments are hard links to them, so whoever edits one edits both. What counts
is the original wheel, whose digest stands in the lock, whose digest stands in the record.
"""

import hashlib
import os
import tomllib
from collections.abc import Mapping
from pathlib import Path

from assess_core.store.differences import Difference
from assess_core.store.layout import Layout, signature_of, verdict_of
from assess_core.store.records import Record, StoredWheel
from assess_registry.client import (
    MAX_ENVELOPE_BYTES,
    MAX_LOCK_BYTES,
    MAX_LOCKED_BYTES,
    SIGNATURE_FILE_BYTES,
    InspectedWheel,
    InstalledWheel,
    KeptWheel,
    RegistryError,
    WheelError,
    inspect,
    read_bounded,
)


class AlteredError(Exception):
    """An original is gone or is not what the lock names; `difference` says which."""

    def __init__(self, difference: Difference) -> None:
        super().__init__(difference.message)
        self.difference = difference


def kept_wheel(record: Record, layout: Layout) -> KeptWheel:
    """Everything that was kept of an installed plugin, unchecked, for the client's `reopen` and `verify`.

    Raises:
        AlteredError: something is gone, or larger than any wheel may be.
    """
    own, *others = record.wheels
    lock = layout.lock_file(record.plugin.lock_sha256)
    return KeptWheel(
        filename=own.filename,
        data=_read(_original(own, layout), MAX_LOCKED_BYTES, layout),
        signature=_read(signature_of(_original(own, layout)), SIGNATURE_FILE_BYTES, layout),
        lock=_read(lock, MAX_LOCK_BYTES, layout),
        lock_signature=_read(signature_of(lock), SIGNATURE_FILE_BYTES, layout),
        dependencies={each.filename: _read(_original(each, layout), MAX_LOCKED_BYTES, layout) for each in others},
        verdict=read_verdict(record, layout),
    )


def installed_wheel(record: Record, layout: Layout) -> InstalledWheel:
    """What `check_installed` asks about an installed plugin: what its record says, and the verdict that was kept.

    Raises:
        AlteredError: the verdict is there and cannot be read.
    """
    own, *others = record.wheels
    return InstalledWheel(
        project=own.project,
        version=own.version,
        filename=own.filename,
        sha256=own.sha256,
        manifest=record.plugin.manifest,
        lock_sha256=record.plugin.lock_sha256,
        closure={each.filename: each.sha256 for each in others},
        verdict=read_verdict(record, layout),
    )


def read_verdict(record: Record, layout: Layout) -> bytes:
    """The verdict that was kept of an installed plugin; empty when it came without one.

    Raises:
        AlteredError: it is there and cannot be read.
    """
    path = verdict_of(_original(record.wheels[0], layout))
    return _read(path, MAX_ENVELOPE_BYTES, layout) if os.path.lexists(path) else b""


def locked_digests(record: Record, layout: Layout) -> Mapping[str, str]:
    """Filename -> sha256, as the lock says from which this environment was made.

    The lock was parsed strictly before it was kept. Here its digest is compared first, so what is read is that lock.

    Raises:
        AlteredError: it is gone, or not the one the record names.
    """
    path = layout.lock_file(record.plugin.lock_sha256)
    data = _read(path, MAX_LOCK_BYTES, layout)
    if hashlib.sha256(data).hexdigest() != record.plugin.lock_sha256:
        raise _altered(path, "is not the lock the environment was made from", layout)
    packages = tomllib.loads(data.decode())["packages"]
    return {wheel["name"]: str(wheel["hashes"]["sha256"]) for package in packages for wheel in package["wheels"]}


def read_original(
    wheel: StoredWheel, locked: Mapping[str, str], layout: Layout, *, is_plugin: bool
) -> tuple[bytes, InspectedWheel]:
    """The original wheel's bytes, which are those the lock names, and what is in them.

    Raises:
        AlteredError: it is gone, not in the lock, not what the lock names, or no longer acceptable.
    """
    path = _original(wheel, layout)
    if locked.get(wheel.filename) != wheel.sha256:
        raise _altered(path, "is not named by the signed lock", layout)
    data = _read(path, MAX_LOCKED_BYTES, layout)
    if (got := hashlib.sha256(data).hexdigest()) != wheel.sha256:
        raise _altered(path, f"expected sha256 {wheel.sha256}, got {got}", layout)
    try:
        return data, inspect(data, wheel.filename, kind="plugin" if is_plugin else "dependency")
    except WheelError as error:  # it passed when it was installed: this release has stricter rules
        raise _altered(path, f"is not acceptable to this release: {error}", layout) from error


def _original(wheel: StoredWheel, layout: Layout) -> Path:
    return layout.wheel(wheel.sha256) / wheel.filename


def _read(path: Path, max_bytes: int, layout: Layout) -> bytes:
    try:
        return read_bounded(path, max_bytes)
    except (OSError, RegistryError) as error:
        shown = path.relative_to(layout.root).as_posix()
        difference = Difference(kind="unknown", path=shown, message=f"the store's original cannot be read: {error}")
        raise AlteredError(difference) from error


def _altered(path: Path, message: str, layout: Layout) -> AlteredError:
    return AlteredError(Difference(kind="altered", path=path.relative_to(layout.root).as_posix(), message=message))
