"""A version that was quarantined before its first good call is left again, by itself, for the one before it.

    fall_back(name, entry, config, delivery)

A version that starts and loads has passed its check, and may die in every call all the same. As long as it has not
answered one since it took another's place (`store/trials.py`), that is what its quarantine says, and the version before
serves again: looked at as if it were new, and only as far as registry and configuration allow. The one that is left
counts as failed (`store/choices.py`), and is brought up again when somebody asks for it.

1. nobody else brings up a version meanwhile; what was seen is looked at again  2. the version before may serve and
starts  3. what was seen is still so  4. the failure is on record  5. the pointer is moved  6. neither is on trial any
more. Killed anywhere, the next sync begins again, or finds it done.
"""

import asyncio
import logging

from assess_core.config import Config, PluginConfig
from assess_core.delivery.admission import admit, asking_of, rights_of
from assess_core.delivery.keeping import held, remember_failure, require_vouched
from assess_core.delivery.values import Delivery, fits
from assess_core.errors import AssessError, StoreError
from assess_core.host import health_check
from assess_core.host.quarantine import Quarantine, Quarantines
from assess_core.store import InstalledPlugin, Store
from assess_registry.client import ProjectName, RegistryError, TrustError

_log = logging.getLogger(__name__)


def fallen(name: ProjectName, store: Store) -> Quarantine | None:
    """Why what serves is to be left again; None when it is not, which costs one look at a file.

    Raises:
        StoreError: the quarantine may not be read.
    """
    pointer = store.pointer(name)
    if pointer is None or not store.trials.holds(pointer.env_key):
        return None
    quarantine = Quarantines(store.layout.path("quarantine")).of(name)
    return quarantine if quarantine is not None and quarantine.env_key == pointer.env_key else None


def fall_back(name: ProjectName, entry: PluginConfig, config: Config, delivery: Delivery) -> InstalledPlugin | None:
    """What served and never answered is left for the version before it; returns that, or None when nothing is left.

    A dry run returns it and changes nothing. Where the version before may not serve, the one that is quarantined stays,
    answers nothing, and the log says why.
    """
    version = ""
    try:
        if (quarantine := fallen(name, delivery.store)) is None:
            return None
        version = quarantine.version
        if delivery.dry_run:
            return delivery.store.before(name)
        with delivery.store.activating(name):
            return None if fallen(name, delivery.store) is None else _left(name, entry, config, delivery)
    except (AssessError, RegistryError) as error:
        _log.warning(
            "%s %s never answered and is quarantined, and the version before it does not serve again: %s",
            name,
            version,
            error.what if isinstance(error, TrustError) else error,
            extra={"action": "rollback-refused", "distribution": name},
        )
        return None


def _left(name: ProjectName, entry: PluginConfig, config: Config, delivery: Delivery) -> InstalledPlugin | None:
    store = delivery.store
    record, plugin = store.pointed(name), store.before(name)
    with store.lease(plugin):
        _require_fit(plugin, entry, config, delivery)
        if (quarantine := fallen(name, store)) is None:  # somebody resumed it while that one started
            return None
        if record is not None:
            remember_failure(record.plugin, _why(quarantine), delivery, for_good=True)
        store.rollback(name)
    _log.error(
        "%s %s was quarantined before its first good call: %s serves again, and %s is brought up again when somebody "
        "asks for it: assess plugins resume %s",
        name,
        quarantine.version,
        plugin.version,
        quarantine.version,
        name,
        extra={"action": "rolled-back", "distribution": name},
    )
    delivery.notify(f"{name} {quarantine.version} never answered: {plugin.version} serves again")
    return plugin


def _require_fit(plugin: InstalledPlugin, entry: PluginConfig, config: Config, delivery: Delivery) -> None:
    """It may serve in the place of the one after it, and starts.

    Raises:
        AssessError, RegistryError: it may not, or does not.
    """
    store = delivery.store
    if not fits(entry, plugin):
        raise StoreError(f"{plugin.version} is not what the configuration asks for, which is {entry.version}")
    if (failure := held(plugin.sha256, plugin.interpreter, store.choices(plugin.distribution), delivery)) is not None:
        raise StoreError(f"{plugin.version} failed as well: {failure.reason}")
    require_vouched(plugin, entry, delivery)
    admitted = admit(config, asking_of(plugin), store.consents(plugin.distribution))
    if not admitted.ready:
        raise StoreError(f"{plugin.version} may not start: {admitted.why_not}")
    asyncio.run(health_check(plugin, delivery.host, rights_of(admitted.grant)))


def _why(quarantine: Quarantine) -> str:
    last = f": {quarantine.deaths[-1].message}" if quarantine.deaths else ""
    return f"it was quarantined before its first good call, after {len(quarantine.deaths)} deaths{last}"
