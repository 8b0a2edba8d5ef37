"""Every check passes on the good host; changing one fact changes exactly the verdicts that are about it."""

from collections.abc import Callable
from dataclasses import dataclass

import pytest
from good_host import (
    FOUND,
    GROUP,
    LOGIN_DEFS,
    NOW_S,
    PACKAGES,
    PASSWD,
    SEARCH,
    SECURITY_LIST,
    SHADOW,
    SSHD_CONFIG,
    list_ssh,
    names,
)

from assess_host_baseline import files, kernel, packages, plugin
from assess_plugin import CommandResult, HostError, Outcome
from assess_plugin.testing import PlantedHost, execute

FAIL, ERROR, SKIPPED, NOT_APPLICABLE = Outcome.FAIL, Outcome.ERROR, Outcome.SKIPPED, Outcome.NOT_APPLICABLE


@dataclass(frozen=True, kw_only=True, slots=True)
class Change:
    """One fact that differs, and the verdicts that follow from it."""

    name: str
    make: Callable[[PlantedHost], object]
    becomes: Outcome
    checks: tuple[str, ...]


def change(name: str, make: Callable[[PlantedHost], object], becomes: Outcome, *checks: str) -> Change:
    return Change(name=name, make=make, becomes=becomes, checks=checks)


def plant(path: str, content: str | bytes, *, mode: int = 0o644, gid: int = 0) -> Callable[[PlantedHost], object]:
    return lambda host: host.plant(path, content, mode=mode, gid=gid)


def sysctl(name: str, value: object) -> Callable[[PlantedHost], object]:
    return plant(f"/proc/sys/{name}", f"{value}\n")


def absent(*paths: str) -> Callable[[PlantedHost], object]:
    def make(host: PlantedHost) -> None:
        for path in paths:
            host.remove(path)

    return make


def own(path: str, *, mode: int | None = None, uid: int | None = None, gid: int | None = None) -> Callable[..., object]:
    return lambda host: host.own(path, mode=mode, uid=uid, gid=gid)


def says(argv: tuple[str, ...], answer: str | CommandResult | HostError) -> Callable[[PlantedHost], object]:
    return lambda host: host.commands.update({argv: answer})


def ssh(**contents: str) -> Callable[[PlantedHost], object]:
    """Files in /etc/ssh/sshd_config.d, named by keyword; `config` is sshd_config itself."""

    def make(host: PlantedHost) -> None:
        for name, content in contents.items():
            path = "sshd_config" if name == "config" else f"sshd_config.d/{name}.conf"
            host.plant(f"/etc/ssh/{path}", content)
        list_ssh(host)

    return make


def ssh_key(**status: int) -> Callable[[PlantedHost], object]:
    def make(host: PlantedHost) -> None:
        host.plant("/etc/ssh/ssh_host_rsa_key", "not a key", **status)
        list_ssh(host)

    return make


def shadow(line: str) -> Callable[[PlantedHost], object]:
    return plant("/etc/shadow", f"{SHADOW}{line}\n", mode=0o640, gid=42)


KERNEL = (
    ("sysctl-protected-symlinks", "fs/protected_symlinks", 0),
    ("sysctl-protected-hardlinks", "fs/protected_hardlinks", 0),
    ("sysctl-protected-fifos", "fs/protected_fifos", 0),
    ("sysctl-protected-regular", "fs/protected_regular", 0),
    ("sysctl-suid-dumpable", "fs/suid_dumpable", 1),
    ("sysctl-randomize-va-space", "kernel/randomize_va_space", 1),
    ("sysctl-kptr-restrict", "kernel/kptr_restrict", 0),
    ("sysctl-dmesg-restrict", "kernel/dmesg_restrict", 0),
    ("sysctl-perf-event-paranoid", "kernel/perf_event_paranoid", -1),
    ("sysctl-unprivileged-bpf", "kernel/unprivileged_bpf_disabled", 0),
    ("sysctl-bpf-jit-harden", "net/core/bpf_jit_harden", 0),
    ("sysctl-ptrace-scope", "kernel/yama/ptrace_scope", 0),
    ("sysctl-tcp-syncookies", "net/ipv4/tcp_syncookies", 0),
    ("sysctl-accept-redirects", "net/ipv4/conf/all/accept_redirects", 1),
    ("sysctl-send-redirects", "net/ipv4/conf/all/send_redirects", 1),
)
INTERFACES = (
    ("sysctl-accept-redirects", "net/ipv4/conf/eth0/accept_redirects", 1),
    ("sysctl-accept-redirects", "net/ipv4/conf/default/accept_redirects", 1),
    ("sysctl-send-redirects", "net/ipv4/conf/eth0/send_redirects", 1),
)


