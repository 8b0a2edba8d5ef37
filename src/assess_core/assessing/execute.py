"""Tasks in, results out: a provider finds the subjects, a plugin assesses each, and every way to fail has a result.

The rule of this file and of the two below it (`tries`, `call_results`): a check that was asked for on a subject that
was found gets exactly one result, whatever the plugin does. A provider that fails, finds nothing, or could not find all
is a problem of its assessment, which makes the run incomplete. Errors and timeouts may be asked again (`repeating`),
findings never; a waiver changes no outcome.
"""

from datetime import datetime

from assess_core.assessing.plan import Task, Unrunnable
from assess_core.assessing.repeating import may_repeat
from assess_core.assessing.tries import answers_of, require_not_stopped, wait
from assess_core.assessing.values import Context, Executed, Hosts, Keep
from assess_core.errors import PluginFault
from assess_core.results import AssessmentRun, run_id
from assess_plugin.models import EvaluateInput, EvaluateResult

MAX_PROBLEMS_SAID = 20
"""Of what a provider could not find, in the run's problem; how many more there are is said."""


async def execute(task: Task | Unrunnable, *, hosts: Hosts, context: Context, due_at: datetime, keep: Keep) -> Executed:
    """The task has been executed; whatever its plugins did, the value says so.

    Args:
        task: what to do.
        hosts: the supervisor of each distribution that the task names.
        context: what all results of this runtime share.
        due_at: the time it was due, which its ids are made from.
        keep: called with the evidence of each call as it ends, before any result refers to it: evidence of a hundred
            subjects is more than should be held in memory until the last of them has been assessed.

    Raises:
        CutShortError: what executes it was stopped meanwhile.
    """
    if isinstance(task, Unrunnable):
        return _not_assessed(task, task.problem, context=context, due_at=due_at, started_at=context.clock())
    started_at = context.clock()
    plugin = task.plugin.reference
    try:
        found = await _evaluated(task, hosts, context)
    except PluginFault as fault:
        problem = f"no subjects: {fault}"
        return _not_assessed(task, problem, context=context, due_at=due_at, started_at=started_at)
    subjects = [subject for subject in found.subjects if not task.subjects or subject.id in task.subjects]
    if not subjects:
        problem = f"provider {task.provider.name!r} found no subject for this selector"
        problem = "; ".join((problem, *_not_found(found)))
        return _not_assessed(task, problem, context=context, due_at=due_at, started_at=started_at)
    this_run = run_id(context.runtime, task.assessment, due_at)
    results = await answers_of(task, subjects, run=this_run, hosts=hosts, context=context, keep=keep)
    return Executed(
        run=AssessmentRun(
            run_id=this_run,
            assessment=task.assessment,
            plugin=plugin,
            provider=task.provider.name,
            due_at=due_at,
            started_at=started_at,
            ended_at=max(started_at, context.clock()),
            subjects=len(subjects),
            problem="; ".join(filter(None, (task.caveat, *_not_found(found)))) or None,
            attempt=context.attempt,
            why=context.why,
            narrowed=task.narrowed,
        ),
        results=results,
    )


async def _evaluated(task: Task, hosts: Hosts, context: Context) -> EvaluateResult:
    """What the provider found, asked again as often as the task says where it fails.

    What it could not find is not asked again: a second reply without it may be without what was found at first, too.

    Raises:
        PluginFault: it failed the last time, or in a way that another try would repeat.
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
            return report.result


def _not_found(found: EvaluateResult) -> tuple[str, ...]:
    if not found.problems:
        return ()
    said = "; ".join(found.problems[:MAX_PROBLEMS_SAID])
    more = len(found.problems) - MAX_PROBLEMS_SAID
    return (f"not all subjects were found: {said}" + (f"; and {more} more" if more > 0 else ""),)


def _not_assessed(
    task: Task | Unrunnable, problem: str, *, context: Context, due_at: datetime, started_at: datetime
) -> Executed:
    plugin = task.plugin.reference if isinstance(task, Task) else None
    provider = task.provider.name if isinstance(task, Task) else task.provider
    run = AssessmentRun(
        run_id=run_id(context.runtime, task.assessment, due_at),
        assessment=task.assessment,
        plugin=plugin,
        provider=provider,
        due_at=due_at,
        started_at=started_at,
        ended_at=max(started_at, context.clock()),
        subjects=0,
        problem=problem,
        attempt=context.attempt,
        why=context.why,
        narrowed=task.narrowed,
    )
    return Executed(run=run, results=())
