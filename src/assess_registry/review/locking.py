"""The lock of a release's wheels, and the very bytes of the dependencies that it names."""

import hashlib
from collections.abc import Mapping, Sequence

from assess_registry.closure import locked, make_closure
from assess_registry.config import Targets
from assess_registry.errors import ConfigError, PublishError, TrustError
from assess_registry.lock import Lock, parse_lock, write_lock
from assess_registry.names import Sha256
from assess_registry.wheel import InspectedWheel


def require_one_version(wheels: Sequence[InspectedWheel]) -> InspectedWheel:
    """They are one version and require the same; gives the first.

    Raises:
        ConfigError: they are not.
        PublishError: one requires other things than the others; wheels of a version share a lock.
    """
    first = wheels[0]
    for other in wheels[1:]:
        if (other.project, other.version) != (first.project, first.version):
            raise ConfigError(f"{other.filename}: not a wheel of {first.project} {first.version}; submit it by itself")
        if set(other.requires_dist) != set(first.requires_dist) or other.requires_python != first.requires_python:
            message = f"requires other things than {first.filename}; wheels of a version share a lock"
            raise PublishError(f"{other.filename}: {message}")
    return first


def lock_release(
    wheels: Sequence[InspectedWheel], folder: Mapping[str, bytes], targets: Targets
) -> tuple[Lock, dict[str, bytes]]:
    """The lock of all the wheels, and the bytes of the dependencies it names.

    Raises:
        PublishError: something that they require is not in the folder.
        TrustError: step `publish`; a wheel changed meanwhile.
    """
    lock = make_closure(wheels[0], folder, targets=targets)
    if len(wheels) > 1:
        entries = [*lock.wheels, *(locked(wheel) for wheel in wheels[1:])]
        lock = parse_lock(write_lock(entries, requires_python=lock.requires_python, environments=lock.environments))
    dependencies = {}
    for entry in lock.wheels:
        if entry.project == wheels[0].project:
            continue
        data = folder[entry.filename]
        got = Sha256(hashlib.sha256(data).hexdigest())
        if got != entry.sha256:
            raise TrustError(
                "it changed while it was being locked",
                step="publish",
                thing=entry.filename,
                expected=f"sha256 {entry.sha256}",
                got=f"sha256 {got}",
                next_step="find out who changes the wheels of the closure, and submit again",
            )
        dependencies[entry.filename] = data
    return lock, dependencies
