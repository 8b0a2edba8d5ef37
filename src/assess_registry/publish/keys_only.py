"""One plugin wheel into an index by its publisher's key alone: with its closure, its lock and its signatures, or not.

Simple clients, which know publishers' keys and nothing else, use what this writes. Nobody has approved it.

The plan; each step is done before the next begins:

1. lock the root; read the registry's configuration;
2. inspect the wheel strictly; resolve its closure, or keep the one that is published;
3. refuse whatever would change published bytes, name a version twice, or shadow a published wheel;
4. take off the pages what is about to change under them (only when replacing in a development registry);
5. write dependencies, then the plugin's `.metadata`, `.sig`, lock, and last its wheel;
6. write the pages: dependencies', the plugin's, the root's.

Killed at any point, what the pages name is complete, and the same command again finishes the work.
"""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from assess_registry.catalogue import Catalogue
from assess_registry.closure import locked, make_closure
from assess_registry.config import load_config
from assess_registry.errors import ConfigError, PublishError, TrustError
from assess_registry.files import file_lock, read_bounded
from assess_registry.index.create import INDEX_LOCK_NAME, LOCK_TIMEOUT_S
from assess_registry.index.folder import WheelFolder
from assess_registry.index.plan import (
    PlannedFile,
    changed,
    plugin_wheels,
    require_distinct,
    require_immutable,
    wheel_files,
)
from assess_registry.index.tree import Tree, digest
from assess_registry.keys import KeyId, PrivateKey
from assess_registry.lock import LOCK_NAME, MAX_LOCK_BYTES, Lock, LockedWheel, parse_lock, write_lock
from assess_registry.names import ProjectName, Sha256
from assess_registry.publish.control_files import signed_publishers
from assess_registry.publish.listing import Listing
from assess_registry.publish.mark import require_open
from assess_registry.review.published import catalogue_of, repository_of, signed_revocations
from assess_registry.signatures import SIGNATURE_FILE_BYTES, SIGNATURE_SUFFIX, sign_detached
from assess_registry.wheel import MAX_WHEEL_BYTES, InspectedWheel, inspect


@dataclass(frozen=True, kw_only=True, slots=True)
class PublishReport:
    """What is published now, and what that changed.

    Attributes:
        closure: filenames of the locked dependencies.
        written: files changed, relative to the root, in order; empty when all of it was published already.
        replaced: published wheels whose bytes are others now.
        stale: locks of other plugins, relative to the root, that name replaced bytes: those plugins are refused by
            every client until they are published again.
    """

    project: ProjectName
    version: str
    filename: str
    sha256: Sha256
    signer: KeyId
    lock_sha256: Sha256
    closure: tuple[str, ...]
    written: tuple[str, ...]
    replaced: tuple[str, ...]
    stale: tuple[str, ...]


def publish(
    root: Path, wheel: Path, *, key: PrivateKey, closure: Path, replace_published: bool = False
) -> PublishReport:
    """The wheel and its closure are in the index, signed by `key`; publishing them again changes nothing.

    Args:
        root: the registry's root.
        wheel: the plugin's wheel.
        key: the publisher's.
        closure: a directory with the wheels it depends on; looked at only when the lock is made.
        replace_published: in a development registry, let new bytes take the place of published ones, and lock anew.

    Raises:
        WheelError: the wheel, or one of its closure, is not acceptable.
        PublishError: its closure cannot be resolved, or its version clashes with a published one.
        TrustError: step `publish`; other bytes are published under one of these names, or another key signed them.
        ConfigError: a path is wrong, or replacing was asked for where it is not allowed.
        LockTimeoutError: another process is publishing.
    """
    config = load_config(root)
    repository = repository_of(root)
    signed = signed_publishers(repository) if repository else None
    # By its signed word where there is one: `registry.toml` is a file that anybody may have edited.
    if repository is not None and not (config.development and (signed is None or signed.development)):
        raise ConfigError(f"{root}: publishes what reviewers approved: submit the wheel, and publish the submission")
    if replace_published and not config.development:
        raise ConfigError(f"{root}: published bytes are replaced in a development registry only; publish a new version")
    try:
        data = read_bounded(wheel, MAX_WHEEL_BYTES)
    except OSError as error:
        raise ConfigError(f"{wheel}: cannot be read: {error.strerror}") from error
    inspected = inspect(data, wheel.name, kind="plugin")  # 2
    with file_lock(root / INDEX_LOCK_NAME, timeout_s=LOCK_TIMEOUT_S):  # 1
        tree = Tree(root)
        repository = repository_of(root)
        _require_not_approved(catalogue_of(repository, inspected.project), inspected)
        old = None if replace_published else _published_lock(tree, inspected, key)
        lock, dependencies = _resolve(tree, inspected, old, closure, key)
        plan = (*dependencies, *_plugin_files(inspected, data, lock, key))
        require_distinct(tree, lock.wheels)  # 3
        require_open(repository, lock, inspected.project)
        changes = changed(tree, plan)
        if not replace_published:
            known = plugin_wheels(tree, inspected.project, inspected.version)
            require_immutable(tree, changes, lock_may_grow=old is not None and inspected.filename not in known)
        projects = {each.project for each in lock.wheels} | {each.project for each in changes} | {inspected.project}
        listing = Listing(
            tree=tree,
            catalogues={project: catalogue_of(repository, project) for project in projects},
            revocations=signed_revocations(repository),
        )
        _take_off_pages(tree, listing, changes)  # 4
        for file in plan:  # 5
            tree.write(tree.file(file.project, file.version, file.filename), file.data)
        _write_pages(listing, inspected.project, lock)  # 6
        return _report(tree, inspected, key, lock, changes)


