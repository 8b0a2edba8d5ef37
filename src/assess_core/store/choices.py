"""Which version of a distribution somebody pinned, and which ones failed here: one small file each, replaced whole.

    choices/assess-host-baseline.json
        {"schema": 1, "pin": {"version": …, "at": …, "by": …, "why": "pin"} or null,
         "failed": [{"version": …, "sha256": …, "interpreter": "3.11.9", "kit": …, "at": …, "reason": …, "tries": 1,
                     "not_before": …}, …]}

A version that did not answer when it was brought up is not brought up again at every sync: it is tried again after a
minute, ten minutes and an hour, and then only when somebody asks for it. One that was left again because it died in
every call is tried only when somebody asks for it: each try costs assessments. What failed is a wheel under one version
of Python with one release of the runtime: under another of either it is tried at once. Rules only; `store.py` holds
the lock around a change.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Literal, get_args

from packaging.specifiers import SpecifierSet
from packaging.version import Version

from assess_core.store.jsontext import json_of
from assess_core.store.layout import Layout
from assess_core.store.tables import as_json, fields_in, moment, read_table, text
from assess_core.store.untouched import PRIVATE
from assess_core.store.values import Interpreter
from assess_registry.client import (
    ProjectName,
    Sha256,
    atomic_write,
    parse_sha256,
    sync_directory,
)

SCHEMA = 1

RETRY_AFTER_S = (60.0, 600.0, 3600.0)
"""After the first, the second and the third failure; after the next one never by itself."""

MAX_FAILED = 20
"""Failures that are remembered of one distribution, the latest ones."""

MAX_REASON = 2_000
"""Characters of a fault that are kept."""

Why = Literal["pin", "rollback"]
"""`pin`: somebody asked for this version. `rollback`: somebody went back to it, and the next sync would leave it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Pin:
    """This version serves, whatever newer one there is, until somebody takes the pin away."""

    version: str
    at: datetime
    by: str
    why: Why

    def names(self, version: str) -> bool:
        """Whether it is this version that is pinned: as a sync takes it, so 1.0 is 1.0.0 (PEP 440)."""
        return SpecifierSet(f"=={self.version}").contains(version, prereleases=True)


@dataclass(frozen=True, kw_only=True, slots=True)
class Failure:
    """A version that was brought up and did not answer.

    Attributes:
        interpreter: version of the Python it was tried under. kit: the runtime's own modules that it was tried with.
        at: when it failed last. tries: how often it did.
        not_before: when it is tried again; None for never by itself.
    """

    version: str
    sha256: Sha256
    interpreter: str
    kit: str
    at: datetime
    reason: str
    tries: int
    not_before: datetime | None

    def holds(self, now: datetime) -> bool:
        """Whether it is not to be tried now. A clock that was set back lets it be tried."""
        return self.not_before is None or self.at <= now < self.not_before


@dataclass(frozen=True, kw_only=True, slots=True)
class Choices:
    """All that was chosen, and all that failed, of one distribution."""

    pin: Pin | None = None
    failed: tuple[Failure, ...] = ()

    def failure_of(self, sha256: Sha256, *, interpreter: str, kit: str) -> Failure | None:
        """What is known of this wheel under this Python with this runtime; None when it did not fail there."""
        key = (sha256, interpreter, kit)
        return next((each for each in self.failed if (each.sha256, each.interpreter, each.kit) == key), None)

    def held(
        self, sha256: Sha256, interpreter: Interpreter, *, kit_of: Callable[[Interpreter], str], now: datetime
    ) -> Failure | None:
        """The failure for which this wheel is not brought up under this interpreter now; None when it would be.

        All who say `held` ask this: a sync, a list of what is installed, the doctor.
        """
        if not self.failed:  # to name the kit, what is in it is read
            return None
        failure = self.failure_of(sha256, interpreter=interpreter.version, kit=kit_of(interpreter))
        return failure if failure is not None and failure.holds(now) else None

    def with_failure(
        self,
        version: str,
        sha256: Sha256,
        *,
        interpreter: str,
        kit: str,
        at: datetime,
        reason: str,
        for_good: bool = False,
    ) -> "Choices":
        """When this wheel has failed, for the first time or once more; `for_good`, it is never tried by itself."""
        before = self.failure_of(sha256, interpreter=interpreter, kit=kit)
        tries = 1 if before is None else before.tries + 1
        failure = Failure(
            version=version,
            sha256=sha256,
            interpreter=interpreter,
            kit=kit,
            at=at,
            reason=reason[:MAX_REASON],
            tries=tries,
            not_before=at + timedelta(seconds=RETRY_AFTER_S[tries - 1])
            if tries <= len(RETRY_AFTER_S) and not for_good
            else None,
        )
        return replace(self, failed=(*(each for each in self.failed if each != before), failure)[-MAX_FAILED:])

    def without(self, sha256: Sha256) -> "Choices":
        """When this wheel has answered after all: nothing is held against it any more."""
        return replace(self, failed=tuple(each for each in self.failed if each.sha256 != sha256))


def read_choices(layout: Layout, distribution: ProjectName) -> Choices:
    """What is on record for this distribution; an empty value when nothing is.

    Raises:
        DamagedError: it is no such record.
        TrustError: step `state`; somebody else can have written it.
        StoreError: it may not be read.
    """
    damage = (
        f"no other version of {distribution} is brought up before that is put right. Restore it from a backup, or "
        "remove it: then nothing is pinned, and what failed is tried again"
    )
    return read_table(layout.choices(distribution), layout.root, decode_choices, damage=damage) or Choices()


def write_choices(layout: Layout, distribution: ProjectName, choices: Choices) -> None:
    """This is on record from now on, also after a crash. Under the store's lock only."""
    if choices == Choices():
        remove_choices(layout, distribution)
    else:
        atomic_write(layout.choices(distribution), encode_choices(choices), mode=PRIVATE)


def remove_choices(layout: Layout, distribution: ProjectName) -> None:
    """Nothing is on record from now on, also after a crash. Under the store's lock only."""
    layout.choices(distribution).unlink(missing_ok=True)
    sync_directory(layout.path("choices"))


def encode_choices(choices: Choices) -> bytes:
    """The record as JSON."""
    return json.dumps({"schema": SCHEMA, **as_json(choices)}, indent=1).encode() + b"\n"


def decode_choices(data: bytes) -> Choices:
    """The record in this file.

    Raises:
        ValueError, TypeError, KeyError: it is none of this schema.
    """
    document = json_of(data)
    if not isinstance(document, dict) or document.keys() != {"schema", "pin", "failed"}:
        raise ValueError("expected schema, pin and failed")
    if document["schema"] != SCHEMA:
        raise ValueError(f"schema: expected {SCHEMA}, got {document['schema']!r}")
    if not isinstance(document["failed"], list):
        raise ValueError("failed: expected an array")
    return Choices(
        pin=None if document["pin"] is None else Pin(**fields_in(document["pin"], Pin, _value)),
        failed=tuple(Failure(**fields_in(each, Failure, _value)) for each in document["failed"]),
    )


def _value(name: str, value: Any) -> Any:
    if name == "tries":
        if type(value) is not int or value < 1:
            raise ValueError(f"tries: expected how often it failed, got {value!r}")
        return value
    if name == "version":
        Version(text(name, value))
        return value
    if name == "not_before" and value is None:
        return None
    if name in ("at", "not_before"):
        return moment(name, value)
    if name == "sha256":
        return parse_sha256(text(name, value))
    if name == "why" and value not in get_args(Why):
        raise ValueError(f"why: expected one of {', '.join(get_args(Why))}, got {value!r}")
    return text(name, value)
