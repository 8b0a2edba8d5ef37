"""How TUF's client gets its files: through our transport, bounded, by one deadline, and only those our rules admit.

python-tuf asks for files by name and takes what comes. What it is given here has been read whole, by a deadline that
spans all files of an operation (upstream's own bounds the gap between two packets), and looked at by `rules`. Errors
are raised before it sees a byte: those that come while it iterates it would not map.
"""

import re
from collections.abc import Callable, Iterator

from assess_registry.client.location import Location
from assess_registry.client.transport import Deadline, ForbiddenError
from assess_registry.client.trust.port import ReadFile
from assess_registry.client.trust.tuf_api import DownloadError, DownloadHTTPError, FetcherInterface, Root
from assess_registry.errors import NotPublishedError

METADATA_DIRECTORY = "metadata/"

Check = Callable[[str, bytes, str], None]
"""Looks at a document before TUF does: role, bytes, name for messages; raises `TrustError`."""

_VERSION = re.compile(r"[0-9]+\.")


class RegistryFetcher(FetcherInterface):
    """Reads metadata files of one registry.

    Attributes:
        deadline: of the operation at hand.
        asked: the file last asked for, for messages.
        got: what was last read for each role, for messages.
    """

    def __init__(self, read: ReadFile, check: Check, deadline: Deadline) -> None:
        self._read = read
        self._check = check
        self.deadline = deadline
        self.asked = ""
        self.got: dict[str, bytes] = {}

    def download_bytes(self, url: str, max_length: int) -> bytes:
        """The whole file; TransportError and TrustError pass through TUF's client as they are."""
        self.asked = url
        try:
            data = self._read(Location(url), max_length, self.deadline)
        except NotPublishedError as error:
            # TUF's client tells the end of the chain of roots by this very error.
            raise DownloadHTTPError(f"{url}: not there", 404) from error
        except ForbiddenError as error:
            if role_of(url) != Root.type:
                raise
            raise DownloadHTTPError(f"{url}: not there, or forbidden", 403) from error
        role = role_of(url)
        self.got[role] = data
        self._check(role, data, url)
        return data

    def _fetch(self, url: str) -> Iterator[bytes]:
        raise DownloadError(f"{url}: not read without a bound")


def role_of(location: str) -> str:
    """The role whose document a metadata file is: `root` of `metadata/2.root.json`."""
    name = location.rpartition("/")[2].removesuffix(".json")
    return _VERSION.sub("", name, count=1)
