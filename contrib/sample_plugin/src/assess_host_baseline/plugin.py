"""Entry point `host-baseline`: assesses the host it runs on.

Each family keeps its own table of checks; here they become one.
"""

from assess_host_baseline import accounts, files, kernel, packages, sshd, surprises
from assess_plugin import ActionInput, ActionOutput, Checks, hookimpl

STATELESS = Checks()
for family in (kernel, files, accounts, sshd, packages):
    STATELESS.include(family.CHECKS)


@hookimpl
def assess_execute(input: ActionInput) -> ActionOutput:
    """One result for each check asked for."""
    return all_checks().run(input)


def all_checks() -> Checks:
    """All families in one table, made for one call: `surprises` shares one search among its checks."""
    return Checks().include(STATELESS).include(surprises.checks_of_one_search())
