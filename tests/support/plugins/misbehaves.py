"""A plugin that does what the first check's id says, and should not, without touching the pipe."""

import os
import signal
import sys
import threading
import time
from typing import Any

from assess_plugin import ActionInput, ActionOutput, CheckResult, Evidence, Outcome, hookimpl


@hookimpl
def assess_execute(input: ActionInput) -> Any:
    return globals()[input.checks[0].replace("-", "_")](input)


def _passed(input: ActionInput, **more: Any) -> ActionOutput:
    return ActionOutput(results=(CheckResult(check_id=input.checks[0], outcome=Outcome.PASS, **more),))


def well(input: ActionInput) -> ActionOutput:
    return _passed(input, actual=str(os.getpid()))


def raises(input: ActionInput) -> ActionOutput:
    raise ValueError("no such table \x1b[31mred")


def raises_exit(input: ActionInput) -> ActionOutput:
    sys.exit(7)


def raises_interrupt(input: ActionInput) -> ActionOutput:
    raise KeyboardInterrupt


def raises_unprintable(input: ActionInput) -> ActionOutput:
    class Unprintable(BaseException):
        def __str__(self) -> str:
            raise RuntimeError("no")

    raise Unprintable


def recurses(input: ActionInput) -> ActionOutput:
    return recurses(input)


def exits(input: ActionInput) -> ActionOutput:
    print("about to exit")
    os._exit(3)


def crashes(input: ActionInput) -> ActionOutput:
    os.kill(os.getpid(), signal.SIGSEGV)
    return _passed(input)


def hangs(input: ActionInput) -> ActionOutput:
    input.host.log(str(os.getpid()))
    signal.pause()
    return _passed(input)


def spins(input: ActionInput) -> ActionOutput:
    """Busy for ever, with a child in its group that is too; says both pids when it has begun."""
    child = os.fork()
    if child:
        input.host.log(f"{os.getpid()} {child}")
    while True:
        pass


def touches_then_hangs(input: ActionInput) -> ActionOutput:
    """Uses its host in every way, for itself and for its check, then never answers."""
    _touch(input)
    signal.pause()
    return _passed(input)


def touches_then_exits(input: ActionInput) -> ActionOutput:
    _touch(input)
    os._exit(3)


def touches_then_raises(input: ActionInput) -> ActionOutput:
    _touch(input)
    raise ValueError("after all that")


def touches_then_answers_for_another(input: ActionInput) -> ActionOutput:
    _touch(input)
    return unknown_id(input)


def waits_for_a_command(input: ActionInput) -> ActionOutput:
    input.host.run(["sleep", "600"])
    return _passed(input)


def _touch(input: ActionInput) -> None:
    input.host.stat("/etc/passwd")
    with input.host.attribute(input.checks[0]):
        input.host.open("/etc/passwd").close()
        input.host.evidence("seen", b"root")


def ignores_term(input: ActionInput) -> ActionOutput:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    return hangs(input)


def forks(input: ActionInput) -> ActionOutput:
    """A child that holds every descriptor of ours, and a reply all the same."""
    child = os.fork()
    if not child:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        signal.pause()
    return _passed(input, actual=str(child))


def double_forks(input: ActionInput) -> ActionOutput:
    """A daemon as the books have it: new session, no terminal, other working directory, no descriptors of ours."""
    read, write = os.pipe()
    if not os.fork():
        os.setsid()
        if daemon := os.fork():
            os.write(write, str(daemon).encode())
            os._exit(0)
        os.chdir("/")
        os.closerange(0, 100)
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        signal.pause()
    os.wait()
    return _passed(input, actual=os.read(read, 20).decode())


def prints(input: ActionInput) -> ActionOutput:
    print('{"type": "executed"}')
    print("\x1b]0;title\x07\x1b[2Jcleared", file=sys.stderr)
    os.write(1, b"\xff\xfe raw")
    return _passed(input)


def floods_stdout(input: ActionInput) -> ActionOutput:
    line = b"y" * 65536
    while True:
        os.write(1, line)


def one_long_line(input: ActionInput) -> ActionOutput:
    os.write(1, b"z" * 300_000 + b" the end")
    return _passed(input)


def returns_none(input: ActionInput) -> None:
    return None


def returns_list(input: ActionInput) -> list[Any]:
    return [{"check_id": input.checks[0], "outcome": "pass"}]


def unknown_id(input: ActionInput) -> ActionOutput:
    return ActionOutput(results=(CheckResult(check_id="somebody-elses", outcome=Outcome.PASS),))


def twice(input: ActionInput) -> ActionOutput:
    return ActionOutput(results=_passed(input).results * 2)


def surrogate(input: ActionInput) -> ActionOutput:
    return _passed(input, actual="\ud800")


def forged_evidence(input: ActionInput) -> ActionOutput:
    return _passed(input, evidence=(Evidence(name="never-handed-over", media_type="text/plain"),))


def wrong_evidence(input: ActionInput) -> ActionOutput:
    return _passed(input, evidence=({"name": float("nan")},))


def many_results(input: ActionInput) -> ActionOutput:
    """More than a frame holds."""
    text = "é" * 4096
    return ActionOutput(
        results=tuple(
            CheckResult(check_id=check, outcome=Outcome.FAIL, reason=text, expected=text, actual=text)
            for check in input.checks
        )
    )


def threads(input: ActionInput) -> ActionOutput:
    """Threads that use the host at once, and one that goes on when the call is over."""
    crowd = [threading.Thread(target=lambda: [input.host.stat("/etc/passwd") for _ in range(20)]) for _ in range(4)]
    for thread in crowd:
        thread.start()
    for thread in crowd:
        thread.join()

    def later() -> None:
        while True:
            try:
                input.host.stat("/etc/passwd")
            except Exception as error:
                print("later:", error)
                return
            time.sleep(0)

    threading.Thread(target=later, name="later").start()
    return _passed(input)


def exits_after_threads(input: ActionInput) -> ActionOutput:
    for thread in threading.enumerate():
        if thread.name == "later":
            thread.join()
    return exits(input)
