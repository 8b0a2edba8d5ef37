"""By whose word plugins run: the registry of a configuration, and what is known of it in a state directory.

    vouching = Vouching(config, store)
    vouching.ask()                          its word is had now; why not, if it is not
    vouching.known_refusal_of(plugin)       why that may not run any more, by what is known
    vouching.close()

There is one connection, made when it is needed. From one thread at a time, but for what says otherwise.
"""

import hashlib
import logging
from collections.abc import Sequence
from pathlib import Path

from packaging.requirements import Requirement

from assess_core.config import Config, PluginConfig, RegistrySettings
from assess_core.delivery.choosing import choose
from assess_core.delivery.folders import entry_of, holds, keys_for
from assess_core.delivery.values import fits
from assess_core.errors import ConfigError, StoreError
from assess_core.store import InstalledPlugin, Interpreters, Store, require_approved
from assess_registry.client import ConfigError as RegistryConfigError
from assess_registry.client import (
    Registry,
    RegistryConfig,
    RevokedError,
    RoleTerm,
    TransportError,
    TrustError,
    plain,
    read_bounded,
)

_log = logging.getLogger(__name__)

DAY_S = 86_400.0

TRUST = "trust"
"""In the state directory: what is remembered of registries, one directory for each root."""

MAX_ROOT_BYTES = 512_000
"""The client's own bound."""


