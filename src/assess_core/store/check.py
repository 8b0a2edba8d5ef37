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

import contextlib
import os
import posixpath
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import importlib_metadata
from packaging.utils import canonicalize_name

from assess_core.errors import StoreError
from assess_core.store.compare import BYTECODE, MAX_METADATA_BYTES, Comparison, compare_wheel, is_regular, judge_rest
from assess_core.store.differences import EnvironmentReport
from assess_core.store.disk import regular_files
from assess_core.store.interpreters import Interpreters, target_of
from assess_core.store.layout import DamagedError, Layout
from assess_core.store.originals import AlteredError, kept_wheel, locked_digests, read_original
from assess_core.store.othercode import Judges
from assess_core.store.records import Record, StoredWheel
from assess_core.store.store import Store
from assess_core.store.surroundings import SEEDS, Extra, check_config, check_interpreter_links, extras_of
from assess_registry.client import Registry, RegistryError, reopen, verify


def verify_environment(
    environment: Path, *, store: Store, registry: Registry | None = None, interpreters: Interpreters | None = None
) -> EnvironmentReport:
    """The environment compared, file by file, with the audited wheels of the plugins in it.

    The reference are the store's original wheels, hashed again and held against the signed lock they came with.
    Bytecode of another interpreter is judged by that one, if it is one of `interpreters`; else it counts as unknown.

    With a `registry`, of which only the trusted keys are used, the kept signatures are verified again, too. Without,
    the store's own word is believed that they were: that finds whatever happened to the environment, but not somebody
    who rewrote the whole store to match.

    Raises:
        StoreError: `environment` is no virtual environment, or may not be read.
    """
    root = Path(os.path.realpath(environment))
    try:
        with contextlib.ExitStack() as stack:
            ours = next(
                (each for each in store.layouts if Path(os.path.realpath(each.path("envs"))) == root.parent), None
            )
            if ours is not None and (lease := store.hold(ours, root.name, root.is_dir)) is not None:
                stack.enter_context(lease)  # nobody prunes it meanwhile
            comparison = _begin(root, ours=ours is not None, judges=Judges(interpreters or Interpreters()))
            return _examine(comparison, environment, store, registry)
    except PermissionError as error:
        raise StoreError(f"{error.filename}: may not be read by this user; verify it as its owner") from error


def _examine(comparison: Comparison, environment: Path, store: Store, registry: Registry | None) -> EnvironmentReport:
    found = dict(_distributions(comparison))
    records = _records(comparison, found, store)
    comparison.judges = comparison.judges.of(record.interpreter for record in records)
    comparison.differences += check_config(comparison.root)
    expected = records[0].interpreter.path if comparison.ours and records else None
    comparison.differences += check_interpreter_links(comparison.root, sorted(comparison.paths), expected=expected)
    if not records:
        comparison.differs(
            "unknown", ".", "no plugin in it is installed in this store: install it here, then verify again"
        )
    if registry is not None:
        for record in records:
            _verify_again(comparison, record, store, registry)
    extras: list[Extra] = []
    verified = []
    for wheel, locked, layout, is_plugin in _wheels(comparison, records, store):
        try:
            data, inspected = read_original(wheel, locked, layout, is_plugin=is_plugin)
        except AlteredError as error:
            comparison.differences.append(error.difference)
            continue
        compare_wheel(comparison, data, inspected)
        extras += () if comparison.ours else extras_of(inspected, comparison.site)
        verified.append((wheel.project, f"{wheel.project} {wheel.version}"))
    seeds = {name for name in SEEDS if name in found and name not in dict(verified) and not comparison.ours}
    judge_rest(comparison, extras, seeds)
    return EnvironmentReport(
        environment=environment,
        verified=tuple(text for _, text in verified),
        seeded=tuple(sorted(f"{name} {found[name]}" for name in seeds)),
        files=comparison.files,
        differences=tuple(comparison.differences),
    )


