"""A registry that is a directory on this machine (`file:`); imports nothing that speaks to a network."""

import stat
from pathlib import Path

from assess_registry.client.location import Base, Location
from assess_registry.client.transport.port import Deadline, oversized
from assess_registry.errors import ConfigError, NotPublishedError, TransportError
from assess_registry.files import read_bounded


class DirectoryTransport:
    """Reads files below a directory."""

    def __init__(self, base: Base) -> None:
        if base.directory is None:
            raise ValueError(f"{base.url} is no directory")
        self._base = base
        self._directory = base.directory

    def read(self, location: Location, *, max_bytes: int, deadline: Deadline) -> bytes:
        """The whole file at `location`; see `Transport.read`. The deadline is looked at once: a disk does not drip."""
        url = self._base.url_of(location)
        deadline.remaining_s(url)
        path = self._directory / location
        try:
            return read_bounded(path, max_bytes)
        except (FileNotFoundError, NotADirectoryError) as error:
            raise self._missing(url) from error
        except OSError as error:
            raise TransportError(f"{path}: cannot be read: {error.strerror}", url=url) from error
        except ConfigError as error:
            status = path.stat()
            if stat.S_ISREG(status.st_mode):
                raise oversized(url, max_bytes=max_bytes, got=f"{status.st_size} bytes") from error
            raise TransportError(f"{path}: the registry is damaged, this is no regular file", url=url) from error

    def close(self) -> None:
        """Nothing is held."""

    def abandon(self) -> None:
        """Nothing is waited for but a disk."""

    def _missing(self, url: str) -> TransportError:
        # "No such project" would send people looking for a typing error when the whole registry is elsewhere.
        if not Path(self._directory).is_dir():
            return TransportError(
                f"{self._directory}: there is no registry here; check the registry url, or publish to it first",
                url=url,
            )
        return NotPublishedError(f"{url}: the registry does not have it", url=url)
