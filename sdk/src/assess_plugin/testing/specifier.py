"""Which plugin API a manifest's `api` admits, without the library that a runtime asks.

Of PEP 440 only what a plugin API needs: versions of numbers, and `==1.0.*`. What is not understood is refused, so that
a test cannot take for admitted what a runtime would not.
"""

import re

from assess_plugin.api import ApiError

Numbers = tuple[int, ...]

_CLAUSE = re.compile(r"\s*(~=|==|!=|<=|>=|<|>)\s*([0-9]{1,6}(?:\.[0-9]{1,6}){0,4})(\.\*)?\s*\Z", re.ASCII)


def admits(specifier: str, version: str) -> bool:
    """Whether every clause of the specifier admits the version.

    Raises:
        ApiError: a clause is none.
    """
    return all(_admits(clause, _numbers(version)) for clause in specifier.split(","))


def _admits(clause: str, version: Numbers) -> bool:
    match = _CLAUSE.match(clause)
    if match is None or (match[3] and match[1] not in ("==", "!=")) or (match[1] == "~=" and "." not in match[2]):
        raise ApiError(f"api: {clause.strip()[:80]!r} is no version specifier such as '>=1.0' (PEP 440)")
    operator, wanted = match[1], _numbers(match[2])
    if match[3]:
        same = _padded(version, len(wanted))[: len(wanted)] == wanted
        return same if operator == "==" else not same
    if operator == "~=":
        return _compare(">=", version, wanted) and _padded(version, len(wanted))[: len(wanted) - 1] == wanted[:-1]
    return _compare(operator, version, wanted)


def _compare(operator: str, version: Numbers, wanted: Numbers) -> bool:
    length = max(len(version), len(wanted))
    left, right = _padded(version, length), _padded(wanted, length)
    match operator:
        case "==":
            return left == right
        case "!=":
            return left != right
        case "<=":
            return left <= right
        case ">=":
            return left >= right
        case "<":
            return left < right
        case _:
            return left > right


def _padded(numbers: Numbers, length: int) -> Numbers:
    return numbers + (0,) * (length - len(numbers))


def _numbers(text: str) -> Numbers:
    return tuple(int(part) for part in text.split("."))