def _begin(root: Path, *, ours: bool, judges: Judges) -> Comparison:
    if not (root / "pyvenv.cfg").is_file():
        raise StoreError(f"{root} is not a virtual environment: it has no pyvenv.cfg; name the environment's directory")
    sites = sorted(path for path in root.glob("lib/*/site-packages") if path.is_dir() and not path.is_symlink())
    if len(sites) != 1 or sites[0].parent.is_symlink() or (root / "lib").is_symlink():
        raise StoreError(f"{root}: expected one lib/python*/site-packages, got {len(sites)}; make the environment anew")
    paths = frozenset(regular_files(root))
    comparison = Comparison(
        root=root, site=sites[0].relative_to(root).as_posix(), ours=ours, paths=paths, judges=judges
    )
    for path in sorted(paths):
        directory, name = posixpath.split(path)
        if posixpath.basename(directory) == "__pycache__" and (match := BYTECODE.match(name)):
            source = posixpath.join(posixpath.dirname(directory), f"{match['stem']}.py")
            comparison.bytecode.setdefault(source, []).append(path)
    return comparison


def _distributions(comparison: Comparison) -> Iterator[tuple[str, str]]:
    """Name and version of what the environment says it holds: only to know what to compare it with."""
    # Not `distributions(path=...)`: that follows links, and would wait for ever for a FIFO called METADATA.
    for path in sorted(comparison.paths):
        top, _, rest = path.removeprefix(f"{comparison.site}/").partition("/")
        if rest != "METADATA" or not top.endswith(".dist-info"):
            continue
        if not is_regular(comparison, path) or (comparison.root / path).stat().st_size > MAX_METADATA_BYTES:
            continue  # named when it is compared, or as extra
        distribution = importlib_metadata.Distribution.at(comparison.root / comparison.site / top)
        try:
            yield canonicalize_name(distribution.name), distribution.version
        except (KeyError, TypeError, ValueError, OSError, importlib_metadata.MetadataNotFound):
            continue  # names nothing; its files turn up as extra


def _records(comparison: Comparison, found: dict[str, str], store: Store) -> list[Record]:
    """The store's records of the plugins in it: its own one, or for pip's the best match of each distribution."""
    if comparison.ours:
        try:
            record = store.read_record(comparison.root.name)  # although its interpreter may be gone
        except DamagedError as error:
            comparison.differs("unknown", ".", str(error))
            return []
        return [record] if record else []
    chosen: dict[str, Record] = {}
    for record in sorted(store.records(), key=lambda record: record.plugin.installed_at):
        plugin = record.plugin
        if found.get(plugin.distribution) != plugin.version:
            continue
        other = chosen.get(plugin.distribution)
        # The latest wins, but one for the same kind of interpreter outranks all others.
        if other is None or _fits(comparison, record) or not _fits(comparison, other):
            chosen[plugin.distribution] = record
    return list(chosen.values())


def _fits(comparison: Comparison, record: Record) -> bool:
    return record.interpreter.site_packages == comparison.site


def _verify_again(comparison: Comparison, record: Record, store: Store, registry: Registry) -> None:
    target = target_of(record.interpreter)
    try:
        kept = kept_wheel(record, store.layout_of(record.plugin.env_key))
        verify(reopen(kept, registry=registry, target=target), registry=registry, target=target)
    except AlteredError as error:
        comparison.differences.append(error.difference)
    except RegistryError as error:
        comparison.differs("altered", f"wheels/{record.plugin.sha256}", str(error))


def _wheels(
    comparison: Comparison, records: Iterable[Record], store: Store
) -> Iterator[tuple[StoredWheel, Mapping[str, str], Layout, bool]]:
    """Every wheel to compare with, once: what its lock vouches for, where it lies, and whether it is a plugin's own."""
    seen: dict[str, str] = {}
    for record in records:
        layout = store.layout_of(record.plugin.env_key)
        try:
            locked = locked_digests(record, layout)
        except AlteredError as error:
            comparison.differences.append(error.difference)
            continue
        for wheel in record.wheels:
            if wheel.project not in seen:
                seen[wheel.project] = wheel.sha256
                yield wheel, locked, layout, wheel.sha256 == record.plugin.sha256
            elif seen[wheel.project] != wheel.sha256:
                message = f"{record.plugin.distribution} is locked to another wheel of it than another plugin here"
                comparison.differs("altered", wheel.project, message)
