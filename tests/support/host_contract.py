"""What every host does, whoever stands behind it: cases that a worker runs as a plugin, and a test runs directly.

Ships as a module into a worker's environment, so it imports the SDK and the standard library alone. A case takes the
host and the directory in which `PLACE` was planted, and raises what is wrong.
"""

# pathlib and the like would be one more import of every worker that runs this
import stat
from collections.abc import Callable
from typing import Any

from assess_plugin import ActionInput, ActionOutput, CheckResult, Denied, Host, HostError, Outcome, hookimpl

Case = Callable[[Host, str], None]

PLACE = {"in/file": b"inside", "in/bad\u200bname": b"x", "out/file": b"outside"}
LINKS = {"in/good": "file", "in/bad": "../out/file", "in/folder": "../out", "in/loop": "loop", "in/gone": "../out/none"}
COMMANDS = (
    ("uname", "-s"),
    ("env",),
    ("echo", "*"),
    ("sleep", "9"),
    ("yes",),
    ("sh", "-c", "head -c 100000 /dev/zero >&2"),
    ("head", "-c", "*", "/dev/zero"),
    ("no-such-program",),
)
OUTPUT: dict[tuple[str, ...], Any] = {("uname", "-s"): b"Linux\n", ("echo", "; a $HOME *"): b"; a $HOME *\n"}
"""Command -> what it prints, for hosts that run nothing."""

CASES: dict[str, Case] = {}
"""What any host does."""

CASES_THAT_RUN: dict[str, Case] = {}
"""What a host does that runs commands in earnest."""


def permissions(root: str) -> dict[str, Any]:
    """What the cases may do, as the manifest has it."""
    return {"read": (f"{root}/in",), "stat": (f"{root}/looked",), "commands": COMMANDS}


@hookimpl
def assess_execute(input: ActionInput) -> ActionOutput:
    """Each check is a case of that name."""
    return ActionOutput(results=tuple(_run(check, input) for check in input.checks))


def _run(check: str, input: ActionInput) -> CheckResult:
    try:
        (CASES | CASES_THAT_RUN)[check](input.host, input.settings["root"])
    except Exception as error:
        return CheckResult(check_id=check, outcome=Outcome.FAIL, reason=f"{type(error).__name__}: {error}"[:4000])
    return CheckResult(check_id=check, outcome=Outcome.PASS)


def _case(function: Case) -> Case:
    CASES[function.__name__.replace("_", "-")] = function
    return function


def _case_that_runs(function: Case) -> Case:
    CASES_THAT_RUN[function.__name__.replace("_", "-")] = function
    return function


def _raises(kind: type[Exception], text: str, function: Callable[..., object], *given: Any, **named: Any) -> None:
    """Exactly this type of error, so that a subclass is told from its parent, with this text in it."""
    try:
        got = function(*given, **named)
    except Exception as error:
        if type(error) is kind and text in str(error):
            return
        raise AssertionError(f"expected {kind.__name__} with {text!r}, got {type(error).__name__}: {error}") from error
    raise AssertionError(f"expected {kind.__name__} with {text!r}, got {got!r}")


def _same(got: object, expected: object) -> None:
    if got != expected:
        raise AssertionError(f"expected {expected!r}, got {got!r}")


# --- paths


@_case
def a_permitted_file_is_read_under_its_own_name(host: Host, root: str) -> None:
    with host.open(f"{root}/in/file") as file:
        _same((file.name, file.read()), (f"{root}/in/file", b"inside"))
    with host.open(f"{root}/in/good") as file:
        _same(file.read(), b"inside")


@_case
def what_is_not_permitted_is_denied_with_the_line_that_would(host: Host, root: str) -> None:
    path = f"{root}/out/file"
    line = f'{path} is not permitted: add "{path}" to permissions.'
    _raises(Denied, f"{line}read in assess-plugin.toml", host.open, path)
    _raises(Denied, f"{line}stat in assess-plugin.toml", host.stat, path)
    _raises(Denied, "permissions.read", host.open, f"{root}/looked")


@_case
def a_path_has_one_spelling(host: Host, root: str) -> None:
    for path in (f"{root}/in/../in/file", f"{root}/in//file", f"{root}/in/", "relative", f"{root}/in/bad\u200bname"):
        for use in (host.open, host.stat):
            _raises(HostError, "is not an absolute path in its one spelling", use, path)
    _raises(HostError, "is not an absolute path", host.open, "/etc/../etc/shadow")


@_case
def what_is_no_path_is_refused(host: Host, root: str) -> None:
    for path in ("", f"{root}/in/\0", f"{root}/in/\ud800"):
        _raises(HostError, "is not a path", host.open, path)
        _raises(HostError, "is not a path", host.stat, path)
    _raises(TypeError, "must be text", host.open, b"/etc")
    _raises(OSError, "File name too long", host.stat, f"{root}/in/" + "x" * 4096)


@_case
def a_link_counts_by_where_it_leads(host: Host, root: str) -> None:
    target = f"{root}/out/file"
    advice = f'leads to {target}, which is not permitted: add "{target}" to permissions.'
    _raises(Denied, f"{advice}read in assess-plugin.toml", host.open, f"{root}/in/bad")
    _raises(Denied, f"{advice}stat in assess-plugin.toml", host.stat, f"{root}/in/folder/file")
    if not stat.S_ISLNK(host.stat(f"{root}/in/bad").mode):
        raise AssertionError("the link itself may be looked at")


@_case
def what_is_absent_is_absent_as_for_open(host: Host, root: str) -> None:
    for path in (f"{root}/in/none", f"{root}/in/gone"):
        _raises(FileNotFoundError, path, host.open, path)
    _raises(FileNotFoundError, "none", host.stat, f"{root}/in/none")
    _raises(NotADirectoryError, "file", host.stat, f"{root}/in/file/below")
    _raises(OSError, "symbolic links", host.open, f"{root}/in/loop")


