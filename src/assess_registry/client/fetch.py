"""The bytes of a resolved wheel, its signature and its closure: bounded, and not believed yet.

The signed lock says how long each file is, and reading stops at the first byte more. What arrives is handed on as it
is; `verify` looks at every byte of it. `kept.py` makes the same value out of bytes that were fetched earlier.
"""

from dataclasses import dataclass, field

from assess_registry.client.registry import Registry
from assess_registry.client.release_files import locate_locked, read_listed, read_signature
from assess_registry.client.resolve import ResolvedWheel
from assess_registry.dsse import MAX_ENVELOPE_BYTES
from assess_registry.errors import TrustError
from assess_registry.lock import LockedWheel
from assess_registry.signatures import SIGNATURE_FILE_BYTES

MAX_CLOSURE_BYTES = 1 << 30
"""A plugin and all it runs with; it is held in memory until it is installed. The largest we met has 180 MiB."""


@dataclass(frozen=True, kw_only=True, slots=True)
class FetchedWheel:
    """Bytes that claim to be what was resolved.

    Attributes:
        data: of the plugin's own wheel.
        signature: content of its `.sig`.
        dependencies: each locked wheel of the closure with the bytes that claim to be it.
        verdict: content of its `.verdict.json`; empty by the publishers' keys alone.
    """

    resolved: ResolvedWheel
    data: bytes = field(repr=False)
    signature: bytes = field(repr=False)
    dependencies: tuple[tuple[LockedWheel, bytes], ...] = field(repr=False)
    verdict: bytes = field(repr=False, default=b"")


def fetch(resolved: ResolvedWheel, *, registry: Registry) -> FetchedWheel:
    """Every file of `resolved`, in memory; nothing is written anywhere.

    Raises:
        NotPublishedError: the signed lock names a wheel that the registry does not have.
        TransportError: the registry could not be read in time.
        TrustError: step `length`, a file is longer than its lock says, or the closure larger than
            `MAX_CLOSURE_BYTES`; step `signature`, the wheel has none; step `redirect`.
    """
    total = resolved.size + sum(wheel.size for wheel in resolved.closure)
    if total > MAX_CLOSURE_BYTES:
        raise TrustError(
            "it and its dependencies are larger than a plugin may be",
            step="length",
            thing=resolved.filename,
            expected=f"at most {MAX_CLOSURE_BYTES} bytes in all",
            got=f"{total} bytes announced by its lock",
            next_step="ask its publisher for a smaller closure",
        )
    deadline = registry.deadline()
    data = registry.read(resolved.location, max_bytes=resolved.size, deadline=deadline)
    listed, verdict = resolved.listed, b""
    if listed is None:
        signature = read_signature(resolved.location, registry, deadline)
    else:
        signature = read_listed(listed.wheel.signature, listed, registry, deadline, max_bytes=SIGNATURE_FILE_BYTES)
        verdict = read_listed(listed.wheel.verdict, listed, registry, deadline, max_bytes=MAX_ENVELOPE_BYTES)
    dependencies = []
    for wheel in resolved.closure:
        location = locate_locked(wheel, resolved.lock_location, registry)
        dependencies.append((wheel, registry.read(location, max_bytes=wheel.size, deadline=deadline)))
    return FetchedWheel(
        resolved=resolved, data=data, signature=signature, dependencies=tuple(dependencies), verdict=verdict
    )
