"""What is known of a wheel once it has been inspected."""

from dataclasses import dataclass
from typing import Literal

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.tags import Tag

from assess_registry.manifest import Manifest
from assess_registry.names import ProjectName, Sha256

Kind = Literal["plugin", "dependency"]
"""A plugin's own wheel is held to every rule; a dependency to those that real wheels of the package index keep."""


@dataclass(frozen=True, kw_only=True, slots=True)
class WheelEntry:
    """One regular file of the archive, by the digest of what it inflates to."""

    path: str
    sha256: Sha256
    size: int
    executable: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class EntryPoint:
    """One line of `entry_points.txt`; `value` is `module` or `module:attribute`."""

    group: str
    name: str
    value: str

    @property
    def module(self) -> str:
        """The module to import."""
        return self.value.partition(":")[0]

    @property
    def attr(self) -> str:
        """The dotted attribute of it, empty for the module itself."""
        return self.value.partition(":")[2]


@dataclass(frozen=True, kw_only=True, slots=True)
class InspectedWheel:
    """A wheel whose bytes were read whole and found in order; made by `inspect` alone.

    Attributes:
        build: the build tag as `packaging` parses it, empty when there is none.
        metadata: the METADATA file.
        entries: every file of the archive, RECORD included, in archive order.
        manifest, manifest_data: of a plugin, parsed and as it stands in the wheel; None and empty for a dependency.
        left_out: archive paths of a dependency that are never unpacked: `.pth` and `.start` files, `.data` beyond
            purelib and platlib, and what only an installer may write.
    """

    filename: str
    project: ProjectName
    version: str
    build: tuple[()] | tuple[int, str]
    tags: frozenset[Tag]
    sha256: Sha256
    size: int
    requires_python: SpecifierSet
    requires_dist: tuple[Requirement, ...]
    metadata: bytes
    entry_points: tuple[EntryPoint, ...]
    entries: tuple[WheelEntry, ...]
    manifest: Manifest | None
    manifest_data: bytes
    root_is_purelib: bool
    left_out: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class UnpackedFile:
    """A file as it shall stand in an environment; `path` is relative to the site directory."""

    path: str
    data: bytes
    executable: bool
