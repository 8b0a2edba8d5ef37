"""One entry of an inventory becomes a subject, or a sentence about what is wrong with it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, cast

from assess_plugin import MAX_TEXT, Subject, SubjectType

MAX_SUBJECTS = 100_000
"""In one file."""

MAX_LABEL = 200
"""Characters of a label's name and of its value, as in a runtime's configuration."""

DEFAULT_TYPE = "inventory-item"
KEYS = ("id", "type", "title", "labels", "props")
_SHOWN = 60


class EntryError(ValueError):
    """An entry is no subject; the message says why."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Inventory:
    """What a file lists, each id once, and what of it could not be read."""

    subjects: tuple[Subject, ...] = ()
    problems: tuple[str, ...] = field(default=())


def to_inventory(entries: Iterable[tuple[str, Mapping[str, Any] | EntryError]]) -> Inventory:
    """The subjects among these, and a problem for each that is none.

    Args:
        entries: where each stands, and its values, or what is wrong with it already.
    """
    subjects: dict[str, Subject] = {}
    places: dict[str, str] = {}
    problems: list[str] = []
    for count, (where, entry) in enumerate(entries):
        if count >= MAX_SUBJECTS:
            problems.append(f"{where}: more than {MAX_SUBJECTS} entries; this one and what follows are left out")
            break
        try:
            subject = to_subject(entry)
        except EntryError as error:
            problems.append(f"{where}: {error}; it is left out")
            continue
        if subject.id in subjects:
            problems.append(f"{where}: id {subject.id!r} is that of {places[subject.id]}; only that one counts")
            continue
        subjects[subject.id], places[subject.id] = subject, where
    return Inventory(subjects=tuple(subjects.values()), problems=tuple(problems))


def to_subject(entry: Mapping[str, Any] | EntryError) -> Subject:
    """The subject that an entry states.

    Raises:
        EntryError: it states none.
    """
    if isinstance(entry, EntryError):
        raise entry
    if unknown := [key for key in entry if key not in KEYS]:
        raise EntryError(f"unknown key {_shown(unknown[0])}; there are {', '.join(KEYS)}")
    name = _text("id", entry.get("id", ""))
    if not name:
        raise EntryError("it has no id")
    if name != name.strip():
        raise EntryError(f"id {_shown(name)} begins or ends with a blank")
    title = _text("title", entry.get("title", name))
    kind = _text("type", entry.get("type", DEFAULT_TYPE))
    labels, props = _texts("labels", entry.get("labels", {})), _texts("props", entry.get("props", {}))
    for key, value in labels.items():
        if key != key.strip() or value != value.strip():
            raise EntryError(f"label {_shown(key)}, or its value, begins or ends with a blank")
        if len(key) > MAX_LABEL or len(value) > MAX_LABEL:
            raise EntryError(f"label {_shown(key)} is longer than {MAX_LABEL} characters")
    try:
        return Subject(id=name, type=cast(SubjectType, kind), title=title, labels=labels, props=props)
    except (ValueError, TypeError) as error:  # its own words: the id's length, the type
        raise EntryError(str(error)) from error


def _texts(what: str, given: object) -> dict[str, str]:
    if not isinstance(given, Mapping):
        raise EntryError(f"{what} must be a table of strings, got {_shown(given)}")
    return {_name(what, key): _text(f"{what}.{key}", value) for key, value in given.items()}


def _name(what: str, key: object) -> str:
    text = _text(f"a key of {what}", key)
    if not text:
        raise EntryError(f"a key of {what} is empty")
    return text


def _text(what: str, given: object) -> str:
    if not isinstance(given, str):
        raise EntryError(f"{what} must be a string, got {_shown(given)}")
    if not given.isprintable():
        raise EntryError(f"{what} holds what is not printable, or not UTF-8: {_shown(given)}")
    if len(given) > MAX_TEXT:
        raise EntryError(f"{what} has more than {MAX_TEXT} characters")
    return given


def _shown(value: object) -> str:
    return ascii(value)[:_SHOWN]
