"""One environment compared with audited wheels, file by file; `check.py` says with which.

    comparison = Comparison(root=..., site="lib/python3.11/site-packages", ours=False, paths=frozenset(...))
    compare_wheel(comparison, data, inspected)      for each wheel
    judge_rest(comparison, extras, seeds)           then: nothing else may be there
    comparison.differences

Nothing is followed, run or loaded; nothing is read beyond the size that it should have.
"""

import csv
import hashlib
import os
import posixpath
import re
import stat
import sys
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from assess_core.store.codeform import same_code
from assess_core.store.differences import Difference, DifferenceKind
from assess_core.store.environments import WRITTEN_BY_INSTALLERS
from assess_core.store.othercode import Judges, Pair, UncomparableError
from assess_core.store.surroundings import (
    SEED_PTH,
    SEED_PTH_SHA256,
    Extra,
    is_seed,
    is_surrounding,
    seed_scripts,
)
from assess_registry.client import InspectedWheel, RegistryError, read_bounded, unpacked_files

MAX_METADATA_BYTES = 4 << 20
"""Of a METADATA or RECORD in an environment; larger ones are not read."""

MAX_BYTECODE_BYTES = 64 << 20

BYTECODE = re.compile(r"(?P<stem>.+?)\.(?P<tag>[a-z]+-?\d+)(\.opt-(?P<level>[12]))?\.pyc\Z", re.ASCII)
"""Name of a file in `__pycache__` (PEP 3147, PEP 488)."""

_OTHER_CODE = "is not what its source compiles to, and would run instead of it"

_CHUNK_BYTES = 1 << 20
_NOTES_OF_UV = ("uv_cache.json", "uv_build.json")  # in a dist-info; read by uv alone


@dataclass(slots=True)
class Comparison:
    """One environment under examination; grows `differences` and `known`, the paths that are accounted for.

    Attributes:
        root: of the environment.
        site: its site-packages, relative, with `/`.
        paths: everything in it that is no directory.
        judges: who compares bytecode of other interpreters than the running one.
        bytecode: source path -> its bytecode files.
        of_others: tag -> such bytecode of the wheel that is being compared.
    """

    root: Path
    site: str
    ours: bool
    paths: frozenset[str]
    judges: Judges
    bytecode: dict[str, list[str]] = field(default_factory=dict)
    of_others: dict[str, list[Pair]] = field(default_factory=dict)
    known: set[str] = field(default_factory=set)
    differences: list[Difference] = field(default_factory=list)
    files: int = 0

    def differs(self, kind: DifferenceKind, path: str, message: str) -> None:
        """One more thing is not as audited."""
        self.differences.append(Difference(kind=kind, path=path, message=message))


def is_regular(comparison: Comparison, path: str) -> bool:
    """Whether this is a regular file, and no link to one."""
    return stat.S_ISREG(os.lstat(comparison.root / path).st_mode)


def compare_wheel(comparison: Comparison, data: bytes, inspected: InspectedWheel) -> None:
    """Every file of this wheel is there and equal, and all bytecode of its modules is; or it is named."""
    info = ""
    for file in unpacked_files(data, inspected):
        parent, _, name = file.path.rpartition("/")
        if name == "METADATA" and parent.endswith(".dist-info") and "/" not in parent:
            info = parent
        if name in WRITTEN_BY_INSTALLERS and parent.endswith(".dist-info"):
            continue
        path = f"{comparison.site}/{file.path}"
        comparison.files += 1
        comparison.known.add(path)
        kind, message = _compare_file(comparison, path, hashlib.sha256(file.data).hexdigest(), len(file.data))
        if kind is not None:
            comparison.differs(kind, path, message)
        for bytecode in comparison.bytecode.get(path, ()) if name.endswith(".py") else ():
            _compare_bytecode(comparison, bytecode, file.data)
    _ask_others(comparison)
    for name in (*WRITTEN_BY_INSTALLERS, *(() if comparison.ours else _NOTES_OF_UV)):
        path = f"{comparison.site}/{info}/{name}"
        if path in comparison.paths and is_regular(comparison, path):
            comparison.known.add(path)
    _check_record(comparison, f"{comparison.site}/{info}/RECORD")


