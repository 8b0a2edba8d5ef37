"""A short answer of a program that nobody vouches for: bounded in time and size, and nothing of it stays.

    code, output, errors = answer_of(["/usr/bin/python3.13", "-I", "asked.py"], timeout_s=10)

It reads nothing of what is meant for the caller, and has a session of its own, which is ended with it.
"""

import os
import selectors
import signal
import subprocess
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

MAX_ANSWER_BYTES = 64 << 10

_POLL_S = 0.002


def answer_of(command: Sequence[str | Path], *, timeout_s: float) -> tuple[int, bytes, bytes]:
    """Its exit code, its standard output, its standard error.

    Raises:
        ValueError: it said more than 64 KiB, or took longer.
        OSError: it cannot be run.
    """
    deadline = time.monotonic() + timeout_s
    with subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    ) as process:
        try:
            output, errors = _read(process, deadline)
            while os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT | os.WNOHANG) is None:
                if time.monotonic() > deadline:
                    raise ValueError(f"it did not end within {timeout_s:g} s")
                time.sleep(_POLL_S)
        except TimeoutError:
            raise ValueError(f"it did not answer within {timeout_s:g} s") from None
        finally:
            with suppress(ProcessLookupError):  # before it is waited for: until then its number is nobody else's
                os.killpg(process.pid, signal.SIGKILL)
        return process.wait(), output, errors


def _read(process: "subprocess.Popen[bytes]", deadline: float) -> tuple[bytes, bytes]:
    assert process.stdout is not None  # noqa: S101  it was started with pipes
    assert process.stderr is not None  # noqa: S101
    read = {process.stdout.fileno(): bytearray(), process.stderr.fileno(): bytearray()}
    output, errors = read.values()
    with selectors.DefaultSelector() as selector:
        for descriptor in read:
            selector.register(descriptor, selectors.EVENT_READ)
        while selector.get_map():
            ready = selector.select(max(0.0, deadline - time.monotonic()))
            if not ready:
                raise TimeoutError
            for key, _ in ready:
                data = os.read(key.fd, MAX_ANSWER_BYTES)
                if not data:
                    selector.unregister(key.fd)
                read[key.fd] += data
                if len(read[key.fd]) > MAX_ANSWER_BYTES:
                    raise ValueError(f"it said more than {MAX_ANSWER_BYTES >> 10} KiB")
    return bytes(output), bytes(errors)
