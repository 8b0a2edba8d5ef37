"""A version that is installed and does not run: what is said of it, and what runs in its place.

Two things keep a version back (`admission.py`): something that it asks for is not granted, or nobody has consented yet
to what it asks for beyond the version before it.
"""

import asyncio
import logging
from dataclasses import replace

from assess_core.admission import Admitted, admit, asking_of, rights_of
from assess_core.config import Config
from assess_core.delivery import Action, Delivery, Release, Synced, failed, line_of
from assess_core.errors import StoreError
from assess_core.grants import Growth
from assess_core.host import health_check
from assess_core.store import Consents, DamagedError, InstalledPlugin, Store, Waiting, require_approved
from assess_registry.client import ProjectName, TransportError, TrustError

_log = logging.getLogger(__name__)


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
        grant = admitted.grant.reduced_to(consents.baseline.permissions)
        asyncio.run(health_check(installed, delivery.host, rights_of(grant)))
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