@_case
def only_regular_files_are_opened(host: Host, root: str) -> None:
    _raises(HostError, "is not a regular file", host.open, f"{root}/in")
    _same(stat.S_ISDIR(host.stat(f"{root}/in").mode), True)
    _same(host.stat(f"{root}/in/file").size, 6)


@_case
def the_right_to_look_is_enough_to_look(host: Host, root: str) -> None:
    _raises(FileNotFoundError, "looked", host.stat, f"{root}/looked")


# --- commands


@_case
def a_permitted_command_says_what_it_says(host: Host, root: str) -> None:
    done = host.run(["uname", "-s"])
    _same((done.argv, done.exit_code, done.stdout, done.stderr), (("uname", "-s"), 0, b"Linux\n", b""))
    _same((done.truncated, host.run(("echo", "; a $HOME *")).stdout), (False, b"; a $HOME *\n"))


@_case
def a_command_that_agrees_with_no_pattern_is_denied(host: Host, root: str) -> None:
    line = 'command ["uname", "-a"] is not permitted: add ["uname", "-a"] to permissions.commands in assess-plugin.toml'
    _raises(Denied, line, host.run, ["uname", "-a"])
    for argv in (["uname"], ["/bin/uname", "-s"], ["echo", "a", "b"]):
        _raises(Denied, "permissions.commands", host.run, argv)


@_case
def what_is_no_command_is_refused(host: Host, root: str) -> None:
    for argv in ("uname -s", [], ["echo", 1], ["echo", b"a"]):
        _raises(TypeError, "argv must be a sequence of strings", host.run, argv)
    for word in ("a\0b", "\ud800"):
        _raises(HostError, "an argument of 'echo' holds a NUL or is not text", host.run, ["echo", word])
    for more in (["x"] * 1000, ["x" * 200_000], ["x" * 2_000_000]):
        _raises(HostError, "command 'echo' has more than 1000 arguments or", host.run, ["echo", *more])
    for timeout_s in (0, -1, float("nan"), float("inf")):
        _raises(ValueError, "timeout_s must be a positive number", host.run, ["uname", "-s"], timeout_s=timeout_s)


@_case_that_runs
def a_command_finds_a_bare_environment(host: Host, root: str) -> None:
    lines = sorted(host.run(["env"]).stdout.decode().split())
    lines = [
        line for line in lines if not line.startswith("ASSESS_COMMAND=")
    ]  # a host may mark what it must find again
    _same(lines, ["LANG=C.UTF-8", "PATH=/usr/sbin:/usr/bin:/sbin:/bin"])


@_case_that_runs
def output_is_whole_up_to_its_limit(host: Host, root: str) -> None:
    done = host.run(["head", "-c", "3000000", "/dev/zero"])
    _same((done.exit_code, len(done.stdout), done.truncated), (0, 3_000_000, False))
    done = host.run(["sh", "-c", "head -c 100000 /dev/zero >&2"])
    _same((done.exit_code, len(done.stderr), done.truncated), (0, 64 * 1024, True))


@_case_that_runs
def output_without_end_is_cut_and_its_command_killed(host: Host, root: str) -> None:
    done = host.run(["yes"])
    _same((done.exit_code, len(done.stdout), done.truncated), (-15, 8 << 20, True))


@_case_that_runs
def a_command_that_takes_too_long_is_killed(host: Host, root: str) -> None:
    text = 'command ["sleep", "9"] did not end within 0.1 s and was killed'
    _raises(HostError, text, host.run, ["sleep", "9"], timeout_s=0.1)
    _raises(HostError, "command 'no-such-program' is not installed on this host", host.run, ["no-such-program"])


# --- what is handed over


@_case
def evidence_has_a_name_a_type_and_bytes(host: Host, root: str) -> None:
    taken = host.evidence("a list", b"a\n", "text/csv")
    _same((taken.name, taken.media_type), ("a list", "text/csv"))
    for name in ("", "a\nb", "n" * 129, 7):
        _raises(ValueError, "evidence needs a name of 1 to 128 printable characters", host.evidence, name, b"")
    for media_type in ("", "text", "/plain", "text/ä", "t/" + "x" * 127):
        _raises(ValueError, "needs a media type such as text/plain", host.evidence, "other", b"", media_type)
    _raises(TypeError, "", host.evidence, "other", "text")
    _raises(TypeError, "", host.evidence, "other", 5)
    _raises(HostError, "evidence 'a list' was handed over before in this call", host.evidence, "a list", b"")


@_case
def evidence_of_one_call_has_a_limit(host: Host, root: str) -> None:
    host.evidence("much", b"x" * (15 << 20))
    _raises(HostError, "may have 16777216 bytes; 'too much' is beyond", host.evidence, "too much", b"x" * (2 << 20))
    host.evidence("little", b"x")


@_case
def only_checks_that_were_asked_for_are_attributed_to(host: Host, root: str) -> None:
    _raises(ValueError, "check 'unknown check' was not asked for in this call", host.attribute, "unknown check")
    with host.attribute("only-checks-that-were-asked-for-are-attributed-to"):
        host.stat(f"{root}/in")


@_case
def what_is_said_is_checked(host: Host, root: str) -> None:
    host.log("a line", "warning")
    host.progress(0, 1, "a note")
    _raises(ValueError, "level must be one of debug, info, warning, error", host.log, "a line", "loud")
    for done, total in ((-1, 1), (1.5, 2), (0, "1"), (0, 1 << 54)):
        _raises(ValueError, "progress needs two whole numbers from 0", host.progress, done, total)
