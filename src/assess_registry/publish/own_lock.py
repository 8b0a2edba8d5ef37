"""The lock of a version that a publisher's key alone publishes: the one it has, with this wheel in it, or a new one."""

from collections.abc import Mapping, Sequence

from assess_registry.closure import locked, make_closure
from assess_registry.config import load_config
from assess_registry.errors import PublishError
from assess_registry.files import read_bounded
from assess_registry.index.plan import PlannedFile, changed, plugin_wheels, require_immutable
from assess_registry.index.tree import Tree
from assess_registry.keys import PrivateKey
from assess_registry.lock import LOCK_NAME, MAX_LOCK_BYTES, Lock, LockedWheel, parse_lock, write_lock
from assess_registry.signatures import SIGNATURE_FILE_BYTES, SIGNATURE_SUFFIX, sign_detached
from assess_registry.wheel import MAX_WHEEL_BYTES, InspectedWheel, inspect


def published_lock(tree: Tree, wheel: InspectedWheel, key: PrivateKey) -> Lock | None:
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


def own_lock(tree: Tree, wheel: InspectedWheel, old: Lock | None, folder: Mapping[str, bytes], key: PrivateKey) -> Lock:
    """The closure's lock. A version that is published keeps the closure it has, `old`.

    Raises:
        TrustError: another key signed another wheel of the version, or its bytes are not what was signed.
        PublishError: the closure cannot be resolved, or another wheel of the version requires other things.
    """
    others = _others(tree, wheel, key)
    if old is not None:
        return _extended(wheel, old, others)
    # Other wheels of this version stay published, and a version has one lock.
    return _with_wheels(
        make_closure(wheel, folder, targets=load_config(tree.root).targets), [locked(other) for other in others]
    )


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
        require_immutable(tree, changed(tree, [signature_file(other, data, key)]))
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


def signature_file(wheel: InspectedWheel, data: bytes, key: PrivateKey) -> PlannedFile:
    """The wheel's signature by this key, as it is published."""
    return PlannedFile(
        project=wheel.project,
        version=wheel.version,
        filename=wheel.filename + SIGNATURE_SUFFIX,
        wheel=wheel.filename,
        data=sign_detached(data, key),
    )
