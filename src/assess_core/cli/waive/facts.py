"""What is said of waivers, for people and programs."""

from collections.abc import Collection
from datetime import datetime
from pathlib import Path

from assess_core.cli.options import open_runtime
from assess_core.config import Config, nearest
from assess_core.errors import AssessError
from assess_core.runtime import waivers_of
from assess_registry.client import RegistryError


def waiver_facts(config: Config, now: datetime) -> list[dict[str, str]]:
    """Each waiver of the configuration with its state, in the order of the file."""
    standings = waivers_of(config).standings(now, notice_d=config.results.waiver_notice_d)
    return [
        {
            "check": each.check,
            "subject": each.subject,
            "owner": each.waiver.owner,
            "reason": each.waiver.reason,
            "expires": each.waiver.expires.isoformat(),
            "state": each.state,
        }
        for each in standings
    ]


def unknown_checks(checks: Collection[str], config: Path | None, state_dir: Path | None) -> list[str]:
    """A sentence for each of these that no installed plugin has: a slip, or its plugin is to come.

    Nothing is said where nothing is installed, or cannot be looked at: a waiver needs none of it.
    """
    try:
        with open_runtime(config, state_dir) as runtime:
            known = {spec.id for plugin in runtime.installed() for spec in plugin.manifest.checks}
    except (AssessError, RegistryError, OSError):
        return []
    return [
        f"no installed plugin has a check {name!r}{nearest(name, known)}"
        for name in checks
        if known and name not in known
    ]
