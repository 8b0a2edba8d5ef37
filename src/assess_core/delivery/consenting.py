"""What versions ask for beyond what runs, and what somebody consented to: by what is on record, for those who ask."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass

from assess_core.clock import utc_now
from assess_core.config import Config
from assess_core.delivery.admission import asking_of, grant_of
from assess_core.delivery.keeping import growth_of_waiting, waiting_growth
from assess_core.errors import ConfigError
from assess_core.grants import Grant, Growth
from assess_core.place import user_name
from assess_core.store import Consent, Consents, DamagedError, InstalledPlugin, Store
from assess_registry.client import ProjectName, parse_project

_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class Permitted:
    """What one active plugin may do.

    Attributes:
        grant: what the configuration grants it.
        growth: what a newer version asks for that waits for consent; None when none does.
        consents: what was consented to.
    """

    grant: Grant
    growth: Growth | None
    consents: Consents


def permitted(plugin: InstalledPlugin, config: Config, store: Store) -> Permitted:
    """What an active plugin is granted, what of it waits, and what was consented to.

    Raises:
        StoreError: the record of consents is damaged.
    """
    consents = store.consents(plugin.distribution)
    return Permitted(
        grant=grant_of(config, asking_of(plugin)),
        growth=waiting_growth(plugin.distribution, consents),
        consents=consents,
    )


def consents_of(store: Store) -> Mapping[ProjectName, Consents]:
    """What is on record of each distribution; nothing of one whose record is damaged."""
    found = {}
    for distribution in store.distributions():
        try:
            found[distribution] = store.consents(distribution)
        except DamagedError as error:  # `sync` refuses to go by it, and says so
            _log.warning("%s", error, extra={"action": "consents-damaged", "distribution": distribution})
    return found


def waiting(store: Store) -> tuple[Growth, ...]:
    """What versions ask for that do not run before somebody consents."""
    found = (waiting_growth(distribution, consents) for distribution, consents in consents_of(store).items())
    return tuple(growth for growth in found if growth is not None)


def consent(distribution: str, version: str, *, digest: str, store: Store) -> tuple[Consent, Growth]:
    """Whoever runs this consented to what this version asks for, which `digest` names; on record from now on.

    Raises:
        ConfigError: it does not wait, or what it waits for has another digest.
        StoreError: the record cannot be read or written.
    """
    try:
        name = parse_project(distribution)
    except ValueError as error:
        raise ConfigError(f"argument: {error}") from error
    waits = store.consents(name).waiting
    if waits is None or waits.version != version:
        raise ConfigError(f"argument: {name} {version} does not wait for consent; `assess sync` says what does")
    growth = growth_of_waiting(name, waits)
    if digest != growth.digest:
        raise ConfigError(
            f"--to: this is not what {name} {version} asks for now, which is: {'; '.join(growth.words)}. "
            f"If that is all right: {growth.command}"
        )
    given = Consent(
        version=version, sha256=waits.sha256, digest=digest, added=waits.added, at=utc_now(), by=user_name()
    )
    if not store.consent(name, given):
        raise ConfigError(f"argument: {name} {version} does not wait any more; `assess sync` says what does")
    known = store.consents(name).given
    return next(each for each in known if (each.sha256, each.digest) == (waits.sha256, digest)), growth
