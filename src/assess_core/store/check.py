"""Whether an environment holds exactly what was audited: `assess plugins verify ENV`.

Serves environments of the store and those that pip filled from the index. Nothing in the environment is believed, its
RECORD least of all; nothing in it is run or loaded.

1. List everything in it, following no link.
2. `pyvenv.cfg` and the interpreter's links lead to one interpreter outside, and nothing else is on its path.
3. Which plugins are in it, and with which wheels the store knows them.
4. Every file of every wheel, as the original wheel has it, is there and equal.
5. Bytecode is what its source compiles to (`codeform.py`).
6. Everything else is something installers write, or it is named as extra.

Bytecode is compared in both kinds of environments, and by recompiling: the store's own copy is the same inode as the
environment's, and pip's bytes differ from run to run.
"""

import csv
import hashlib
import os
import posixpath
import re
import stat
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

import importlib_metadata
from packaging.utils import canonicalize_name

from assess_core.errors import StoreError
from assess_core.store.codeform import same_code
from assess_core.store.differences import Difference, DifferenceKind, EnvironmentReport
from assess_core.store.disk import regular_files
from assess_core.store.environments import WRITTEN_BY_INSTALLERS
from assess_core.store.layout import DamagedError
from assess_core.store.originals import AlteredError, kept_wheel, locked_digests, read_original
from assess_core.store.records import Record, StoredWheel
from assess_core.store.store import Store
from assess_core.store.surroundings import (
    SEED_PTH,
    SEED_PTH_SHA256,
    SEEDS,
    Extra,
    check_config,
    check_interpreter_links,
    extras_of,
    is_seed,
    is_surrounding,
    seed_scripts,
)
from assess_registry.client import (
    InspectedWheel,
    Registry,
    RegistryError,
    Target,
    read_bounded,
    reopen,
    unpacked_files,
    verify,
)

MAX_METADATA_BYTES = 4 << 20
"""Of a METADATA or RECORD in an environment; larger ones are not read."""

MAX_BYTECODE_BYTES = 64 << 20

_BYTECODE = re.compile(r"(?P<stem>.+?)\.(?P<tag>[a-z]+-?\d+)(\.opt-(?P<level>[12]))?\.pyc\Z", re.ASCII)
_CHUNK_BYTES = 1 << 20
_NOTES_OF_UV = ("uv_cache.json", "uv_build.json")  # in a dist-info; read by uv alone


@dataclass(slots=True)
class _Check:
    """One environment under examination; grows `differences` and `known`, the paths that are accounted for.

    Attributes:
        root: of the environment.
        site: its site-packages, relative, with `/`.
        paths: everything in it that is no directory.
        bytecode: source path -> its bytecode files.
    """

    root: Path
    site: str
    ours: bool
    paths: frozenset[str]
    bytecode: dict[str, list[str]] = field(default_factory=dict)
    known: set[str] = field(default_factory=set)
    differences: list[Difference] = field(default_factory=list)
    files: int = 0

    def differs(self, kind: DifferenceKind, path: str, message: str) -> None:
        self.differences.append(Difference(kind=kind, path=path, message=message))


def verify_environment(environment: Path, *, store: Store, registry: Registry | None = None) -> EnvironmentReport:
    """The environment compared, file by file, with the audited wheels of the plugins in it.

    The reference are the store's original wheels, hashed again and held against the signed lock they came with.
    Bytecode can be judged for the running interpreter's version only; other bytecode counts as unknown.

    With a `registry`, of which only the trusted keys are used, the kept signatures are verified again, too. Without,
    the store's own word is believed that they were: that finds whatever happened to the environment, but not somebody
    who rewrote the whole store to match.

    Raises:
        StoreError: `environment` is no virtual environment, or may not be read.
    """
    root = Path(os.path.realpath(environment))
    try:
        check = _begin(root, ours=root.parent == Path(os.path.realpath(store.layout.path("envs"))))
        return _examine(check, environment, store, registry)
    except PermissionError as error:
        raise StoreError(f"{error.filename}: may not be read by this user; verify it as its owner") from error


def _examine(check: _Check, environment: Path, store: Store, registry: Registry | None) -> EnvironmentReport:
    found = dict(_distributions(check))
    records = _records(check, found, store)
    check.differences += check_config(check.root)
    expected = records[0].interpreter.path if check.ours and records else None
    check.differences += check_interpreter_links(check.root, sorted(check.paths), expected=expected)
    if not records:
        check.differs("unknown", ".", "no plugin in it is installed in this store: install it here, then verify again")
    if registry is not None:
        for record in records:
            _verify_again(check, record, store, registry)
    extras: list[Extra] = []
    verified = []
    for wheel, locked, is_plugin in _wheels(check, records, store):
        try:
            data, inspected = read_original(wheel, locked, store.layout, is_plugin=is_plugin)
        except AlteredError as error:
            check.differences.append(error.difference)
            continue
        _compare_wheel(check, data, inspected)
        extras += () if check.ours else extras_of(inspected, check.site)
        verified.append((wheel.project, f"{wheel.project} {wheel.version}"))
    seeds = {name for name in SEEDS if name in found and name not in dict(verified) and not check.ours}
    _judge_rest(check, extras, seeds)
    return EnvironmentReport(
        environment=environment,
        verified=tuple(text for _, text in verified),
        seeded=tuple(sorted(f"{name} {found[name]}" for name in seeds)),
        files=check.files,
        differences=tuple(check.differences),
    )