def _published_lock(tree: Tree, wheel: InspectedWheel, key: PrivateKey) -> Lock | None:
    """The lock of this version as `key` signed it; None when there is none.

    Whoever can write to the tree must not get a lock signed by leaving it there: what this key did not sign is not
    built upon. It is then resolved anew, and refused if it comes out differently.
    """
    path = tree.file(wheel.project, wheel.version, LOCK_NAME)
    signature = path.with_name(LOCK_NAME + SIGNATURE_SUFFIX)
    if not (plugin_wheels(tree, wheel.project, wheel.version) and path.is_file() and signature.is_file()):
        return None
    lock = parse_lock(read_bounded(path, MAX_LOCK_BYTES))
    # Killed between a lock that grew and its signature, the old signature fits what the lock was before.
    published = tree.wheels(wheel.project, wheel.version)
    before = [each for each in lock.wheels if each.project != wheel.project or each.filename in published]
    for candidate in (lock, _only(lock, before)) if before else (lock,):
        if sign_detached(candidate.data, key) == read_bounded(signature, SIGNATURE_FILE_BYTES):
            return candidate
    return None


def _resolve(
    tree: Tree, wheel: InspectedWheel, old: Lock | None, closure: Path, key: PrivateKey
) -> tuple[Lock, tuple[PlannedFile, ...]]:
    """The closure's lock, and the dependencies' files. A version that is published keeps the closure it has."""
    others = _others(tree, wheel, key)
    if old is not None:
        lock = _extended(wheel, old, others)
        return lock, _dependency_files(lock, wheel.project, lambda each: _in_tree(tree, each))
    folder = WheelFolder(closure)
    # Other wheels of this version stay published, and a version has one lock.
    lock = _with_wheels(make_closure(wheel, folder), [locked(other) for other in others])
    return lock, _dependency_files(lock, wheel.project, lambda each: folder[each.filename])


def _others(tree: Tree, wheel: InspectedWheel, key: PrivateKey) -> tuple[InspectedWheel, ...]:
    """The version's other wheels, which are this publisher's and require the same.

    Raises:
        TrustError: another key signed one, or its bytes are not what was signed.
        PublishError: one requires other things; wheels of a version share a lock.
    """
    others = []
    for name in plugin_wheels(tree, wheel.project, wheel.version):
        if name == wheel.filename:
            continue
        data = read_bounded(tree.file(wheel.project, wheel.version, name), MAX_WHEEL_BYTES)
        other = inspect(data, name, kind="plugin")
        require_immutable(tree, changed(tree, [_signature(other, data, key)]))
        if set(other.requires_dist) != set(wheel.requires_dist) or other.requires_python != wheel.requires_python:
            raise PublishError(f"{wheel.filename}: requires other things than {name}; wheels of a version share a lock")
        others.append(other)
    return tuple(others)


def _extended(wheel: InspectedWheel, old: Lock, others: Sequence[InspectedWheel]) -> Lock:
    """The published lock, with this wheel in it and without such as a killed publish never wrote."""
    own = [locked(each) for each in (wheel, *others)]
    kept = [each for each in old.wheels if each.project != wheel.project or each in own]
    return _with_wheels(_only(old, kept), [each for each in own if each not in kept])


def _only(lock: Lock, wheels: Sequence[LockedWheel]) -> Lock:
    """A lock of these wheels for the interpreters and platforms of `lock`."""
    if len(wheels) == len(lock.wheels):  # all callers take from it or add to it
        return lock
    return parse_lock(write_lock(wheels, requires_python=lock.requires_python, environments=lock.environments))


def _with_wheels(lock: Lock, more: Sequence[LockedWheel]) -> Lock:
    return _only(lock, [*lock.wheels, *more])


