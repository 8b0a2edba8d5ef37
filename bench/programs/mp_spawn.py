"""Starts a process with multiprocessing's `spawn` for each line of stdin, and prints the seconds to its first reply.

A program of its own, because `spawn` imports the parent's main module again: this one is as small as it gets.
"""

import multiprocessing
import sys
import time
from multiprocessing.connection import Connection


def child(channel: Connection) -> None:
    """Answer, and end."""
    channel.send_bytes(channel.recv_bytes(1024))


def main() -> None:
    """One process a line."""
    context = multiprocessing.get_context("spawn")
    for _ in sys.stdin:
        started = time.perf_counter()
        ours, theirs = context.Pipe()
        process = context.Process(target=child, args=(theirs,))
        process.start()
        ours.send_bytes(b"x")
        ours.recv_bytes(1024)
        took = time.perf_counter() - started
        process.join()
        print(took, flush=True)


if __name__ == "__main__":
    main()
