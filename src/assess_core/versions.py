"""Which version of a plugin serves, where somebody says so: going back, pinning, letting go, taking away.

    with Runtime(config, state=state) as runtime:
        rollback(runtime, "demo-plugin")        the version before serves again, and is pinned
        pin(runtime, "demo-plugin", "1.2.0")    the next sync brings it up, and nothing newer
        unpin(runtime, "demo-plugin")
        resume(runtime, "demo-plugin")          what is held against it is forgotten
        remove(runtime, "demo-plugin")

Each of these holds across a kill at any instruction: a step that was not done is done by the next sync, or not at all.
"""

import asyncio
import contextlib
import logging
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from packaging.version import InvalidVersion, Version

from assess_core.clock import timestamp, utc_now
from assess_core.config import Config, PluginConfig, unknown_name
from assess_core.delivery.admission import admit, asking_of, rights_of
from assess_core.delivery.folders import entry_of
from assess_core.delivery.held import words_of_failure, words_of_quarantine
from assess_core.delivery.keeping import require_vouched
from assess_core.delivery.values import admits
from assess_core.errors import ConfigError, StoreError
from assess_core.host import health_check
from assess_core.host.quarantine import Quarantine
from assess_core.place import user_name
from assess_core.runtime import Runtime
from assess_core.store import (
    Choices,
    Failure,
    InstalledPlugin,
    Pin,
    Pruned,
    prune,
    runtime_kits,
    uninstall,
)
from assess_core.store.choices import Why
from assess_registry.client import LockTimeoutError, ProjectName, RevokedError, parse_project, plain

_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class WentBack:
    """What serves now, in whose place; None when that was damaged."""

    plugin: InstalledPlugin
    before: InstalledPlugin | None
    pin: Pin


