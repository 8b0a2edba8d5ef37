"""`assess explain NAME`: what a check looks at, why, and what to do about it; when an assessment runs, and why then.

A name may be both. What is said of an assessment comes from the configuration and the journal, whether or not an
`assess up` is at work.
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, tzinfo
from pathlib import Path
from typing import Any

import click

from assess_core.cli.options import common, load_config, open_runtime, output_option
from assess_core.clock import timestamp
from assess_core.config import AssessmentConfig, Config, unknown_name
from assess_core.configured import rules_of
from assess_core.errors import ConfigError
from assess_core.formats.json_document import narrowed_document
from assess_core.journal import Journal
from assess_core.place import state_directory
from assess_core.schedule import WHYS, Rule, Skip, zone_of
from assess_core.schedule.preview import Upcoming, preview
from assess_core.store import InstalledPlugin
from assess_core.up.lock import who_is_up
from assess_registry.client import CheckSpec, plain
from assess_registry.console import print_json

COUNT = 5
"""Times that are said of what comes and of what was skipped."""

_WAITS = {
    "running": "running",
    "queued": "waits for the run before it",
    "held": "waits for the end of maintenance",
}


@click.command(name="explain")
@click.argument("name")
@output_option("table", "json")
@common
def command(name: str, output: str, config: Path | None, state_dir: Path | None) -> None:
    """Say what a check is about, or when an assessment runs and why: NAME is either, or both."""
    loaded = load_config(config)
    up = who_is_up(state_directory(state_dir, os.environ, loaded))
    assessments = {each.id: each for each in loaded.assessments}
    with open_runtime(config, state_dir) as runtime:
        installed = runtime.installed()
        check = _check(name, installed)
        assessment = _assessment(assessments[name], loaded, runtime.journal, up) if name in assessments else None
    if check is None and assessment is None:
        if not installed and not assessments:
            raise ConfigError("no plugin is installed yet; run `assess sync` first")
        known = [*assessments, *(spec.id for plugin in installed for spec in plugin.manifest.checks)]
        raise ConfigError(unknown_name("check or assessment", name, known, where="argument"))
    found = {"check": check, "assessment": assessment}
    if output == "json":
        print_json({kind: facts for kind, facts in found.items() if facts is not None})
        return
    if check is not None:
        _print(check)
    if assessment is not None:
        _print_assessment(assessment, _zone(assessments[name], loaded))


def _check(name: str, installed: Sequence[InstalledPlugin]) -> dict[str, Any] | None:
    having = [(plugin, spec) for plugin in installed for spec in plugin.manifest.checks if spec.id == name]
    if not having:
        return None
    (plugin, spec), *others = having
    facts = {**_facts(spec), "distribution": plugin.distribution, "version": plugin.version}
    if others:  # never both on one subject: `plan` sees to that
        facts["also"] = [f"{other.distribution} {other.version}: {its.title}" for other, its in others]
    return facts


def _facts(spec: CheckSpec) -> dict[str, str | list[str]]:
    return {
        "id": spec.id,
        "title": spec.title,
        "severity": spec.severity,
        "controls": list(spec.controls),
        "remediation": spec.remediation,
        "plugin": spec.plugin,
    }


def _assessment(entry: AssessmentConfig, config: Config, journal: Journal, up: str) -> dict[str, Any]:
    rule = next((rule for rule in rules_of(config) if rule.assessment == entry.id), None)
    now = datetime.now(UTC)
    facts: dict[str, Any] = {"id": entry.id, "plugin": entry.plugin, "provider": entry.provider}
    facts |= {"enabled": entry.enabled, "schedule": entry.schedule or None}
    if rule is None:
        return facts | {"next": [], "due": [], "last_run": None, "last_complete_at": None, "skipped": []}
    kept = journal.schedules().kept()
    cursor = next((each.at for each in kept.cursors if each.assessment == entry.id and _is_of(rule, each.spec)), now)
    coming = preview(rule, since=max(cursor, now - rule.offset), count=COUNT, shown_in=_zone(entry, config))
    last = journal.listed(limit=1, assessment=entry.id)
    complete_at = journal.completed_at([entry.id])
    return facts | {
        "tz": rule.spec.zone or None if rule.spec is not None else None,
        "jitter_s": rule.offset.total_seconds(),
        "overlap": rule.overlap,
        "misfire": rule.misfire,
        "grace_s": rule.grace.total_seconds(),
        "retries": entry.retries,
        "maintenance": [window.id for window in rule.windows],
        "up": up or None,
        "due": [
            {"run_id": row.due.run_id, "due_at": timestamp(row.due.due_at), "state": row.state, "why": row.due.why}
            for row in kept.rows
            if row.due.assessment == entry.id
        ],
        "last_run": (
            {
                "run_id": last[0].run.run_id,
                "due_at": timestamp(last[0].run.due_at),
                "complete": last[0].complete,
                "narrowed": narrowed_document(last[0].run.narrowed),
            }
            if last
            else None
        ),
        "last_complete_at": timestamp(complete_at[entry.id]) if entry.id in complete_at else None,
        "skipped": [_skipped(skip) for skip, _ in journal.skips(entry.id, COUNT)],
        "next": [_next(each) for each in coming],
    }


def _is_of(rule: Rule, spec: str) -> bool:
    return rule.spec is not None and rule.spec.key == spec


def _skipped(skip: Skip) -> dict[str, str]:
    return {"first_at": timestamp(skip.first_at), "last_at": timestamp(skip.last_at), "why": skip.why}


def _next(each: Upcoming) -> dict[str, Any]:
    return {
        "due_at": timestamp(each.due_at),
        "start_at": timestamp(each.start_at) if each.start_at is not None else None,
        "notes": list(each.notes),
    }


def _zone(entry: AssessmentConfig, config: Config) -> tzinfo:
    return zone_of(entry.tz or config.runtime.tz)


def _print(facts: Mapping[str, Any]) -> None:
    for name, value in facts.items():
        text = ", ".join(value) if isinstance(value, list) else value
        click.echo(f"{name + ':':14}{plain(text)}")


def _print_assessment(facts: Mapping[str, Any], zone: tzinfo) -> None:
    for name, text in _lines(facts, zone):
        click.echo(f"{name + ':' if name else '':14}{plain(text)}")


def _lines(facts: Mapping[str, Any], zone: tzinfo) -> Iterator[tuple[str, str]]:
    yield "assessment", facts["id"]
    yield "plugin", f"{facts['plugin']}, subjects by {facts['provider']}"
    if not facts["enabled"]:
        yield "schedule", "not enabled: it does not run"
        return
    schedule = facts["schedule"] or "when somebody asks for it"
    yield "schedule", f"{schedule}, {facts['tz']}" if facts["tz"] else schedule
    if facts["jitter_s"]:
        yield "jitter", f"begins {facts['jitter_s']:.0f} s later than it is due, on this runtime"
    yield "overlap", facts["overlap"]
    yield "misfire", f"{facts['misfire']}, later than {facts['grace_s']:g} s"
    if facts["maintenance"]:
        yield "maintenance", ", ".join(facts["maintenance"])
    yield "assess up", facts["up"] or "not running: nothing begins by itself"
    last = facts["last_run"]
    if last is not None:
        word = "complete" if last["complete"] else "incomplete"
        word += ", narrowed" if last["narrowed"] else ""
        yield "last run", f"{_shown(last['due_at'], zone)}, {word}, {last['run_id'][:12]}"
        if last["narrowed"] or not last["complete"]:
            at = facts["last_complete_at"]
            yield "complete", f"ended {_shown(at, zone)}, the last one that was whole" if at else "never, as a whole"
    else:
        yield "last run", "none"
    for due in facts["due"]:
        state = _WAITS[due["state"]] if facts["up"] else "begins at the next start of assess up"
        yield "due", f"{_shown(due['due_at'], zone)}, {state}, {due['run_id'][:12]}"
    for skip in facts["skipped"]:
        until = f" to {_shown(skip['last_at'], zone)}" if skip["last_at"] != skip["first_at"] else ""
        yield "not run", f"{_shown(skip['first_at'], zone)}{until}: {WHYS[skip['why']]}"
    for coming in facts["next"]:
        at = coming["start_at"] or coming["due_at"]
        yield "next", "; ".join((_shown(at, zone), *coming["notes"]))


def _shown(text: str, zone: tzinfo) -> str:
    """In the zone that the schedule is written in, with its offset."""
    local = datetime.fromisoformat(text).astimezone(zone)
    return local.isoformat(sep=" ", timespec="seconds")
