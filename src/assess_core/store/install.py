"""The stage that turns a verified wheel into an environment: complete under its final name, or not there at all.

    installed = install(verified, store=store, interpreter=running_interpreter(), development=False)
    store.activate(installed)                     only after a health check: installing changes nothing that serves

Whatever stops it, what stays is at most a directory in staging, which the next one removes, and wheels that are
complete by themselves.
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import Literal

from assess_core.clock import utc_now
from assess_core.errors import StoreError
from assess_core.store.environments import build_environment, environment_key
from assess_core.store.layout import DamagedError
from assess_core.store.originals import AlteredError, read_verdict
from assess_core.store.records import Record, StoredWheel, encode_record
from assess_core.store.store import Store
from assess_core.store.untouched import PRIVATE, describe, remember
from assess_core.store.values import EntryKind, InstalledPlugin, Interpreter, PluginEntry
from assess_core.store.wheels import keep_lock, keep_original, unpack
from assess_registry.client import (
    PLUGIN_GROUP,
    PROVIDER_GROUP,
    Lock,
    Manifest,
    VerifiedWheel,
    atomic_write,
    parse_plugin_name,
    sync_directory,
)

InstallStep = Literal["wait", "keep", "unpack", "build", "place", "record", "done"]
"""What `on_step` is told, in this order, before each step; `keep` and `unpack` once for each wheel."""

_KINDS: dict[str, EntryKind] = {PLUGIN_GROUP: "plugin", PROVIDER_GROUP: "provider"}


def install(
    wheel: VerifiedWheel,
    *,
    store: Store,
    interpreter: Interpreter,
    development: bool,
    clock: Callable[[], datetime] = utc_now,
    on_step: Callable[[InstallStep, str], None] = lambda step, thing: None,  # noqa: ARG005  names for callers
) -> InstalledPlugin:
    """The plugin and its locked closure are in an environment of their own; it does not serve yet.

    `development` is what its registry says of itself; it is kept, so that every result can say so. `on_step` is told
    before each step, with the wheel or path it is about: for progress, and for tests that kill here.

    Raises:
        StoreError: the wheel is no plugin or not for this interpreter, or the state directory cannot be used.
        LockTimeoutError: another process kept the store for two minutes.
    """
    if wheel.inspected.manifest is None or wheel.lock is None or wheel.signer is None:
        raise _no_plugin(wheel)
    _require_python(wheel, interpreter)
    record = _record(
        wheel,
        wheel.lock,
        wheel.inspected.manifest,
        store=store,
        interpreter=interpreter,
        development=development,
        now=clock(),
    )

    # 1. check: there already?  2. lock  3. check again: another process may have built it meanwhile
    if (existing := _existing(record, wheel, store)) is not None:
        return existing
    on_step("wait", str(store.root))
    with store.layout.locked():
        if (existing := _existing(record, wheel, store)) is not None:
            return existing
        if _recorded(record, store) is not None and store.layout_of(record.plugin.env_key).ours:
            # The same files, accepted under another signature or by another verdict: only what says so is new.
            keep_original(wheel, store.layout)
            keep_lock(record.plugin.lock_sha256, wheel.lock.data, wheel.lock_signature, store.layout)
            _write(record, store)
            return record.plugin
        _build(wheel, wheel.lock, record, store, on_step)
    on_step("done", wheel.inspected.filename)
    return record.plugin


def environment_of(wheel: VerifiedWheel, interpreter: Interpreter) -> str:
    """The key of the environment that this wheel has for this interpreter, or would have.

    Raises:
        StoreError: the wheel is no plugin.
    """
    if wheel.lock is None:
        raise _no_plugin(wheel)
    digests = (each.inspected.sha256 for each in (wheel, *wheel.closure))
    return environment_key(wheel.lock.sha256, digests, interpreter)


def _no_plugin(wheel: VerifiedWheel) -> StoreError:
    return StoreError(f"{wheel.inspected.filename} is a dependency, not a plugin; install the plugin that needs it")


def _build(
    wheel: VerifiedWheel,
    lock: Lock,
    record: Record,
    store: Store,
    on_step: Callable[[InstallStep, str], None],
) -> None:
    layout, key = store.layout, record.plugin.env_key
    # 4. originals, so that all that follows can be checked and built again without a network
    for each in (wheel, *wheel.closure):
        on_step("keep", each.inspected.filename)
        keep_original(each, layout)
    keep_lock(record.plugin.lock_sha256, lock.data, wheel.lock_signature, layout)
    # 5. unpack what no earlier plugin has unpacked
    unpacked = []
    for each in (wheel, *wheel.closure):
        on_step("unpack", each.inspected.filename)
        unpacked.append(unpack(each, layout=layout, interpreter=record.interpreter))
    # 6. build in staging, synchronise, rename. An environment without a record was never handed out: replace it.
    with layout.staging() as staging, layout.staging() as discarded:
        on_step("build", key)
        digests = build_environment(staging, unpacked, record.interpreter, layout.write_file)
        on_step("place", key)
        if layout.environment(key).exists():
            layout.environment(key).rename(discarded)
        staging.rename(layout.environment(key))
        sync_directory(layout.path("envs"))
    # 7. the record is last: with it the environment counts
    on_step("record", key)
    built = layout.built_environment(key)
    remember(built, describe(built.top, digests))
    _write(record, store)
    store.lease(record.plugin).release()  # makes its file: of a shared store, others can only open it


def _write(record: Record, store: Store) -> None:
    atomic_write(store.layout.record(record.plugin.env_key), encode_record(record), mode=PRIVATE)


def _existing(record: Record, wheel: VerifiedWheel, store: Store) -> InstalledPlugin | None:
    """The environment, if it is complete, and its record and verdict say the same as this one's but for the time."""
    existing = _recorded(record, store)
    if existing is None or not _verdict_is(wheel.verdict, record, store):
        return None
    # It may lie in the shared store.
    own = {name: getattr(record.plugin, name) for name in ("installed_at", "environment", "python", "site_packages")}
    same = replace(existing, plugin=replace(existing.plugin, **own)) == record
    return existing.plugin if same else None


