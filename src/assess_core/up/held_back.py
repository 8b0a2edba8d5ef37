"""What asks `assess up` to stop or to look again waits until that can be done in order.

    hold_back()         # first of all: before what takes a second to import
    ...
    let_through()       # now there is somebody who hears them

Until then the kernel keeps them. Threads that are started meanwhile never get any; processes would not, either, so
none may be started.
"""

import signal

HELD = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1)


def hold_back() -> None:
    """From now on they wait."""
    signal.pthread_sigmask(signal.SIG_BLOCK, HELD)


def let_through() -> None:
    """Those that came are here, and so is each that comes."""
    signal.pthread_sigmask(signal.SIG_UNBLOCK, HELD)
