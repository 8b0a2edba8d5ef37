"""A version that is installed and does not run: what is said of it, and what runs in its place.

Four things keep a version back: something that it asks for is not granted, nobody has consented yet to what it asks
for beyond the version before it (`admission.py`), it was brought up and failed (`store/choices.py`), or it is
quarantined since it served (`host/quarantine.py`).
"""

import asyncio
import logging
from contextlib import suppress
from dataclasses import replace

from assess_core.config import Config, PluginConfig
from assess_core.delivery.admission import Admitted, admit, asking_of, rights_of
from assess_core.delivery.held import against_release
from assess_core.delivery.values import Action, Delivery, Release, Synced, failed, line_of
from assess_core.errors import PluginFault, StoreError
from assess_core.grants import Grant, Growth
from assess_core.host import health_check
from assess_core.host.quarantine import Quarantines
from assess_core.store import (
    Choices,
    Consents,
    DamagedError,
    Failure,
    InstalledPlugin,
    Interpreter,
    Store,
    Waiting,
    require_approved,
)
from assess_registry.client import ProjectName, RevokedError, Sha256, TransportError, TrustError, VerifiedWheel

_log = logging.getLogger(__name__)


class HeldError(StoreError):
    """This version failed here, and it is not time yet to bring it up again."""


def require_not_held(release: Release, delivery: Delivery, verified: VerifiedWheel | None = None) -> None:
    """Nothing is held against bringing up this release now; a retry forgets what was.

    Args:
        release: what is to be brought up.
        delivery: what that is done with.
        verified: its wheel, once that is at hand (`held.against_release`).

    Raises:
        HeldError: it failed, or is quarantined; the message says why, and when it is tried again.
        StoreError: the record of it is damaged, or the state directory cannot be used.
    """
    store, name = delivery.store, release.project
    against = against_release(
        name,
        sha256=release.sha256,
        lock_sha256=release.lock_sha256,
        interpreter=release.interpreter,
        store=store,
        kit_of=lambda of: delivery.host.kits(of).name,
        now=delivery.clock(),
        verified=verified,
    )
    if delivery.retry:
        if against.failure is not None and not delivery.dry_run:
            store.choose(name, lambda known: known.without(release.sha256))
        if against.quarantine is not None and not delivery.dry_run:
            Quarantines(store.layout.path("quarantine")).lift(name)
        return
    for words in against.words:
        raise HeldError(words)


def held(sha256: Sha256, interpreter: Interpreter, choices: Choices, delivery: Delivery) -> Failure | None:
    """The failure for which this wheel is not brought up under this interpreter now, as `Choices.held`."""
    return choices.held(sha256, interpreter, kit_of=lambda of: delivery.host.kits(of).name, now=delivery.clock())


def require_vouched(plugin: InstalledPlugin, entry: PluginConfig, delivery: Delivery) -> None:
    """Nobody speaks against a version that is to serve, or to go on, in another one's place.

    What is configured from a folder needs no registry's word. What served before may have come from there all the
    same, and what the registry has revoked neither stays nor comes back by way of a folder.

    Raises:
        TrustError: it was revoked, or nobody vouches for it any more.
        TransportError: the registry's word has to be completed and it cannot be reached.
        StoreError: the state directory may not be read.
    """
    if (registry := delivery.registry) is None:
        return
    if entry.dir is not None and not delivery.offline:  # then nobody may have asked it for long
        with suppress(TrustError, TransportError):  # and by what is remembered it is judged
            registry.current_word(registry.deadline())
    try:
        require_approved(plugin, store=delivery.store, registry=registry)
    except RevokedError:
        raise
    except (TrustError, TransportError):
        if entry.dir is None:
            raise


def answered(installed: InstalledPlugin, delivery: Delivery, grant: Grant) -> None:
    """It was started with these rights and loaded all that it promises; what was held against it is forgotten.

    What fails in its own code is remembered, so that the next sync does not do all of this again.

    Raises:
        PluginFault: it did not.
        StoreError: the state directory cannot be used.
    """
    store, name = delivery.store, installed.distribution
    try:
        with store.lease(installed):
            asyncio.run(health_check(installed, delivery.host, rights_of(grant)))
    except PluginFault as fault:
        if fault.phase != "start":  # else nothing of it had run: it is the machine that fails, and that may change
            remember_failure(installed, str(fault), delivery)
        raise
    if any(each.sha256 == installed.sha256 for each in store.choices(name).failed):
        store.choose(name, lambda known: known.without(installed.sha256))


