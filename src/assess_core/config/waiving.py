"""A waiver is added to the text of a configuration, or taken out of it, and nothing else in it changes.

Every other byte stays: comments, order, blank lines. A table is written at the end; what is taken out is the lines of
one table, from its head to its last key, so that a comment which follows it stays with what it is about; tomlkit, which
keeps comments too, gives that one to the table before it. Whatever the text looks like, the result is read again and
must say exactly what it said before but for this one waiver (`_require_same`); a file that is written in another way
than `[[waivers]]` is refused, and nobody's configuration is guessed at.
"""

import json
import re
import tomllib
from collections.abc import Iterator, Sequence
from typing import Any

from assess_core.config.words import nearest, quoted
from assess_core.errors import ConfigError
from assess_core.results.waivers import Pair, Waiver

_HEAD = re.compile(r"""\s*\[\[\s*(?:waivers|"waivers"|'waivers')\s*\]\]\s*(?:#.*)?\Z""")
_ANY_HEAD = re.compile(r"\s*\[")
_NOTHING = re.compile(r"\s*(?:#.*)?\Z")
_STRING = re.compile(r'"""|' + r"'''|" + r'"(?:[^"\\\n]|\\.)*"|' + r"'[^'\n]*'|#.*")


def with_waiver(text: str, waiver: Waiver) -> str:
    """The configuration with this waiver after everything else.

    Raises:
        ConfigError: it could not be written in a way that leaves the rest as it is.
    """
    end = "\r\n" if "\r\n" in text else "\n"
    lines = [
        "[[waivers]]",
        f"check = {_string(waiver.check)}",
        f"subject = {_string(waiver.subject)}",
        f"owner = {_string(waiver.owner)}",
        f"reason = {_string(waiver.reason)}",
        f"expires = {waiver.expires.isoformat()}",
    ]
    body = text if not text or text.endswith("\n") else text + end
    made = body + (end if body.strip() else "") + end.join(lines) + end
    before = _read(text)
    added = {
        "check": waiver.check,
        "subject": waiver.subject,
        "owner": waiver.owner,
        "reason": waiver.reason,
        "expires": waiver.expires,
    }
    _require_same(made, {**before, "waivers": [*_waivers(before), added]})
    return made


def without_waiver(text: str, pair: Pair) -> str:
    """The configuration without the waiver of this pair.

    Raises:
        ConfigError: there is none; or it could not be taken out in a way that leaves the rest as it is.
    """
    before = _read(text)
    waivers = _waivers(before)
    index = next((at for at, each in enumerate(waivers) if _pair(each) == pair), None)
    if index is None:
        check, subject = pair
        others = [str(each.get("check")) for each in waivers if each.get("subject") == subject]
        near = nearest(check, others) if others else nearest(subject, [str(each.get("subject")) for each in waivers])
        raise ConfigError(f"waivers: there is none of {quoted(check)} on {quoted(subject)}{near}")
    lines = [line for line in re.split(r"(?<=\n)", text) if line]
    spans = list(_spans(lines))
    left = waivers[:index] + waivers[index + 1 :]
    wanted = {**before, "waivers": left} if left else {key: value for key, value in before.items() if key != "waivers"}
    if len(spans) != len(waivers):
        raise _by_hand()
    start, end = spans[index]
    if start and not lines[start - 1].strip() and (end == len(lines) or not lines[end].strip()):
        start -= 1  # one blank line of the two that would meet
    made = "".join(lines[:start] + lines[end:])
    _require_same(made, wanted)
    return made


def _spans(lines: Sequence[str]) -> Iterator[tuple[int, int]]:
    """Where each `[[waivers]]` begins, and where its last key ends."""
    begun: int | None = None
    last = 0
    quote = ""
    for number, line in enumerate(lines):
        was_inside = bool(quote)
        quote = _open_quote(line, quote)
        if was_inside:
            last = number + 1
            continue
        if _ANY_HEAD.match(line):
            if begun is not None:
                yield begun, last
            begun = number if _HEAD.match(line.rstrip("\r\n")) else None
            last = number + 1
        elif not _NOTHING.match(line.rstrip("\r\n")):
            last = number + 1
    if begun is not None:
        yield begun, last


def _open_quote(line: str, quote: str) -> str:
    """The quotes of a text of several lines that is open at this line's end, if it was open with these at its begin."""
    position = 0
    while True:
        if quote:
            end = line.find(quote, position)
            while end > 0 and quote == '"""' and _escaped(line, end):
                end = line.find(quote, end + 1)
            if end < 0:
                return quote
            position, quote = end + 3, ""
        found = _STRING.search(line, position)
        if found is None:
            return ""
        position = found.end()
        if found[0] in {'"""', "'''"}:
            quote = found[0]


def _escaped(line: str, at: int) -> bool:
    return (at - len(line[:at].rstrip("\\"))) % 2 == 1


def _read(text: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"not TOML: {error}") from error


def _waivers(document: dict[str, Any]) -> list[dict[str, Any]]:
    waivers = document.get("waivers", [])
    if not isinstance(waivers, list) or not all(isinstance(each, dict) for each in waivers):
        raise _by_hand()
    return waivers


def _pair(entry: dict[str, Any]) -> Pair:
    return str(entry.get("check")), str(entry.get("subject"))


def _require_same(made: str, wanted: dict[str, Any]) -> None:
    try:
        same = tomllib.loads(made) == wanted
    except ValueError:
        same = False
    if not same:
        raise _by_hand()


def _by_hand() -> ConfigError:
    return ConfigError(
        "waivers: this file writes them in a way that is not changed here, for the rest has to stay as it is; "
        "write each as a [[waivers]] table of its own, or edit it by hand"
    )


def _string(text: str) -> str:
    """As a TOML basic string: what JSON escapes TOML understands, but for what is no character."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