def both(*makes: Callable[[PlantedHost], object]) -> Callable[[PlantedHost], object]:
    return lambda host: [make(host) for make in makes]


FAILS = (
    *(change(f"{path} is {value}", sysctl(path, value), FAIL, check) for check, path, value in KERNEL + INTERFACES),
    change(
        "rp_filter is off for one interface",
        both(sysctl("net/ipv4/conf/all/rp_filter", 0), sysctl("net/ipv4/conf/eth0/rp_filter", 0)),
        FAIL,
        "sysctl-rp-filter",
    ),
    change(
        "source routes are taken by one interface",
        both(
            sysctl("net/ipv4/conf/all/accept_source_route", 1), sysctl("net/ipv4/conf/eth0/accept_source_route", 1)
        ),
        FAIL,
        "sysctl-accept-source-route",
    ),
    # one path of each check of modes: too open, of another user, of another group, of another type
    *(
        change(f"{guarded.paths[0]} {wrong}", own(guarded.paths[0], **status), FAIL, guarded.check_id)
        for guarded in files.GUARDED
        for wrong, status in (
            ("belongs to a user", {"uid": 1000}),
            ("belongs to a group", {"gid": 1000}),
        )
    ),
    *(
        change(f"{path} has mode {mode:04o}", own(path, mode=mode), FAIL, check)
        for check, path, mode in (
            ("file-passwd", "/etc/passwd", 0o664),
            ("file-group", "/etc/group", 0o646),
            ("file-shadow", "/etc/shadow", 0o644),
            ("file-shadow", "/etc/shadow", 0o4640),
            ("file-gshadow", "/etc/gshadow", 0o660),
            ("file-shadow-backups", "/etc/gshadow-", 0o644),
            ("file-login-defs", "/etc/login.defs", 0o666),
            ("file-sudoers", "/etc/sudoers", 0o644),
            ("file-sudoers-directory", "/etc/sudoers.d", 0o777),
            ("file-sshd-config", "/etc/ssh/sshd_config", 0o664),
            ("file-crontab", "/etc/crontab", 0o662),
            ("file-cron-directories", "/etc/cron.monthly", 0o775),
            ("file-root-home", "/root", 0o755),
            ("file-tmp", "/var/tmp", 0o777),
        )
    ),
    change(
        "/etc/crontab is a link", lambda host: host.plant_link("/etc/crontab", "passwd"), FAIL, "file-crontab"
    ),
    change("a host key is open to others", ssh_key(mode=0o644), FAIL, "file-ssh-host-keys"),
    change("a host key belongs to a user", ssh_key(mode=0o600, uid=1000), FAIL, "file-ssh-host-keys"),
    change(
        "passwords never expire",
        plant("/etc/login.defs", LOGIN_DEFS.replace("365", "99999")),
        FAIL,
        "login-defs-pass-max-days",
    ),
    change(
        "PASS_MAX_DAYS is not set",
        plant("/etc/login.defs", LOGIN_DEFS.replace("PASS_MAX_DAYS", "#")),
        FAIL,
        "login-defs-pass-max-days",
    ),
    change(
        "nobody is warned",
        plant("/etc/login.defs", LOGIN_DEFS.replace("AGE 7", "AGE 0")),
        FAIL,
        "login-defs-pass-warn-age",
    ),
    change("umask is open", plant("/etc/login.defs", LOGIN_DEFS.replace("027", "022")), FAIL, "login-defs-umask"),
    change(
        "passwords are hashed fast",
        plant("/etc/login.defs", LOGIN_DEFS.replace("YESCRYPT", "MD5")),
        FAIL,
        "login-defs-encrypt-method",
    ),
    change(
        "a second account has uid 0",
        plant("/etc/passwd", PASSWD.replace("alice:x:1000", "alice:x:0")),
        FAIL,
        "account-root-only-uid-0",
        "account-unique-uids",
    ),
    change(
        "two accounts share a uid",
        plant("/etc/passwd", PASSWD + "bob:x:1000:1000::/home/bob:/bin/sh\n"),
        FAIL,
        "account-unique-uids",
    ),
    change(
        "two accounts share a name",
        plant("/etc/passwd", PASSWD + "alice:x:1001:1000::/home/alice:/bin/sh\n"),
        FAIL,
        "account-unique-names",
    ),
    change("two groups share a gid", plant("/etc/group", GROUP + "staff:x:1000:\n"), FAIL, "group-unique-gids"),
    change(
        "a hash stands in passwd",
        plant("/etc/passwd", PASSWD.replace("alice:x", "alice:$6$salt$hash")),
        FAIL,
        "account-passwords-shadowed",
    ),
    change(
        "an account has no password field",
        plant("/etc/passwd", PASSWD.replace("alice:x", "alice:")),
        FAIL,
        "account-passwords-shadowed",
    ),
    change(
        "a service has a shell",
        plant("/etc/passwd", PASSWD.replace("/usr/sbin/nologin", "/bin/sh")),
        FAIL,
        "account-system-shells",
    ),
    change(
        "a service has the default shell",
        plant("/etc/passwd", PASSWD.replace("/usr/sbin/nologin", "")),
        FAIL,
        "account-system-shells",
    ),
    change("a password is empty", shadow("bob::19000:0:365:7:::"), FAIL, "account-empty-passwords"),
    change("a hash is MD5", shadow("bob:$1$salt$hash:19000:0:365:7:::"), FAIL, "account-password-hashes"),
    change("a hash is DES", shadow("bob:abJnggxhB/yWI:19000:0:365:7:::"), FAIL, "account-password-hashes"),
    *(
        change(f"sshd has {line}", ssh(config=f"{line}\n{SSHD_CONFIG}"), FAIL, check)
        for check, line in (
            ("sshd-permit-root-login", "PermitRootLogin yes"),
            ("sshd-permit-root-login", "permitrootlogin=prohibit-password"),
            ("sshd-password-authentication", 'PasswordAuthentication "yes"'),
            ("sshd-permit-empty-passwords", "PermitEmptyPasswords yes"),
            ("sshd-hostbased-authentication", "HostbasedAuthentication yes"),
            ("sshd-permit-user-environment", "PermitUserEnvironment LANG,LC_*"),
            ("sshd-x11-forwarding", "X11Forwarding\tyes  # for the old display"),
            ("sshd-max-auth-tries", "MaxAuthTries = 6"),
        )
    ),
    change("sshd keeps a default", ssh(config="PermitRootLogin no\nX11Forwarding no\nMaxAuthTries 4\n"), FAIL,
           "sshd-password-authentication"),
    change("an included file comes first", ssh(a="X11Forwarding yes\n", b="X11Forwarding no\n"), FAIL,
           "sshd-x11-forwarding"),
    change("a package is half installed", says(packages.QUERY, PACKAGES + "iF \tbash\t5.2\n"), FAIL, "package-states"),
    change("a package needs reinstallation", says(packages.QUERY, PACKAGES + "iiR\tbash\t5.2\n"), FAIL,
           "package-states"),
    change("openssl is old", says(packages.QUERY, PACKAGES.replace("3.0.20-1", "3.0.0~beta1-1")), FAIL,
           "package-minimum-versions"),
    change(
        "a security update waits",
        says(packages.UPGRADABLE, "Listing...\nopenssl/stable-security,stable 3.0.21 amd64 [upgradable from: 3]\n"),
        FAIL,
        "package-security-updates",
    ),
    change("an unknown program is set-uid", says(SEARCH, FOUND + names("f:4755:0:0:root:root:/opt/su")), FAIL,
           "surprise-set-id-programs"),
    change("a file is open to everybody", says(SEARCH, FOUND + names("f:0666:0:0:root:root:/srv/a")), FAIL,
           "surprise-world-writable-files"),
    change("a directory is not sticky", says(SEARCH, FOUND + names("d:0777:0:0:root:root:/srv/d")), FAIL,
           "surprise-world-writable-directories"),
    change("a file has no user", says(SEARCH, FOUND + names("f:0644:4242:0:4242:root:/srv/a")), FAIL,
           "surprise-unowned"),
    change("a file has no group", says(SEARCH, FOUND + names("f:0644:0:4242:root:4242:/srv/a")), FAIL,
           "surprise-unowned"),
)  # fmt: skip