def _begin(root: Path, *, ours: bool) -> _Check:
    if not (root / "pyvenv.cfg").is_file():
        raise StoreError(f"{root} is not a virtual environment: it has no pyvenv.cfg; name the environment's directory")
    sites = sorted(path for path in root.glob("lib/*/site-packages") if path.is_dir() and not path.is_symlink())
    if len(sites) != 1 or sites[0].parent.is_symlink() or (root / "lib").is_symlink():
        raise StoreError(f"{root}: expected one lib/python*/site-packages, got {len(sites)}; make the environment anew")
    paths = frozenset(regular_files(root))
    check = _Check(root=root, site=sites[0].relative_to(root).as_posix(), ours=ours, paths=paths)
    for path in sorted(paths):
        directory, name = posixpath.split(path)
        if posixpath.basename(directory) == "__pycache__" and (match := _BYTECODE.match(name)):
            source = posixpath.join(posixpath.dirname(directory), f"{match['stem']}.py")
            check.bytecode.setdefault(source, []).append(path)
    return check


def _distributions(check: _Check) -> Iterator[tuple[str, str]]:
    """Name and version of what the environment says it holds: only to know what to compare it with."""
    for path in check.paths:
        if posixpath.basename(path) in ("METADATA", "PKG-INFO"):
            size = os.lstat(check.root / path).st_size
            if size > MAX_METADATA_BYTES:
                raise StoreError(f"{check.root / path}: {size} bytes, more than {MAX_METADATA_BYTES}; do not use it")
    for distribution in importlib_metadata.distributions(path=[str(check.root / check.site)]):
        try:
            yield canonicalize_name(distribution.name), distribution.version
        except (KeyError, TypeError, ValueError, OSError, importlib_metadata.MetadataNotFound):
            continue  # names nothing; its files turn up as extra


def _records(check: _Check, found: dict[str, str], store: Store) -> list[Record]:
    """The store's records of the plugins in it: its own one, or for pip's the best match of each distribution."""
    if check.ours:
        try:
            record = store.record(check.root.name)
        except DamagedError as error:
            check.differs("unknown", ".", str(error))
            return []
        return [record] if record else []
    chosen: dict[str, Record] = {}
    for record in sorted(store.records(), key=lambda record: record.plugin.installed_at):
        plugin = record.plugin
        if found.get(plugin.distribution) != plugin.version:
            continue
        other = chosen.get(plugin.distribution)
        # The latest wins, but one for the same kind of interpreter outranks all others.
        if other is None or _fits(check, record) or not _fits(check, other):
            chosen[plugin.distribution] = record
    return list(chosen.values())


def _fits(check: _Check, record: Record) -> bool:
    return record.interpreter.site_packages == check.site


def _verify_again(check: _Check, record: Record, store: Store, registry: Registry) -> None:
    target = Target.running()
    try:
        verify(
            reopen(kept_wheel(record, store.layout), registry=registry, target=target), registry=registry, target=target
        )
    except AlteredError as error:
        check.differences.append(error.difference)
    except RegistryError as error:
        check.differs("altered", f"wheels/{record.plugin.sha256}", str(error))


def _wheels(
    check: _Check, records: Iterable[Record], store: Store
) -> Iterator[tuple[StoredWheel, Mapping[str, str], bool]]:
    """Every wheel to compare with, once, with the digests its lock vouches for, and whether it is a plugin's own."""
    seen: dict[str, str] = {}
    for record in records:
        try:
            locked = locked_digests(record, store.layout)
        except AlteredError as error:
            check.differences.append(error.difference)
            continue
        for wheel in record.wheels:
            if wheel.project not in seen:
                seen[wheel.project] = wheel.sha256
                yield wheel, locked, wheel.sha256 == record.plugin.sha256
            elif seen[wheel.project] != wheel.sha256:
                message = f"{record.plugin.distribution} is locked to another wheel of it than another plugin here"
                check.differs("altered", wheel.project, message)


