"""Starts many processes at once with multiprocessing's `spawn`, and holds them until its stdin ends.

    python mp_many.py COUNT

Prints the seconds until each has answered once. A program of its own, as `mp_spawn.py` is.
"""

import contextlib
import multiprocessing
import sys
import time
from multiprocessing.connection import Connection


def child(channel: Connection) -> None:
    """Answer once, then wait for the end."""
    channel.send_bytes(channel.recv_bytes(1024))
    with contextlib.suppress(EOFError):
        channel.recv_bytes(1024)


def main() -> None:
    """All of them."""
    context = multiprocessing.get_context("spawn")
    started = time.perf_counter()
    processes, channels = [], []
    for _ in range(int(sys.argv[1])):
        ours, theirs = context.Pipe()
        process = context.Process(target=child, args=(theirs,))
        process.start()
        theirs.close()
        ours.send_bytes(b"x")
        processes.append(process)
        channels.append(ours)
    for channel in channels:
        channel.recv_bytes(1024)
    print(time.perf_counter() - started, flush=True)
    sys.stdin.read()
    for channel in channels:
        channel.close()
    for process in processes:
        process.join()


if __name__ == "__main__":
    main()
