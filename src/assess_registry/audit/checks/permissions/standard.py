"""Modules of the standard library: which only compute, and what is private of them.

A list of what is dangerous is never whole, so this is one of what is not: a module that stands neither here nor in
`rules` is a finding, and so is whatever begins with `_`, which is nobody's to use and leads anywhere.
"""

from collections.abc import Iterable, Iterator
from itertools import pairwise

from assess_registry.audit.checks.permissions.kinds import PRIVATE, UNLISTED, Kind
from assess_registry.audit.code import Chain, FileCode
from assess_registry.audit.code.known import is_private
from assess_registry.wheel.standard import STANDARD

_COMPUTING = """
    __future__ abc argparse array ast asyncio atexit base64 binascii bisect builtins bz2 calendar cmath codecs
    collections colorsys concurrent configparser contextlib contextvars copy csv dataclasses datetime decimal difflib
    email encodings enum errno fnmatch fractions functools gc getopt gettext graphlib gzip hashlib heapq hmac html http
    importlib inspect io ipaddress itertools json keyword locale logging lzma math mimetypes numbers operator optparse
    os pathlib pkgutil platform plistlib posix posixpath pprint queue quopri random re reprlib sched secrets selectors
    shlex signal site sqlite3 stat statistics string stringprep struct sys tarfile textwrap threading time token
    tokenize tomllib traceback types typing unicodedata urllib uuid warnings weakref xml zipfile zlib zoneinfo
"""
COMPUTING: frozenset[str] = frozenset(_COMPUTING.split())
"""They touch nothing, or `rules` says which of their members do."""

_IMPORTERS = frozenset(("import_module", "__import__", "modules"))


def others(listed: Iterable[str]) -> dict[str, Kind]:
    """All modules of the standard library that neither compute only nor are listed, and what they are."""
    known = COMPUTING | {name.partition(".")[0] for name in listed}
    return {name: PRIVATE if name.startswith("_") else UNLISTED for name in STANDARD - known}


def of_import(dotted: str) -> Kind | None:
    """What importing this is, where it is private."""
    top, *steps = dotted.split(".")
    if top == "__future__" or not (
        top.startswith("_") or (top in STANDARD and any(is_private(step) for step in steps))
    ):
        return None
    return PRIVATE


def of_chain(chain: Chain, file: FileCode) -> Iterator[tuple[Kind, str]]:
    """A private member of what was imported by a name of the file; a module that is imported by its text."""
    for dotted in file.bound.get(chain[0], ()):
        if dotted.partition(".")[0] not in STANDARD:
            continue
        for number, step in enumerate(chain[1:], 1):
            if not step.isidentifier():
                break
            if is_private(step):
                yield PRIVATE, ".".join((dotted, *chain[1 : number + 1]))
                break
    for step, text in pairwise(chain):
        if step in _IMPORTERS and text[:2] in ("('", "['") and (kind := of_import(text[2:-2])):
            yield kind, text[2:-2]
