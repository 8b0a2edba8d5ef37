"""Kernel parameters, read from /proc/sys as sysctl(8) does.

A parameter that this kernel does not have is not applicable: a kernel without Yama has no `ptrace_scope`.

Network parameters exist once for `all` and once for each interface, and the two are combined by a rule of their own:
the kernel takes the larger `rp_filter`, and obeys a redirect when either says so (Linux, networking/ip-sysctl.rst). So
every interface is looked at, and `default`, from which later interfaces take theirs.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from assess_host_baseline.facts import listing, read_text
from assess_host_baseline.formats.text import Malformed, shown
from assess_host_baseline.verdicts import listed, not_applicable, verdict
from assess_plugin import ActionInput, CheckResult, Checks, Host

INTERFACES = "/proc/sys/net/ipv4/conf"
LIST_INTERFACES = ("find", INTERFACES, "-mindepth", "1", "-maxdepth", "1", "-type", "d", "-printf", "%f\\0")

LOOPBACK = "lo"
"""Its packets never leave the host, so filters and redirects mean nothing there."""

_NUMBER = re.compile(r"-?[0-9]{1,20}\n?\Z", re.ASCII)


@dataclass(frozen=True, kw_only=True, slots=True)
class Wanted:
    """Which values are good, as text for people and as a test."""

    text: str
    admits: Callable[[int], bool]


@dataclass(frozen=True, kw_only=True, slots=True)
class Parameter:
    """One check of one parameter; `combine` is given for a parameter that each interface has."""

    check_id: str
    name: str
    wanted: Wanted
    combine: Callable[[int, int], int] | None = None


def exactly(value: int) -> Wanted:
    """This value alone is good."""
    return Wanted(text=str(value), admits=lambda got: got == value)


def at_least(value: int) -> Wanted:
    """This value and stricter ones are good."""
    return Wanted(text=f"{value} or more", admits=lambda got: got >= value)


def one_of(*values: int) -> Wanted:
    """Each of these values is good."""
    return Wanted(text=" or ".join(map(str, values)), admits=lambda got: got in values)


PARAMETERS = (
    Parameter(check_id="sysctl-protected-symlinks", name="fs.protected_symlinks", wanted=exactly(1)),
    Parameter(check_id="sysctl-protected-hardlinks", name="fs.protected_hardlinks", wanted=exactly(1)),
    Parameter(check_id="sysctl-protected-fifos", name="fs.protected_fifos", wanted=at_least(1)),
    Parameter(check_id="sysctl-protected-regular", name="fs.protected_regular", wanted=at_least(1)),
    # 2 is "suidsafe": the dump can be read by root alone (Linux, sysctl/fs.rst)
    Parameter(check_id="sysctl-suid-dumpable", name="fs.suid_dumpable", wanted=one_of(0, 2)),
    Parameter(check_id="sysctl-randomize-va-space", name="kernel.randomize_va_space", wanted=exactly(2)),
    Parameter(check_id="sysctl-kptr-restrict", name="kernel.kptr_restrict", wanted=at_least(1)),
    Parameter(check_id="sysctl-dmesg-restrict", name="kernel.dmesg_restrict", wanted=exactly(1)),
    Parameter(check_id="sysctl-perf-event-paranoid", name="kernel.perf_event_paranoid", wanted=at_least(2)),
    Parameter(check_id="sysctl-unprivileged-bpf", name="kernel.unprivileged_bpf_disabled", wanted=at_least(1)),
    Parameter(check_id="sysctl-bpf-jit-harden", name="net.core.bpf_jit_harden", wanted=at_least(1)),
    Parameter(check_id="sysctl-ptrace-scope", name="kernel.yama.ptrace_scope", wanted=at_least(1)),
    Parameter(check_id="sysctl-tcp-syncookies", name="net.ipv4.tcp_syncookies", wanted=at_least(1)),
    Parameter(check_id="sysctl-rp-filter", name="rp_filter", wanted=one_of(1, 2), combine=max),
    Parameter(check_id="sysctl-accept-redirects", name="accept_redirects", wanted=exactly(0), combine=max),
    Parameter(check_id="sysctl-send-redirects", name="send_redirects", wanted=exactly(0), combine=max),
    # both must be on for a packet with a source route to be taken
    Parameter(check_id="sysctl-accept-source-route", name="accept_source_route", wanted=exactly(0), combine=min),
)


def assess(parameter: Parameter, input: ActionInput) -> CheckResult:
    """Assess one parameter of the running kernel."""
    try:
        return (_assess_each if parameter.combine else _assess_one)(parameter, input.host)
    except FileNotFoundError:
        return not_applicable(parameter.check_id, f"this kernel has no {parameter.name}")


def _assess_one(parameter: Parameter, host: Host) -> CheckResult:
    value = _read_number(host, "/proc/sys/" + parameter.name.replace(".", "/"))
    return verdict(
        parameter.check_id,
        ok=parameter.wanted.admits(value),
        reason=f"{parameter.name} is {value}",
        expected=parameter.wanted.text,
        actual=str(value),
    )


def _assess_each(parameter: Parameter, host: Host) -> CheckResult:
    combine = parameter.combine or max
    common = _read_number(host, f"{INTERFACES}/all/{parameter.name}")
    found = {name: combine(common, value) for name, value in _of_interfaces(host, parameter.name).items()}
    wrong = sorted(name for name, value in found.items() if not parameter.wanted.admits(value))
    name = f"net.ipv4.conf.*.{parameter.name}"
    return verdict(
        parameter.check_id,
        ok=not wrong,
        reason=f"{name} has another effect on {listed(wrong)}" if wrong else f"{name} is so on every interface",
        expected=parameter.wanted.text,
        actual=shown(" ".join(f"{interface}={value}" for interface, value in sorted(found.items()))),
    )


def _of_interfaces(host: Host, name: str) -> dict[str, int]:
    values: dict[str, int] = {}
    for interface in listing(host, LIST_INTERFACES):
        if interface in ("all", LOOPBACK):
            continue
        try:
            values[interface] = _read_number(host, f"{INTERFACES}/{interface}/{name}")
        except FileNotFoundError:
            continue  # unplugged since it was listed
    if not values:
        raise Malformed(f"{INTERFACES} lists no interface, not even `default`")
    return values


def _read_number(host: Host, path: str) -> int:
    text = read_text(host, path)
    if not _NUMBER.match(text):
        raise Malformed(f"{path} holds {shown(text)!r}, not a number")
    return int(text)


CHECKS = Checks()
for _parameter in PARAMETERS:
    CHECKS.check(_parameter.check_id)(partial(assess, _parameter))
