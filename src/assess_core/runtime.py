"""One runtime on one state directory: the values that commands work with, made once from a configuration.

with Runtime(load(path, os.environ)) as runtime:
    synced = runtime.sync()
    run = runtime.assess(runtime.plan(synced))
"""

import asyncio
import hashlib
import os
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Self

from assess_core.config import Config, RuntimeConfig
from assess_core.errors import ConfigError, StoreError
from assess_core.execute import Context, Event
from assess_core.folders import entry_of, keys_for
from assess_core.host import HostConfig, Isolation, Scratch
from assess_core.journal import Journal
from assess_core.pipeline import Action, Delivery, Notify, Synced, assess, fits, sync
from assess_core.plan import EVERYTHING, Selection, Task, Unrunnable, plan
from assess_core.results import Run
from assess_core.store import (
    EnvironmentReport,
    InstalledPlugin,
    Store,
    running_interpreter,
    verify_environment,
    worker_kit,
)
from assess_registry.client import ConfigError as RegistryConfigError
from assess_registry.client import ProjectName, Registry, RegistryConfig, Target, read_bounded

DAY_S = 86_400.0

TRUST = "trust"
"""In the state directory: what is remembered of registries, one directory for each root."""

MAX_ROOT_BYTES = 512_000
"""The client's own bound."""

NotifyEvent = Callable[[str, Event], None]
"""Takes the assessment's id and what its plugin said."""


def state_directory(flag: Path | None, environ: Mapping[str, str], config: Config | None) -> Path:
    """Where state lives: flag, `ASSESS_STATE_DIR`, `runtime.state_dir`, else the XDG state home.

    Raises:
        ConfigError: none of them is set and this user has no home directory.
    """
    if flag is not None:
        return flag.absolute()
    if environ.get("ASSESS_STATE_DIR"):
        return Path(environ["ASSESS_STATE_DIR"]).absolute()
    if config is not None and config.runtime.state_dir is not None:
        return config.runtime.state_dir
    if environ.get("XDG_STATE_HOME", "").startswith("/"):
        return Path(environ["XDG_STATE_HOME"], "assess")
    try:
        return Path("~/.local/state/assess").expanduser()
    except RuntimeError as error:
        raise ConfigError(
            "no state directory: this user has no home; give --state-dir or set ASSESS_STATE_DIR"
        ) from error


