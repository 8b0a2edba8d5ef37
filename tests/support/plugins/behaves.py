"""A plugin that does what a check's id says, decently: reports, looks at its process, uses its host."""

# pathlib is not among the modules that a worker has loaded, and one check here lists those
# ruff: noqa: PTH101, PTH102, PTH109, PTH116, PTH123
import os
import sys
from typing import Any

from assess_plugin import (
    ActionInput,
    ActionOutput,
    CheckResult,
    EvaluateInput,
    EvaluateResult,
    HostError,
    Outcome,
    Subject,
    hookimpl,
)


@hookimpl
def assess_execute(input: ActionInput) -> ActionOutput:
    results = []
    for check in input.checks:
        with input.host.attribute(check):
            say = globals().get(check.replace("-", "_"))
            actual = say(input) if say else "nothing"
        if actual is not None:
            results.append(CheckResult(check_id=check, outcome=Outcome.PASS, actual=str(actual)))
    return ActionOutput(results=tuple(results))


@hookimpl
def assess_evaluate(input: EvaluateInput) -> EvaluateResult:
    count = int(input.selector.get("count", 1))
    title = str(input.selector.get("title", input.runtime))
    found = (Subject(id=f"host:{number}", type="inventory-item", title=title) for number in range(count))
    return EvaluateResult(subjects=tuple(found))


@hookimpl
def assess_shutdown() -> None:
    sys.stdout.write("shut down\n")


def modules(input: ActionInput) -> str:
    return " ".join(sorted(name for name in sys.modules if "." not in name))


def surroundings(input: ActionInput) -> str:
    return repr(
        {
            "environment": dict(os.environ),
            "cwd": os.getcwd(),
            "descriptors": [number for number in range(1024) if _is_open(number)],  # /proc is none of its business
            "stdin": os.fstat(0).st_rdev == os.stat("/dev/null").st_rdev,
            "session": os.getsid(0) == os.getpid(),
            "path": sys.path,
            "prefix": [sys.prefix, sys.exec_prefix],
            "flags": [sys.flags.isolated, sys.flags.no_site, sys.flags.dont_write_bytecode],
        }
    )


def _is_open(descriptor: int) -> bool:
    try:
        os.fstat(descriptor)
    except OSError:
        return False
    return True


def not_reported(input: ActionInput) -> None:
    return None


def settings(input: ActionInput) -> str:
    return repr((input.settings, input.props, input.subject))


def process(input: ActionInput) -> int:
    return os.getpid()


def ask(input: ActionInput) -> str:
    """Use the host as `props` says: `run`, `open`, `stat` -> arguments, one a line; errors are told as text."""
    said: list[Any] = []
    for use, argument in input.props.items():
        try:
            said.append(_use(input.host, use, argument))
        except (HostError, OSError, ValueError, TypeError) as error:
            said.append(f"{type(error).__name__}: {error}")
    return "\n".join(map(str, said))


def _use(host: Any, use: str, argument: str) -> Any:
    match use.partition(" ")[0]:
        case "run":
            done = host.run(argument.split("\n"))
            return done.exit_code, done.stdout[:200], len(done.stdout), done.stderr[:200], done.truncated
        case "run-briefly":
            return host.run(argument.split("\n"), timeout_s=0.2)
        case "open":
            with host.open(argument) as file:
                return file.name, file.read(100)
        case "stat":
            return host.stat(argument)
        case "log":
            return host.log(argument, "warning")
        case "evidence":
            size = int(argument)
            return host.evidence(use, bytes(range(256)) * (size // 256) + b"x" * (size % 256))
        case "logs":
            return [host.log(f"line {number}") for number in range(int(argument))][:0]
    raise ValueError(use)


def evidence(input: ActionInput) -> None:
    """Reported by `assess_execute` of nobody: see `with_evidence`."""
    input.host.evidence("lines", b"a\nb\n")


def keeps_scratch(input: ActionInput) -> str:
    with open("kept", "w") as file:
        file.write("x")
    os.mkdir("locked")
    with open("locked/inside", "w") as file:
        file.write("x")
    os.chmod("locked", 0)
    return os.getcwd()
