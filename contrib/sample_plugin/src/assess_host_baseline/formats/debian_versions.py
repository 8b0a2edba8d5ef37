"""Which of two package versions is the later one: Debian Policy 5.6.12, Version.

    [epoch:]upstream[-revision]

Epochs compare as numbers, then upstream versions, then revisions, each part by part: a part of non-digits, where `~`
sorts before the end, the end before letters, and letters before everything else; then a part of digits, as a number.

    compare("1.0~rc1", "1.0")  ->  -1
"""

import re

from assess_host_baseline.formats.text import Malformed, shown

_EPOCH = re.compile(r"[0-9]{1,9}\Z", re.ASCII)
_UPSTREAM = re.compile(r"[0-9][0-9A-Za-z.+~:-]*\Z", re.ASCII)
_REVISION = re.compile(r"[0-9A-Za-z.+~]+\Z", re.ASCII)
_PART = re.compile(r"([^0-9]*)([0-9]*)", re.ASCII)

_BEFORE_END, _END, _LETTER, _OTHER = -1, 0, 0, 256
"""Ranks: a letter has its code above `_LETTER`, anything else its code above `_OTHER`."""

MAX_VERSION = 256
"""Characters; the longest in Debian has 60. Also keeps numbers in reach of `int`."""

Version = tuple[int, str, str]


def parse_version(text: str) -> Version:
    """Epoch, upstream version and revision; a missing epoch is 0, a missing revision counts as "0".

    Raises:
        Malformed: it is not a Debian version.
    """
    epoch, colon, rest = text.partition(":")
    if not colon:
        epoch, rest = "0", text
    upstream, dash, revision = rest.rpartition("-")
    if not dash:
        upstream, revision = rest, "0"
    if len(text) > MAX_VERSION or not (_EPOCH.match(epoch) and _UPSTREAM.match(upstream) and _REVISION.match(revision)):
        raise Malformed(f"{shown(text)!r} is not a Debian package version")
    return int(epoch), upstream, revision


def compare(left: str, right: str) -> int:
    """-1, 0 or 1: the left version is earlier, the same, later.

    Raises:
        Malformed: one of them is not a Debian version.
    """
    ours, theirs = parse_version(left), parse_version(right)
    one, other = ((epoch, _key(upstream), _key(revision)) for epoch, upstream, revision in (ours, theirs))
    return (one > other) - (one < other)


def _key(text: str) -> tuple[tuple[tuple[int, ...], int], ...]:
    parts = _PART.findall(text)
    return tuple((_ranks(letters), int(digits or 0)) for letters, digits in parts)


def _ranks(letters: str) -> tuple[int, ...]:
    return (*(_BEFORE_END if c == "~" else ord(c) + (_LETTER if c.isalpha() else _OTHER) for c in letters), _END)
