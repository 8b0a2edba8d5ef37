"""What a plugin asks, is granted and waits for, as people and programs read it."""

import shlex

from assess_core.clock import timestamp
from assess_core.delivery.consenting import Permitted
from assess_core.grants import KEYS, Grant, Growth
from assess_core.store import Consent
from assess_registry.client import Permissions, permissions_words


def waiting_facts(growth: Growth) -> dict[str, object]:
    """A version that waits for consent, for programs."""
    return {
        "version": growth.version,
        "sha256": growth.sha256,
        "since": growth.since,
        "added": list(growth.words),
        "digest": growth.digest,
        "consent": growth.command,
    }


def consent_facts(consent: Consent) -> dict[str, object]:
    """Who consented to what, and when, for programs."""
    return {
        "version": consent.version,
        "sha256": consent.sha256,
        "added": list(permissions_words(consent.added)),
        "digest": consent.digest,
        "at": timestamp(consent.at),
        "by": consent.by,
    }


def permission_facts(permitted: Permitted) -> dict[str, object]:
    """What is asked, granted, withheld, waited for, and consented to, for programs."""
    grant, growth = permitted.grant, permitted.growth
    return {
        "asked": _table(grant.asked),
        "granted": _table(grant.permissions),
        "withheld": [{"key": each.key, "value": each.value} for each in grant.withheld],
        "waiting": waiting_facts(growth) if growth is not None else None,
        "consents": [consent_facts(each) for each in permitted.consents.given],
    }


def _table(permissions: Permissions) -> dict[str, list[object]]:
    return {key: list(getattr(permissions, key)) for key in KEYS}


def permission_lines(permitted: Permitted) -> dict[str, list[str]]:
    """The same for people: headings, and the lines of each."""
    grant, growth = permitted.grant, permitted.growth
    may = grant.permissions
    return {
        "may read": list(may.read),
        "may stat": list(may.stat),
        "may run": [shlex.join(argv) for argv in may.commands],
        "may connect": list(may.network),
        "sees": list(may.env),
        "has secrets": [f"{name} from {grant.secrets[name]}" for name in may.secrets],
        "withheld": [f"{each} (asked for, not granted)" for each in grant.withheld],
        "waiting": [*(f"{growth.version}: {each}" for each in growth.words), growth.command] if growth else [],
        "consents": [
            f"{timestamp(each.at)} {each.by}: {each.version}: {'; '.join(permissions_words(each.added))}"
            for each in permitted.consents.given
        ],
    }


def granted_cell(grant: Grant) -> str:
    """For one cell of a table."""
    return f"all but {len(grant.withheld)}" if grant.withheld else "all"