def remember_failure(plugin: InstalledPlugin, reason: str, delivery: Delivery, *, for_good: bool = False) -> None:
    """It is on record that this failed here; `for_good`, it is never tried again by itself.

    Raises:
        StoreError: the state directory cannot be used.
    """
    kit, at = delivery.host.kit_of(plugin).name, delivery.clock()
    delivery.store.choose(
        plugin.distribution,
        lambda known: known.with_failure(
            plugin.version,
            plugin.sha256,
            interpreter=plugin.interpreter.version,
            kit=kit,
            at=at,
            reason=reason,
            for_good=for_good,
        ),
    )


def serving(release: Release, active: InstalledPlugin, config: Config, delivery: Delivery) -> Synced:
    """It is what serves already; whether it may start is for the configuration to say, which may have changed."""
    consents = delivery.store.consents(release.project)
    if consents.waiting is not None and not delivery.dry_run:
        delivery.store.wait(release.project, None)
    admitted = admit(config, asking_of(active), consents)
    action = Action.WITHHELD if admitted.refusals else Action.PRESENT
    return line_of(
        release, active, action, reason=admitted.why_not, withheld=admitted.refusals, warnings=admitted.warnings
    )


def planned(release: Release, active: InstalledPlugin | None, admitted: Admitted) -> Synced:
    """What a sync would do of a release that is not the one that serves."""
    action = Action.WOULD_INSTALL if active is None else Action.WOULD_UPGRADE
    if not admitted.ready:
        waits = active is not None or not admitted.refusals
        action = Action.WOULD_WAIT if waits else Action.WITHHELD
    return line_of(
        release,
        active,
        action,
        reason=admitted.why_not,
        growth=admitted.growth or None,
        withheld=admitted.refusals,
        warnings=admitted.warnings,
    )


def kept_back(
    release: Release,
    installed: InstalledPlugin,
    admitted: Admitted,
    kept: InstalledPlugin | None,
    delivery: Delivery,
) -> Synced:
    """It is installed and does not run; `kept`, which serves, goes on serving if it is vouched for still.

    Nothing that was not consented to is granted to the start that shows whether it would run at all.
    """
    store, growth = delivery.store, admitted.growth
    consents = store.consents(release.project)
    waiting = Waiting(
        version=installed.version,
        sha256=installed.sha256,
        since=growth.since,
        added=growth.added,
        seen_at=delivery.clock(),
    )
    known = consents.waiting is not None and consents.waiting.same(waiting)
    if growth and not admitted.refusals and not known and consents.baseline is not None:
        answered(installed, delivery, admitted.grant.reduced_to(consents.baseline.permissions))
    store.wait(installed.distribution, waiting if growth else None)
    if kept is not None and release.registry is not None:
        try:
            require_approved(kept, store=store, registry=release.registry)
        except (TrustError, TransportError, StoreError) as unfit:
            action = Action.REFUSED if isinstance(unfit, TrustError) else Action.FAILED
            line = failed(installed.distribution, None, action, unfit)
            return replace(line, growth=growth or None, withheld=admitted.refusals)
    return Synced(
        distribution=installed.distribution,
        action=Action.WITHHELD if kept is None and admitted.refusals else Action.WAITING,
        version=installed.version,
        previous=kept.version if kept is not None else "",
        reason=f"{installed.version} does not run: {admitted.why_not}",
        growth=growth or None,
        withheld=admitted.refusals,
        warnings=admitted.warnings,
    )


def waiting_growth(distribution: ProjectName, consents: Consents) -> Growth | None:
    """What waits for consent by what is on record; None when nothing does."""
    waits = consents.waiting
    if waits is None:
        return None
    return growth_of_waiting(distribution, waits).covered_by(consents.for_wheel(waits.sha256)) or None


def said_to_wait(distribution: ProjectName, store: Store) -> Growth | None:
    """The same, where a record that is damaged says nothing.

    What runs goes on then; a sync that could start something new refuses to go by it, and says so.
    """
    try:
        return waiting_growth(distribution, store.consents(distribution))
    except DamagedError as error:
        _log.warning("%s", error, extra={"action": "consents-damaged", "distribution": distribution})
        return None


def growth_of_waiting(distribution: ProjectName, waits: Waiting) -> Growth:
    """What somebody has to consent to, or had."""
    return Growth(
        distribution=distribution, version=waits.version, sha256=waits.sha256, since=waits.since, added=waits.added
    )
