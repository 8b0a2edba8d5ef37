"""Entry point `host-baseline`: assesses the host it runs on.

Each family keeps its own table of checks. A family reports those of its checks that were asked for and leaves the
rest to the others, so the families' reports together are the whole reply.
"""

from assess_host_baseline import accounts, files, kernel, packages, sshd, surprises
from assess_plugin import ActionInput, ActionOutput, Checks, hookimpl


@hookimpl
def assess_execute(input: ActionInput) -> ActionOutput:
    """One result for each check asked for."""
    reports = [family.run(input) for family in families()]
    return ActionOutput(results=tuple(result for report in reports for result in report.results))


def families() -> tuple[Checks, ...]:
    """The tables of all families. `surprises` shares one search among its checks, so it gets a new table each call."""
    return (
        kernel.CHECKS,
        files.CHECKS,
        accounts.CHECKS,
        sshd.CHECKS,
        packages.CHECKS,
        surprises.checks_of_one_search(),
    )