@dataclass(frozen=True, kw_only=True, slots=True)
class Resumed:
    """What was held against a distribution, and is not any more."""

    quarantine: Quarantine | None
    failed: tuple[Failure, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Listed:
    """An installed version, and how it stands.

    Attributes:
        states: which of `active`, `previous`, `pinned`, `held` (it failed here), `waiting` (for consent), `quarantined`
            and `revoked` it is.
        held: of what serves: other versions that would be brought up in its place, and are held back.
    """

    plugin: InstalledPlugin
    states: tuple[str, ...]
    held: tuple[str, ...] = ()


def listed(runtime: Runtime, *, everything: bool = False) -> tuple[Listed, ...]:
    """Every plugin that serves, by distribution; or every version that is installed, the newest first.

    What is revoked goes by what the registry said last, which a sync asks; nobody waits for a network here.

    Raises:
        StoreError: a record is damaged, or the state directory may not be read.
    """
    store = runtime.store
    plugins = [record.plugin for record in store.records()] if everything else list(store.active())
    if everything:
        plugins.sort(key=lambda each: each.installed_at, reverse=True)
        plugins.sort(key=lambda each: each.distribution)
    return tuple(
        Listed(plugin=each, states=(states := tuple(_states(each, runtime))), held=_held_beside(each, states, runtime))
        for each in plugins
    )


def _held_beside(plugin: InstalledPlugin, states: tuple[str, ...], runtime: Runtime) -> tuple[str, ...]:
    if "active" not in states:
        return ()
    others = (each.version for each in runtime.held(plugin.distribution) if each.sha256 != plugin.sha256)
    return tuple(dict.fromkeys(others))


def _states(plugin: InstalledPlugin, runtime: Runtime) -> Iterator[str]:
    store, name = runtime.store, plugin.distribution
    pointer, choices, waiting = store.pointer(name), store.choices(name), store.consents(name).waiting
    quarantine = runtime.quarantines.of(name)
    if pointer is not None and plugin.env_key in (pointer.env_key, pointer.previous):
        yield "active" if plugin.env_key == pointer.env_key else "previous"
    if choices.pin is not None and choices.pin.names(plugin.version):
        yield "pinned"
    held = {(failure.sha256, failure.interpreter) for failure in runtime.held(name)}
    if (plugin.sha256, plugin.interpreter.version) in held:
        yield "held"
    if waiting is not None and waiting.sha256 == plugin.sha256:
        yield "waiting"
    if quarantine is not None and quarantine.env_key == plugin.env_key:
        yield "quarantined"
    if _revoked(plugin, runtime):
        yield "revoked"


def _revoked(plugin: InstalledPlugin, runtime: Runtime) -> bool:
    try:
        return isinstance(runtime.vouching.known_refusal_of(plugin), RevokedError)
    except OSError as error:  # a state directory that may only be looked at: how late it is cannot be remembered
        _log.warning("whether %s is revoked: %s", plugin.distribution, error, extra={"action": "approval-unknown"})
        return False


def rollback(runtime: Runtime, distribution: str) -> WentBack:
    """The version that served before serves again, and is pinned: else the next sync would leave it.

    It is looked at as if it were new: the registry vouches for it, the configuration admits it, and it answers.

    Raises:
        ConfigError: no such plugin, or the configuration asks for other versions, or does not let it start.
        StoreError: no version served before, its environment is gone, or it is quarantined.
        TrustError: it was revoked, or nobody vouches for it any more.
        TransportError: the registry's word has to be completed and it cannot be reached.
        PluginFault: it does not answer.
    """
    store, name = runtime.store, _known(runtime, distribution)
    entry = _entry(runtime.config, name)
    if entry.dir is None and (silent := runtime.vouching.ask()) is not None:  # then by what was known last
        _log.warning("the registry's word is not to be had: %s", silent, extra={"action": "registry-silent"})
    delivery = runtime.delivery()
    with store.activating(name):
        before, plugin = store.find(name), store.before(name)
        _require_fitting(name, plugin.version, entry)
        kept = runtime.quarantines.of(name)
        if kept is not None and kept.env_key == plugin.env_key:
            raise StoreError(
                f"{name} {plugin.version} is quarantined since {timestamp(kept.since)}: its workers kept dying; "
                f"once that is mended: assess plugins resume {name}"
            )
        with store.lease(plugin):
            require_vouched(plugin, entry, delivery)
            admitted = admit(runtime.config, asking_of(plugin), store.consents(name))
            if not admitted.ready:
                raise ConfigError(f"{name} {plugin.version} cannot be gone back to: {admitted.why_not}")
            asyncio.run(health_check(plugin, delivery.host, rights_of(admitted.grant)))
            # The pin first: killed in between, the next sync brings up what is pinned.
            pinned = _pinned(runtime, name, plugin.version, "rollback")
            store.rollback(name)
    return WentBack(plugin=plugin, before=before, pin=pinned)


def pin(runtime: Runtime, distribution: str, version: str) -> Pin:
    """The next sync brings up this version of what the configuration names, and nothing newer.

    Raises:
        ConfigError: the configuration does not name it, or asks for other versions, or this is no version.
        StoreError: the record is damaged or cannot be written.
    """
    name = _known(runtime, distribution)
    try:
        parsed = str(Version(version))
    except InvalidVersion as error:
        raise ConfigError(f"argument: {plain(version)!r} is no version (PEP 440)") from error
    _require_fitting(name, parsed, _entry(runtime.config, name))
    return _pinned(runtime, name, parsed, "pin")


def held_back(runtime: Runtime, pin: Pin, distribution: str) -> tuple[str, ...]:
    """Why the version that is pinned is not brought up all the same, by what happened here; a sentence each.

    Raises:
        StoreError: a record is damaged, or may not be read.
    """
    name = _known(runtime, distribution)
    pointer, quarantine = runtime.store.pointer(name), runtime.quarantines.of(name)
    record = runtime.store.read_record(pointer.env_key) if pointer is not None else None
    serves = record is not None and pin.names(record.plugin.version)
    failures = () if serves else runtime.held(name)
    words = [words_of_failure(each) for each in failures if pin.names(each.version)]
    if quarantine is not None and pin.names(quarantine.version):
        words.append(words_of_quarantine(quarantine, name))
    return tuple(words)


def unpin(runtime: Runtime, distribution: str) -> Pin | None:
    """Nothing is pinned any more; what was.

    Raises:
        ConfigError: there is no such plugin.
        StoreError: the record is damaged or cannot be written.
    """
    name = _known(runtime, distribution)
    found = runtime.store.choices(name).pin
    if found is not None:
        runtime.store.choose(name, lambda known: replace(known, pin=None))
    return found


def resume(runtime: Runtime, distribution: str) -> Resumed:
    """Its workers are started again, and versions that failed are brought up again by the next sync.

    The quarantine is lifted at once: whoever is just leaving the version for the one before looks at that, and stays.
    Where he has looked already, his failure is put on record and then forgotten here, so that the next sync comes back.

    Raises:
        ConfigError: there is no such plugin.
        StoreError: a record is damaged or cannot be written; or somebody was bringing up a version of it, or leaving
            one, for too long (`Store.activating`).
    """
    store, name = runtime.store, _known(runtime, distribution)
    quarantine = runtime.quarantines.of(name)
    runtime.quarantines.lift(name)
    try:
        with store.activating(name):
            failed = store.choices(name).failed
            if failed:
                store.choose(name, lambda known: replace(known, failed=()))
            if (pointer := store.pointer(name)) is not None:
                store.trials.forgive(pointer.env_key)
    except LockTimeoutError as busy:
        raise StoreError(
            f"{name}: its workers may start again, and what failed is not forgotten yet, because a version of it is "
            f"just being brought up or left: {busy}; then once more: assess plugins resume {name}"
        ) from busy
    return Resumed(quarantine=quarantine, failed=failed)


def remove(runtime: Runtime, distribution: str) -> Pruned:
    """Nothing of it is left but what is in use.

    Raises:
        ConfigError: there is no such plugin, or the configuration names it: the next sync would install it again.
        StoreError: the state directory cannot be used.
    """
    name = _known(runtime, distribution)
    if entry_of(runtime.config, name) is not None:
        raise ConfigError(
            f"{name}: {runtime.config.source} asks for it, so the next `assess sync` would install it again; take its "
            "entry out first"
        )
    return uninstall(runtime.store, name)


def remove_unneeded(runtime: Runtime, *, keep: int, dry_run: bool = False) -> Pruned:
    """Nothing is left that is neither needed nor used (`store.prune`).

    Raises:
        StoreError: the state directory cannot be used.
    """
    return prune(runtime.store, kits=runtime_kits(runtime.store), keep=keep, dry_run=dry_run)


def _pinned(runtime: Runtime, name: ProjectName, version: str, why: Why) -> Pin:
    chosen = Pin(version=version, at=utc_now(), by=user_name(), why=why)

    def changed(known: Choices) -> Choices:
        return replace(known, pin=chosen)

    runtime.store.choose(name, changed)
    return chosen


def _known(runtime: Runtime, distribution: str) -> ProjectName:
    """One that is installed, that something is known of, or that the configuration names.

    Raises:
        ConfigError: there is none of this name.
    """
    known = {str(name) for name in _names(runtime)}
    try:
        name = parse_project(distribution)
    except ValueError as error:
        raise ConfigError(f"argument: {error}") from error
    if str(name) not in known and entry_of(runtime.config, name) is None:
        raise ConfigError(unknown_name("plugin", distribution, known, where="argument"))
    return name


def _names(runtime: Runtime) -> Iterable[ProjectName]:
    yield from runtime.store.distributions()
    yield from (record.plugin.distribution for record in runtime.store.records())
    yield from (entry.name for entry in runtime.config.plugins if entry.name is not None)
    for kind in ("choices", "consents", "quarantine"):
        for path in runtime.store.layout.path(kind).glob("*.json"):
            with contextlib.suppress(ValueError):  # none of ours
                yield parse_project(path.stem)


def _entry(config: Config, name: ProjectName) -> PluginConfig:
    entry = entry_of(config, name)
    if entry is None:
        raise ConfigError(f"argument: {config.source} does not ask for {name}, so no version of it serves")
    return entry


def _require_fitting(name: ProjectName, version: str, entry: PluginConfig) -> None:
    if not admits(entry, version):
        raise ConfigError(
            f"{name} {version}: the configuration asks for {entry.version}; change its `version` first, or name another"
        )
