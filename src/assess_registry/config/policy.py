"""Table `[policy]` becomes a value; every mistake is noted in the readers' list of issues.

A mistake in a policy must never loosen it. So nothing is guessed: a misspelt severity is refused, not taken for the id
of a finding that will never come, and an acceptance says who, why and until when, or is no acceptance.
"""

import difflib
import re
from collections.abc import Callable, Collection, Iterable
from datetime import date, datetime

from packaging.licenses import InvalidLicenseExpression, canonicalize_license_expression

from assess_registry.config.people import project_pattern
from assess_registry.config.values import Acceptance, Policy
from assess_registry.manifest import SEVERITIES
from assess_registry.manifest.reader import Reader, nearest, show
from assess_registry.names import MAX_NAME, parse_id, parse_project

POLICY_KEYS = (
    "reject",
    "flag",
    "accept",
    "licences",
    "max_wheel_mib",
    "native_publishers",
    "reserved",
    "reserved_prefixes",
    "advisories_max_age_days",
    "automatic_approval",
)
ACCEPT_KEYS = ("finding", "check", "project", "entry", "reason", "owner", "expires")

INCOMPLETE = "check-incomplete"
"""Id of the finding that a check did not look at everything; accepted by the check's name alone."""

ANY_LICENCE = "*"

_MAX_ITEMS = 1000
_MAX_TEXT = 500
_AS_IN = "as in 'bandit-b603' or 'bandit-*'"
_MUST_STAND = ("critical", "high", "medium")
_NAMED = re.compile(r"([a-z0-9]+([._-][a-z0-9]+)*|[a-z0-9]+-[a-z0-9._-]*\*)\Z", re.ASCII)
_FINDING = re.compile(r"[a-z0-9*]([a-z0-9*._-]{0,98}[a-z0-9*])?\Z", re.ASCII)


def read_policy(document: Reader, publishers: Collection[str] | None) -> Policy:
    """`[policy]`, with the default for every key that is absent.

    Args:
        document: the whole file.
        publishers: names that `native_publishers` and `automatic_approval` may hold; None when they are not known here.
    """
    table = document.table_of("policy")
    table.only(POLICY_KEYS)
    standard = Policy()

    def items(key: str, parse: Callable[[object], str], default: tuple[str, ...]) -> tuple[str, ...]:
        return table.items(key, parse, max_items=_MAX_ITEMS) if key in table.table else default

    policy = Policy(
        reject=items("reject", _rule, standard.reject),
        flag=items("flag", _flagged, standard.flag),
        accept=tuple(_acceptance(each) for each in table.tables_of("accept", max_items=_MAX_ITEMS)),
        licences=items("licences", _licence, standard.licences),
        max_wheel_mib=table.number("max_wheel_mib", low=0.001, high=256, default=standard.max_wheel_mib),
        native_publishers=items("native_publishers", _text, standard.native_publishers),
        reserved=items("reserved", _project, standard.reserved),
        reserved_prefixes=items("reserved_prefixes", _prefix, standard.reserved_prefixes),
        advisories_max_age_days=table.integer(
            "advisories_max_age_days", low=1, high=3650, default=standard.advisories_max_age_days
        ),
        automatic_approval=items("automatic_approval", _text, standard.automatic_approval),
    )
    _check_whole(table, policy, publishers)
    return policy


def _check_whole(table: Reader, policy: Policy, publishers: Collection[str] | None) -> None:
    """What no single value shows."""
    # Not filled in: who writes `reject = ["bandit-*"]` may have meant it to come on top, or may not, and has to say so.
    unread = any(each.entry.startswith((f"{table.path}.reject", f"{table.path}.flag")) for each in table.issues)
    for severity in _MUST_STAND if not unread else ():
        if severity not in (*policy.reject, *policy.flag):
            key = "reject" if "reject" in table.table and severity != "medium" else "flag"
            message = (
                f"severity {severity!r} stands neither in reject nor in flag, and would be let through; add it to one"
            )
            table.refuse("missing-key", key, message)
    # A severity that `flag` names and the default of `reject` holds is one the author moved, and has to say so there.
    for rule in sorted({*policy.reject} & {*policy.flag}):
        table.refuse("duplicate", "flag", f"{rule!r} stands in reject too, written there or by default; keep one")
    if not policy.licences:
        table.refuse("bad-value", "licences", f'an empty list would allow none; write ["{ANY_LICENCE}"] for any')
    if publishers is not None:
        named = {"native_publishers": policy.native_publishers, "automatic_approval": policy.automatic_approval}
        for key, name in ((key, name) for key, names in named.items() for name in names):
            if name not in publishers:
                table.refuse("bad-value", key, f"no publisher {show(name)}; {_among(name, publishers)}")