LOGIN_CHECKS = ("login-defs-pass-max-days", "login-defs-pass-warn-age", "login-defs-umask", "login-defs-encrypt-method")
SSHD_CHECKS = tuple(f"sshd-{name}" for name in (
    "permit-root-login", "password-authentication", "permit-empty-passwords", "hostbased-authentication",
    "permit-user-environment", "x11-forwarding", "max-auth-tries",
))  # fmt: skip
PACKAGE_CHECKS = ("package-states", "package-minimum-versions", "package-security-updates")

ABSENT = (
    *(
        change(f"there is no {path}", absent(f"/proc/sys/{path}"), NOT_APPLICABLE, check)
        for check, path, _ in KERNEL
    ),
    change("there is no sudo", absent("/etc/sudoers", "/etc/sudoers.d"), NOT_APPLICABLE,
           "file-sudoers", "file-sudoers-directory"),
    change("there is no crontab", absent("/etc/crontab"), NOT_APPLICABLE, "file-crontab"),
    change("there is no sshd", absent("/etc/ssh/sshd_config"), NOT_APPLICABLE, "file-sshd-config", *SSHD_CHECKS),
    change("there are no login.defs", absent("/etc/login.defs"), NOT_APPLICABLE, "file-login-defs", *LOGIN_CHECKS),
    change("there is no dpkg", absent("/var/lib/dpkg/status"), NOT_APPLICABLE, *PACKAGE_CHECKS),
    change("openssl is not installed", says(packages.QUERY, "ii \tadduser\t3.134\n"), NOT_APPLICABLE,
           "package-minimum-versions"),
    change("openssl was removed", says(packages.QUERY, "rc \topenssl\t1.0\n"), NOT_APPLICABLE,
           "package-minimum-versions"),
)  # fmt: skip

