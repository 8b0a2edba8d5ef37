"""All stages, in order: config -> resolve -> fetch -> verify -> install -> host -> execute -> report.

`sync` is the first half: what was audited is what is installed. `side_by_side.assess` is the second: what runs is what
was installed. Each stage takes only the proof that the stage before succeeded, so neither half can skip one.
"""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace

from assess_core.config import Config
from assess_core.delivery.admission import admit, asking_of, grant_of, rights_of, start_refusals
from assess_core.delivery.choosing import candidates_of, served_before, usable_for
from assess_core.delivery.fallback import fall_back
from assess_core.delivery.folders import RefusedFolder, Wanted, wanted
from assess_core.delivery.keeping import (
    HeldError,
    answered,
    kept_back,
    planned,
    require_not_held,
    require_vouched,
    said_to_wait,
    serving,
)
from assess_core.delivery.releases import registry_of, release_in, release_of
from assess_core.delivery.values import Action, Delivery, Release, Synced, admits, failed, fits, line_of
from assess_core.errors import ConfigError, PluginFault, StoreError
from assess_core.host import health_check
from assess_core.store import (
    DamagedError,
    InstalledPlugin,
    Pin,
    Store,
    install,
    prove_again,
    require_approved,
    target_of,
)
from assess_registry.client import (
    ExpiredError,
    NotPublishedError,
    ProjectName,
    TransportError,
    TrustError,
    VerifiedWheel,
)

_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Silence:
    """Why the registry's word is not to be had.

    Attributes:
        expired: it has answered, and what it says has expired.
    """

    reason: str
    expired: ExpiredError | None = None


def sync(config: Config, delivery: Delivery) -> tuple[Synced, ...]:
    """Every plugin the configuration names is installed, verified, has answered, and is active; others are inactive.

    A plugin that cannot be brought to that state keeps its previous version if the registry vouches for that still, and
    its line says why; so does one whose new version asks for more than the one that runs, until somebody consents.
    Environments of versions no longer wanted stay on disk. A dry run changes nothing but what is remembered of the
    registry - what is new is fetched and verified, and not kept - and says what would be done. A version that failed
    here is held back, and so is what is newer than a pinned one. Any number of processes may do this at the same time:
    one of them brings a version up, and the others find it.

    Raises:
        ConfigError: a folder of plugins, or the directory of its keys, is not there; or a version is pinned that the
            configuration does not admit.
    """
    asked = wanted(
        config,
        target=target_of(delivery.interpreters.own),
        candidates=candidates_of(delivery.store, delivery.interpreters),
    )
    _require_pins(asked, delivery.store)
    silence = _silence(asked, delivery)
    lines = [_sync_one(each, config, delivery, silence) for each in asked]
    if any(isinstance(each, RefusedFolder) for each in asked):
        return tuple(lines)  # nobody knows what that folder stands for, so nothing is known to be wanted no more
    names = {each.name for each in asked}
    for active in delivery.store.active():
        if active.distribution in names:
            continue
        if not delivery.dry_run:
            delivery.store.deactivate(active.distribution)
        action = Action.WOULD_REMOVE if delivery.dry_run else Action.REMOVED
        lines.append(Synced(distribution=active.distribution, action=action, previous=active.version))
    return tuple(lines)


def _require_pins(asked: Sequence[Wanted | RefusedFolder], store: Store) -> None:
    problems = []
    for each in asked:
        if isinstance(each, RefusedFolder):
            continue
        pin = _pin(each.name, store)
        if pin is not None and not admits(each.plugin, pin.version):
            problems.append(
                f"{each.name} is pinned to {pin.version} ({pin.why} by {pin.by}), and the configuration asks for "
                f"{each.plugin.version}: change one of them; `assess plugins pin {each.name} --none` takes the pin away"
            )
    if problems:
        raise ConfigError(*problems)


def _pin(name: ProjectName, store: Store) -> Pin | None:
    try:
        return store.choices(name).pin
    except DamagedError:  # said where one goes by it
        return None


def _silence(asked: Sequence[Wanted | RefusedFolder], delivery: Delivery) -> _Silence | None:
    """Why the registry's word is not to be had; None when it is, or nobody needs it.

    Asked once, so that twenty plugins of a registry that is out of reach are not twenty times its deadline.
    """
    if all(isinstance(each, RefusedFolder) or each.plugin.dir is not None for each in asked):
        return None
    if delivery.offline:
        return _Silence(reason="offline was asked for")
    registry = registry_of(delivery)
    try:
        registry.current_word(registry.deadline())
    except TransportError as error:
        return _Silence(reason=str(error))
    except ExpiredError as error:
        return _expired(error)
    except TrustError:  # each plugin that needs it is told
        return None
    return None


