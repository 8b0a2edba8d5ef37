"""The interpreters and platforms that a registry serves, each as what a lock is asked for: tags and markers.

A platform of `[targets]` is the newest that a machine accepts, so `manylinux_2_28_x86_64` takes wheels for every older
glibc, too (PEP 600), as installers do.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache

from packaging.specifiers import SpecifierSet
from packaging.tags import Tag, compatible_tags, cpython_tags, mac_platforms

from assess_registry.config import Targets
from assess_registry.wheel import InspectedWheel

_LINUX = re.compile(r"(manylinux|musllinux)_(\d+)_(\d+)_(\w+)\Z", re.ASCII)
_MACOS = re.compile(r"macosx_(\d+)_(\d+)_(\w+)\Z", re.ASCII)
_LEGACY = {17: "manylinux2014", 12: "manylinux2010", 5: "manylinux1"}
"""Minor version of glibc 2 -> the name it had before PEP 600."""

_LAST_PATCH = 99
"""Of any Python: a target is the newest patch level of its version, whichever that is by now."""


@dataclass(frozen=True, kw_only=True, slots=True)
class RegistryTarget:
    """One Python on one platform; what `Lock.select` asks of a target.

    Attributes:
        name: for sentences, `Python 3.12 on manylinux_2_28_x86_64`.
    """

    name: str
    tags: tuple[Tag, ...]
    environment: Mapping[str, str]

    def admits(self, wheel: InspectedWheel) -> bool:
        """Whether the wheel by itself can be installed here."""
        requires_python = wheel.requires_python or SpecifierSet()
        return not wheel.tags.isdisjoint(self.tags) and requires_python.contains(
            self.environment["python_full_version"]
        )


def targets_of(targets: Targets) -> Iterator[RegistryTarget]:
    """Every Python on every platform."""
    for python in targets.pythons:
        for platform in targets.platforms:
            yield _target(python, platform)


@lru_cache(maxsize=256)  # each has a thousand tags, and is asked for with every wheel
def _target(python: str, platform: str) -> RegistryTarget:
    release = [int(part) for part in python.split(".")[:2]]
    interpreter = f"cp{release[0]}{release[1]}"
    platforms = list(_accepted(platform))
    # The ABI is given, for packaging would otherwise ask how the running interpreter was built.
    tags = (
        *cpython_tags(release, abis=[interpreter], platforms=platforms),
        *compatible_tags(release, interpreter=interpreter, platforms=platforms),
    )
    return RegistryTarget(
        name=f"Python {python} on {platform}", tags=tags, environment=_environment(python, platform, platforms)
    )


def _accepted(platform: str) -> Iterator[str]:
    """Platform tags that install where this one does, best first."""
    if found := _LINUX.match(platform):
        kind, major, minor, machine = found[1], found[2], int(found[3]), found[4]
        for each in range(minor, -1, -1):
            yield f"{kind}_{major}_{each}_{machine}"
            if kind == "manylinux" and each in _LEGACY:
                yield f"{_LEGACY[each]}_{machine}"
        yield f"linux_{machine}"
    elif found := _MACOS.match(platform):
        yield from mac_platforms((int(found[1]), int(found[2])), found[3])
    else:
        yield platform


def _environment(python: str, platform: str, platforms: list[str]) -> Mapping[str, str]:
    """Marker variables of PEP 508, for CPython."""
    full = f"{python}.{_LAST_PATCH}"
    if platform.startswith("win"):
        system, sys_platform, os_name = "Windows", "win32", "nt"
        machine = {"win_amd64": "AMD64", "win_arm64": "ARM64"}.get(platform, "x86")
    else:
        is_mac = platform.startswith("macosx")
        system, sys_platform, os_name = ("Darwin", "darwin", "posix") if is_mac else ("Linux", "linux", "posix")
        found = _LINUX.match(platform) or _MACOS.match(platform)
        machine = found[found.re.groups] if found else platforms[-1].partition("_")[2]
    return {
        "implementation_name": "cpython",
        "implementation_version": full,
        "os_name": os_name,
        "platform_machine": machine,
        "platform_python_implementation": "CPython",
        "platform_release": "",
        "platform_system": system,
        "platform_version": "",
        "python_full_version": full,
        "python_version": python,
        "sys_platform": sys_platform,
    }
