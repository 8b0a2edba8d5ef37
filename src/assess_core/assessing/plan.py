"""What is to be assessed: configuration and installed plugins become tasks, or every reason why not.

Nothing runs here. A plan either names entry points that exist, checks that exist and settings that their manifest
accepts, or it is a `ConfigError` with all problems; an assessment whose plugin could not be installed is neither: it is
`Unrunnable`, and shows in the run as a problem, because a plugin that failed must not silence its assessment.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from assess_core.assessing.colliding import collisions
from assess_core.config import AssessmentConfig, Config, PluginConfig, match_checks, unknown_name
from assess_core.delivery.admission import asking_of, grant_of, idle_sources, start_refusals
from assess_core.errors import ConfigError
from assess_core.grants import Grant
from assess_core.results import Narrowed, PluginRef
from assess_core.store import InstalledPlugin
from assess_registry.client import CheckSpec, Permissions, PluginName, ProjectName, SettingsError


@dataclass(frozen=True, kw_only=True, slots=True)
class Callee:
    """One entry point, and the settings it is called with (validated, defaults filled in).

    Attributes:
        grant: what its distribution may do; None for all that it asks for.
        workers: processes of its distribution.
    """

    installed: InstalledPlugin
    name: PluginName
    settings: Mapping[str, Any]
    grant: Grant | None = None
    workers: int = 1

    @property
    def reference(self) -> PluginRef:
        """How results name it."""
        installed = self.installed
        return PluginRef(
            distribution=installed.distribution, version=installed.version, name=self.name, sha256=installed.sha256
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Task:
    """One assessment, ready to be executed.

    Attributes:
        subjects: narrows what the provider finds; empty means all.
        caveat: why it does not run what the configuration asks for, although something that fits it can run: a newer
            version that would not start. The run says so, and is incomplete.
        retries: how often what ended in an error or a timeout is asked again.
        retry_after_s: before the first time, give or take half.
        narrowed: to what; None of a whole assessment.
    """

    assessment: str
    plugin: Callee
    provider: Callee
    selector: Mapping[str, Any]
    checks: tuple[CheckSpec, ...]
    subjects: tuple[str, ...]
    timeout_s: float
    caveat: str | None = None
    retries: int = 0
    retry_after_s: float = 30.0
    narrowed: Narrowed | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Unrunnable:
    """One assessment that cannot be executed because a plugin it needs failed to install or start."""

    assessment: str
    provider: str
    problem: str
    narrowed: Narrowed | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Selection:
    """What a person asked for on the command line; empty means all.

    Attributes:
        checks: globs over their ids.
        subjects: ids.
        assessments: ids.
    """

    checks: tuple[str, ...] = ()
    subjects: tuple[str, ...] = ()
    assessments: tuple[str, ...] = ()

    @property
    def narrowed(self) -> Narrowed | None:
        """What each assessment is narrowed to; None if those that are carried out are whole."""
        return Narrowed(checks=self.checks, subjects=self.subjects) if self.checks or self.subjects else None


EVERYTHING = Selection()


def plan(
    config: Config,
    installed: Sequence[InstalledPlugin],
    *,
    failed: Mapping[str, str],
    selection: Selection = EVERYTHING,
    awaited: Mapping[ProjectName, Permissions] | None = None,
) -> tuple[Task | Unrunnable, ...]:
    """Every enabled assessment, as a task or as the reason why it cannot be one.

    Args:
        config: the loaded configuration.
        installed: the active plugins that the configuration asks for.
        failed: distributions that could not be brought up to date, with the reason; of some an older version that
            fits the configuration may be among `installed`.
        selection: narrows checks and subjects; an assessment left without checks is left out.
        awaited: what versions ask for that wait for consent: the configuration may be ready for them.

    Raises:
        ConfigError: an unknown name, a check pattern that matches nothing, settings the manifest refuses, something
            that a plugin asks for and is not granted, a secret that nobody asks for, one check id of two plugins
            (`colliding`); all at once.
    """
    callees, problems = _callees(config, installed)
    problems += _idle_sources(config, installed, awaited or {})
    problems += collisions(config, installed)
    problems += not_to_be_done(config, selection.assessments)
    planned: list[Task | Unrunnable] = []
    matched = False
    for index, assessment in enumerate(config.assessments):
        if not assessment.enabled or (selection.assessments and assessment.id not in selection.assessments):
            continue
        where = f"{config.source}: assessments[{index}]"
        try:
            task = _task(assessment, callees, failed, selection, where)
        except ConfigError as error:
            problems += error.problems
            continue
        if isinstance(task, Unrunnable) or task.checks:
            planned.append(task)
            matched = True
    if not problems and selection.checks and not matched:
        problems.append(f"--check {', '.join(selection.checks)}: no check of an enabled assessment matches")
    if problems:
        raise ConfigError(*problems)
    return tuple(planned)


def not_to_be_done(config: Config, assessments: Iterable[str]) -> list[str]:
    """Why some of these ids cannot be asked for: the configuration has no such assessment, or it is not enabled."""
    known = {assessment.id: assessment for assessment in config.assessments}
    problems = []
    for name in assessments:
        if name not in known:
            problems.append(unknown_name("assessment", name, list(known), where="--assessment"))
        elif not known[name].enabled:
            problems.append(f"--assessment: {name!r} is not enabled in {config.source}")
    return problems


def callees_of(tasks: Iterable[Task | Unrunnable]) -> tuple[Callee, ...]:
    """An entry point of each distribution that these use."""
    found = {
        callee.installed.distribution: callee
        for task in tasks
        if isinstance(task, Task)
        for callee in (task.provider, task.plugin)
    }
    return tuple(found.values())


def without(tasks: Iterable[Task | Unrunnable], missing: Mapping[ProjectName, str]) -> tuple[Task | Unrunnable, ...]:
    """The same, where some distributions are not to be had: what uses one of them cannot be executed.

    Args:
        tasks: what was planned.
        missing: why, by distribution.
    """

    def one(task: Task | Unrunnable) -> Task | Unrunnable:
        if isinstance(task, Unrunnable):
            return task
        used = dict.fromkeys(callee.installed.distribution for callee in (task.plugin, task.provider))
        reasons = [f"{name}: {missing[name]}" for name in used if name in missing]
        if not reasons:
            return task
        return Unrunnable(
            assessment=task.assessment,
            provider=task.provider.name,
            problem="; ".join(reasons),
            narrowed=task.narrowed,
        )

    return tuple(map(one, tasks))


def _callees(config: Config, installed: Sequence[InstalledPlugin]) -> tuple[dict[tuple[str, str], Callee], list[str]]:
    """Entry points by kind and name, and what is wrong with the settings they were given."""
    callees: dict[tuple[str, str], Callee] = {}
    problems: list[str] = []
    given = {plugin.name: (f"[{index}]", plugin) for index, plugin in enumerate(config.plugins)}
    for plugin in installed:
        # Of a folder that no name goes with, plugins have no settings of their own.
        index, its = given.get(plugin.distribution, ("", PluginConfig()))
        where = f"{config.source}: plugins{index}"
        try:
            values = plugin.manifest.setting_values(its.settings)
        except SettingsError as error:
            problems += [f"{where}.settings.{path}: {message}" for path, message in error.problems]
            values = {}
        asking = asking_of(plugin)
        problems += start_refusals(config, asking)
        grant = grant_of(config, asking)
        for entry in plugin.entries:
            other = callees.get((entry.kind, entry.name))
            if other is not None:  # design: one plugin name in two distributions is a configuration error
                problems.append(
                    f"{where}: {entry.kind} {entry.name!r} is in both {other.installed.distribution} "
                    f"and {plugin.distribution}; remove one of them"
                )
            callees[entry.kind, entry.name] = Callee(
                installed=plugin, name=entry.name, settings=values, grant=grant, workers=its.workers
            )
    return callees, problems


def _idle_sources(
    config: Config, installed: Sequence[InstalledPlugin], awaited: Mapping[ProjectName, Permissions]
) -> list[str]:
    asked = {
        plugin.distribution: frozenset(
            (*plugin.manifest.permissions.secrets, *awaited.get(plugin.distribution, Permissions()).secrets)
        )
        for plugin in installed
    }
    return [
        unknown_name("secret", name, known, where=where) for where, (name, known) in idle_sources(config, asked).items()
    ]


def _task(
    assessment: AssessmentConfig,
    callees: Mapping[tuple[str, str], Callee],
    failed: Mapping[str, str],
    selection: Selection,
    where: str,
) -> Task | Unrunnable:
    plugin = callees.get(("plugin", assessment.plugin))
    provider = callees.get(("provider", assessment.provider))
    missing = [("plugin", assessment.plugin)] if plugin is None else []
    missing += [("provider", assessment.provider)] if provider is None else []
    present = {callee.installed.distribution for callee in callees.values()}
    absent = {distribution: reason for distribution, reason in failed.items() if distribution not in present}
    if missing and absent:
        # The name may well belong to a distribution that failed: that is the plugin's fault, not the configuration's.
        names = " and ".join(f"{kind} {name!r}" for kind, name in missing)
        reasons = "; ".join(f"{distribution}: {reason}" for distribution, reason in sorted(absent.items()))
        return Unrunnable(
            assessment=assessment.id,
            provider=assessment.provider,
            problem=f"{names} not available; {reasons}",
            narrowed=selection.narrowed,
        )
    problems = [_unknown(kind, name, callees, f"{where}.{kind}") for kind, name in missing]
    if problems or plugin is None or provider is None:
        raise ConfigError(*problems)
    caveats = [
        f"assessed with {used.distribution} {used.version}, not with what is asked for: {failed[used.distribution]}"
        for used in {each.installed.distribution: each.installed for each in (plugin, provider)}.values()
        if used.distribution in failed
    ]
    specs = plugin.installed.manifest.checks_of(plugin.name)
    wanted = match_checks(assessment.checks, [spec.id for spec in specs], where=f"{where}.checks")
    if selection.checks:
        wanted = match_checks(selection.checks, wanted, where="--check", required=False)
    return Task(
        assessment=assessment.id,
        plugin=plugin,
        provider=provider,
        selector=assessment.selector,
        checks=tuple(spec for spec in specs if spec.id in wanted),
        subjects=selection.subjects,
        timeout_s=assessment.timeout_s or plugin.installed.manifest.limits.timeout_s,
        caveat="; ".join(caveats) or None,
        retries=assessment.retries,
        retry_after_s=assessment.retry_after_s,
        narrowed=selection.narrowed,
    )


def _unknown(
    kind: Literal["plugin", "provider"] | str, name: str, callees: Mapping[tuple[str, str], Callee], where: str
) -> str:
    return unknown_name(kind, name, [known for group, known in callees if group == kind], where=where)
