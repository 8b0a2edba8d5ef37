"""What sshd allows, from /etc/ssh/sshd_config and the files it includes.

The files are read rather than asking `sshd -T`, which needs root, the host keys and a privilege separation directory.
A keyword that is not set has the default of sshd_config(5), OpenSSH 7.4 and later.
"""

import fnmatch
import posixpath
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

from assess_host_baseline.facts import exists, listing, read_text
from assess_host_baseline.files import LIST_SSH, SSH
from assess_host_baseline.formats.sshd_config import directives_for_all, first_value
from assess_host_baseline.formats.text import Malformed, shown
from assess_host_baseline.verdicts import cannot_tell, not_applicable, verdict
from assess_plugin import ActionInput, CheckResult, Checks, Host

CONFIG = f"{SSH}/sshd_config"
PROGRAM = "/usr/sbin/sshd"

MAX_DEPTH_LISTED = 3
"""Levels below /etc/ssh that `LIST_SSH` lists."""


class OutOfReach(Exception):
    """A file that may decide the value lies where this plugin does not look."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Keyword:
    """One check of one keyword: its default, and which values are good."""

    check_id: str
    name: str
    default: str
    expected: str
    admits: Callable[[str], bool]


def exactly(value: str) -> Callable[[str], bool]:
    """This value alone is good. sshd takes some keywords' values in any case; none is good in one case alone."""
    return lambda got: got.lower() == value


def at_most(limit: int) -> Callable[[str], bool]:
    """A number from 1 to this one is good."""

    def admits(got: str) -> bool:
        if not (got.isascii() and got.isdigit() and len(got) < 10):
            raise Malformed(f"{shown(got)!r} is not a number")
        return 1 <= int(got) <= limit

    return admits


def _no(check_id: str, name: str, *, default: str) -> Keyword:
    return Keyword(check_id=check_id, name=name, default=default, expected="no", admits=exactly("no"))


KEYWORDS = (
    _no("sshd-permit-root-login", "PermitRootLogin", default="prohibit-password"),
    _no("sshd-password-authentication", "PasswordAuthentication", default="yes"),
    _no("sshd-permit-empty-passwords", "PermitEmptyPasswords", default="no"),
    _no("sshd-hostbased-authentication", "HostbasedAuthentication", default="no"),
    _no("sshd-permit-user-environment", "PermitUserEnvironment", default="no"),
    _no("sshd-x11-forwarding", "X11Forwarding", default="no"),
    Keyword(check_id="sshd-max-auth-tries", name="MaxAuthTries", default="6", expected="1 to 4", admits=at_most(4)),
)


def assess(keyword: Keyword, input: ActionInput) -> CheckResult:
    """Assess one keyword, as it holds for connections that no `Match` block singles out."""
    if not exists(input.host, CONFIG):
        if exists(input.host, PROGRAM):
            return cannot_tell(keyword.check_id, f"{PROGRAM} is installed, but its configuration is not at {CONFIG}")
        return not_applicable(keyword.check_id, f"there is no {CONFIG}: no OpenSSH server is set up here")
    try:
        return _judge(keyword, input.host)
    except OutOfReach as error:
        return cannot_tell(keyword.check_id, str(error))


def _judge(keyword: Keyword, host: Host) -> CheckResult:
    directives = directives_for_all(read_text(host, CONFIG), CONFIG, partial(_included, host))
    decides = first_value(directives, keyword.name)
    value = keyword.default if decides is None else decides.arguments[0]
    where = "by default" if decides is None else f"in {shown(decides.path)} line {decides.line}"
    return verdict(
        keyword.check_id,
        ok=keyword.admits(value),
        reason=f"{keyword.name} is {shown(value)} {where}",
        expected=keyword.expected,
        actual=shown(value),
    )


def _included(host: Host, pattern: str) -> Iterator[tuple[str, str]]:
    """Path and text of the files that a pattern names, in lexical order; a relative one starts at /etc/ssh."""
    full = posixpath.normpath(posixpath.join(SSH, pattern))
    levels = full.split("/")
    if not full.startswith(f"{SSH}/") or len(levels) > SSH.count("/") + 1 + MAX_DEPTH_LISTED:
        raise OutOfReach(f"sshd includes {shown(full)}, and only {SSH} is looked at, {MAX_DEPTH_LISTED} levels deep")
    for path in sorted(path for path in listing(host, LIST_SSH) if _matches(path, levels)):
        yield path, read_text(host, path)


def _matches(path: str, pattern: list[str]) -> bool:
    """As glob(7): level by level, and a leading dot is matched by a dot alone."""
    names = path.split("/")
    return len(names) == len(pattern) and all(
        fnmatch.fnmatchcase(name, part) and (not name.startswith(".") or part.startswith("."))
        for name, part in zip(names, pattern, strict=True)
    )


CHECKS = Checks()
for _keyword in KEYWORDS:
    CHECKS.check(_keyword.check_id)(partial(assess, _keyword))