NOT_PASSED = (
    change("a parameter is not a number", sysctl("fs/protected_symlinks", "one"), ERROR, "sysctl-protected-symlinks"),
    change("sshd has a setting without a value", ssh(config=f"{SSHD_CONFIG}X11Forwarding\n"), ERROR,
           # found before the broken line, the others keep their verdict
           "sshd-permit-empty-passwords", "sshd-hostbased-authentication", "sshd-permit-user-environment"),
    change("sshd includes what nobody may look at", ssh(config=f"Include /opt/*\n{SSHD_CONFIG}"), SKIPPED,
           *SSHD_CHECKS),
    change("sshd includes itself", ssh(a="Include sshd_config\n"), ERROR, *SSHD_CHECKS),
    change("UMASK is a word", plant("/etc/login.defs", LOGIN_DEFS.replace("027", "tight")), ERROR, "login-defs-umask"),
    change("a list of security updates is missing", says(packages.LIST_LISTS, names("1 lock")), SKIPPED,
           "package-security-updates"),
    change("lists are a month old", says(packages.LIST_LISTS, names(f"{NOW_S - 30 * 86400} {SECURITY_LIST}")), SKIPPED,
           "package-security-updates"),
    change("lists are from the future", says(packages.LIST_LISTS, names(f"{NOW_S + 9 * 86400} {SECURITY_LIST}")),
           SKIPPED, "package-security-updates"),
    change("apt says something else", says(packages.UPGRADABLE, "Listing...\n\x1b[31mopenssl\n"), ERROR,
           "package-security-updates"),
    change("apt fails", says(packages.UPGRADABLE, CommandResult(argv=("apt",), exit_code=100, stdout=b"", stderr=b"E")),
           ERROR, "package-security-updates"),
    change("a version is none", says(packages.QUERY, PACKAGES.replace("3.0.20-1~deb12u2", "three")), ERROR,
           "package-minimum-versions"),
    change("dpkg-query is cut short", says(packages.QUERY, PACKAGES + "ii \tba"), ERROR,
           "package-states", "package-minimum-versions"),
    *(
        change(f"the search {how}", says(SEARCH, answer), SKIPPED, "surprise-set-id-programs",
               "surprise-world-writable-files", "surprise-world-writable-directories", "surprise-unowned")
        for how, answer in (
            ("takes too long", HostError("find did not end within 20 s")),
            ("meets a closed directory", CommandResult(argv=SEARCH, exit_code=1, stdout=FOUND.encode(),
                                                       stderr=b"find: '/srv/a': Permission denied\n")),
            ("is cut short", CommandResult(argv=SEARCH, exit_code=-9, stdout=FOUND.encode()[:-9], stderr=b"",
                                           truncated=True)),
        )
    ),
    change("the search prints something else", says(SEARCH, FOUND + names("x")), ERROR, "surprise-set-id-programs",
           "surprise-world-writable-files", "surprise-world-writable-directories", "surprise-unowned"),
    change("the list of interfaces is cut short", says(kernel.LIST_INTERFACES, "all\0eth"), ERROR, "sysctl-rp-filter",
           "sysctl-accept-redirects", "sysctl-send-redirects", "sysctl-accept-source-route"),
)  # fmt: skip

