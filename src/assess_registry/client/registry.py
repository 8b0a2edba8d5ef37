"""One registry, as an operator configured it: where it lies, whose signatures count, how long an operation may take.

with Registry(RegistryConfig(url="file:///srv/simple-index", trusted_keys=Path("keys"))) as registry:
    verified = verify(fetch(resolve(requirement, registry=registry, target=target), registry=registry), ...)
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from assess_registry.client.location import Location, parse_base
from assess_registry.client.transport import Deadline, Transport, open_transport
from assess_registry.errors import ConfigError
from assess_registry.keys import load_trusted_keys


@dataclass(frozen=True, kw_only=True, slots=True)
class RegistryConfig:
    """What the operator states about a registry.

    Attributes:
        url: `https://…`, `http://` on loopback, or `file:///absolute/path`; see `absolute_url` for relative ones.
        trusted_keys: directory of the publishers' public keys, `*.pub`.
        development: a registry whose keys all lie on one machine; every result says so.
        timeout_s: for one whole operation (`resolve` or `fetch`), whatever the number of files.
    """

    url: str
    trusted_keys: Path
    development: bool = False
    timeout_s: float = 60.0

    def __post_init__(self) -> None:
        if not 0 < self.timeout_s <= 86_400:
            raise ConfigError(
                f"registry timeout_s: expected more than 0 and at most 86400 seconds, got {self.timeout_s}"
            )


class Registry:
    """Owns the transport to a registry and the keys trusted for it. Nothing is contacted before the first read.

    Attributes:
        config: as given.
        base: where it lies.
        trusted: the publishers' keys, read once.
    """

    def __init__(
        self,
        config: RegistryConfig,
        *,
        transport: Transport | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.config = config
        try:
            self.base = parse_base(config.url)
        except ValueError as error:
            raise ConfigError(f"registry url: {error}") from error
        self.trusted = load_trusted_keys(config.trusted_keys)
        self._transport = transport if transport is not None else open_transport(self.base)
        self._clock = clock

    def deadline(self) -> Deadline:
        """The deadline of an operation that begins now."""
        return Deadline.after(self.config.timeout_s, clock=self._clock)

    def read(self, location: Location, *, max_bytes: int, deadline: Deadline) -> bytes:
        """A file of the registry; see `Transport.read`."""
        return self._transport.read(location, max_bytes=max_bytes, deadline=deadline)

    def close(self) -> None:
        """Give back connections."""
        self._transport.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
