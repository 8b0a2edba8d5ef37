"""What is said of waivers, for people and programs."""

import os
from collections.abc import Collection
from datetime import datetime
from pathlib import Path

from assess_core.cli.options import load_config, open_runtime
from assess_core.config import Config, nearest
from assess_core.configured import waivers_of
from assess_core.errors import AssessError
from assess_core.formats.json_document import standing_document
from assess_core.place import state_directory
from assess_registry.client import RegistryError

MAX_SUBJECTS = 10_000
"""Of the newest runs; where there are more, nobody waits until all of them are read."""


def waiver_facts(config: Config, now: datetime) -> list[dict[str, str]]:
    """Each waiver of the configuration with its state, in the order of the file."""
    standings = waivers_of(config).standings(now, notice_d=config.results.waiver_notice_d)
    return [standing_document(each) for each in standings]


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


def unknown_subject(subject: str, config: Path | None, state_dir: Path | None) -> list[str]:
    """A sentence if no newest run found this subject: a slip, or it is to come. A waiver of nobody waives nothing.

    Nothing is said where nothing ran yet or the newest runs were narrowed, or where it cannot be looked at.
    """
    try:
        if not (state_directory(state_dir, os.environ, load_config(config)) / "journal.db").exists():
            return []  # to ask would make one
        with open_runtime(config, state_dir) as runtime:
            newest = runtime.journal.latest().values()
            if sum(run.subjects for run in newest) > MAX_SUBJECTS or any(run.narrowed for run in newest):
                return []
            known = {result.subject.id for run in newest for result in runtime.journal.results(run.run_id)}
    except (AssessError, RegistryError, OSError):
        return []
    if not known or subject in known:
        return []
    return [f"no assessment's newest run found a subject {subject!r}{nearest(subject, known)}"]