def _expired(error: ExpiredError) -> _Silence:
    return _Silence(reason=f"{error.thing}: {error.what}; {error.got}; {error.next_step}", expired=error)


def _sync_one(each: Wanted | RefusedFolder, config: Config, delivery: Delivery, silence: _Silence | None) -> Synced:
    if isinstance(each, RefusedFolder):
        return failed(each.name, None, Action.REFUSED, each.refusal)
    from_registry = each.plugin.dir is None
    before = fall_back(each.name, each.plugin, config, delivery)
    if before is not None and delivery.dry_run:
        left = HeldError(f"what serves never answered and is quarantined: {before.version} would serve again")
        return failed(each.name, before, Action.HELD, left)
    if from_registry and silence is not None:
        return _without_registry(each, silence, config, delivery)
    return _resolved_and_brought_up(each, config, delivery)


def _resolved_and_brought_up(each: Wanted, config: Config, delivery: Delivery) -> Synced:
    from_registry = each.plugin.dir is None
    active = delivery.store.find(each.name)
    try:
        release = release_of(each, delivery) if from_registry else release_in(each, each.found, delivery)
        line = _brought_up(release, each, active, config, delivery)
        if line.action is Action.WAITING and not line.previous and from_registry:
            return _fallen_back(line, each, config, delivery)
        return line
    except TransportError as error:
        if isinstance(error, NotPublishedError) and delivery.store.choices(each.name).pin is not None:
            return _not_brought_up(each, active, Action.FAILED, error, delivery)  # what serves is not what is asked for
        return _without_registry(each, _Silence(reason=str(error)), config, delivery)
    except ExpiredError as error:
        return _without_registry(each, _expired(error), config, delivery)
    except TrustError as refusal:
        return _not_brought_up(each, active, Action.REFUSED, refusal, delivery)
    except HeldError as held:
        return _not_brought_up(each, active, Action.HELD, held, delivery)
    except (PluginFault, StoreError) as fault:
        return _not_brought_up(each, active, Action.FAILED, fault, delivery)


def _not_brought_up(
    each: Wanted,
    active: InstalledPlugin | None,
    action: Action,
    error: TrustError | PluginFault | StoreError | NotPublishedError,
    delivery: Delivery,
) -> Synced:
    """What served before goes on serving, unless that is refused, too. The first refusal is the one to tell of."""
    if active is None:
        return failed(each.name, active, action, error)
    if each.plugin.dir is None and active.interpreter.path not in (
        usable.path for usable in usable_for(each.name, delivery.store, delivery.interpreters)
    ):
        return failed(each.name, None, action, error)  # an order of interpreters leaves out the one it runs under
    try:
        require_vouched(active, each.plugin, delivery)
    except (TrustError, TransportError, StoreError) as unfit:
        first = error if isinstance(error, TrustError) else unfit
        return failed(each.name, None, Action.REFUSED if isinstance(first, TrustError) else action, first)
    return failed(each.name, active, action, error)


def _brought_up(
    release: Release, each: Wanted, active: InstalledPlugin | None, config: Config, delivery: Delivery
) -> Synced:
    """The stages from the resolved release to its activation."""
    installed = _installed(release, active, delivery.store)
    if installed is not None and active is not None and active.env_key == installed.env_key:
        return serving(release, active, config, delivery)
    if delivery.dry_run:
        consents = delivery.store.consents(release.project)
        require_not_held(release, delivery)
        wheel = installed or release.verified()
        require_not_held(release, delivery, wheel if isinstance(wheel, VerifiedWheel) else None)
        return planned(release, active, admit(config, asking_of(wheel), consents))
    with delivery.store.activating(release.project):
        return _activated(release, each, active, config, delivery)


def _installed(release: Release, active: InstalledPlugin | None, store: Store) -> InstalledPlugin | None:
    """What is installed of it already, and stands; mostly what serves, or else it is looked for among all there is."""
    wanted = release.lock_sha256, release.sha256, release.interpreter
    if active is not None and (active.lock_sha256, active.sha256, active.interpreter) == wanted:
        installed: InstalledPlugin | None = active
    else:
        installed = store.installed(*wanted)
    return installed if installed is not None and _stands(installed, release, store) else None


