"""A host may hold anything: junk, giants, names made to deceive. Nothing of it passes, breaks a sibling or escapes."""

from collections.abc import Callable

import pytest
from good_host import FOUND, GROUP, PASSWD, SEARCH, SHADOW, list_ssh, names

from assess_host_baseline import files, kernel, packages, plugin
from assess_host_baseline.facts import MAX_FILE_BYTES
from assess_plugin import CheckResult, CommandResult, Outcome
from assess_plugin.testing import PlantedHost, execute

READ_FILES = ("/etc/passwd", "/etc/group", "/etc/shadow", "/etc/login.defs", "/etc/ssh/sshd_config")
JUNK = (b"\0\x01\x02\xff\xfe" * 100, b"a" * (MAX_FILE_BYTES + 1), b"\x1b[2J\x1b[31mroot\n")


def changed(host: PlantedHost) -> dict[str, CheckResult]:
    results = execute(plugin, "host-baseline", host)
    for result in results.values():
        for text in (result.reason, result.expected or "", result.actual or ""):
            assert text.isprintable(), f"{result.check_id}: {text!r}"
    return {check: result for check, result in results.items() if result.outcome != Outcome.PASS}


@pytest.mark.parametrize("path", READ_FILES)
@pytest.mark.parametrize("content", JUNK, ids=["binary", "giant", "escapes"])
def test_junk_never_passes_where_it_is_read(good_host: PlantedHost, path: str, content: bytes) -> None:
    execute(plugin, "host-baseline", good_host)
    readers = {use.check for use in good_host.uses if use.kind == "open" and use.what == (path,)}
    good_host.plant(path, content, mode=0o640 if "shadow" in path else 0o644)
    good_host.taken.clear()
    outcomes = {check: result.outcome for check, result in changed(good_host).items()}
    # login.defs and os-release tolerate unknown lines, so junk reads there as "not set", which fails
    assert set(outcomes) <= readers
    assert set(outcomes.values()) <= {Outcome.ERROR, Outcome.FAIL}
    assert len(outcomes) >= 1


@pytest.mark.parametrize(
    ("path", "content"),
    [("/etc/passwd", PASSWD), ("/etc/group", GROUP), ("/etc/shadow", SHADOW)],
)
def test_a_missing_last_newline_changes_nothing(good_host: PlantedHost, path: str, content: str) -> None:
    good_host.plant(path, content.rstrip("\n"), mode=0o640 if "shadow" in path else 0o644)
    assert changed(good_host) == {}


@pytest.mark.parametrize(
    "line", ["bob:x:1001", "bob:x:-1:0::/:/bin/sh", "bob:x:1e3:0::/:/bin/sh", "+::::::", ":x:0:0::/:/bin/sh"]
)
def test_a_line_that_is_no_account_is_an_error_not_an_account_in_order(good_host: PlantedHost, line: str) -> None:
    good_host.plant("/etc/passwd", f"{PASSWD}{line}\n")
    results = changed(good_host)
    assert {result.outcome for result in results.values()} == {Outcome.ERROR}
    assert set(results) == {
        "account-root-only-uid-0",
        "account-unique-uids",
        "account-unique-names",
        "account-passwords-shadowed",
        "account-system-shells",
    }


def test_no_hash_reaches_a_result(good_host: PlantedHost) -> None:
    secret = "$1$salt$TOPSECRET"
    good_host.plant("/etc/shadow", f"{SHADOW}bob:{secret}:1:2\n", mode=0o640, gid=42)
    results = changed(good_host)
    assert set(results) == {"account-empty-passwords", "account-password-hashes"}
    assert not any("SECRET" in result.reason + str(result.actual) for result in results.values())


@pytest.mark.parametrize(
    "path",
    ["/srv/a b:c\td", "/srv/new\nline", "/srv/\x1b[31mred", "/srv/" + "long" * 500],
)
def test_a_strange_name_is_one_finding_and_shown_safely(good_host: PlantedHost, path: str) -> None:
    good_host.commands[SEARCH] = FOUND + names(f"f:4755:0:0:root:root:{path}")
    assert set(changed(good_host)) == {"surprise-set-id-programs"}


def test_undecodable_names_are_found_too(good_host: PlantedHost) -> None:
    good_host.commands[SEARCH] = FOUND.encode() + b"f:4755:0:0:root:root:/srv/\xff\xfe\0"
    assert "/srv/\\xff\\xfe" in changed(good_host)["surprise-set-id-programs"].reason


