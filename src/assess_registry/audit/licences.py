"""Which licence a wheel's METADATA names, and whether a list of allowed ones admits it.

admits(("MIT", "Apache-2.0"), "MIT OR GPL-3.0-only")      -> True
admits(("MIT",), "MIT AND BSD-3-Clause")                  -> False
"""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Literal

from packaging.licenses import InvalidLicenseExpression, canonicalize_license_expression
from packaging.metadata import parse_email

CLASSIFIERS: Mapping[str, str] = {
    "Apache Software License": "Apache-2.0",
    "Boost Software License 1.0 (BSL-1.0)": "BSL-1.0",
    "GNU Affero General Public License v3": "AGPL-3.0-only",
    "GNU Affero General Public License v3 or later (AGPLv3+)": "AGPL-3.0-or-later",
    "GNU General Public License v2 (GPLv2)": "GPL-2.0-only",
    "GNU General Public License v2 or later (GPLv2+)": "GPL-2.0-or-later",
    "GNU General Public License v3 (GPLv3)": "GPL-3.0-only",
    "GNU General Public License v3 or later (GPLv3+)": "GPL-3.0-or-later",
    "GNU Lesser General Public License v2 (LGPLv2)": "LGPL-2.0-only",
    "GNU Lesser General Public License v3 (LGPLv3)": "LGPL-3.0-only",
    "GNU Lesser General Public License v3 or later (LGPLv3+)": "LGPL-3.0-or-later",
    "ISC License (ISCL)": "ISC",
    "MIT License": "MIT",
    "MIT No Attribution License (MIT-0)": "MIT-0",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "Python Software Foundation License": "PSF-2.0",
    "The Unlicense (Unlicense)": "Unlicense",
    "Universal Permissive License (UPL)": "UPL-1.0",
    "zlib/libpng License": "Zlib",
}
"""Last part of a `License ::` classifier -> SPDX; those that name a family (`BSD License`) say too little."""

_MAX_EXPRESSION = 4096
_MAX_PARENTHESES = 32
_TOKEN = re.compile(r"\(|\)|[^\s()]+")


@dataclass(frozen=True, kw_only=True, slots=True)
class Licence:
    """What METADATA says.

    Attributes:
        expression: SPDX, in its normal form; empty where nothing usable is said.
        source: the field it comes from.
        said: what stands there instead when it is not usable.
        files: License-File entries.
    """

    expression: str
    source: Literal["License-Expression", "License", "Classifier", ""]
    said: str
    files: tuple[str, ...]


def read_licence(metadata: bytes) -> Licence:
    """The licence in a METADATA file that was inspected, so that reading it is bounded."""
    raw, _ = parse_email(metadata.replace(b"\r\n", b"\n").partition(b"\n\n")[0] + b"\n\n")
    files = tuple(raw.get("license_files", []))
    said = raw.get("license_expression", "") or " ".join(raw.get("license", "").split())
    if expression := _normal(raw.get("license_expression", "")):
        return Licence(expression=expression, source="License-Expression", said="", files=files)
    if expression := _normal(raw.get("license", "")):
        return Licence(expression=expression, source="License", said="", files=files)
    names = [each.rpartition(" :: ")[2] for each in raw.get("classifiers", []) if each.startswith("License :: ")]
    if names and all(name in CLASSIFIERS for name in names):
        # several classifiers: whether one may choose is not said, so all of them hold
        expression = " AND ".join(dict.fromkeys(CLASSIFIERS[name] for name in names))
        return Licence(expression=expression, source="Classifier", said="", files=files)
    return Licence(expression="", source="", said=(said or ", ".join(names))[:200], files=files)


def admits(allowed: Collection[str], expression: str) -> bool:
    """Whether a choice of licences that the expression offers is made of allowed ones alone.

    `A WITH exception` is admitted by `A`, for an exception only ever permits more; also by its whole text. Letter case
    does not matter (SPDX, annex on expressions).
    """
    words = _TOKEN.findall(expression)
    return _Terms(words, frozenset(each.lower() for each in allowed)).either()


class _Terms:
    """`either` is a list joined by OR, `both` by AND, `one` a licence or a bracket; AND binds closer."""

    def __init__(self, words: list[str], allowed: frozenset[str]) -> None:
        self._words = words[::-1]
        self._allowed = allowed

    def either(self) -> bool:
        good = self._both()
        while self._take("or"):
            other = self._both()
            good = good or other
        return good

    def _both(self) -> bool:
        good = self._one()
        while self._take("and"):
            other = self._one()
            good = good and other
        return good

    def _one(self) -> bool:
        if self._take("("):
            good = self.either()
            self._take(")")
            return good
        name = self._words.pop().lower() if self._words else ""
        if self._take("with") and self._words:
            return name in self._allowed or f"{name} with {self._words.pop().lower()}" in self._allowed
        return name in self._allowed

    def _take(self, word: str) -> bool:
        if self._words and self._words[-1].lower() == word:
            self._words.pop()
            return True
        return False


def _normal(text: str) -> str:
    if not text or len(text) > _MAX_EXPRESSION or text.count("(") > _MAX_PARENTHESES:
        return ""
    try:
        return str(canonicalize_license_expression(text))
    except InvalidLicenseExpression:
        return ""