def _activated(
    release: Release, each: Wanted, active: InstalledPlugin | None, config: Config, delivery: Delivery
) -> Synced:
    """The same, where nobody else does it at the same time; whoever waited may find it done."""
    store = delivery.store
    active = store.find(each.name) if active is not None or store.pointer(each.name) is not None else None
    installed = _installed(release, active, store)
    if installed is not None and active is not None and active.env_key == installed.env_key:
        return serving(release, active, config, delivery)
    consents = store.consents(release.project)
    require_not_held(release, delivery)
    if installed is None:
        verified = release.verified()
        require_not_held(release, delivery, verified)  # again: what it would be installed as is known by now
        delivery.notify(f"installing {release.project} {release.version}")
        installed = install(verified, store=store, interpreter=release.interpreter, development=release.development)
    if active is not None and active.env_key == installed.env_key:  # the same files, by another verdict
        return serving(release, active, config, delivery)
    admitted = admit(config, asking_of(installed), consents)
    if not admitted.ready:
        kept = active if active is not None and _may_serve(active, each, config) else None
        return kept_back(release, installed, admitted, kept, delivery)
    # The previous version serves until this one has answered; a start that fails therefore rolls back by itself.
    answered(installed, delivery, admitted.grant)
    store.activate(installed)
    action = Action.INSTALLED if active is None else Action.UPGRADED
    return line_of(release, active, action, warnings=admitted.warnings)


def _fallen_back(line: Synced, each: Wanted, config: Config, delivery: Delivery) -> Synced:
    """Nothing serves while a version waits: its environment was lost. The version that served is brought up again."""
    store = delivery.store
    consents = store.consents(each.name)
    version = consents.baseline.version if consents.baseline is not None else ""
    if version in ("", line.version) or not admits(each.plugin, version):
        return line
    try:
        again = _brought_up(release_of(each, delivery, version=version), each, None, config, delivery)
    except (TrustError, TransportError, PluginFault, StoreError) as error:
        return replace(line, reason=f"{line.reason}; {version} could not be brought up again: {error}")
    if again.action is not Action.INSTALLED:
        return line
    store.wait(each.name, consents.waiting)
    return replace(line, previous=version)


def _may_serve(active: InstalledPlugin, each: Wanted, config: Config) -> bool:
    """Whether it may go on serving in a newer one's place, as far as the configuration goes."""
    return fits(each.plugin, active) and not start_refusals(config, asking_of(active))


def _stands(installed: InstalledPlugin, release: Release, store: Store) -> bool:
    """Whether what is installed may be used as it is; if not, all of it is fetched and verified anew, or refused."""
    if release.registry is None:
        return True
    if installed.development != release.development:
        return False
    try:
        require_approved(installed, store=store, registry=release.registry)
    except TrustError as refusal:
        _log.warning("%s", refusal, extra={"action": "approval-lost", "distribution": installed.distribution})
        return False
    return True


def _without_registry(each: Wanted, silence: _Silence, config: Config, delivery: Delivery) -> Synced:
    """The registry's word is not to be had: what was verified before runs on, if it is what is asked for.

    Nothing new is installed: of a registry that is out of reach that failed, of one whose word has expired it is
    refused. All of it is verified again, by what is remembered of the registry, and what was touched is built again.
    """
    name = each.name
    try:
        active = prove_again(
            name,
            store=delivery.store,
            registry=registry_of(delivery),
            interpreters=delivery.interpreters,
            change=not delivery.dry_run,
        )
        if active is None or not fits(each.plugin, active):
            if silence.expired is not None:
                return failed(name, None, Action.REFUSED, silence.expired)
            return Synced(distribution=name, action=Action.FAILED, reason=f"not installed: {silence.reason}")
        if (
            not delivery.dry_run
            and (served := served_before(name, delivery.store))
            and served.env_key != active.env_key
        ):
            # Its interpreter is not what it was, so this is another environment of the same files: it answers first.
            with delivery.store.activating(name), delivery.store.lease(active):
                asyncio.run(health_check(active, delivery.host, rights_of(grant_of(config, asking_of(active)))))
                delivery.store.activate(active)
    except TrustError as refusal:
        return failed(name, None, Action.REFUSED, refusal)
    except (StoreError, TransportError, PluginFault) as error:
        return failed(name, None, Action.FAILED, error)
    return Synced(
        distribution=name,
        action=Action.STALE,
        version=active.version,
        previous=active.version,
        reason=silence.reason,
        refusal=silence.expired,
        growth=said_to_wait(name, delivery.store),
    )
