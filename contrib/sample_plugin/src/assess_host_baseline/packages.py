"""Packages: whole, new enough, and without a security update that waits. Where there is no dpkg, nothing applies.

No network is used. Which updates wait is known from the lists that apt fetched last; when there is no list of a
security suite, or it is old, nobody can tell, and the check says so.
"""

import math
from collections.abc import Callable, Mapping
from functools import wraps

from assess_host_baseline.facts import exists, listing, output
from assess_host_baseline.formats.debian_versions import compare
from assess_host_baseline.formats.packages import (
    QUERY_FORMAT,
    Package,
    parse_packages,
    parse_upgrades,
    security_lists,
)
from assess_host_baseline.formats.text import Malformed, shown
from assess_host_baseline.verdicts import cannot_tell, listed, not_applicable, verdict
from assess_plugin import ActionInput, CheckResult, Checks, Host

DATABASE = "/var/lib/dpkg/status"
LISTS = "/var/lib/apt/lists"
QUERY = ("dpkg-query", "-W", "-f", QUERY_FORMAT)
LIST_LISTS = ("find", LISTS, "-maxdepth", "1", "-type", "f", "-printf", "%T@ %f\\0")
NOW = ("date", "+%s")
# without a cache to write: looking must not change what is looked at
UPGRADABLE = ("apt", "-o", "Dir::Cache::pkgcache=", "-o", "Dir::Cache::srcpkgcache=", "list", "--upgradable")

DAY_S = 86_400

CheckFunction = Callable[[ActionInput], CheckResult]
CHECKS = Checks()


def _with_dpkg(check_id: str) -> Callable[[CheckFunction], CheckFunction]:
    """Add a check that applies where dpkg keeps a database."""

    def add(function: CheckFunction) -> CheckFunction:
        @wraps(function)
        def check(input: ActionInput) -> CheckResult:
            if not exists(input.host, DATABASE):
                return not_applicable(check_id, f"there is no {DATABASE}: packages are not managed by dpkg here")
            return function(input)

        return CHECKS.check(check_id)(check)

    return add


@_with_dpkg("package-states")
def package_states(input: ActionInput) -> CheckResult:
    """No package is half installed, unconfigured or in need of a reinstallation."""
    broken = [f"{package.name} ({package.status.strip()})" for package in _packages(input.host) if not package.whole]
    return verdict(
        "package-states",
        ok=not broken,
        reason=f"packages that are not whole: {listed(broken) if broken else 'none'}",
        expected="none",
        actual=listed(broken) if broken else "none",
    )


@_with_dpkg("package-minimum-versions")
def minimum_versions(input: ActionInput) -> CheckResult:
    """Every installed package that the setting `minimum_versions` names is new enough."""
    wanted: Mapping[str, str] = input.settings["minimum_versions"]
    found = [package for package in _packages(input.host) if package.installed and package.name in wanted]
    if not found:
        return not_applicable("package-minimum-versions", f"not installed: {listed(sorted(wanted)) or 'nothing asked'}")
    older = [package for package in found if compare(package.version, wanted[package.name]) < 0]
    return verdict(
        "package-minimum-versions",
        ok=not older,
        reason=f"older than they must be: {_versions(older) if older else 'none'}",
        expected=listed([f"{package.name} {wanted[package.name]} or later" for package in found]),
        actual=_versions(found),
    )


@_with_dpkg("package-security-updates")
def security_updates(input: ActionInput) -> CheckResult:
    """No update from a suite for security updates waits to be installed."""
    check_id = "package-security-updates"
    doubt = _doubt_about_lists(input.host, float(input.settings["lists_max_age_days"]))
    if doubt:
        return cannot_tell(check_id, f"{doubt}; run `apt-get update` as root")
    printed = output(input.host, UPGRADABLE, timeout_s=20.0)
    waiting = [f"{update.name} {update.version}" for update in parse_upgrades(printed) if update.is_security]
    evidence = input.host.evidence("security-updates", "".join(f"{line}\n" for line in waiting).encode())
    return verdict(
        check_id,
        ok=not waiting,
        reason=f"security updates that wait: {listed(waiting) if waiting else 'none'}",
        expected="none",
        actual=f"{len(waiting)}" if waiting else "none",
        evidence=(evidence,),
    )


def _packages(host: Host) -> tuple[Package, ...]:
    return parse_packages(output(host, QUERY))


def _versions(packages: list[Package]) -> str:
    return listed([f"{package.name} {package.version}" for package in packages])


def _doubt_about_lists(host: Host, max_age_days: float) -> str:
    """Why apt's lists cannot tell which security updates there are; empty when they can."""
    if not exists(host, LISTS):
        return f"there is no {LISTS}"
    times = security_lists(listing(host, LIST_LISTS))
    if not any("_Packages" in name for name in times):
        return f"no list of a suite for security updates is in {LISTS}"
    now = output(host, NOW).strip()
    if not (now.isascii() and now.isdigit()):
        raise Malformed(f"date printed {shown(now)!r}, not a time")
    age_days = (int(now) - max(times.values())) / DAY_S
    if not math.isfinite(age_days) or age_days > max_age_days:
        return f"the lists of security updates are {age_days:.0f} days old, more than {max_age_days:g}"
    if age_days < -1:
        return f"the lists of security updates are {-age_days:.0f} days ahead of this host's clock"
    return ""
