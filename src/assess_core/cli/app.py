"""The command `assess`: its verbs, and what its errors mean.

Exit codes: 0 done; 1 operational error; 2 usage or configuration; 3 findings; 4 incomplete; 5 refused by trust policy;
6 the journal is damaged; 130 interrupted.
"""

import signal
import sys
from collections.abc import Sequence

import click

from assess_registry.console import Failure, LazyGroup, run, version_option

VERBS = {
    "init": "Write a commented assess.toml.",
    "sync": "Install exactly the plugins the configuration asks for.",
    "run": "Assess, and report.",
    "up": "Stay up, and assess when it is due.",
    "explain": "Say what a check is about, or when an assessment runs and why.",
    "plugins": "What is installed, and whether it is what was audited.",
    "results": "What earlier runs found.",
    "waive": "Answer for failures that are known; they stay failures.",
    "doctor": "Try whether plugins can run here as they are configured.",
}
"""In the order of a working day; each is the module `assess_core.cli.<verb>`."""


@click.group(
    cls=LazyGroup,
    package="assess_core.cli",
    verbs=VERBS,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@version_option("assess")
def app() -> None:
    """Run signed compliance plugins against this machine, and say what they found.

    Exit codes: 0 done, 1 operational error, 2 usage or configuration, 3 findings, 4 incomplete, 5 refused by trust
    policy, 6 the journal is damaged, 130 interrupted.
    """


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command line; the process's exit code. Never raises for what a user or a plugin can cause."""
    if signal.getsignal(signal.SIGCHLD) is signal.SIG_IGN:  # inherited from who started us; then no worker is started
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    return run(app, "assess", sys.argv[1:] if argv is None else argv, _explain)


def _explain(error: Exception) -> Failure | None:
    from assess_core.cli.failure import explain  # lazily: it knows the errors of every layer

    return explain(error)