CHANGES = FAILS + ABSENT + NOT_PASSED


def outcomes(host: PlantedHost) -> dict[str, Outcome]:
    return {check_id: result.outcome for check_id, result in execute(plugin, "host-baseline", host).items()}


def test_every_check_passes_on_the_good_host(good_host: PlantedHost) -> None:
    results = execute(plugin, "host-baseline", good_host)
    assert {check_id: result.reason for check_id, result in results.items() if result.outcome != Outcome.PASS} == {}
    assert len(results) >= 24
    assert all(result.expected and result.actual and result.reason for result in results.values())


@pytest.mark.parametrize("change", CHANGES, ids=[change.name for change in CHANGES])
def test_one_fact_changes_exactly_its_verdicts(good_host: PlantedHost, change: Change) -> None:
    change.make(good_host)
    expected = dict.fromkeys(good_host.manifest.checks["host-baseline"], Outcome.PASS)
    assert outcomes(good_host) == expected | dict.fromkeys(change.checks, change.becomes)


def test_sshd_with_its_configuration_elsewhere_is_not_taken_for_absent(good_host: PlantedHost) -> None:
    good_host.remove("/etc/ssh/sshd_config")
    good_host.plant("/usr/sbin/sshd")
    assert {check: outcome for check, outcome in outcomes(good_host).items() if outcome != Outcome.PASS} == {
        "file-sshd-config": NOT_APPLICABLE,
        **dict.fromkeys(SSHD_CHECKS, SKIPPED),
    }


def test_every_check_has_a_change_that_makes_it_fail(good_host: PlantedHost) -> None:
    failing = {check for change in CHANGES if change.becomes == FAIL for check in change.checks}
    assert failing == set(good_host.manifest.checks["host-baseline"])
