"""The subjects of an assessment: what its provider found, and which of them somebody asked for by name.

A provider that fails, finds nothing, or could not find all is a problem of its assessment, never silence. Where
somebody named subjects, an assessment that has none of them is left out; it is not said to have found nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from assess_core.assessing.plan import Task, Unrunnable
from assess_core.assessing.repeating import may_repeat
from assess_core.assessing.tries import require_not_stopped, wait
from assess_core.assessing.values import Context, Hosts
from assess_core.config import nearest
from assess_core.errors import ConfigError, PluginFault
from assess_plugin.models import EvaluateInput, EvaluateResult, Subject
from assess_registry.client import plain

MAX_PROBLEMS_SAID = 20
"""Of what a provider could not find, in the run's problem; how many more there are is said."""

MAX_COMPARED = 1000
"""Ids among which the nearest is looked for: among 100,000 that takes 8 s."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Found:
    """What a provider came to.

    Attributes:
        all: whatever it found.
        subjects: those of them that the task is about.
        missing: why that is not all there is; empty when it is.
    """

    all: tuple[Subject, ...] = ()
    subjects: tuple[Subject, ...] = ()
    missing: str = ""

    def problem(self, task: Task) -> str:
        """Why there is nothing to assess, where there is nothing."""
        name = task.provider.name
        nothing = f"provider {name!r} found no subject for this selector"
        if self.all:
            those = ", ".join(map(repr, task.subjects))
            found = f"{len(self.all)} subject{'s' if len(self.all) > 1 else ''}"
            nothing = f"provider {name!r} found {found}, and not what was asked for: {those}"
        return "; ".join(filter(None, (nothing, self.missing)))


async def find(task: Task, *, hosts: Hosts, context: Context) -> Found:
    """What the provider found, asked again as often as the task says where it fails.

    What it could not find is not asked again: a second reply without it may be without what was found at first, too.

    Raises:
        PluginFault: it failed the last time, or in a way that another try would repeat.
        CutShortError: the runtime was stopped meanwhile.
    """
    retry = 0
    while True:
        try:
            report = await hosts[task.provider.installed.distribution].evaluate(
                task.provider.name,
                EvaluateInput(
                    selector=task.selector,
                    runtime=context.runtime,
                    labels=context.labels,
                    settings=task.provider.settings,
                ),
                timeout_s=task.timeout_s,
                on_event=lambda event: context.notify(task.assessment, event),
                whose=task.assessment,
            )
        except PluginFault as fault:
            require_not_stopped(task, fault, context)
            retry += 1
            if retry > task.retries or not may_repeat(fault):
                raise
            await wait(task, retry, context)
        else:
            return _found(task, report.result)


def of_those_named(tasks: Sequence[Task | Unrunnable], came: Sequence[Found | PluginFault | None]) -> list[int]:
    """Which are carried out when somebody named subjects: those that have one of them, or of which that is not known.

    Args:
        tasks: narrowed to the same subjects.
        came: what the provider of each came to; None of what cannot be executed.

    Raises:
        ConfigError: none of them has a subject that was named, and everything was found.
    """
    wanted = dict.fromkeys(name for task in tasks if isinstance(task, Task) for name in task.subjects)
    known = {subject.id for each in came if isinstance(each, Found) for subject in each.all}
    unknown = [name for name in wanted if name not in known]
    if unknown and all(isinstance(each, Found) and not each.missing for each in came):
        raise ConfigError(*(_unknown(name, known) for name in unknown))
    return [index for index, each in enumerate(came) if not isinstance(each, Found) or each.subjects or each.missing]


def _unknown(name: str, known: set[str]) -> str:
    near = nearest(name, known) if len(known) <= MAX_COMPARED else f"; it is none of the {len(known)} that were found"
    return f"--subject: no assessment has the subject {plain(name)!r}{near}"


def _found(task: Task, result: EvaluateResult) -> Found:
    return Found(
        all=result.subjects,
        subjects=tuple(each for each in result.subjects if not task.subjects or each.id in task.subjects),
        missing=_missing(result.problems),
    )


def _missing(problems: Sequence[str]) -> str:
    if not problems:
        return ""
    more = len(problems) - MAX_PROBLEMS_SAID
    said = "; ".join(problems[:MAX_PROBLEMS_SAID]) + (f"; and {more} more" if more > 0 else "")
    return f"not all subjects were found: {said}"