def _digest(root: Path) -> str:
    """Names what is remembered of a registry: by its anchor, so that it moves with the registry to another place.

    Raises:
        ConfigError: there is no such file.
    """
    try:
        return hashlib.sha256(read_bounded(root, MAX_ROOT_BYTES)).hexdigest()
    except (OSError, RegistryConfigError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise ConfigError(
            f"registry.root: {root} cannot be read: {reason}; get the registry's 1.root.json from its maintainer"
        ) from error


def utc_now() -> datetime:
    """The wall clock, aware."""
    return datetime.now(UTC)


def isolation_of(config: RuntimeConfig) -> Isolation:
    """What is asked of the host for plugins' processes."""
    if config.run_plugins_without_isolation:
        return "off"
    return "required" if config.require_isolation == "full" else "wanted"


class Runtime:
    """A configuration at work on a state directory. A context manager: leaving it closes what it opened."""

    def __init__(self, config: Config, *, state: Path) -> None:
        if os.path.lexists(state) and not state.is_dir():
            raise ConfigError(
                f"state directory: {state}: this is no directory; remove it, or name another: --state-dir"
            )
        self.config = config
        self.store = Store(state)
        self._interpreter = running_interpreter()
        self._state = state
        self._journal: Journal | None = None
        self._scratch: Scratch | None = None
        self._connected: Registry | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._journal is not None:
            self._journal.close()
            self._journal = None
        if self._connected is not None:
            self._connected.close()
            self._connected = None
        if self._scratch is not None:
            self._scratch.remove()
            self._scratch = None

    @property
    def journal(self) -> Journal:
        """The journal, opened on first use."""
        if self._journal is None:
            self._journal = Journal.open(self._state / "journal.db")
        return self._journal

    def sync(
        self, *, notify: Notify = lambda _: None, offline: bool = False, dry_run: bool = False
    ) -> tuple[Synced, ...]:
        """Bring the installed plugins to what the configuration asks for (`pipeline.sync`)."""
        host = self._host()
        (self._state / TRUST).mkdir(mode=0o700, exist_ok=True)
        delivery = Delivery(
            registry=self._registry(),
            target=Target.running(),
            store=self.store,
            interpreter=self._interpreter,
            host=host,
            notify=notify,
            dry_run=dry_run,
            offline=offline,
        )
        return sync(self.config, delivery)

    def verify(self, environment: Path | None) -> tuple[EnvironmentReport, ...]:
        """This environment, or every active one, held against the audited wheels and their signatures."""
        chosen = [environment] if environment else list(self.store.serving())
        return tuple(verify_environment(one, store=self.store, registry=self._keys(one)) for one in chosen)

    def installed(self) -> tuple[InstalledPlugin, ...]:
        """The active plugins whose distribution and version the configuration asks for, in its order."""
        found = [(entry_of(self.config, plugin.distribution), plugin) for plugin in self.store.active()]
        fitting = [(entry, plugin) for entry, plugin in found if entry is not None and fits(entry, plugin)]
        order = {id(entry): index for index, entry in enumerate(self.config.plugins)}
        return tuple(plugin for _, plugin in sorted(fitting, key=lambda pair: order[id(pair[0])]))

    def plan(self, synced: Sequence[Synced], selection: Selection = EVERYTHING) -> tuple[Task | Unrunnable, ...]:
        """What to assess, given what could be installed (`plan.plan`)."""
        failed: dict[str, str] = {
            line.distribution: line.reason for line in synced if line.action in (Action.FAILED, Action.REFUSED)
        }
        barred = {line.distribution for line in synced if line.action is Action.REFUSED and not line.previous}
        usable = [plugin for plugin in self.installed() if plugin.distribution not in barred]
        return plan(self.config, usable, failed=failed, selection=selection)

    def assess(
        self,
        tasks: Sequence[Task | Unrunnable],
        *,
        synced: Sequence[Synced] = (),
        notify: NotifyEvent = lambda _assessment, _event: None,
    ) -> Run:
        """Execute the tasks, commit their results, and return them (`pipeline.assess`)."""
        context = Context(
            runtime=self.config.runtime.id,
            labels=self.config.runtime.labels,
            registry="production",
            from_folders=self._from_folders(tasks),
            stale=frozenset(ProjectName(line.distribution) for line in synced if line.action is Action.STALE),
            relaxed=self.config.runtime.relaxed,
            clock=utc_now,
            notify=notify,
        )
        return asyncio.run(assess(tasks, host=self._host(), journal=self.journal, context=context))

    def _from_folders(self, tasks: Sequence[Task | Unrunnable]) -> frozenset[ProjectName]:
        used = {task.plugin.installed.distribution for task in tasks if isinstance(task, Task)}
        entries = {distribution: entry_of(self.config, distribution) for distribution in used}
        return frozenset(name for name, entry in entries.items() if entry is not None and entry.dir is not None)

    def _keys(self, environment: Path) -> Registry | None:
        """Whose signatures count for what is in this environment: its folder's keys, else the registry's."""
        try:
            record = self.store.record(environment.name)
        except StoreError:  # verify_environment says what is wrong with it
            record = None
        entry = entry_of(self.config, record.plugin.distribution) if record is not None else None
        return (keys_for(entry) if entry is not None else None) or self._registry()

    def _registry(self) -> Registry | None:
        settings = self.config.registry
        if self._connected is not None or settings is None:
            return self._connected
        self._connected = Registry(
            RegistryConfig(
                url=settings.url,
                root=settings.root,
                state=self._state / TRUST / _digest(settings.root),
                development=settings.development,
                timeout_s=settings.timeout_s,
                max_staleness_s=settings.max_staleness_d * DAY_S,
                access=settings.access,
            )
        )
        return self._connected

    def _host(self) -> HostConfig:
        if self._scratch is None:
            self._state.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._scratch = Scratch(self._state / "scratch")
        return HostConfig(
            kit=worker_kit(self.store, self._interpreter),
            scratch_root=self._scratch.directory,
            isolation=isolation_of(self.config.runtime),
        )
