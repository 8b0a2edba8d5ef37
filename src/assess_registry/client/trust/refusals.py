"""What TUF's client found wrong, in our words: which step, which file, expected and got, and what to do now.

Its errors name neither the file nor the two values that should have agreed, so both are looked up: in the file last
asked for, and in what was remembered before it.
"""

import contextlib
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from assess_registry.client.trust.clock import utc_now
from assess_registry.client.trust.fetcher import METADATA_DIRECTORY, RegistryFetcher, role_of
from assess_registry.client.trust.rules import step_of
from assess_registry.client.trust.tuf_api import (
    BadVersionNumberError,
    DeserializationError,
    DownloadError,
    DownloadHTTPError,
    ExpiredMetadataError,
    LengthOrHashMismatchError,
    RepositoryError,
    UnsignedMetadataError,
)
from assess_registry.errors import ExpiredError, NotPublishedError, TransportError, TrustError

_EXPIRED = re.compile(r"(?:Final |New )?(?P<role>\S+?)(?:\.json)? is expired\Z")

_ASK = "do not use this registry until its maintainer has explained the difference"


@contextlib.contextmanager
def in_our_words(fetcher: RegistryFetcher, directory: Path) -> Iterator[None]:
    """Errors of TUF's client leave as `TrustError` or `TransportError`.

    Args:
        fetcher: knows what was asked for and read.
        directory: what was remembered when this began, for messages.
    """
    before = {role: _signed(_local(directory, role)) for role in ("root", "timestamp", "snapshot")}
    try:
        yield
    except DownloadHTTPError as error:
        # Nobody is told to go on without: whoever can withhold this file would have them believe less.
        url = error.__cause__.url if isinstance(error.__cause__, TransportError) else fetcher.asked
        raise NotPublishedError(
            f"{url}: the registry does not have it, and without it nothing that it says is known to be current; check "
            "the registry's url, and ask its maintainer if it is right",
            url=url,
        ) from error
    except DownloadError as error:
        raise TransportError(f"{fetcher.asked}: {error}", url=fetcher.asked) from error
    except RepositoryError as error:
        raise refusal(error, asked=fetcher.asked, got=fetcher.got, before=before) from error


def refusal(
    error: RepositoryError, *, asked: str, got: dict[str, bytes], before: dict[str, dict[str, Any]]
) -> TrustError:
    """The refusal that an error of TUF's client stands for."""
    role = role_of(asked)
    arrived = _signed(got.get(role))
    match error:
        case ExpiredMetadataError():
            return _expired(error, asked, got, before)
        case UnsignedMetadataError():
            return _refused("not signed by enough of the keys that may sign it", asked, "", str(error))
        case LengthOrHashMismatchError():
            names = "the signed timestamp" if role == "snapshot" else "the signed snapshot"
            return _refused(f"not the file that {names} names", asked, "its length and digest", str(error))
        case BadVersionNumberError():
            known = before.get(role, {}).get("version")
            expected = f"version {known} or later" if known is not None else "the version that is named"
            return _refused(f"a version that must not be: {error}", asked, expected, _version(arrived))
        case DeserializationError():
            return _refused("not metadata of TUF", asked, f"a document of role {role}", "something else")
        case _:
            return _refused(str(error), asked, "", "")


def _expired(
    error: RepositoryError, asked: str, got: dict[str, bytes], before: dict[str, dict[str, Any]]
) -> ExpiredError:
    found = _EXPIRED.search(str(error))
    role = found["role"] if found else role_of(asked)
    document = _signed(got.get(role)) or before.get(role, {})
    renew = "sign the next root: assess-registry root propose" if role == "root" else "run: assess-registry refresh"
    return ExpiredError(
        "it has expired: the registry serves what was true once, or its maintainer forgot to refresh it",
        step=step_of(role),
        thing=asked if role == role_of(asked) else f"{METADATA_DIRECTORY}{role}.json",
        expected=f"valid at {utc_now():%Y-%m-%dT%H:%M:%SZ}, by this machine's clock",
        got=f"expired at {str(document.get('expires', 'an earlier time'))[:80]}",
        next_step=f"check this machine's clock; ask the registry's maintainer to {renew}",
    )


def _refused(message: str, asked: str, expected: str, got: str) -> TrustError:
    return TrustError(message, step=step_of(role_of(asked)), thing=asked, expected=expected, got=got, next_step=_ASK)


def _version(signed: dict[str, Any]) -> str:
    return f"version {str(signed.get('version', '?'))[:80]}"


def _local(directory: Path, role: str) -> bytes | None:
    try:
        return (directory / f"{role}.json").read_bytes()
    except OSError:
        return None


def _signed(data: bytes | None) -> dict[str, Any]:
    """The signed part of a document, for a message: whatever it is, nothing is decided by it."""
    try:
        signed = json.loads(data or b"{}").get("signed", {})
    except (ValueError, AttributeError, RecursionError):
        return {}
    return signed if isinstance(signed, dict) else {}
