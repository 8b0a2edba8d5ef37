"""The interpreter a wheel is chosen for: which tags it installs and how it answers markers.

Target.running()
Target.cpython("3.12.1", platforms=("manylinux_2_28_aarch64", "linux_aarch64"), machine="aarch64")
"""

import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Self, cast

from packaging.markers import default_environment
from packaging.specifiers import SpecifierSet
from packaging.tags import Tag, compatible_tags, cpython_tags, sys_tags
from packaging.version import Version


@dataclass(frozen=True, kw_only=True, slots=True)
class Target:
    """What one interpreter on one platform accepts.

    Attributes:
        tags: compatibility tags, best match first (PEP 425).
        environment: every marker variable of PEP 508 but `extra`.
    """

    tags: tuple[Tag, ...]
    environment: Mapping[str, str]

    @property
    def python(self) -> Version:
        """The full version of the interpreter."""
        # A build from a checkout says "3.14.0a1+", and PEP 440 wants something after the plus.
        return Version(self.environment["python_full_version"].rstrip("+"))

    def rank(self, tags: frozenset[Tag]) -> int | None:
        """How well a wheel with these tags fits: 0 is best; None when it cannot be installed at all."""
        return next((rank for rank, tag in enumerate(self.tags) if tag in tags), None)

    def admits_python(self, requires_python: SpecifierSet) -> bool:
        """Whether the interpreter satisfies a `Requires-Python`; a pre-release interpreter counts as its version."""
        return requires_python.contains(self.python, prereleases=True)

    @classmethod
    def running(cls) -> Self:
        """The interpreter that runs this code."""
        environment = cast("Mapping[str, str]", default_environment())
        return cls(tags=tuple(sys_tags()), environment=MappingProxyType(dict(environment)))

    @classmethod
    def here(cls, version: str) -> Self:
        """Another CPython of this machine, by its full version."""
        platforms = dict.fromkeys(tag.platform for tag in cls.running().tags if tag.platform != "any")
        return cls.cpython(version, platforms=tuple(platforms))

    @classmethod
    def cpython(cls, version: str, *, platforms: Sequence[str], machine: str | None = None, **markers: str) -> Self:
        """Another CPython, of which only the facts are known.

        Args:
            version: in full, for example `3.12.1`.
            platforms: platform tags it accepts, best first; older manylinux tags must be listed, nothing is inferred.
            machine: `platform_machine`; the running machine's when not given.
            markers: further marker variables that differ from those of the running system.
        """
        release = Version(version.rstrip("+")).release[:2]
        short = ".".join(str(part) for part in release)
        nodot = "".join(str(part) for part in release)
        # The ABI is given, for packaging would otherwise ask how the *running* interpreter was built.
        tags = (
            *cpython_tags(release, abis=[f"cp{nodot}"], platforms=platforms),
            *compatible_tags(release, interpreter=f"cp{nodot}", platforms=platforms),
        )
        environment = {
            **cast("Mapping[str, str]", default_environment()),
            "implementation_name": "cpython",
            "implementation_version": version,
            "platform_machine": machine or platform.machine(),
            "platform_python_implementation": "CPython",
            "python_full_version": version,
            "python_version": short,
            **markers,
        }
        return cls(tags=tags, environment=MappingProxyType(environment))
