"""A plugin that does the harmless half of what isolation is about, and says how it went: a word, or an error name."""

# The calls themselves are what is tried.
# ruff: noqa: PTH103, PTH105, PTH106, PTH108, PTH123, PTH208, PTH211, SIM115
import errno
import os
import sys
import threading
from collections.abc import Callable

from assess_plugin import ActionInput, ActionOutput, CheckResult, Outcome, hookimpl


@hookimpl
def assess_execute(input: ActionInput) -> ActionOutput:
    return ActionOutput(
        results=tuple(
            CheckResult(check_id=check, outcome=Outcome.PASS, actual=_how(globals()[check.replace("-", "_")], input))
            for check in input.checks
        )
    )


def _how(attempt: Callable[[ActionInput], object], input: ActionInput) -> str:
    try:
        return str(attempt(input))
    except OSError as error:
        return errno.errorcode[error.errno or 0]


def who(input: ActionInput) -> str:
    return f"{os.getresuid()} {os.getresgid()} {len(os.getgroups())}"


def reads_elsewhere(input: ActionInput) -> int:
    return len(os.listdir("/"))


def reads_a_secret(input: ActionInput) -> str:
    return open(input.settings["secret"]).read()


def writes_elsewhere(input: ActionInput) -> int:
    return open(input.settings["secret"], "a").write("x")


def truncates_what_it_may_read(input: ActionInput) -> None:
    os.close(os.open(os.__file__, os.O_RDONLY | os.O_TRUNC))


def writes_its_scratch(input: ActionInput) -> str:
    os.makedirs("a/b", exist_ok=True)
    with open("a/b/file", "w") as file:
        file.write("x" * 10)
    os.replace("a/b/file", "a/b/moved")
    os.truncate(os.open("a/b/moved", os.O_RDWR), 3)
    os.symlink("moved", "a/b/link")
    text = open("a/b/link").read()
    os.unlink("a/b/link")
    os.unlink("a/b/moved")
    os.rmdir("a/b")
    return text


def moves_to_another_directory(input: ActionInput) -> str:
    os.makedirs("c/d")
    with open("c/d/file", "w") as file:
        file.write("moved")
    os.replace("c/d/file", "c/file")
    return open("c/file").read()


def writes_its_own_code(input: ActionInput) -> int:
    return open(__file__, "a").write("x")


def uses_null(input: ActionInput) -> int:
    return open("/dev/null", "w").write("x") + len(open("/dev/null").read())


def forks(input: ActionInput) -> str:
    if os.fork() == 0:
        os._exit(0)
    os.wait()
    return "done"


def executes(input: ActionInput) -> int:
    return os.spawnv(os.P_WAIT, "/bin/true", ["true"])


def connects(input: ActionInput) -> str:
    import socket

    socket.socket()
    return "done"


def signals_the_runtime(input: ActionInput) -> None:
    os.kill(os.getppid(), 0)


def runs_threads(input: ActionInput) -> int:
    done: list[int] = []
    threads = [threading.Thread(target=done.append, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return len(done)


def imports_late(input: ActionInput) -> str:
    import colorsys
    import ssl
    import zoneinfo

    certificates = ssl.create_default_context().get_ca_certs()
    return f"{colorsys.__name__} {zoneinfo.ZoneInfo('Europe/Berlin')} {isinstance(certificates, list)}"


def names_its_interpreter(input: ActionInput) -> str:
    return "{}.{}".format(*sys.version_info[:2])


def cuts_the_lifeline_and_spins(input: ActionInput) -> None:
    """The one descriptor beyond 2 that is a pipe loses O_ASYNC, so that its end signals nobody any more."""
    import fcntl
    import stat

    for number in range(3, 20):
        try:
            if stat.S_ISFIFO(os.fstat(number).st_mode):
                fcntl.fcntl(number, fcntl.F_SETFL, 0)
        except OSError:
            continue
    input.host.log(str(os.getpid()))
    while True:
        pass
