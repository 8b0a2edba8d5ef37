"""Tasks in, results out: a provider finds the subjects, a plugin assesses each, and every way to fail has a result.

The rule of this file and of those below it (`subjects`, `tries`, `call_results`): a check that was asked for on a
subject that was found gets exactly one result, whatever the plugin does. A provider that fails, finds nothing, or could
not find all is a problem of its assessment, which makes the run incomplete. Errors and timeouts may be asked again
(`repeating`), findings never; a waiver changes no outcome.
"""

from datetime import datetime

from assess_core.assessing.plan import Task, Unrunnable
from assess_core.assessing.subjects import Found, find
from assess_core.assessing.tries import answers_of
from assess_core.assessing.values import Context, Executed, Hosts, Keep
from assess_core.errors import PluginFault
from assess_core.results import AssessmentRun


async def execute(
    task: Task | Unrunnable,
    *,
    hosts: Hosts,
    context: Context,
    due_at: datetime,
    keep: Keep,
    found: Found | PluginFault | None = None,
) -> Executed:
    """The task has been executed; whatever its plugins did, the value says so.

    Args:
        task: what to do.
        hosts: the supervisor of each distribution that the task names.
        context: what all results of this runtime share.
        due_at: the time it was due, which its ids are made from.
        keep: called with the evidence of each call as it ends, before any result refers to it: evidence of a hundred
            subjects is more than should be held in memory until the last of them has been assessed.
        found: what its provider came to, if it was asked before.

    Raises:
        CutShortError: what executes it was stopped meanwhile.
    """
    if isinstance(task, Unrunnable):
        return _not_assessed(task, task.problem, context=context, due_at=due_at, started_at=context.clock())
    started_at = context.clock()
    plugin = task.plugin.reference
    try:
        found = found or await find(task, hosts=hosts, context=context)
    except PluginFault as fault:
        found = fault
    if isinstance(found, PluginFault) or not found.subjects:
        problem = f"no subjects: {found}" if isinstance(found, PluginFault) else found.problem(task)
        return _not_assessed(task, problem, context=context, due_at=due_at, started_at=started_at)
    this_run = context.run_id(task.assessment, due_at)
    results = await answers_of(task, found.subjects, run=this_run, hosts=hosts, context=context, keep=keep)
    return Executed(
        run=AssessmentRun(
            run_id=this_run,
            assessment=task.assessment,
            plugin=plugin,
            provider=task.provider.name,
            due_at=due_at,
            started_at=started_at,
            ended_at=max(started_at, context.clock()),
            subjects=len(found.subjects),
            problem="; ".join(filter(None, (task.caveat, found.missing))) or None,
            attempt=context.attempt,
            why=context.why,
            narrowed=task.narrowed,
        ),
        results=results,
    )


def _not_assessed(
    task: Task | Unrunnable, problem: str, *, context: Context, due_at: datetime, started_at: datetime
) -> Executed:
    plugin = task.plugin.reference if isinstance(task, Task) else None
    provider = task.provider.name if isinstance(task, Task) else task.provider
    run = AssessmentRun(
        run_id=context.run_id(task.assessment, due_at),
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
