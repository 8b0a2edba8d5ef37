"""One file of a release, named by what it is: anybody may serve it, nobody can exchange it."""

import hashlib
from dataclasses import dataclass

from assess_registry.names import Sha256, parse_sha256

MAX_FILE_BYTES = 512 << 20
MAX_FILENAME = 255


@dataclass(frozen=True, kw_only=True, slots=True)
class FileRef:
    """One file in a release's directory, by what it is.

    Raises:
        ValueError: the name is not that of a file in one directory, the size is not possible, or the digest is none.
    """

    filename: str
    size: int
    sha256: Sha256

    def __post_init__(self) -> None:
        name = self.filename
        # ASCII without white space: no look-alikes, no separators of any system, nothing hidden.
        if not 1 <= len(name) <= MAX_FILENAME or not name.isascii() or not name.isprintable():
            raise ValueError(f"filename: expected 1 to {MAX_FILENAME} printable ASCII characters, got {name[:80]!r}")
        if set(name) & set("/\\:%?#\"'<>|* ") or name[0] in ".-" or name.endswith("."):
            raise ValueError(f"filename: expected a plain name without path parts, got {name[:80]!r}")
        if not 0 < self.size <= MAX_FILE_BYTES:
            raise ValueError(f"size: expected 1 to {MAX_FILE_BYTES} bytes, got {self.size}")
        parse_sha256(self.sha256)

    @classmethod
    def of(cls, filename: str, data: bytes) -> "FileRef":
        """The reference to these bytes under this name."""
        return cls(filename=filename, size=len(data), sha256=Sha256(hashlib.sha256(data).hexdigest()))
