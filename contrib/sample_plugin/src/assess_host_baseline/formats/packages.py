r"""What dpkg-query and apt print about packages.

ii  openssl 3.0.20-1~deb12u2                                       dpkg-query -W -f with `QUERY_FORMAT`
openssl/stable-security 3.0.20-1~deb12u2 amd64 [upgradable from: ...]     apt list --upgradable
"""

import re
from dataclasses import dataclass

from assess_host_baseline.formats.text import Malformed, shown

HEADING = "Listing..."
"""In the language that the host gives commands, which is English (LANG=C.UTF-8)."""

QUERY_FORMAT = "${db:Status-Abbrev}\\t${Package}\\t${Version}\\n"

_UPGRADE = re.compile(r"(?P<name>[a-z0-9][a-z0-9+.-]+)/(?P<suites>\S+) (?P<version>\S+) \S+( \[.*\])?\Z", re.ASCII)
_LIST = re.compile(r".+_dists_(?P<suite>[A-Za-z0-9.-]+-security)_(?P<rest>.+)\Z")


@dataclass(frozen=True, kw_only=True, slots=True)
class Package:
    """A package that dpkg knows. `status` is want, status and error in one letter each: `ii ` is well installed."""

    status: str
    name: str
    version: str

    @property
    def installed(self) -> bool:
        """Whether its files are there, in whatever state."""
        return self.status[1] not in "nc"

    @property
    def whole(self) -> bool:
        """Whether it is configured or was removed in good order (dpkg-query(1), db:Status-Abbrev)."""
        return self.status[1] in "inc" and self.status[2] == " "


@dataclass(frozen=True, kw_only=True, slots=True)
class Upgrade:
    """A newer version that a package list offers, and the suites it comes from."""

    name: str
    version: str
    suites: tuple[str, ...]

    @property
    def is_security(self) -> bool:
        """Whether a suite for security updates offers it: `bookworm-security`, `stable-security`, `jammy-security`."""
        return any(suite.endswith("-security") for suite in self.suites)


def parse_packages(text: str) -> tuple[Package, ...]:
    """The packages that `dpkg-query -W` printed.

    Raises:
        Malformed: a line is not one, or there is none.
    """
    lines = [line.split("\t") for line in text.split("\n") if line]
    if not lines:
        raise Malformed("dpkg-query knows no package")
    for fields in lines:
        if len(fields) != 3 or len(fields[0]) != 3:
            raise Malformed(f"dpkg-query printed {shown(' '.join(fields))!r}")
    return tuple(Package(status=status, name=name, version=version) for status, name, version in lines)


def parse_upgrades(text: str) -> tuple[Upgrade, ...]:
    """The upgrades that `apt list --upgradable` printed below its heading.

    The heading must be there: no output at all is not the same as no upgrades.

    Raises:
        Malformed: it is not, or a line is not an upgrade.
    """
    heading, newline, body = text.partition("\n")
    if not (newline and heading.startswith(HEADING)):
        raise Malformed(f"apt began with {shown(heading)!r} instead of its heading")
    upgrades = []
    for line in body.split("\n"):
        if not line:
            continue
        match = _UPGRADE.match(line)
        if match is None:
            raise Malformed(f"apt printed {shown(line)!r}")
        suites = tuple(match["suites"].split(","))
        upgrades.append(Upgrade(name=match["name"], version=match["version"], suites=suites))
    return tuple(upgrades)


def security_lists(entries: tuple[str, ...]) -> dict[str, float]:
    """Files of security suites in apt's lists, by name, with the time of their contents in seconds since 1970.

    Args:
        entries: `TIME NAME`, as `find -printf "%T@ %f"` prints them; apt gives a file the time its server gave it.

    Raises:
        Malformed: a time is not a number.
    """
    found = {}
    for entry in entries:
        time, _, name = entry.partition(" ")
        if _LIST.match(name):
            try:
                found[name] = float(time)
            except ValueError as error:
                raise Malformed(f"find printed {shown(entry)!r}, not a time and a name") from error
    return found
