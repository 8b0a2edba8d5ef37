"""The files of a release, read: where they lie, how large they may be, and what is said when one is not there."""

from assess_registry.catalogue import VERDICT_SUFFIX, FileRef
from assess_registry.client.choose import check_bytes
from assess_registry.client.location import Location
from assess_registry.client.registry import Registry
from assess_registry.client.standing import Listed, beside
from assess_registry.client.transport import Deadline
from assess_registry.client.transport.port import oversized
from assess_registry.errors import NotPublishedError, TrustError
from assess_registry.keys import KeyId
from assess_registry.lock import LOCK_NAME, MAX_LOCK_BYTES, Lock, LockedWheel, parse_lock
from assess_registry.signatures import SIGNATURE_FILE_BYTES, SIGNATURE_SUFFIX, verify_detached


def locate_locked(wheel: LockedWheel, lock_location: Location, registry: Registry) -> Location:
    """Where a locked wheel lies, seen from its lock.

    Raises:
        TrustError: step `lock`; that is outside of the registry.
    """
    try:
        return registry.base.locate(lock_location, wheel.location)
    except ValueError as error:
        raise TrustError(
            f"{wheel.filename}: {error}", step="lock", thing=registry.base.url_of(lock_location)
        ) from error


def read_signature(location: Location, registry: Registry, deadline: Deadline) -> bytes:
    """The content of the `.sig` file beside `location`; nothing about it is checked.

    Raises:
        TrustError: step `signature`; there is none, or it is too long to be one.
    """
    beside = Location(location + SIGNATURE_SUFFIX)
    try:
        return registry.read(beside, max_bytes=SIGNATURE_FILE_BYTES, deadline=deadline)
    except NotPublishedError as error:
        raise _unsigned(registry.base.url_of(location), registry.base.url_of(beside)) from error


def read_listed(file: FileRef, listed: Listed, registry: Registry, deadline: Deadline, *, max_bytes: int) -> bytes:
    """A file beside the wheel, which is the one the signed page names.

    Raises:
        NotPublishedError: it is not there.
        TrustError: step `length` or `hash`; it is another, or the page names one larger than its kind may be. Step
            `signature` or `verdict`; one that is not there.
    """
    location = beside(listed.standing.catalogue.project, listed.release.version, file.filename)
    # The release keys decide what is published, not how much of our memory it takes.
    if file.size > max_bytes:
        raise oversized(registry.base.url_of(location), max_bytes=max_bytes, got=f"{file.size} on the signed page")
    try:
        data = registry.read(location, max_bytes=file.size, deadline=deadline)
    except NotPublishedError as error:
        url = registry.base.url_of(location)
        if file.filename.endswith(SIGNATURE_SUFFIX):
            raise _unsigned(url.removesuffix(SIGNATURE_SUFFIX), url) from error
        if file.filename.endswith(VERDICT_SUFFIX):
            raise _unapproved(url) from error
        raise
    check_bytes(data, size=file.size, sha256=file.sha256, thing=registry.base.url_of(location), by="signed page")
    return data


def read_listed_lock(listed: Listed, registry: Registry, deadline: Deadline) -> tuple[Lock, bytes, KeyId]:
    """The lock that the signed page names, its signature, and who signed it: the publisher of the wheel.

    Raises:
        NotPublishedError: it is not there.
        TrustError: as for `read_listed`; step `signature`, of another; step `lock`, it is none.
    """
    release = listed.release
    url = registry.base.url_of(beside(listed.standing.catalogue.project, release.version, LOCK_NAME))
    data = read_listed(release.lock, listed, registry, deadline, max_bytes=MAX_LOCK_BYTES)
    signature = read_listed(release.lock_signature, listed, registry, deadline, max_bytes=SIGNATURE_FILE_BYTES)
    signer = verify_detached(data, signature, listed.keys, thing=url)
    return parse_lock(data), signature, signer


def _unsigned(thing: str, signature: str) -> TrustError:
    return TrustError(
        "it is not signed",
        step="signature",
        thing=thing,
        expected=f"a signature in {signature}",
        got="no such file",
        next_step="do not use it; ask its publisher for a signed release",
    )


def _unapproved(verdict: str) -> TrustError:
    return TrustError(
        "nobody says that it was approved",
        step="verdict",
        thing=verdict,
        expected="the verdict that the signed page names",
        got="no such file",
        next_step="do not use it; ask the registry's maintainer",
    )