def test_ten_thousand_findings_fit_a_result(good_host: PlantedHost) -> None:
    good_host.commands[SEARCH] = FOUND + names(*(f"f:0666:0:0:root:root:/srv/{n:0>200}" for n in range(10_000)))
    result = changed(good_host)["surprise-world-writable-files"]
    assert "and 9995 more" in result.reason
    assert len(good_host.taken["search"][1]) <= 256 * 1024


def test_what_was_found_fails_even_where_the_search_was_not_complete(good_host: PlantedHost) -> None:
    stdout = (FOUND + names("f:0666:0:0:root:root:/srv/a")).encode()
    good_host.commands[SEARCH] = CommandResult(argv=SEARCH, exit_code=1, stdout=stdout, stderr=b"find: /srv/b: no\n")
    outcomes = {check: result.outcome for check, result in changed(good_host).items()}
    assert outcomes.pop("surprise-world-writable-files") == Outcome.FAIL
    assert set(outcomes.values()) == {Outcome.SKIPPED}
    assert len(outcomes) == 3


def test_a_configuration_that_includes_a_giant_is_an_error(good_host: PlantedHost) -> None:
    good_host.plant("/etc/ssh/sshd_config.d/a.conf", b"#" * (MAX_FILE_BYTES + 1))
    list_ssh(good_host)
    assert {result.outcome for result in changed(good_host).values()} == {Outcome.ERROR}


USER = (1000, 1000)


def as_user(host: PlantedHost) -> None:
    host.user = USER


def as_user_with(path: str) -> Callable[[PlantedHost], None]:
    """As an ordinary user, with one more file that only root may read."""

    def make(host: PlantedHost) -> None:
        as_user(host)
        host.own(path, mode=0o600)

    return make


@pytest.mark.parametrize(
    ("absent", "skipped"),
    [
        (as_user, {"account-empty-passwords", "account-password-hashes"}),
        (
            as_user_with("/proc/sys/net/core/bpf_jit_harden"),
            {"account-empty-passwords", "account-password-hashes", "sysctl-bpf-jit-harden"},
        ),
        (
            as_user_with("/etc/ssh/sshd_config"),
            {"account-empty-passwords", "account-password-hashes"}
            | {f"sshd-{name}" for name in ("permit-root-login", "password-authentication", "permit-empty-passwords",
               "hostbased-authentication", "permit-user-environment", "x11-forwarding", "max-auth-tries")},
        ),
        (
            lambda host: host.commands.update(
                {files.LIST_SSH: CommandResult(argv=files.LIST_SSH, exit_code=1, stdout=b"/etc/ssh\0",
                                               stderr=b"find: '/etc/ssh/private': Permission denied\n")}
            ),
            {"file-ssh-host-keys", "sshd-permit-root-login", "sshd-password-authentication", "sshd-max-auth-tries",
             "sshd-x11-forwarding", "sshd-permit-empty-passwords", "sshd-hostbased-authentication",
             "sshd-permit-user-environment"},
        ),
    ],
    ids=["an ordinary user", "and a closed parameter", "and a closed sshd_config", "a closed directory"],
)  # fmt: skip
def test_a_privilege_that_is_absent_skips_with_the_reason(
    good_host: PlantedHost, absent: Callable[[PlantedHost], object], skipped: set[str]
) -> None:
    absent(good_host)
    results = changed(good_host)
    assert set(results) == skipped
    assert all(result.outcome == Outcome.SKIPPED and "may not be read" in result.reason for result in results.values())


@pytest.mark.parametrize(
    "argv", [packages.QUERY, packages.LIST_LISTS, packages.NOW, packages.UPGRADABLE, files.LIST_SSH,
             kernel.LIST_INTERFACES, SEARCH],
)  # fmt: skip
@pytest.mark.parametrize("answer", [b"\0\xff\x1b[2J", b"", b"x\n"], ids=["junk", "nothing", "a word"])
def test_a_command_that_answers_nonsense_passes_nothing(
    good_host: PlantedHost, argv: tuple[str, ...], answer: bytes
) -> None:
    good_host.commands[argv] = answer
    results = changed(good_host)
    assert bool(results) != (answer == b"" and argv == SEARCH)  # `find` that finds nothing prints nothing
    assert not {result.outcome for result in results.values()} & {Outcome.PASS, Outcome.FAIL}
