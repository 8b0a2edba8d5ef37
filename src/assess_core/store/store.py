"""The store as the rest of the runtime sees it: what is installed, what serves, and changing what serves.

    store = Store(state_dir)
    store.active()                                  every plugin that serves
    store.activate(installed)                       atomically; the one before is remembered
    store.rollback(ProjectName("demo-plugin"))      and may serve again

Nothing here builds anything; `install` does. Reading takes no lock: a reader sees a pointer before or after a change.

What is damaged, touched or gone counts as not installed, with a warning in the log: then the next sync puts it right by
itself, and until then everything that needs the plugin says that it is not installed.
"""

import logging
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from assess_core.errors import StoreError
from assess_core.store.active import (
    Pointer,
    pointed_distributions,
    read_pointer,
    remove_pointer,
    write_pointer,
)
from assess_core.store.choices import Choices, read_choices, write_choices
from assess_core.store.consents import Baseline, Consent, Consents, Waiting, read_consents, write_consents
from assess_core.store.differences import Difference, describe_differences
from assess_core.store.disk import FileWriter, write_new_file
from assess_core.store.interpreters import missing
from assess_core.store.layout import LOCK_TIMEOUT_S, MAX_RECORD_BYTES, DamagedError, Layout, explained
from assess_core.store.leases import Lease, take
from assess_core.store.originals import AlteredError, kept_wheel
from assess_core.store.ownership import read_own
from assess_core.store.records import Record, decode_record
from assess_core.store.trials import Trials
from assess_core.store.untouched import touched
from assess_core.store.values import InstalledPlugin, Interpreter
from assess_registry.client import KeptWheel, ProjectName, RegistryError, Sha256, file_lock

_log = logging.getLogger(__name__)


