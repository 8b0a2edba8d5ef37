"""The command `assess-registry`: its verbs, and what its errors mean.

Exit codes: 0 done, 1 operational error, 2 usage or configuration, 4 flagged by an audit, 5 refused by trust policy,
130 interrupted.
"""

import sys
from collections.abc import Sequence

import click

from assess_registry.console import (
    EXIT_OPERATIONAL,
    EXIT_REFUSED,
    EXIT_USAGE,
    Failure,
    LazyGroup,
    os_error_message,
    run,
    version_option,
)
from assess_registry.errors import ConfigError, PublishError, RegistryError, TransportError, TrustError, WheelError

VERBS = {
    "init": "Make a registry: its configuration and an empty index.",
    "keys": "Make keys, and say whose keys count.",
    "root": "Say who may sign: the root of trust.",
    "sign": "Carry a proposed root to its keys, and signatures back.",
    "new": "Make the project of a plugin or a provider.",
    "inspect": "Say what wheels hold, or everything that is wrong with them, without importing them.",
    "audit": "Say whether a wheel would be published, and why not.",
    "reaudit": "Say which published releases are affected by what is known today.",
    "advisories": "Import the known vulnerabilities that audits look for.",
    "lock": "Choose what a plugin runs with, for every Python and platform.",
    "submit": "Sign a plugin's wheels, audit them with their closure, and leave them for reviewers.",
    "review": "Look at what was submitted; approve or reject it.",
    "publish": "Publish what was approved; in a development registry, a wheel in one go.",
    "assemble": "Let what release keys have signed elsewhere become current.",
    "yank": "Let nothing new use a release.",
    "revoke": "Let nobody have a release any more.",
    "mark": "Say that a project is archived, deprecated or quarantined.",
    "gc": "Remove what nobody names any more.",
    "refresh": "Sign the registry's word anew before it expires.",
    "reindex": "Write all pages anew from the signed word and the files, or say which are wrong.",
    "serve": "Serve a registry over http to this machine, for development.",
    "list": "List what an index or a folder of plugins holds.",
    "install": "Put a verified plugin and all it runs with into a folder.",
    "export": "Write plugins and all that vouches for them into one file.",
    "import": "Take such a file into a site that has no network.",
    "verify": "Say who signed a wheel, a lock or a folder of plugins, or refuse it.",
}
"""In the order of a working day; each is the module `assess_registry.cli.<verb>`."""

_KINDS = {
    TrustError: ("trust", EXIT_REFUSED),
    WheelError: ("wheel", EXIT_REFUSED),
    ConfigError: ("configuration", EXIT_USAGE),
    PublishError: ("publish", EXIT_OPERATIONAL),
    TransportError: ("transport", EXIT_OPERATIONAL),
    RegistryError: ("registry", EXIT_OPERATIONAL),
    OSError: ("system", EXIT_OPERATIONAL),
}
"""Error class -> its kind in JSON and the exit code; the first that fits."""


@click.group(
    cls=LazyGroup,
    package="assess_registry.cli",
    verbs=VERBS,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@version_option("assess-registry")
def cli() -> None:
    """Inspect, sign and publish assess plugins.

    Exit codes: 0 done, 1 operational error, 2 usage or configuration, 4 flagged by an audit, 5 refused by trust
    policy, 130 interrupted.
    """


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command line; the process's exit code. Never raises for what a user or a wheel can cause."""
    return run(cli, "assess-registry", sys.argv[1:] if argv is None else argv, explain)


def explain(error: Exception) -> Failure | None:
    """The failure this error is; None for a bug of ours."""
    found = next((found for root, found in _KINDS.items() if isinstance(error, root)), None)
    if found is None:
        return None
    kind, exit_code = found
    message = os_error_message(error) if isinstance(error, OSError) else str(error)
    return Failure(kind=kind, message=message, exit_code=exit_code, details=details(error))


def details(error: Exception) -> dict[str, object]:
    """What the error knows besides its message, for programs."""
    known: dict[str, object] = {}
    match error:
        case TrustError():
            known = {name: getattr(error, name) for name in ("step", "thing", "expected", "got", "next_step")}
        case ConfigError():
            known = {"problems": list(error.problems)}
        case TransportError():
            known = {"url": error.url}
        case OSError():
            known = {"path": str(error.filename or "")}
    if isinstance(error, TrustError | WheelError):
        known["issues"] = [
            {"id": issue.id, "entry": issue.entry, "message": issue.message, "rule": issue.rule}
            for issue in error.issues
        ]
    return known
