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
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from assess_registry.catalogue import Catalogue
from assess_registry.config import load_config
from assess_registry.errors import ConfigError, TrustError
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
from assess_registry.index.tree import Tree
from assess_registry.keys import KeyId, PrivateKey
from assess_registry.lock import LOCK_NAME, Lock, LockedWheel
from assess_registry.names import ProjectName, Sha256
from assess_registry.publish.listing import Listing
from assess_registry.publish.mark import require_open
from assess_registry.publish.own_lock import own_lock, published_lock, signature_file
from assess_registry.publish.replaced import stale_locks, take_off_pages
from assess_registry.review.published import catalogue_of, repository_of, signed_publishers, signed_revocations
from assess_registry.signatures import SIGNATURE_SUFFIX, sign_detached
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
    signed = signed_publishers(repository)
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
        old = None if replace_published else published_lock(tree, inspected, key)
        # What is published keeps its lock: nobody needs to have the wheels at hand to publish it again.
        folder: Mapping[str, bytes] = WheelFolder(closure) if old is None else {}
        lock = own_lock(tree, inspected, old, folder, key)
        taken = (lambda each: folder[each.filename]) if old is None else partial(_in_tree, tree)
        dependencies = _dependency_files(lock, inspected.project, taken)
        plan = (*dependencies, *_plugin_files(inspected, data, lock, key))
        require_distinct(tree, lock.wheels)  # 3
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
        require_open(listing.catalogues, lock, inspected.project)
        take_off_pages(tree, listing, changes)  # 4
        for file in plan:  # 5
            tree.write(tree.file(file.project, file.version, file.filename), file.data)
        _write_pages(listing, inspected.project, lock)  # 6
        return _report(tree, inspected, key, lock, changes)


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
        signature_file(wheel, data, key),
        _beside(wheel, LOCK_NAME, lock.data),
        _beside(wheel, LOCK_NAME + SIGNATURE_SUFFIX, sign_detached(lock.data, key)),
        itself,
    )


def _beside(wheel: InspectedWheel, filename: str, data: bytes) -> PlannedFile:
    return PlannedFile(project=wheel.project, version=wheel.version, filename=filename, wheel="", data=data)


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
        stale=tuple(stale_locks(tree, replaced)) if replaced else (),
    )
