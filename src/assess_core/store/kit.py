"""The runtime's own code for worker processes, in a directory that holds nothing else.

A worker must run the runtime's isolation code, never a copy from a plugin's environment, and must not see the
runtime's other packages. So `assess_plugin` - without `testing`, and without `isolation`, which decides in the runtime
what is done in the worker - is copied beside the runtime's pluggy, which is called `_assess_pluggy` there and leaves
the name `pluggy` to the plugin; both have bytecode for the plugin's interpreter.

    Kits(store)(interpreter) -> <state>/kits/<digest>-cpython-311/
"""

import hashlib
import importlib.util
import logging
import os
import threading
from pathlib import Path, PurePosixPath

from assess_core.errors import StoreError
from assess_core.store.differences import describe_differences
from assess_core.store.disk import READ_ONLY, make_directory, regular_files, sync_directories, sync_files
from assess_core.store.interpreter import compile_for
from assess_core.store.layout import Layout, explained
from assess_core.store.leases import Lease
from assess_core.store.store import Store
from assess_core.store.untouched import describe, remember, touched
from assess_core.store.values import Interpreter
from assess_registry.client import read_bounded, sync_directory

_log = logging.getLogger(__name__)

_PACKAGES = {"assess_plugin": "assess_plugin", "_assess_pluggy": "pluggy"}
"""Name in the kit -> package of the runtime."""

_LEFT_OUT = frozenset(("__pycache__", "testing", "isolation"))
_MAX_SOURCE_BYTES = 4 << 20


class Kits:
    """The kits of one process, for its workers of any interpreter.

    What is in them is read once: a release that is upgraded below a running one is not half of what its workers run.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._reading = threading.Lock()
        self._sources: dict[str, bytes] = {}
        self._leases: dict[Path, Lease] = {}

    def __call__(self, interpreter: Interpreter) -> Path:
        """The kit for workers of this interpreter is complete; returns its directory, the first of their `sys.path`.

        It is named for its content: a changed runtime gets a new one, and running workers keep theirs. One that was
        touched since it was built is built again. From any thread. What was given once is not pruned before `release`.

        Raises:
            TrustError: step `state`; somebody else can change the state directory.
            StoreError: the state directory cannot be used.
        """
        with self._reading:
            if not self._sources:
                self._sources = kit_sources()
            while True:
                kit = _kit(self._store, self._sources, interpreter)
                if kit in self._leases or self._leased(kit):
                    return kit

    def name(self, interpreter: Interpreter) -> str:
        """What the kit of this interpreter is called, whether or not it is there."""
        with self._reading:
            self._sources = self._sources or kit_sources()
        return _name(self._sources, interpreter)

    def release(self) -> None:
        """What was given may be pruned, as far as this process goes: nothing of it runs any more."""
        with self._reading:
            while self._leases:
                self._leases.popitem()[1].release()

    def _leased(self, kit: Path) -> bool:
        """Whether it is there still, and stays: without a lease it may have been pruned at this moment."""
        layout = next(each for each in self._store.layouts if each.path("kits") == kit.parent)
        with explained(layout.root):
            lease = self._store.hold(layout, f"kit-{kit.name}", kit.is_dir)
        if lease is not None:
            self._leases[kit] = lease
        return lease is not None


def _kit(store: Store, sources: dict[str, bytes], interpreter: Interpreter) -> Path:
    name, layout = _name(sources, interpreter), store.layout
    for each in store.layouts:
        with explained(each.root):
            if not touched(found := each.built_kit(name)):
                return found.top
    kit = layout.built_kit(name)
    with layout.locked():
        if differences := touched(kit):  # else built by another process while this one waited
            if kit.top.exists():
                message = "%s: %s; it is built again"
                _log.warning(message, kit.top, describe_differences(differences), extra={"action": "store-damaged"})
            with layout.staging() as staging, layout.staging() as discarded:
                _build(staging, sources, layout, interpreter)
                if os.path.lexists(kit.top):
                    kit.top.rename(discarded)
                staging.rename(kit.top)
                remember(kit, describe(kit.top))
            sync_directory(kit.top.parent)
    return kit.top


def _name(sources: dict[str, bytes], interpreter: Interpreter) -> str:
    return f"{_digest(sources)}-{interpreter.cache_tag}"


def runtime_kits(store: Store) -> frozenset[str]:
    """The names of this release's own kits that are there."""
    digest = _digest(kit_sources())
    return frozenset(path.name for path in store.layout.path("kits").glob(f"{digest}-*") if path.is_dir())


def kit_sources() -> dict[str, bytes]:
    """Path in the kit -> content, of every module a worker may take from the runtime."""
    sources = {}
    for name, package in _PACKAGES.items():
        spec = importlib.util.find_spec(package)
        if spec is None or not spec.submodule_search_locations:
            raise StoreError(f"package {package!r} is missing from the runtime; install it again")
        top = Path(next(iter(spec.submodule_search_locations)))
        for path in regular_files(top):
            parts = PurePosixPath(path).parts
            if path.endswith(".py") and _LEFT_OUT.isdisjoint(parts):
                sources[f"{name}/{path}"] = read_bounded(top / path, _MAX_SOURCE_BYTES)
    return sources


def _digest(sources: dict[str, bytes]) -> str:
    digest = hashlib.sha256()
    for path, data in sorted(sources.items()):
        digest.update(f"{path}\0{len(data)}\0".encode() + data)
    return digest.hexdigest()[:32]


def _build(staging: Path, sources: dict[str, bytes], layout: Layout, interpreter: Interpreter) -> None:
    for path, data in sources.items():
        make_directory((staging / path).parent)
        layout.write_file(staging / path, data, READ_ONLY)
    compile_for(interpreter, staging)
    sync_files(staging / path for path in regular_files(staging))
    sync_directories(staging)
