"""A folder of wheels in which a lock lies is what that lock says, byte for byte, or it is refused.

`assess-registry lock` leaves its lock beside the wheels. Whoever changes, removes or adds one afterwards changes what a
plugin would be submitted with; without the lock nobody could tell. A folder without a lock is taken as it is.
"""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from assess_registry.closure.resolve import wheels_in
from assess_registry.errors import TrustError
from assess_registry.lock import LOCK_NAME, Lock, LockedWheel, parse_lock
from assess_registry.names import ProjectName
from assess_registry.wheel import InspectedWheel


@runtime_checkable
class MayBePinned(Protocol):
    """A folder of wheels in which a lock may lie."""

    def lock(self) -> bytes | None:
        """The content of its `pylock.toml`; None when there is none."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class Pins:
    """What a lock says of the wheels beside it, the plugin's own left out.

    Attributes:
        plugin: whose closure it is.
        wheels: by filename.
    """

    plugin: ProjectName
    wheels: Mapping[str, LockedWheel]


def pins_of(folder: Mapping[str, bytes], wheel: InspectedWheel) -> Pins | None:
    """What the lock in the folder says of a plugin's dependencies, which are exactly there; None without a lock.

    Raises:
        TrustError: step `closure`; a wheel was changed, removed or added. Step `lock`: it is no lock.
    """
    data = folder.lock() if isinstance(folder, MayBePinned) else None
    if data is None:
        return None
    lock = parse_lock(data, beside=True)
    pins = {each.filename: each for each in lock.wheels if each.project != wheel.project}
    present = {filename for filename, project, _ in wheels_in(folder) if project != wheel.project}
    for filename in sorted(present | set(pins)):
        if filename not in present:
            raise _refusal(filename, "it is missing", expected=_said(pins[filename]), got="nothing")
        if filename not in pins:
            raise _refusal(filename, "it was added", expected="the wheels of the lock and no other", got=filename)
        content = folder[filename]
        got = hashlib.sha256(content).hexdigest()
        if got != pins[filename].sha256 or len(content) != pins[filename].size:
            found = f"{len(content)} bytes, sha256 {got}"
            raise _refusal(filename, "it was changed", expected=_said(pins[filename]), got=found)
    return Pins(plugin=wheel.project, wheels=pins)


def require_as_pinned(pins: Pins | None, wheel: InspectedWheel, lock: Lock) -> None:
    """The closure that was made of a folder is the one that its lock says.

    Raises:
        TrustError: step `closure`; the plugin needs other wheels now than when the lock was made.
    """
    if pins is None:
        return
    now = {each.filename for each in lock.wheels if each.project != wheel.project}
    if now == set(pins.wheels):
        return
    raise _refusal(
        wheel.filename,
        "it needs other wheels than the lock beside them says",
        expected=_some(pins.wheels),
        got=_some(now),
    )


def _some(filenames: Iterable[str]) -> str:
    return ", ".join(sorted(filenames)) or "no wheel"


def _said(wheel: LockedWheel) -> str:
    return f"{wheel.size} bytes, sha256 {wheel.sha256}"


def _refusal(thing: str, message: str, *, expected: str, got: str) -> TrustError:
    return TrustError(
        message + f", by the {LOCK_NAME} that lies beside it",
        step="closure",
        thing=thing,
        expected=expected,
        got=got,
        next_step="find out who changed the folder; if it was you, make it again: assess-registry lock",
    )
