"""The parent's end of the pipe: whole frames in, whole frames out, never blocking, never unbounded.

No asyncio streams: a frame is decoded where the kernel put it, in the callback that the loop made for it. A frame that
announces a length beyond the limit is refused before there is room for it. One `recv` for each turn of the loop keeps a
child that floods from keeping its neighbours waiting.
"""

import asyncio
import os
import socket
from collections import deque
from collections.abc import Callable

from assess_plugin.wire import HEADER, MAX_FRAME, READ_SIZE


class Channel:
    """Frames over one non-blocking socket, which it owns.

    Args:
        on_frame: given the body of each frame; the view is valid during the call only.
        on_end: told once why no more will come: `violation` is empty when the child closed its end.

    Attributes:
        cut_off: bytes of a message that had come when the child closed its end in the middle of it.
    """

    def __init__(
        self,
        sock: socket.socket,
        loop: asyncio.AbstractEventLoop,
        *,
        on_frame: Callable[[memoryview], None],
        on_end: Callable[[str], None],
    ) -> None:
        self._sock = sock
        self._loop = loop
        self._on_frame = on_frame
        self._on_end = on_end
        self._buffer = bytearray(READ_SIZE)
        self._filled = 0
        self._out: deque[tuple[memoryview, int | None]] = deque()
        self._open = True
        self._waiting_to_write = False
        self.cut_off = 0
        self.expecting = False
        """Whether the child has been asked for anything; a byte that comes while it has not is a violation."""
        sock.setblocking(False)
        loop.add_reader(sock.fileno(), self._readable)

    def send(self, frame: bytes, descriptor: int | None = None) -> None:
        """Send the frame as soon as the child reads; `descriptor` goes beside its first byte and is closed here."""
        if not self._open:
            _close(descriptor)
            return
        sent = 0
        if descriptor is None and not self._out:  # mostly it goes at once, and whole
            try:
                sent = self._sock.send(frame)
            except OSError:  # `_writable` meets it again, and knows what to do
                sent = 0
            if sent == len(frame):
                return
        self._out.append((memoryview(frame)[sent:], descriptor))
        if len(self._out) == 1:
            self._writable()

    def close(self) -> None:
        """Nothing is read or sent any more; idempotent, `on_end` is not told."""
        if not self._open:
            return
        self._open = False
        self._loop.remove_reader(self._sock.fileno())
        self._stop_writing()
        self._sock.close()
        self._drop_output()
        # A worker that ended goes at once: in a circle of references it would wait minutes for the collector.
        self._buffer = bytearray()
        self._on_frame = self._on_end = _nobody

    def _drop_output(self) -> None:
        for _, descriptor in self._out:
            _close(descriptor)
        self._out.clear()

    def drain(self) -> None:
        """Deliver what has arrived: for a child that is dead, whose last words count."""
        while self._open and self._readable():
            pass

    def _readable(self) -> bool:
        try:
            if self._filled:
                with memoryview(self._buffer) as view:
                    got = self._sock.recv_into(view[self._filled :])
            else:
                got = self._sock.recv_into(self._buffer)
        except (BlockingIOError, InterruptedError):
            return False
        except OSError:  # ECONNRESET: the child is gone and left our last message unread
            got = 0
        if not got:
            self.cut_off = self._filled
            self._end("")
            return False
        if not self.expecting:
            self._end(f"sent {got} bytes when nothing had been asked of it")
            return False
        self._filled += got
        self._deliver()
        return True

    def _deliver(self) -> None:
        position, needed = 0, 0
        with memoryview(self._buffer) as view:
            while self._filled - position >= HEADER:
                length = int.from_bytes(view[position : position + HEADER], "big", signed=True)
                if not 0 <= length <= MAX_FRAME:
                    self._end(f"announced a message of {length} bytes; the limit is {MAX_FRAME} (docs/wire.md)")
                    return
                needed = HEADER + length
                if self._filled - position < needed:
                    break
                if not self.expecting:
                    break
                with view[position + HEADER : position + needed] as body:
                    self._on_frame(body)
                if not self._open:
                    return
                position += needed
        if position < self._filled and not self.expecting:
            self._end(f"sent {self._filled - position} bytes more than its reply")
            return
        self._keep(position, needed)

    def _keep(self, position: int, needed: int) -> None:
        """Move the beginning of an unfinished frame to the front of a buffer in which it has room."""
        left = self._filled - position
        if not left and len(self._buffer) == READ_SIZE:  # a whole reply, mostly
            self._filled = 0
            return
        if needed > len(self._buffer):
            self._buffer = self._buffer[position : self._filled] + bytes(needed - left)
        elif len(self._buffer) > READ_SIZE and left <= READ_SIZE >= needed:
            self._buffer = self._buffer[position : self._filled] + bytes(READ_SIZE - left)
        elif position and left:
            self._buffer[:left] = self._buffer[position : self._filled]
        self._filled = left

    def _writable(self) -> None:
        while self._out:
            data, descriptor = self._out[0]
            try:
                if descriptor is None:
                    sent = self._sock.send(data)
                else:
                    sent = socket.send_fds(self._sock, [data], [descriptor])
            except (BlockingIOError, InterruptedError):
                self._loop.add_writer(self._sock.fileno(), self._writable)
                self._waiting_to_write = True
                return
            except OSError:  # EPIPE: reading will tell why, with whatever the child said last
                self._drop_output()
                break
            _close(descriptor)
            if sent < len(data):
                self._out[0] = (data[sent:], None)
            else:
                self._out.popleft()
        self._stop_writing()

    def _stop_writing(self) -> None:
        if self._waiting_to_write:
            self._loop.remove_writer(self._sock.fileno())
            self._waiting_to_write = False

    def _end(self, violation: str) -> None:
        told = self._on_end
        self.close()
        told(violation)


def _nobody(_said: memoryview | str) -> None:
    """It is closed."""


def _close(descriptor: int | None) -> None:
    if descriptor is not None:
        os.close(descriptor)