class Store:
    """The plugins in one state directory.

    Args:
        root: the state directory; made when something is first put into it.
        shared: another state directory, of this user or of root. What is installed there is used where it lies, and
            nothing is written there; what serves, what was chosen and what is known is this one's own.
        write_file: creates each file that is built (a full disk can be played by a test).

    Raises:
        TrustError: step `state`; somebody else can change the state directory.
        StoreError: a newer release wrote the state directory, or it may not be read.
    """

    def __init__(self, root: Path, *, shared: Path | None = None, write_file: FileWriter = write_new_file) -> None:
        # Absolute, because workers have another working directory; not resolved, so that messages say what was given.
        self.layout = Layout(root=Path(os.path.abspath(root)), write_file=write_file)  # noqa: PTH100  resolve() would
        self.layout.check()
        self._shared = None if shared is None else Layout(root=Path(os.path.abspath(shared)), ours=False)  # noqa: PTH100
        if self._shared is not None and self._shared.check() and not self._shared.root.is_dir():
            message = "%s, the shared store, is not there; what it held is installed here"
            _log.warning(message, self._shared.root, extra={"action": "shared-store-missing"})
        self._decoded: dict[str, tuple[bytes, Record]] = {}
        self._damaged: dict[str, str] = {}
        """What was said of an environment, or of a pointer: a sync looks four times."""

    @property
    def root(self) -> Path:
        """The state directory, absolute."""
        return self.layout.root

    @property
    def trials(self) -> Trials:
        """Versions that took another's place and have not answered one call yet."""
        return Trials(self.layout.path("trials"))

    @property
    def layouts(self) -> tuple[Layout, ...]:
        """Where environments and kits are looked for, in this order: here, and in the shared store if there is one."""
        return (self.layout,) if self._shared is None else (self.layout, self._shared)

    def layout_of(self, env_key: str) -> Layout:
        """Where the environment with this key lies, or would be built."""
        return next((each for each in self.layouts if each.record(env_key).exists()), self.layout)

    def active(self) -> tuple[InstalledPlugin, ...]:
        """Every plugin that serves, by distribution name.

        Raises:
            StoreError: the state directory may not be read.
        """
        found = (self.find(distribution) for distribution in pointed_distributions(self.layout))
        return tuple(plugin for plugin in found if plugin is not None)

    def distributions(self) -> tuple[ProjectName, ...]:
        """Every distribution for which something serves, whatever became of it.

        Raises:
            StoreError: the state directory may not be read.
        """
        return pointed_distributions(self.layout)

    def find(self, distribution: ProjectName) -> InstalledPlugin | None:
        """The plugin that serves for this distribution; None when none does.

        Raises:
            StoreError: the state directory may not be read.
        """
        about: str = distribution
        try:
            pointer = read_pointer(self.layout, distribution)
            if pointer is None:
                return None
            about = pointer.env_key
            plugin = self._required(distribution, about)
        except DamagedError as error:
            self._say_damaged(about, error, distribution)
            return None
        self._damaged.pop(about, None)
        return plugin

    def installed(self, lock_sha256: Sha256, sha256: Sha256, interpreter: Interpreter) -> InstalledPlugin | None:
        """The plugin built from this lock and this wheel for this interpreter; None when it has to be installed.

        Raises:
            StoreError: the state directory may not be read.
        """
        for record in self.records(mentioning=(sha256, lock_sha256)):
            plugin = record.plugin
            if (plugin.sha256, plugin.lock_sha256, record.interpreter) == (sha256, lock_sha256, interpreter):
                try:
                    self.require_untouched(plugin)
                except DamagedError as error:
                    self._say_damaged(plugin.env_key, error, plugin.distribution)
                    return None
                self._damaged.pop(plugin.env_key, None)
                return plugin
        return None

    def records(self, *, mentioning: tuple[Sha256, ...] = ()) -> tuple[Record, ...]:
        """The readable records of all environments that are present, serving or not.

        Args:
            mentioning: only records in whose text all of these stand; spares parsing the manifests of all others.
        """
        with explained(self.root):
            found_in = (path for layout in self.layouts for path in layout.path("installed").glob("*.json"))
            keys = sorted({path.stem for path in found_in if path.stem[0] != "."})
        for gone in self._decoded.keys() - set(keys):  # by whom it was removed: this may live for months
            self._decoded.pop(gone, None)
        found = []
        for key in keys:
            try:
                record = self.record(key, mentioning=mentioning)
            except DamagedError as error:
                _log.warning("%s", error, extra={"action": "store-damaged"})
                continue
            found += [record] if record is not None else []
        return tuple(found)

    def record(self, env_key: str, *, mentioning: tuple[Sha256, ...] = ()) -> Record | None:
        """What is known of this environment; None when it, its record or its interpreter is not there.

        Whether it still is as it was built is not looked at: `usable` does.

        Raises:
            DamagedError: the record is damaged.
        """
        record = self.read_record(env_key, mentioning=mentioning)
        with explained(self.root):  # an interpreter in a private home may not even be looked at
            present = record is not None and record.plugin.python.exists() and record.plugin.site_packages.is_dir()
        return record if present else None

    def read_record(self, env_key: str, *, mentioning: tuple[Sha256, ...] = ()) -> Record | None:
        """As `record`, whatever became of the environment and its interpreter.

        Raises:
            DamagedError: the record is damaged.
        """
        with explained(self.root):
            layout = self.layout_of(env_key)
            path, environment = layout.record(env_key), layout.environment(env_key)
            try:
                data = read_own(path, MAX_RECORD_BYTES)
                if not all(digest.encode() in data for digest in mentioning):
                    return None
                known = self._decoded.get(env_key)
                if known is None or known[0] != data:
                    # A sync asks four times for what it has, and parsing a manifest of 57 checks takes 8 ms.
                    known = data, decode_record(data, env_key=env_key, environment=environment)
                    self._decoded[env_key] = known
                return known[1]
            except FileNotFoundError:
                return None
            except (RegistryError, ValueError, TypeError) as error:  # of a manifest, too
                raise DamagedError(f"{path}: {error}; install the plugin again to replace it") from error

    def usable(self, env_key: str) -> Record | None:
        """As `record`, of an environment that is as it was built.

        Raises:
            DamagedError: the record is damaged, or the environment was touched.
        """
        record = self.record(env_key)
        if record is not None:
            self.require_untouched(record.plugin)
        return record

    def check_untouched(self, installed: InstalledPlugin) -> tuple[Difference, ...]:
        """Everything in its environment that is not as it was built; nothing when all is (`untouched.py`).

        Raises:
            StoreError: it may not be read.
        """
        with explained(self.root):
            layout = next(
                (each for each in self.layouts if each.path("envs") == installed.environment.parent), self.layout
            )
            return touched(layout.built_environment(installed.env_key))

    def pointed(self, distribution: ProjectName) -> Record | None:
        """The record of what its pointer names, whatever became of the environment; None when nothing serves.

        Raises:
            StoreError: pointer or record is damaged (`DamagedError`), or may not be read.
        """
        pointer = read_pointer(self.layout, distribution)
        return None if pointer is None else self.read_record(pointer.env_key)

    def pointer(self, distribution: ProjectName) -> Pointer | None:
        """What serves and what served before, whatever became of either; None, too, where it is damaged: so said.

        Raises:
            StoreError: the state directory may not be read.
        """
        try:
            return read_pointer(self.layout, distribution)
        except DamagedError as error:
            _log.warning("%s: it is replaced", error, extra={"action": "store-damaged", "distribution": distribution})
            return None

    def serving(self) -> tuple[Path, ...]:
        """The environments that pointers name and that are there, whatever became of them: for `verify_environment`.

        Raises:
            StoreError: the state directory may not be read.
        """
        found = (self.pointer(distribution) for distribution in pointed_distributions(self.layout))
        keys = (pointer.env_key for pointer in found if pointer is not None)
        environments = (self.layout_of(key).environment(key) for key in keys)
        return tuple(environment for environment in environments if environment.is_dir())

    def kept(self, installed: InstalledPlugin) -> KeptWheel:
        """What was kept of a plugin: given to `reopen` and `verify` it can be installed again without a network.

        Raises:
            DamagedError: its record or one of the originals is gone.
        """
        record = self.record(installed.env_key)
        if record is None:
            raise DamagedError(f"{installed.distribution}: the record of {installed.environment} is gone")
        try:
            return kept_wheel(record, self.layout_of(installed.env_key))
        except AlteredError as error:
            raise DamagedError(f"{self.root / error.difference.path}: {error}; install the plugin again") from error

    @contextmanager
    def activating(self, distribution: ProjectName) -> Iterator[None]:
        """Inside, nobody else brings up, goes back to, or removes a version of this distribution.

        Whoever waited looks again: what he wants may have been done. Never inside `Layout.locked`, which may be taken
        inside of this.

        Raises:
            StoreError: the state directory cannot be used.
            LockTimeoutError: one other process kept it for two minutes.
        """
        with explained(self.root):
            if not self.layout.path("active").is_dir():
                with self.layout.locked():  # makes it
                    pass
            with file_lock(self.layout.activation_lock(distribution), timeout_s=LOCK_TIMEOUT_S, patient=True):
                yield

    def lease(self, installed: InstalledPlugin) -> Lease:
        """Its environment is there and stays until the lease is released or this process ends, whoever prunes.

        Taken while anything of it runs or is looked at. It may take as long as somebody needs to remove another one's
        environment: not on an event loop.

        Raises:
            DamagedError: the environment or its record is gone.
            StoreError: the state directory cannot be used.
        """
        key = installed.env_key
        with explained(self.root):
            layout = self.layout_of(key)
            lease = self.hold(layout, key, lambda: layout.record(key).exists() and layout.environment(key).is_dir())
        if lease is None:
            raise DamagedError(
                f"{installed.distribution} {installed.version}: its environment {installed.environment} is gone: "
                "it was pruned or uninstalled meanwhile; run `assess sync`"
            )
        return lease

    @staticmethod
    def hold(layout: Layout, name: str, present: Callable[[], bool]) -> Lease | None:
        """A lease of this name in one of `layouts`; None when what it stands for is not there.

        Raises:
            StoreError, OSError: as `take`.
        """
        if layout.ours and not layout.path("leases").is_dir() and os.access(layout.root, os.W_OK):
            with layout.locked():  # an older layout: it is upgraded
                pass
        return take(layout.lease(name), present, make=layout.ours)

    def consents(self, distribution: ProjectName) -> Consents:
        """What was consented to for this distribution, and what waits.

        Without a baseline on record - an older release made it active - that is what the version asks for that serves.

        Raises:
            StoreError: the record is damaged (`DamagedError`), or may not be read.
        """
        return self._with_baseline(distribution, read_consents(self.layout, distribution))

    def choices(self, distribution: ProjectName) -> Choices:
        """Which version of this distribution is pinned, and which ones failed.

        Raises:
            StoreError: the record is damaged (`DamagedError`), or may not be read.
        """
        return read_choices(self.layout, distribution)

    def choose(self, distribution: ProjectName, change: Callable[[Choices], Choices]) -> Choices:
        """What was chosen is on record as `change` makes it of what was, also after a crash; returns it.

        Raises:
            StoreError: as `choices`; or the state directory cannot be used.
        """
        with self.layout.locked():
            known = read_choices(self.layout, distribution)
            changed = change(known)
            if changed != known:
                write_choices(self.layout, distribution, changed)
            return changed

    def wait(self, distribution: ProjectName, waiting: Waiting | None) -> None:
        """This version waits for consent, also after a crash; None when none does any more.

        Raises:
            StoreError: as `consents`.
        """
        with self.layout.locked():
            known = read_consents(self.layout, distribution)
            if waiting is not None and known.waiting is not None:
                waiting = replace(waiting, seen_at=known.waiting.seen_at) if waiting.same(known.waiting) else waiting
            if known.waiting != waiting:
                known = self._with_baseline(distribution, known)
                write_consents(self.layout, distribution, replace(known, waiting=waiting))

    def consent(self, distribution: ProjectName, consent: Consent) -> bool:
        """This was consented to, also after a crash; False when it waits no more, or something else does by now.

        Raises:
            StoreError: as `consents`.
        """
        with self.layout.locked():
            known = self.consents(distribution)
            waits = known.waiting
            if waits is None or not waits.same(consent):
                return False
            write_consents(self.layout, distribution, known.with_consent(consent))
            return True

    def activate(self, installed: InstalledPlugin) -> None:
        """This plugin serves for its distribution from now on; the one before is remembered.

        What it asks for is what the next version is compared with. In another's place it is on trial until it has
        answered a call.

        Raises:
            StoreError: its environment is not there (`DamagedError`), or the state directory cannot be used.
        """
        with self.layout.locked():
            self._required(installed.distribution, installed.env_key)
            before = self.pointer(installed.distribution)
            after = before.moved_to(installed.env_key) if before else Pointer(env_key=installed.env_key)
            # Before the pointer: killed in between, the next sync finds this version allowed, and makes it active.
            self._settle(installed)
            if before is None:  # nothing to leave it for, whatever it was when it served last
                self.trials.end(installed.env_key)
            elif after != before:
                self.trials.begin(installed.env_key)
            if after != before:
                write_pointer(self.layout, installed.distribution, after)

    def before(self, distribution: ProjectName) -> InstalledPlugin:
        """The plugin that served before the one that serves now, and can be gone back to.

        Raises:
            StoreError: none served before, or its environment is gone.
        """
        pointer = read_pointer(self.layout, distribution)
        if pointer is None or pointer.previous is None:
            raise StoreError(
                f"{distribution}: no other version served before this one; to go to one that you name: "
                f"assess plugins pin {distribution}==VERSION, and assess sync"
            )
        if self.read_record(pointer.previous) is None:
            raise DamagedError(
                f"{distribution}: the version that served before was pruned; to bring it up again: assess plugins pin "
                f"{distribution}==VERSION, and assess sync"
            )
        return self._required(distribution, pointer.previous)

    def rollback(self, distribution: ProjectName) -> InstalledPlugin:
        """The plugin that served before serves again; returns it. It has served, and is on trial no more.

        Raises:
            StoreError: none served before, or its environment is gone.
        """
        with self.layout.locked():
            plugin = self.before(distribution)
            pointer = read_pointer(self.layout, distribution)
            assert pointer is not None  # noqa: S101  under the lock
            self._settle(plugin)
            write_pointer(self.layout, distribution, pointer.moved_to(plugin.env_key))
            try:
                for env_key in (plugin.env_key, pointer.env_key):
                    self.trials.end(env_key)
            except StoreError as error:  # it serves all the same, and its first good call ends the trial
                _log.warning("%s", error, extra={"action": "trial-not-ended", "distribution": distribution})
        return plugin

    def deactivate(self, distribution: ProjectName) -> None:
        """Nothing serves for this distribution; its environments stay.

        Raises:
            StoreError: the state directory cannot be used.
        """
        with self.layout.locked():
            remove_pointer(self.layout, distribution)
            known = read_consents(self.layout, distribution)
            if known.baseline or known.ran or known.waiting:  # brought in again, it is brought in for the first time
                write_consents(self.layout, distribution, Consents(given=known.given))

    def _settle(self, installed: InstalledPlugin) -> None:
        known = read_consents(self.layout, installed.distribution)
        baseline = Baseline(version=installed.version, permissions=installed.manifest.permissions)
        settled = known.with_active(baseline, installed.sha256)
        if settled != known:
            write_consents(self.layout, installed.distribution, settled)

    def _with_baseline(self, distribution: ProjectName, known: Consents) -> Consents:
        if known.baseline is not None:
            return known
        try:
            record = self.pointed(distribution)
        except DamagedError as error:
            _log.warning("%s", error, extra={"action": "store-damaged", "distribution": distribution})
            return known
        if record is None:
            return known
        plugin = record.plugin
        baseline = Baseline(version=plugin.version, permissions=plugin.manifest.permissions)
        return replace(known, baseline=baseline, ran=(plugin.sha256,))

    def _required(self, distribution: ProjectName, env_key: str) -> InstalledPlugin:
        record = self.record(env_key)
        if record is None:
            raise DamagedError(f"{distribution}: {self._missing(env_key)}")
        if record.plugin.distribution != distribution:
            raise DamagedError(
                f"{self.layout.pointer(distribution)} names an environment of {record.plugin.distribution}; "
                "remove this file and install the plugin again"
            )
        self.require_untouched(record.plugin)
        return record.plugin

    def _missing(self, env_key: str) -> str:
        """What is not there of this environment."""
        record = self.read_record(env_key)
        if record is not None and record.plugin.environment.is_dir() and not os.path.exists(record.interpreter.path):  # noqa: PTH110  false, too, where it may not be looked at
            return (
                f"{missing(record.interpreter)}: install it again, or run `assess sync`, which takes another one if "
                "its lock serves one"
            )
        return f"its environment {self.layout.environment(env_key)} or its record is gone; run `assess sync`"

    def _say_damaged(self, about: str, error: DamagedError, distribution: ProjectName) -> None:
        """Once for as long as it is so."""
        if self._damaged.get(about) != str(error):
            self._damaged[about] = str(error)
            _log.warning("%s", error, extra={"action": "store-damaged", "distribution": distribution})

    def require_untouched(self, installed: InstalledPlugin) -> None:
        """Its environment is as it was built, by what `stat` says of each file.

        Raises:
            StoreError: it is not (`DamagedError`), or may not be read.
        """
        differences = self.check_untouched(installed)
        if differences:
            raise DamagedError(
                f"{installed.distribution}: {installed.environment} is not as it was built: "
                f"{describe_differences(differences)}; it is not used before `assess sync` has built it again. "
                "Find out who changed it: `assess plugins verify` shows everything that differs"
            )
