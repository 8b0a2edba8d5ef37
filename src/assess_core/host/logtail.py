"""What a worker writes to its standard output and error: drained always, kept at the end only."""

import asyncio
import os

from assess_core.host.redaction import Redactor

READ_SIZE = 64 * 1024
KEPT_BYTES = 16 * 1024
TAIL_LINES = 20
TAIL_CHARACTERS = 4_000

FREE_BYTES = 1 << 20
"""Read without delay; a worker that writes more is read at the pace of `PAUSE_S`, and blocks on its own pipe."""

PAUSE_S = 0.01


class LogTail:
    """Reads a pipe, which it owns, until it is closed; remembers the last `KEPT_BYTES`."""

    def __init__(self, descriptor: int, loop: asyncio.AbstractEventLoop) -> None:
        self.redactor = Redactor()
        """Takes secrets out of what `text` returns."""
        os.set_blocking(descriptor, False)
        self._descriptor = descriptor
        self._loop = loop
        self._kept = bytearray()
        self._total = 0
        self._pause: asyncio.TimerHandle | None = None
        self._open = True
        loop.add_reader(descriptor, self._readable)

    def text(self) -> str:
        """The last lines so far, clean for a terminal."""
        if self._open:
            self._drain()
        dropped = self._total - len(self._kept)
        kept = self.redactor.cut(bytes(self._kept)) if dropped else bytes(self._kept)
        lines = self.redactor.lines(kept).strip("\n").splitlines()[-TAIL_LINES:]
        tail = "\n".join(lines)[-TAIL_CHARACTERS:]
        return f"({dropped:,} bytes before these lines were dropped)\n{tail}" if dropped else tail

    def close(self) -> None:
        """Take what is in the pipe and stop reading, whoever still holds its other end; idempotent."""
        if self._open:
            self._drain()
            self._stop()

    def _readable(self) -> None:
        if not self._read():
            self._stop()
        elif self._total > FREE_BYTES:
            self._loop.remove_reader(self._descriptor)
            self._pause = self._loop.call_later(PAUSE_S, self._loop.add_reader, self._descriptor, self._readable)

    def _read(self) -> bool:
        """Whether there may be more."""
        try:
            data = os.read(self._descriptor, READ_SIZE)
        except BlockingIOError:
            return True
        self._total += len(data)
        self._kept += data
        del self._kept[:-KEPT_BYTES]
        return bool(data)

    def _drain(self) -> None:
        for _ in range(16):  # a pipe holds 64 KiB unless its writer made it larger: at most 1 MiB
            before = self._total
            if not self._read() or self._total == before:
                return

    def _stop(self) -> None:
        self._open = False
        if self._pause is not None:
            self._pause.cancel()
        self._loop.remove_reader(self._descriptor)
        os.close(self._descriptor)