def _in_tree(tree: Tree, wheel: LockedWheel) -> bytes:
    return read_bounded(tree.file(wheel.project, wheel.version, wheel.filename), MAX_WHEEL_BYTES)


def _dependency_files(lock: Lock, plugin: ProjectName, read: Callable[[LockedWheel], bytes]) -> tuple[PlannedFile, ...]:
    files: list[PlannedFile] = []
    for entry in lock.wheels:
        if entry.project == plugin:
            continue
        data = read(entry)
        # Compared before anything else: what was locked is what gets published, whatever happened in between.
        got = Sha256(hashlib.sha256(data).hexdigest())
        if got != entry.sha256:
            raise TrustError(
                "it is not the wheel that was locked",
                step="publish",
                thing=entry.filename,
                expected=f"sha256:{entry.sha256}",
                got=f"sha256:{got}",
                next_step="find out who changed it, and put the locked wheel back",
            )
        metadata = inspect(data, entry.filename, kind="dependency").metadata
        files += wheel_files(entry.project, entry.version, entry.filename, metadata=metadata, data=data)
    return tuple(files)


def _plugin_files(wheel: InspectedWheel, data: bytes, lock: Lock, key: PrivateKey) -> tuple[PlannedFile, ...]:
    metadata, itself = wheel_files(wheel.project, wheel.version, wheel.filename, metadata=wheel.metadata, data=data)
    return (
        metadata,
        _signature(wheel, data, key),
        _beside(wheel, LOCK_NAME, lock.data),
        _beside(wheel, LOCK_NAME + SIGNATURE_SUFFIX, sign_detached(lock.data, key)),
        itself,
    )


def _signature(wheel: InspectedWheel, data: bytes, key: PrivateKey) -> PlannedFile:
    filename = wheel.filename + SIGNATURE_SUFFIX
    return _beside(wheel, filename, sign_detached(data, key), belongs_to=wheel.filename)


def _beside(wheel: InspectedWheel, filename: str, data: bytes, *, belongs_to: str = "") -> PlannedFile:
    return PlannedFile(project=wheel.project, version=wheel.version, filename=filename, wheel=belongs_to, data=data)


def _require_not_approved(catalogue: Catalogue, wheel: InspectedWheel) -> None:
    """What was approved stays as it was approved; nothing joins it or takes its place without a review.

    Raises:
        TrustError: step `publish`; the version was approved with other wheels.
    """
    release = catalogue.release(wheel.version)
    if release is not None and all(each.sha256 != wheel.sha256 for each in release.wheels):
        raise TrustError(
            "this version was approved with other wheels",
            step="publish",
            thing=f"{wheel.project} {wheel.version}",
            expected=", ".join(f"{each.filename} sha256 {each.sha256[:12]}…" for each in release.wheels),
            got=f"{wheel.filename} sha256 {wheel.sha256[:12]}…",
            next_step="raise the version; or submit all wheels of the version together, and have them reviewed",
        )


def _take_off_pages(tree: Tree, listing: Listing, changes: Sequence[PlannedFile]) -> None:
    """No page names a wheel of a version whose files are about to change."""
    versions = {(file.project, file.version) for file in changes}
    for project in sorted({project for project, _ in versions}):
        names = {name for other, version in versions if other == project for name in tree.wheels(project, version)}
        listing.write(project, without=names)


def _write_pages(listing: Listing, plugin: ProjectName, lock: Lock) -> None:
    projects = sorted({each.project for each in lock.wheels} - {plugin})
    for project in (*projects, plugin):
        listing.write(project)
    listing.write_root((*projects, plugin))


def _report(
    tree: Tree, wheel: InspectedWheel, key: PrivateKey, lock: Lock, changes: Sequence[PlannedFile]
) -> PublishReport:
    replaced = tuple(file.filename for file in changes if file.is_wheel)
    return PublishReport(
        project=wheel.project,
        version=wheel.version,
        filename=wheel.filename,
        sha256=wheel.sha256,
        signer=key.public.id,
        lock_sha256=lock.sha256,
        closure=tuple(each.filename for each in lock.wheels if each.project != wheel.project),
        written=tuple(tree.written),
        replaced=replaced,
        stale=tuple(_stale(tree, replaced)) if replaced else (),
    )


def _stale(tree: Tree, replaced: Sequence[str]) -> Iterator[str]:
    """Locks that name a replaced wheel with the digest it had."""
    for path in tree.locks():
        entries = parse_lock(read_bounded(path, MAX_LOCK_BYTES)).wheels
        named = [each for each in entries if each.filename in replaced]
        if any(digest(tree.file(each.project, each.version, each.filename))[0] != each.sha256 for each in named):
            yield path.relative_to(tree.root).as_posix()
