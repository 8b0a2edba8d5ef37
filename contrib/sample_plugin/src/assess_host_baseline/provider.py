"""Entry point `local-host`: finds the host it runs on.

Selectors are those of `assess_plugin.selecting`: labels, expressions, ids; none means this host. Its labels are those
of the runtime, and `os`, `os-version` and `arch` as the host gives them; a runtime's label of the same name counts,
because a person wrote it. An id of another host is a problem: it is not found here.
"""

from collections.abc import Mapping

from assess_host_baseline.facts import output, read_text
from assess_host_baseline.formats.os_release import parse_os_release
from assess_host_baseline.formats.text import Malformed, shown
from assess_plugin import EvaluateInput, EvaluateResult, Host, Subject, hookimpl
from assess_plugin.selecting import limited, parse_selector

HOSTNAME = "/proc/sys/kernel/hostname"
OS_RELEASE = ("/etc/os-release", "/usr/lib/os-release")
"""In the order of os-release(5)."""

MACHINE = ("uname", "-m")

MAX_HOSTNAME = 64
"""Linux: __NEW_UTS_LEN."""


@hookimpl
def assess_evaluate(input: EvaluateInput) -> EvaluateResult:
    """This host, or nothing when the selector asks for another."""
    selector = parse_selector(input.selector)
    name = hostname(input.host)
    labels = {**labels_of_host(input.host), **input.labels}
    this = Subject(id=f"host:{name}", type="inventory-item", title=name, labels=labels)
    found = (this,) if selector.matches(this) else ()
    return EvaluateResult(subjects=found, problems=limited(selector.unknown((this,))))


def hostname(host: Host) -> str:
    """The name this kernel goes by, as `uname -n` prints it.

    Raises:
        Malformed: it is empty, or holds what no host name should.
    """
    name = read_text(host, HOSTNAME).strip()
    if not name or len(name) > MAX_HOSTNAME or not name.isprintable():
        raise Malformed(f"{HOSTNAME} holds {shown(name)!r}, not a host name")
    return name


def labels_of_host(host: Host) -> dict[str, str]:
    """`os` and `os-version` where the host has an os-release file, and `arch`."""
    release = _os_release(host)
    named = {"os": release.get("ID", ""), "os-version": release.get("VERSION_ID", "")}
    labels = {key: shown(value) for key, value in named.items() if value}
    return {**labels, "arch": shown(output(host, MACHINE).strip())}


def _os_release(host: Host) -> Mapping[str, str]:
    for path in OS_RELEASE:
        try:
            return parse_os_release(read_text(host, path))
        except FileNotFoundError:
            continue
    return {}