def _verdict_is(verdict: bytes, record: Record, store: Store) -> bool:
    """Whether this verdict is kept already; of a plugin that has none, whatever is kept may stay."""
    try:
        return not verdict or read_verdict(record, store.layout_of(record.plugin.env_key)) == verdict
    except AlteredError:
        return False


def _recorded(record: Record, store: Store) -> Record | None:
    """The record of this environment, if that can be used as it is."""
    try:
        return store.usable(record.plugin.env_key)
    except DamagedError:  # built again, which replaces it
        return None


def _require_python(wheel: VerifiedWheel, interpreter: Interpreter) -> None:
    for each in (wheel, *wheel.closure):
        requires = each.inspected.requires_python
        if not requires.contains(interpreter.version, prereleases=True):
            raise StoreError(
                f"{each.inspected.filename} requires Python {requires}, but {interpreter.path} is "
                f"{interpreter.version}; choose another interpreter"
            )


def _record(
    wheel: VerifiedWheel,
    lock: Lock,
    manifest: Manifest,
    *,
    store: Store,
    interpreter: Interpreter,
    development: bool,
    now: datetime,
) -> Record:
    inspected = wheel.inspected
    all_wheels = (inspected, *(each.inspected for each in wheel.closure))
    key = environment_of(wheel, interpreter)
    environment = store.layout.environment(key)
    plugin = InstalledPlugin(
        distribution=inspected.project,
        version=inspected.version,
        sha256=inspected.sha256,
        env_key=key,
        interpreter=interpreter,
        environment=environment,
        python=environment / "bin" / "python",
        site_packages=environment / interpreter.site_packages,
        entries=_entries(wheel),
        manifest=manifest,
        lock_sha256=lock.sha256,
        signer=str(wheel.signer),
        development=development,
        installed_at=now,
    )
    wheels = tuple(
        StoredWheel(project=each.project, version=each.version, filename=each.filename, sha256=each.sha256)
        for each in all_wheels
    )
    return Record(plugin=plugin, manifest_text=inspected.manifest_data.decode(), wheels=wheels)


def _entries(wheel: VerifiedWheel) -> tuple[PluginEntry, ...]:
    return tuple(
        PluginEntry(name=parse_plugin_name(point.name), kind=_KINDS[point.group], module=point.module, attr=point.attr)
        for point in wheel.inspected.entry_points
        if point.group in _KINDS
    )
