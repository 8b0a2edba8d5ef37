"""A wheel's files on disk for as long as external tools look at them."""

import contextlib
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

from assess_registry.wheel import UnpackedFile


@contextlib.contextmanager
def private_copy(files: Iterable[UnpackedFile], scratch: Path | None) -> Iterator[Path]:
    """Inside, a directory that only we may enter holds exactly these files, and nobody may write to them."""
    with tempfile.TemporaryDirectory(prefix="assess-audit-", dir=scratch) as private:  # 0700, says mkdtemp
        root = Path(private, "wheel")
        root.mkdir()
        directories = {root}
        try:
            for file in files:
                path = root / file.path
                path.parent.mkdir(parents=True, exist_ok=True)
                directories |= {parent for parent in path.parents if root in parent.parents}
                with path.open("xb") as out:
                    out.write(file.data)
                path.chmod(0o400)  # never executable: no tool has to run anything of a wheel to look at it
            for directory in directories:
                directory.chmod(0o500)
            yield root
        finally:
            for directory in sorted(directories):
                directory.chmod(0o700)