def _acceptance(table: Reader) -> Acceptance:
    table.only(ACCEPT_KEYS)
    about = [key for key in ("finding", "check") if key in table.table]
    if len(about) != 1:
        table.refuse("missing-key", "", "expected exactly one of finding and check, which say what is accepted")
    expires = table.table.get("expires")
    # A TOML date-time is a date to Python; a time of day would need a zone, and nobody means one.
    if not isinstance(expires, date) or isinstance(expires, datetime):
        got = "nothing" if expires is None else show(expires)
        table.refuse("missing-key", "expires", f"expected the last day it holds, as in 2027-03-31, got {got}")
        expires = date.min
    return Acceptance(
        finding=table.parsed("finding", _accepted_finding, "") if "finding" in about else "",
        check=table.parsed("check", parse_id, "") if "check" in about else "",
        project=table.parsed("project", project_pattern, "*") if "project" in table.table else "*",
        entry=table.text("entry", max_chars=_MAX_TEXT) if "entry" in table.table else "*",
        reason=table.text("reason", max_chars=_MAX_TEXT),
        owner=table.text("owner", max_chars=_MAX_TEXT),
        expires=expires,
    )


def _accepted_finding(text: str) -> str:
    if text == INCOMPLETE:
        raise ValueError("what a check did not look at is accepted by its name: check = NAME instead of finding")
    if text in SEVERITIES or not _is_named(text):
        raise ValueError(f"an acceptance names findings by id, {_AS_IN}, got {show(text)}")
    return text


def _flagged(value: object) -> str:
    text = _rule(value)
    # It outranks severities, so it takes from `reject` what it matches, as an acceptance does.
    if text not in SEVERITIES and not _is_named(text):
        raise ValueError(f"a rule of flag names findings by id, {_AS_IN}, got {show(text)}")
    return text


def _is_named(text: str) -> bool:
    """Whether it is an id, or a family of ids that begins with something and a dash; `*` alone is no family."""
    return len(text) <= MAX_NAME and bool(_NAMED.match(text))


def _rule(value: object) -> str:
    text = _text(value)
    if text in SEVERITIES:
        return text
    # Ids of findings mostly have a dash; a single word that is nearly a severity is a typing error, and one that would
    # quietly let things through.
    if "-" not in text and difflib.get_close_matches(text.lower(), SEVERITIES, n=1):
        raise ValueError(f"no severity {show(text)}; {nearest(text.lower(), SEVERITIES)}")
    return _finding(text)


def _finding(text: str) -> str:
    if not _FINDING.match(text):
        raise ValueError(f"expected a severity or the id of a finding, which may hold *, got {show(text)}")
    return text


def _licence(value: object) -> str:
    text = _text(value)
    if text == ANY_LICENCE:
        return text
    try:
        normal = canonicalize_license_expression(text)
    except InvalidLicenseExpression as error:
        raise ValueError(f"expected an SPDX licence identifier, got {show(text)}") from error
    if normal != text or " " in text:
        raise ValueError(f"expected one SPDX licence identifier as SPDX spells it, got {show(text)}")
    return text


def _project(value: object) -> str:
    return parse_project(_text(value))


def _prefix(value: object) -> str:
    text = _text(value)
    parse_project(text.removesuffix("-"))
    return text


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError(f"expected a string, got {show(value)}")
    return value


def _among(word: str, known: Iterable[str]) -> str:
    known = sorted(known)
    return nearest(word, known) if known else "none are configured: add [publishers.NAME]"
