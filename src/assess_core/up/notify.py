"""What a service manager is told, in the protocol of sd_notify(3): one datagram each, to the socket it named.

    notify = Notify(os.environ)         # takes its variables away: no plugin's process is to speak for us
    notify(READY=1, STATUS="next: host 10:15")

Does nothing where nobody asked, and waits for nobody: a manager that does not read loses a word, and gets the next one.
"""

import os
import socket
import time
from collections.abc import MutableMapping

VARIABLES = ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID")

_MAX_STATUS = 200
"""Characters of what `systemctl status` shows."""


class Notify:
    """Tells the service manager.

    Args:
        environ: of this process; what is the manager's is removed from it.

    Attributes:
        watchdog_s: seconds within which it wants to hear of us again and again; None when it does not.
    """

    def __init__(self, environ: MutableMapping[str, str]) -> None:
        path, usec, pid = (environ.pop(name, "") for name in VARIABLES)
        ours = pid in ("", str(os.getpid()))
        self.watchdog_s = int(usec) / 1e6 if ours and usec.isascii() and usec.isdigit() and int(usec) else None
        self._socket = _connected(path)

    def __call__(self, **fields: object) -> bool:
        """These fields were sent; False when nobody takes them."""
        if self._socket is None:
            return False
        lines = (f"{key}={' '.join(str(value).split())[:_MAX_STATUS]}" for key, value in fields.items())
        try:
            self._socket.send("\n".join(lines).encode("utf-8", "replace"))
        except OSError:  # full: the next one says it again; gone: nobody is there
            return False
        return True

    @property
    def is_heard(self) -> bool:
        """Whether there is anybody to tell."""
        return self._socket is not None

    def reloading(self) -> bool:
        """A reload was begun; `READY=1` says that it is over. `Type=notify-reload` (systemd 253) wants the time."""
        return self(RELOADING=1, MONOTONIC_USEC=time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000)

    def close(self) -> None:
        """Say nothing more. Idempotent."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None


def _connected(path: str) -> socket.socket | None:
    if path[:1] not in ("/", "@"):  # vsock and other kinds are of machines' managers
        return None
    found = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
    found.setblocking(False)
    try:
        found.connect("\0" + path[1:] if path[0] == "@" else path)
    except OSError:
        found.close()
        return None
    return found
