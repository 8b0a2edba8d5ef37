"""`registry.toml` on disk, changed: whole or not at all, in the place where it is kept.

It may be a symbolic link, say into a repository that is deployed from. Then the file that it leads to is the one that
people edit, and the one that the next deploy goes by: a revocation that were only written in the link's place would be
taken back by it.
"""

from collections.abc import Callable
from pathlib import Path

from assess_registry.config.load import MAX_CONFIG_BYTES
from assess_registry.config.place import CONFIG_NAME
from assess_registry.errors import ConfigError
from assess_registry.files import atomic_write, read_bounded


def rewrite_config(root: Path, change: Callable[[str], str]) -> None:
    """The file reads as `change` makes it of its text; where it is a link, the link stays. Holds for the lock's owner.

    Raises:
        ConfigError: it is a link that leads nowhere; or what `change` raises.
        OSError: it cannot be written; it is as it was.
    """
    path = root / CONFIG_NAME
    require_no_dangling_link(path)
    place = path.resolve()
    text = read_bounded(place, MAX_CONFIG_BYTES).decode("utf-8")
    atomic_write(place, change(text).encode("utf-8"), mode=place.stat().st_mode & 0o777)


def require_no_dangling_link(path: Path) -> None:
    """It is a file, or a link to one, or not there.

    Raises:
        ConfigError: it is a link that leads nowhere, and would be replaced by whoever wrote it.
    """
    if path.is_symlink() and not path.exists():
        where = path.readlink()
        raise ConfigError(
            f"{path}: is a symbolic link to {where}, where nothing is; put the file back, or remove the link"
        )
