"""Data as a descriptor: a file in memory, at its beginning, and for ever as it is, however it is opened again."""

import fcntl
import os

_SEALS = fcntl.F_SEAL_SEAL | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE
"""A descriptor that may only be read is not enough: `/proc/self/fd/N` opens the same file anew, for writing."""


def in_memory(data: bytes) -> int:
    """A descriptor of a file that holds the data and has no name."""
    with os.fdopen(os.memfd_create("assess-output", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING), "wb") as file:
        file.write(data)
        file.flush()
        os.fchmod(file.fileno(), 0o400)
        fcntl.fcntl(file.fileno(), fcntl.F_ADD_SEALS, _SEALS)
        return os.open(f"/proc/self/fd/{file.fileno()}", os.O_RDONLY | os.O_CLOEXEC)  # a new offset