def _compare_file(comparison: Comparison, path: str, sha256: str, size: int) -> tuple[DifferenceKind | None, str]:
    if path not in comparison.paths:
        return "missing", "is in the audited wheel"
    status = os.lstat(comparison.root / path)
    if not stat.S_ISREG(status.st_mode):
        return "altered", "expected a regular file, got a link or something else"
    if status.st_mode & (stat.S_ISUID | stat.S_ISGID):
        return "altered", f"has mode {stat.S_IMODE(status.st_mode):04o}"
    if status.st_size != size:  # before reading: it may have any length
        return "altered", f"expected {size} bytes, got {status.st_size}"
    got = _sha256(comparison.root / path, size)
    return (None, "") if got == sha256 else ("altered", f"expected sha256 {sha256}, got {got}")


def _compare_bytecode(comparison: Comparison, path: str, source: bytes) -> None:
    comparison.known.add(path)
    comparison.files += 1
    match = BYTECODE.match(posixpath.basename(path))
    assert match is not None  # noqa: S101  it was found by this expression
    if not is_regular(comparison, path):
        comparison.differs("altered", path, "expected a regular file, got a link or something else")
        return
    try:
        bytecode = read_bounded(comparison.root / path, MAX_BYTECODE_BYTES)
    except RegistryError as error:
        comparison.differs("altered", path, str(error))
        return
    level = int(match["level"] or 0)
    if match["tag"] != sys.implementation.cache_tag:
        pair = Pair(path=path, bytecode=bytecode, source=source, level=level)
        comparison.of_others.setdefault(match["tag"], []).append(pair)
    elif not same_code(bytecode, source, optimize=level):
        comparison.differs("altered", path, _OTHER_CODE)


def _ask_others(comparison: Comparison) -> None:
    """What other interpreters have to say about the bytecode of one wheel."""
    for tag, pairs in comparison.of_others.items():
        try:
            for pair, same in comparison.judges.same(tag, pairs):
                if not same:
                    comparison.differs("altered", pair.path, _OTHER_CODE)
        except UncomparableError as error:
            for pair in pairs:
                comparison.differs("unknown", pair.path, str(error))
    comparison.of_others.clear()


def _check_record(comparison: Comparison, path: str) -> None:
    """RECORD leads nowhere outside: `pip uninstall` removes what it names."""
    if path not in comparison.known:
        comparison.differs("missing", path, "says what the distribution consists of (PEP 376)")
        return
    try:
        text = read_bounded(comparison.root / path, MAX_METADATA_BYTES).decode()
        rows = [row[0] for row in csv.reader(text.splitlines()) if row]
    except (RegistryError, UnicodeDecodeError, csv.Error) as error:
        comparison.differs("altered", path, f"cannot be read: {error}")
        return
    for named in rows:
        if named.startswith("/") or posixpath.normpath(f"{comparison.site}/{named}").startswith("../"):
            comparison.differs("altered", path, f"names a file outside of the environment: {named!r}"[:300])


def judge_rest(comparison: Comparison, extras: Iterable[Extra], seeds: set[str]) -> None:
    """Everything that no wheel accounts for is a part of every environment; or it is named as extra."""
    allowed = {extra.path: extra.sha256 for extra in extras}
    if seeds:
        allowed |= dict.fromkeys(seed_scripts(comparison.paths))
    if "setuptools" in seeds:
        allowed[f"{comparison.site}/{SEED_PTH}"] = SEED_PTH_SHA256
    for path in sorted(comparison.paths - comparison.known):
        if path in allowed:
            _judge_allowed(comparison, path, allowed[path])
        elif not path.startswith(f"{comparison.site}/"):
            if not is_surrounding(path, comparison.root, ours=comparison.ours):
                comparison.differs("extra", path, "belongs to no wheel and to no virtual environment")
        elif not is_seed(path.removeprefix(f"{comparison.site}/"), seeds):
            comparison.differs("extra", path, "is in no audited wheel")


def _judge_allowed(comparison: Comparison, path: str, sha256: str | None) -> None:
    status = os.lstat(comparison.root / path)
    if not stat.S_ISREG(status.st_mode):
        comparison.differs("altered", path, "expected a regular file, got a link or something else")
    elif sha256 is not None and _sha256(comparison.root / path, status.st_size) != sha256:
        comparison.differs("altered", path, f"expected sha256 {sha256}")


def _sha256(path: Path, size: int) -> str:
    """Of the first `size` bytes and one more: a file that grew while it was read has another digest."""
    digest = hashlib.sha256()
    left = size + 1
    with path.open("rb", buffering=0) as file:
        while left and (chunk := file.read(min(left, _CHUNK_BYTES))):
            digest.update(chunk)
            left -= len(chunk)
    return digest.hexdigest()
