"""What lies in a folder of plugins, by names and digests; nothing is verified."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from assess_registry.folder import opened, projects_of
from assess_registry.names import Sha256
from assess_registry.signatures import SIGNATURE_SUFFIX
from assess_registry.wheel import MAX_WHEEL_BYTES

_WHEEL_SUFFIX = ".whl"


@dataclass(frozen=True, kw_only=True, slots=True)
class ListedWheel:
    """One wheel of a folder.

    Attributes:
        plugin: the project in whose directory it lies.
        kind: a plugin has a signature beside it.
    """

    plugin: str
    project: str
    version: str
    kind: Literal["plugin", "dependency"]
    filename: str
    size: int
    sha256: Sha256


def list_folder(folder: Path) -> tuple[ListedWheel, ...]:
    """Every wheel of every plugin, in the order of names, going by the names of the files.

    Raises:
        ConfigError: there is no such folder.
        TrustError: step `folder`, it holds anything but plugins; step `length`, a file is larger than any wheel.
        OSError: something in it may not be read.
    """
    return tuple(wheel for project in projects_of(folder) for wheel in _wheels(folder / project))


def _wheels(directory: Path) -> list[ListedWheel]:
    found = []
    with opened(directory, follow=False) as held:
        entries = held.entries()
        for name, kind in entries.items():
            parts = name.split("-")
            if kind != "file" or not name.endswith(_WHEEL_SUFFIX) or len(parts) < 2:
                continue
            data = held.read(name, max_bytes=MAX_WHEEL_BYTES)
            found.append(
                ListedWheel(
                    plugin=directory.name,
                    project=parts[0].replace("_", "-").lower(),
                    version=parts[1],
                    kind="plugin" if name + SIGNATURE_SUFFIX in entries else "dependency",
                    filename=name,
                    size=len(data),
                    sha256=Sha256(hashlib.sha256(data).hexdigest()),
                )
            )
    return found
