"""Modes and owners of files that decide who may do what.

Status alone is asked for, so no right to read is needed. "Or stricter" means: no permission bit beyond those given.
A symbolic link in place of a file fails: whoever owns the link decides what the file is.
"""

import stat
from dataclasses import dataclass
from functools import partial

from assess_host_baseline.facts import exists, listing, read_text
from assess_host_baseline.formats.account_files import parse_group
from assess_host_baseline.verdicts import cannot_tell, listed, not_applicable, verdict
from assess_plugin import ActionInput, CheckResult, Checks, FileStatus, Host

SSH = "/etc/ssh"
LIST_SSH = ("find", SSH, "-maxdepth", "3", "-printf", "%p\\0")

GROUP_FILE = "/etc/group"
ROOT = "root"

_TYPES = {stat.S_IFREG: "a regular file", stat.S_IFDIR: "a directory", stat.S_IFLNK: "a symbolic link"}


@dataclass(frozen=True, kw_only=True, slots=True)
class Guarded:
    """One check of some paths: the most that their mode may allow, and who may own them.

    Attributes:
        paths: those that exist are judged; with none of them the check does not apply.
        mode: permission bits that may be set.
        groups: names of the groups that may own them, as /etc/group resolves them.
        type: the one file type they may have.
        must_exist: no Linux host is without these: where they are absent, nothing can be told.
        needs: bits that must be set as well.
    """

    check_id: str
    paths: tuple[str, ...]
    mode: int
    groups: tuple[str, ...] = (ROOT,)
    type: int = stat.S_IFREG
    must_exist: bool = False
    needs: int = 0

    @property
    def expected(self) -> str:
        """The rule, for people."""
        sticky = ", sticky" if self.needs & stat.S_ISVTX else ""
        groups = " or ".join(self.groups)
        return f"{_TYPES[self.type]}, mode {self.mode:04o} or stricter{sticky}, owner root, group {groups}"


PASSWORDS = ("shadow", ROOT)
"""Debian gives its password files to group shadow, others to root."""

GUARDED = (
    Guarded(check_id="file-passwd", paths=("/etc/passwd",), mode=0o644, must_exist=True),
    Guarded(check_id="file-group", paths=(GROUP_FILE,), mode=0o644, must_exist=True),
    Guarded(check_id="file-shadow", paths=("/etc/shadow",), mode=0o640, groups=PASSWORDS),
    Guarded(check_id="file-gshadow", paths=("/etc/gshadow",), mode=0o640, groups=PASSWORDS),
    Guarded(check_id="file-shadow-backups", paths=("/etc/shadow-", "/etc/gshadow-"), mode=0o640, groups=PASSWORDS),
    Guarded(check_id="file-login-defs", paths=("/etc/login.defs",), mode=0o644),
    Guarded(check_id="file-sudoers", paths=("/etc/sudoers",), mode=0o440),
    Guarded(check_id="file-sudoers-directory", paths=("/etc/sudoers.d",), mode=0o755, type=stat.S_IFDIR),
    Guarded(check_id="file-sshd-config", paths=("/etc/ssh/sshd_config",), mode=0o644),
    Guarded(check_id="file-crontab", paths=("/etc/crontab",), mode=0o644),
    Guarded(
        check_id="file-cron-directories",
        paths=("/etc/cron.d", "/etc/cron.hourly", "/etc/cron.daily", "/etc/cron.weekly", "/etc/cron.monthly"),
        mode=0o755,
        type=stat.S_IFDIR,
    ),
    Guarded(check_id="file-root-home", paths=("/root",), mode=0o750, type=stat.S_IFDIR),
    Guarded(
        check_id="file-tmp",
        paths=("/tmp", "/var/tmp"),  # noqa: S108  what is judged, not a place to write
        mode=0o1777,
        type=stat.S_IFDIR,
        needs=stat.S_ISVTX,
    ),
)

# Red Hat's keys belong to group ssh_keys with mode 0640; everywhere else they are root's alone
HOST_KEYS = Guarded(check_id="file-ssh-host-keys", paths=(), mode=0o640, groups=(ROOT, "ssh_keys"))

CHECKS = Checks()


def assess(guarded: Guarded, input: ActionInput) -> CheckResult:
    """Assess the paths of one check."""
    return _judge(guarded, guarded.paths, input.host)


@CHECKS.check(HOST_KEYS.check_id)
def ssh_host_keys(input: ActionInput) -> CheckResult:
    """Private host keys are found by their name, `ssh_host_*_key` (sshd_config(5), HostKey)."""
    if not exists(input.host, SSH):
        return not_applicable(HOST_KEYS.check_id, f"there is no {SSH}")
    keys = tuple(
        path for path in listing(input.host, LIST_SSH) if path.startswith(f"{SSH}/ssh_host_") and path.endswith("_key")
    )
    if not keys:
        return not_applicable(HOST_KEYS.check_id, f"there is no host key in {SSH}")
    return _judge(HOST_KEYS, keys, input.host)


def _judge(guarded: Guarded, paths: tuple[str, ...], host: Host) -> CheckResult:
    found = {path: status for path in paths if (status := _status(host, path)) is not None}
    if not found:
        reason = f"there is no {' or '.join(paths)}"
        return (cannot_tell if guarded.must_exist else not_applicable)(guarded.check_id, reason)
    gids = _gids(host, guarded.groups)
    faults = {path: _faults(guarded, status, gids) for path, status in found.items()}
    wrong = [f"{path} {' and '.join(fault)}" for path, fault in faults.items() if fault]
    return verdict(
        guarded.check_id,
        ok=not wrong,
        reason=listed(wrong) if wrong else f"{listed(list(found))}: as expected",
        expected=guarded.expected,
        actual=listed([f"{path} {_described(status)}" for path, status in found.items()]),
    )


def _status(host: Host, path: str) -> FileStatus | None:
    try:
        return host.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        return None


def _gids(host: Host, names: tuple[str, ...]) -> frozenset[int]:
    """Group ids of these names. Root is 0 whatever /etc/group says, and most checks ask for nothing else."""
    if names == (ROOT,):
        return frozenset((0,))
    groups = parse_group(read_text(host, GROUP_FILE))
    return frozenset((0, *(group.gid for group in groups if group.name in names)))


def _faults(guarded: Guarded, status: FileStatus, gids: frozenset[int]) -> tuple[str, ...]:
    kind, mode = stat.S_IFMT(status.mode), stat.S_IMODE(status.mode)
    if kind != guarded.type:
        return (f"is {_TYPES.get(kind, 'a special file')}",)
    return tuple(
        fault
        for fault, wrong in (
            (f"has mode {mode:04o}", bool(mode & ~guarded.mode) or mode & guarded.needs != guarded.needs),
            (f"belongs to uid {status.uid}", status.uid != 0),
            (f"belongs to gid {status.gid}", status.gid not in gids),
        )
        if wrong
    )


def _described(status: FileStatus) -> str:
    return f"{stat.S_IMODE(status.mode):04o} {status.uid}:{status.gid}"


for _guarded in GUARDED:
    CHECKS.check(_guarded.check_id)(partial(assess, _guarded))
