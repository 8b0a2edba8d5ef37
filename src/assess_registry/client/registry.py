"""One registry, as an operator configured it: where it lies, what is trusted, how long an operation may take.

config = RegistryConfig(url="https://registry.example/", root=Path("1.root.json"), state=Path("trust"))
with Registry(config) as registry:
    verified = verify(fetch(resolve(requirement, registry=registry, target=target), registry=registry), ...)
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

from assess_registry.client.location import Location, parse_base
from assess_registry.client.transport import NO_ACCESS, Access, Deadline, Transport, open_transport
from assess_registry.client.trust import RoleTerm, TrustState, Word, check_root, kept_terms, open_word
from assess_registry.errors import ConfigError
from assess_registry.keys import TrustedKeys, load_trusted_keys
from assess_registry.keys.way import read_guarded

MAX_ROOT_BYTES = 512_000
"""TUF's own bound for a root; ours have about 3 kB."""

FRESH_S = 30.0
"""A word this young is not asked for again: the plugins of one `sync` are judged by one word."""

IN_USE_S = 3600.0
"""How long the word of an operation is the one to go on with; then what is remembered is looked at again."""

DAY_S = 86_400.0


@dataclass(frozen=True, kw_only=True, slots=True)
class RegistryConfig:
    """What the operator states about a registry: exactly one of `root` and `trusted_keys`.

    Attributes:
        url: `https://…`, `http://` on loopback, or `file:///absolute/path`; see `absolute_url` for relative ones.
        root: the registry's first root metadata, from its maintainer by another way than this registry.
        state: with `root`, the directory in which what was learned of the registry is kept.
        trusted_keys: directory of the publishers' public keys, `*.pub`. Publishers' signatures are then all that
            counts: no approval, no revocation, no protection against being shown what was true once.
        development: it may be one whose keys all lie on one machine; with `root`, its signed word says whether it is.
        timeout_s: for one whole operation (`resolve` or `fetch`), whatever the number of files.
        max_staleness_s: how long what is installed may run on without word from the registry.
        access: proxy, authorities and credentials, for https.
    """

    url: str
    root: Path | None = None
    state: Path | None = None
    trusted_keys: Path | None = None
    development: bool = False
    timeout_s: float = 60.0
    max_staleness_s: float = 30 * DAY_S
    access: Access = field(default=NO_ACCESS)

    def __post_init__(self) -> None:
        problems = []
        if not 0 < self.timeout_s <= DAY_S:
            problems.append(f"timeout_s: expected more than 0 and at most 86400 seconds, got {self.timeout_s}")
        if not 0 <= self.max_staleness_s <= 3650 * DAY_S:
            problems.append(f"max_staleness_s: expected 0 to ten years in seconds, got {self.max_staleness_s}")
        if (self.root is None) == (self.trusted_keys is None):
            problems.append("expected either root (1.root.json) or trusted_keys, and not both")
        if self.root is not None and self.state is None:
            problems.append("state: with root, say in which directory to keep what was learned of the registry")
        if problems:
            raise ConfigError(*(f"registry {problem}" for problem in problems))


class Registry:
    """Owns the transport to a registry and what is trusted of it. Nothing is contacted before the first read.

    Attributes:
        config: as given.
        base: where it lies.
        trusted: the publishers' keys, read once; none where `root` says what is trusted.
        approved: whether the registry's signed word decides, and not `trusted` alone.
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
        self.approved = config.root is not None
        self.trusted = load_trusted_keys(config.trusted_keys) if config.trusted_keys else TrustedKeys(())
        self._transport = transport if transport is not None else open_transport(self.base, config.access)
        self._clock = clock
        self._state: TrustState | None = None
        self._word: tuple[float, Word] | None = None

    def deadline(self) -> Deadline:
        """The deadline of an operation that begins now."""
        return Deadline.after(self.config.timeout_s, clock=self._clock)

    def read(self, location: Location, *, max_bytes: int, deadline: Deadline) -> bytes:
        """A file of the registry; see `Transport.read`."""
        return self._transport.read(location, max_bytes=max_bytes, deadline=deadline)

    def current_word(self, deadline: Deadline) -> Word:
        """The registry's word as it is now: asked for, unless that was just done.

        Raises:
            As `TrustState.refresh`.
        """
        word = self._younger_than(FRESH_S)
        if word is None:
            word = self._trust().refresh(deadline)
            self._word = (self._clock(), word)
        return word

    def known_word(self) -> Word:
        """The word of the operation at hand, or else what is remembered; the registry is not asked for a newer one.

        Raises:
            As `TrustState.remembered`.
        """
        return self._younger_than(IN_USE_S) or self._trust().remembered()

    def require_root(self) -> None:
        """What is said to be its root can be one; nothing is contacted.

        Raises:
            ConfigError: it cannot be read.
            TrustError: step `root`; it is none.
        """
        if self.config.root is not None:
            check_root(_read_root(self.config.root), str(self.config.root))

    def terms(self) -> tuple[RoleTerm, ...]:
        """Until when what is known of it is believed, role by role; nothing where it goes by publishers' keys alone.

        Raises:
            TrustError, ConfigError: what is kept of it cannot be used.
        """
        return kept_terms(self.config.state) if self.config.state is not None else ()

    def close(self) -> None:
        """Give back connections."""
        self._transport.close()

    def abandon(self) -> None:
        """Nothing is read any more; reading that waits in another thread fails soon. To be closed by who reads."""
        self._transport.abandon()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _younger_than(self, age_s: float) -> Word | None:
        if self._word is None or self._clock() - self._word[0] > age_s:
            return None
        return self._word[1]

    def _trust(self) -> TrustState:
        if self._state is None:
            if self.config.root is None or self.config.state is None:
                raise ValueError("a registry that is trusted by keys alone has no signed word")
            self._state = open_word(
                state=self.config.state,
                root=_read_root(self.config.root),
                read=lambda location, max_bytes, deadline: self.read(location, max_bytes=max_bytes, deadline=deadline),
                max_staleness_s=self.config.max_staleness_s,
            )
        return self._state


def _read_root(path: Path) -> bytes:
    try:
        return read_guarded(path, MAX_ROOT_BYTES)
    except OSError as error:
        raise ConfigError(f"registry root: {path}: cannot be read: {error.strerror}") from error
