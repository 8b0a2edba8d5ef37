"""A plugin that is never ready: importing it waits for a signal that does not come."""

import signal

print("waiting")
signal.pause()