def _compare_wheel(check: _Check, data: bytes, inspected: InspectedWheel) -> None:
    info = ""
    for file in unpacked_files(data, inspected):
        parent, _, name = file.path.rpartition("/")
        if name == "METADATA" and parent.endswith(".dist-info") and "/" not in parent:
            info = parent
        if name in WRITTEN_BY_INSTALLERS and parent.endswith(".dist-info"):
            continue
        path = f"{check.site}/{file.path}"
        check.files += 1
        check.known.add(path)
        kind, message = _compare_file(check, path, hashlib.sha256(file.data).hexdigest(), len(file.data))
        if kind is not None:
            check.differs(kind, path, message)
        for bytecode in check.bytecode.get(path, ()) if name.endswith(".py") else ():
            _compare_bytecode(check, bytecode, file.data)
    for name in (*WRITTEN_BY_INSTALLERS, *(() if check.ours else _NOTES_OF_UV)):
        path = f"{check.site}/{info}/{name}"
        if path in check.paths and stat.S_ISREG(os.lstat(check.root / path).st_mode):
            check.known.add(path)
    _check_record(check, f"{check.site}/{info}/RECORD")


def _compare_file(check: _Check, path: str, sha256: str, size: int) -> tuple[DifferenceKind | None, str]:
    if path not in check.paths:
        return "missing", "is in the audited wheel"
    status = os.lstat(check.root / path)
    if not stat.S_ISREG(status.st_mode):
        return "altered", "expected a regular file, got a link or something else"
    if status.st_mode & (stat.S_ISUID | stat.S_ISGID):
        return "altered", f"has mode {stat.S_IMODE(status.st_mode):04o}"
    if status.st_size != size:  # before reading: it may have any length
        return "altered", f"expected {size} bytes, got {status.st_size}"
    got = _sha256(check.root / path, size)
    return (None, "") if got == sha256 else ("altered", f"expected sha256 {sha256}, got {got}")


def _compare_bytecode(check: _Check, path: str, source: bytes) -> None:
    check.known.add(path)
    check.files += 1
    match = _BYTECODE.match(posixpath.basename(path))
    assert match is not None  # noqa: S101  it was found by this expression
    if match["tag"] != sys.implementation.cache_tag:
        check.differs(
            "unknown", path, f"bytecode of {match['tag']} can only be compared by that Python; verify with it"
        )
        return
    if not stat.S_ISREG(os.lstat(check.root / path).st_mode):
        check.differs("altered", path, "expected a regular file, got a link or something else")
        return
    try:
        bytecode = read_bounded(check.root / path, MAX_BYTECODE_BYTES)
    except RegistryError as error:
        check.differs("altered", path, str(error))
        return
    if not same_code(bytecode, source, optimize=int(match["level"] or 0)):
        check.differs("altered", path, "is not what its source compiles to, and would run instead of it")


def _check_record(check: _Check, path: str) -> None:
    """RECORD leads nowhere outside: `pip uninstall` removes what it names."""
    if path not in check.known:
        check.differs("missing", path, "says what the distribution consists of (PEP 376)")
        return
    try:
        text = read_bounded(check.root / path, MAX_METADATA_BYTES).decode()
        rows = [row[0] for row in csv.reader(text.splitlines()) if row]
    except (RegistryError, UnicodeDecodeError, csv.Error) as error:
        check.differs("altered", path, f"cannot be read: {error}")
        return
    for named in rows:
        if named.startswith("/") or posixpath.normpath(f"{check.site}/{named}").startswith("../"):
            check.differs("altered", path, f"names a file outside of the environment: {named!r}"[:300])


def _judge_rest(check: _Check, extras: Iterable[Extra], seeds: set[str]) -> None:
    """Everything that no wheel accounts for is a part of every environment, or an extra file."""
    allowed = {extra.path: extra.sha256 for extra in extras}
    if seeds:
        allowed |= dict.fromkeys(seed_scripts(check.paths))
    if "setuptools" in seeds:
        allowed[f"{check.site}/{SEED_PTH}"] = SEED_PTH_SHA256
    for path in sorted(check.paths - check.known):
        if path in allowed:
            _judge_allowed(check, path, allowed[path])
        elif not path.startswith(f"{check.site}/"):
            if not is_surrounding(path, check.root, ours=check.ours):
                check.differs("extra", path, "belongs to no wheel and to no virtual environment")
        elif not is_seed(PurePosixPath(path).relative_to(check.site).as_posix(), seeds):
            check.differs("extra", path, "is in no audited wheel")


def _judge_allowed(check: _Check, path: str, sha256: str | None) -> None:
    status = os.lstat(check.root / path)
    if not stat.S_ISREG(status.st_mode):
        check.differs("altered", path, "expected a regular file, got a link or something else")
    elif sha256 is not None and _sha256(check.root / path, status.st_size) != sha256:
        check.differs("altered", path, f"expected sha256 {sha256}")


def _sha256(path: Path, size: int) -> str:
    """Of the first `size` bytes and one more: a file that grew while it was read has another digest."""
    digest = hashlib.sha256()
    left = size + 1
    with path.open("rb", buffering=0) as file:
        while left and (chunk := file.read(min(left, _CHUNK_BYTES))):
            digest.update(chunk)
            left -= len(chunk)
    return digest.hexdigest()
