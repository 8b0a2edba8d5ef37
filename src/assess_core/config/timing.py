"""What is wrong between keys that say when: schedules, zones, jitter, maintenance, the end of waivers.

Read from the document as it was written, so that all of it is said at once, beside what is wrong with single values;
what is of the wrong type is passed over here, as the model says that.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime, timedelta
from fnmatch import fnmatchcase
from typing import Any

from assess_core.config.words import nearest, quoted
from assess_core.results.waivers import MAX_D
from assess_core.schedule import Spec, parse_duration, parse_schedule

MAX_WAIVED = timedelta(days=MAX_D)
"""What somebody knows of for longer is no exception any more, and who answered for it may be gone."""

MAX_CRON_JITTER = timedelta(days=1)


def impossible_times(document: Mapping[str, Any]) -> Iterator[str]:
    """One sentence for each thing about schedules and maintenance that cannot be."""
    ids = [entry["id"] for _, entry in _tables(document, "assessments") if isinstance(entry.get("id"), str)]
    for index, entry in _tables(document, "assessments"):
        yield from _schedule(f"assessments[{index}]", entry)
    for index, entry in _tables(document, "maintenance"):
        yield from _window(f"maintenance[{index}]", entry)
        patterns = entry.get("assessments", ())
        for position, pattern in enumerate(patterns if isinstance(patterns, list) else ()):
            if isinstance(pattern, str) and not any(fnmatchcase(name, pattern) for name in ids):
                where = f"maintenance[{index}].assessments[{position}]"
                yield f"{where}: no assessment matches {quoted(pattern)}{nearest(pattern, ids)}"


def unclear_waivers(document: Mapping[str, Any], *, today: date) -> Iterator[str]:
    """One sentence for each waiver that is there a second time, or has no end in sight."""
    first: dict[tuple[str, str], int] = {}
    for index, entry in _tables(document, "waivers"):
        check, subject, expires = entry.get("check"), entry.get("subject"), entry.get("expires")
        if isinstance(check, str) and isinstance(subject, str):
            taken = first.setdefault((check, subject), index)
            if taken != index:
                yield f"waivers[{index}]: {quoted(check)} of {quoted(subject)} is waived by waivers[{taken}] already"
        if isinstance(expires, date) and not isinstance(expires, datetime) and expires - today > MAX_WAIVED:
            yield f"waivers[{index}].expires: expected at most two years ahead, got {expires}; it can be renewed"


def _schedule(where: str, entry: Mapping[str, Any]) -> Iterator[str]:
    text = entry.get("schedule", "")
    if not isinstance(text, str):
        return
    if not text:
        for key in ("tz", "jitter"):
            if key in entry:
                yield f"{where}.{key}: goes with schedule, which is not given"
        return
    try:
        spec = parse_schedule(text)
    except ValueError as error:
        yield f"{where}.schedule: {error}, got {quoted(text)}"
        return
    if "tz" in entry and spec.period is not None:
        yield f"{where}.tz: goes with a cron expression; `every` counts the time that passes, the same everywhere"
    yield from _jitter(where, entry.get("jitter"), spec)


def _jitter(where: str, text: object, spec: Spec) -> Iterator[str]:
    jitter = _parsed(text)
    if jitter is None:
        return
    if spec.period is not None and jitter >= spec.period:
        yield f"{where}.jitter: expected less than what lies between two runs ({spec.text}), got {quoted(str(text))}"
    if spec.period is None and jitter > MAX_CRON_JITTER:
        yield f"{where}.jitter: expected at most a day, got {quoted(str(text))}"


def _window(where: str, entry: Mapping[str, Any]) -> Iterator[str]:
    again, once = "opens" in entry, "from" in entry
    if again == once:
        said = "not both" if again else "got neither"
        yield f"{where}: expected either opens and duration, or from and until; {said}"
        return
    mine, other = (("opens", "duration"), ("from", "until")) if again else (("from", "until"), ("opens", "duration"))
    if mine[1] not in entry:
        yield f"{where}.{mine[1]}: missing; goes with {mine[0]}"
    for key in (*other, *(() if again else ("tz",))):
        if key in entry:
            yield f"{where}.{key}: does not go with {mine[0]}"
    if again:
        yield from _opens(where, entry)
        return
    begins, ends = entry["from"], entry.get("until")
    if isinstance(begins, datetime) and isinstance(ends, datetime) and begins.tzinfo and ends.tzinfo and ends <= begins:
        yield f"{where}.until: expected later than from, got {ends}"


def _opens(where: str, entry: Mapping[str, Any]) -> Iterator[str]:
    text = entry["opens"]
    if isinstance(text, str):
        try:
            parse_schedule(text)
        except ValueError as error:
            yield f"{where}.opens: {error}, got {quoted(text)}"
        else:
            if len(text.split()) != 5:
                yield f"{where}.opens: expected a cron expression of 5 fields, got {quoted(text)}"
    duration = _parsed(entry.get("duration"))
    if duration is not None and not duration:
        yield f"{where}.duration: expected more than nothing"


def _parsed(text: object) -> timedelta | None:
    try:
        return parse_duration(text) if isinstance(text, str) else None
    except ValueError:  # the model says so
        return None


def _tables(document: Mapping[str, Any], name: str) -> Sequence[tuple[int, Mapping[str, Any]]]:
    entries = document.get(name)
    listed = entries if isinstance(entries, list) else ()
    return [(index, entry) for index, entry in enumerate(listed) if isinstance(entry, dict)]