def _digest(root: Path, configured: Path) -> str:
    """Names what is remembered of a registry: by its anchor, so that it moves with the registry to another place.

    Args:
        root: the anchor.
        configured: the file that says so.

    Raises:
        ConfigError: there is no such file.
    """
    try:
        return hashlib.sha256(read_bounded(root, MAX_ROOT_BYTES)).hexdigest()
    except (OSError, RegistryConfigError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise ConfigError(
            f"{plain(configured)}: registry.root: {plain(root)} cannot be read: {plain(reason)}; "
            "get the registry's 1.root.json from its maintainer"
        ) from error


class Vouching:
    """The registry of one configuration at a time. Making it connects to nothing."""

    def __init__(self, config: Config, store: Store) -> None:
        self._config = config
        self._store = store
        self._trust = store.root / TRUST
        self._connected: Registry | None = None
        self._abandoned = False

    def reconfigure(self, config: Config) -> None:
        """By this configuration from now on."""
        if config.registry != self._config.registry:
            self.close()
        self._config = config

    def abandon(self) -> None:
        """No registry is waited for any more, for good; what waits in another thread fails soon, as if it were away.

        From any thread.
        """
        self._abandoned = True
        if (connected := self._connected) is not None:
            connected.abandon()

    def close(self) -> None:
        """Nothing is open. It may be used again."""
        if self._connected is not None:
            self._connected.close()
            self._connected = None

    def registry(self) -> Registry | None:
        """The registry by what is known of it; None when none is configured."""
        settings = self._config.registry
        if self._connected is not None or settings is None:
            return self._connected
        self._connected = self._made(settings)
        if self._abandoned:
            self._connected.abandon()
        return self._connected

    def registry_to_ask(self) -> Registry | None:
        """The same, and what it says can be remembered: the state directory has a place for it."""
        self._trust.mkdir(mode=0o700, parents=True, exist_ok=True)
        return self.registry()

    def require_root(self) -> None:
        """The file that is configured as the registry's root can be one, as it is now.

        Raises:
            ConfigError, RegistryError: it is none, or cannot be read.
        """
        if self._config.registry is not None:
            with self._made(self._config.registry) as registry:
                registry.require_root()

    def ask(self) -> TransportError | TrustError | None:
        """The registry was asked for its word now, however lately it was before; why that could not be had.

        Raises:
            ConfigError, RegistryError: its root is none any more; what was known of the registry still is.
        """
        self.require_root()
        self.close()
        registry = self.registry()
        if registry is None:
            return None
        try:
            registry.current_word(registry.deadline())
        except (TransportError, TrustError) as error:
            return error
        return None

    def concerns(self, plugin: InstalledPlugin) -> bool:
        """Whether it runs by the registry's word, and not by a folder's."""
        entry = entry_of(self._config, plugin.distribution)
        return self._config.registry is not None and (entry is None or entry.dir is None)

    def known_refusal_of(self, plugin: InstalledPlugin) -> TrustError | None:
        """Why an installed plugin may not run any more, by what is known of its registry.

        None when nothing speaks against it, which is not that somebody vouches for it: what is known may have to be
        completed, and the registry be away. Then the log says so, and what runs goes on until a sync knows more.
        """
        registry = self.registry()
        return self._refusal_by(registry, plugin) if registry is not None else None

    def refusals_by_memory(self, plugins: Sequence[InstalledPlugin]) -> list[tuple[InstalledPlugin, TrustError]]:
        """As `known_refusal_of` of each, by what is remembered alone. Also beside whoever asks the registry."""
        if self._config.registry is None:
            return []
        with self._made(self._config.registry) as registry:
            found = [(plugin, self._refusal_by(registry, plugin)) for plugin in plugins]
        return [(plugin, refusal) for plugin, refusal in found if refusal is not None]

    def may_stay(self, plugin: InstalledPlugin) -> bool:
        """Whether the configuration asks for this version, and nothing is known against it."""
        entry = entry_of(self._config, plugin.distribution)
        return entry is not None and fits(entry, plugin) and self.known_refusal_of(plugin) is None

    def terms(self) -> tuple[RoleTerm, ...]:
        """Until when what is known of the registry is believed, role by role."""
        registry = self.registry()
        return registry.terms() if registry is not None else ()

    def signing_roles(self) -> list[str]:
        """The role of each key that signs for the registry, by what is known of it.

        Raises:
            TrustError: nothing of it is valid.
        """
        registry = self.registry()
        return [role for role, _ in registry.known_word().signing_keys()] if registry is not None else []

    def newest(self, entry: PluginConfig, interpreters: Interpreters) -> str:
        """The version of the registry that this entry asks for.

        Raises:
            ConfigError: there is no registry.
            RegistryError: there is none, none that runs here, or the registry cannot be asked.
        """
        registry = self.registry()
        if registry is None:
            raise ConfigError(f"{entry.name}: there is no registry")
        requirement = Requirement(f"{entry.name}{entry.version}")
        return choose(requirement, registry=registry, interpreters=interpreters).resolved.version

    def keys_of(self, environment: Path) -> Registry | None:
        """Whose signatures count for what is in this environment: its folder's keys, else the registry's."""
        try:
            record = self._store.record(environment.name)
        except StoreError:  # verify_environment says what is wrong with it
            record = None
        entry = entry_of(self._config, record.plugin.distribution) if record is not None else None
        return (keys_for(entry) if entry is not None else None) or self.registry()

    def _refusal_by(self, registry: Registry, plugin: InstalledPlugin) -> TrustError | None:
        entry = entry_of(self._config, plugin.distribution)
        from_folder = entry is not None and entry.dir is not None
        try:
            require_approved(plugin, store=self._store, registry=registry)
        except RevokedError as refusal:
            # What ran before the folder was configured came from the registry, also where it still serves.
            vouched = entry is not None and self._is_active(plugin) and holds(entry, plugin)
            return None if vouched else refusal
        except TrustError as refusal:
            return None if from_folder else refusal
        except (TransportError, StoreError) as error:  # the next sync says more of it
            _log.warning("%s", error, extra={"action": "approval-unknown", "distribution": plugin.distribution})
        return None

    def _is_active(self, plugin: InstalledPlugin) -> bool:
        return any(each.env_key == plugin.env_key for each in self._store.active())

    def _made(self, settings: RegistrySettings) -> Registry:
        return Registry(
            RegistryConfig(
                url=settings.url,
                root=settings.root,
                state=self._trust / _digest(settings.root, self._config.source),
                development=settings.development,
                timeout_s=settings.timeout_s,
                max_staleness_s=settings.max_staleness_d * DAY_S,
                access=settings.access,
            )
        )
