"""What files and commands mean, without a host."""

import itertools
import shutil
import subprocess

import pytest

from assess_host_baseline.formats.account_files import parse_passwd, parse_shadow
from assess_host_baseline.formats.debian_versions import MAX_VERSION, compare
from assess_host_baseline.formats.login_defs import number, parse_login_defs
from assess_host_baseline.formats.os_release import parse_os_release
from assess_host_baseline.formats.packages import parse_packages, parse_upgrades, security_lists
from assess_host_baseline.formats.search import parse_found
from assess_host_baseline.formats.sshd_config import directives_for_all, first_value
from assess_host_baseline.formats.text import MAX_SHOWN, Malformed, shown

ORDERED = (
    "0~0~", "0~0", "0~1", "0", "0.0~a", "0.0", "0.0a", "0.0+a", "0.1~~", "0.1~~a", "0.1~", "0.1", "0.9", "0.10",
    "1.0~beta1~svc-1", "1.0~beta1-1", "1.0-0.1", "1.0-1~bpo1", "1.0-1", "1.0-1a", "1.0-1+b1", "1.0-1.1", "1.0-2",
    "1.0-10", "1.0a-1", "1.0a1-1", "1.0b-1", "1.0+dfsg-1", "1.0.1-1", "2.0-1-1", "10.0",
    "1:0.1", "1:9.2p1-2+deb12u3", "1:9.2p1-2+deb12u10", "2:0",
)  # fmt: skip
"""Each earlier than the next, as `dpkg --compare-versions` has it."""

SAME = (("1.0", "0:1.0"), ("1.0", "1.0-0"), ("1.00", "1.0"), ("1.0-1", "1.0-01"), ("0:1", "00:1"), ("1.", "1.0"))

PAIRS = [(a, b, (i > j) - (i < j)) for i, a in enumerate(ORDERED) for j, b in enumerate(ORDERED)]
PAIRS += [(a, b, 0) for a, b in SAME]


def test_versions_are_ordered_as_the_table_says() -> None:
    wrong = [(a, b, compare(a, b)) for a, b, expected in PAIRS if compare(a, b) != expected]
    assert wrong == []


@pytest.mark.skipif(shutil.which("dpkg") is None, reason="dpkg is not installed")
def test_dpkg_agrees_with_the_table() -> None:
    neighbours = [(a, "lt", b) for a, b in itertools.pairwise(ORDERED)]
    for a, relation, b in [*neighbours, *((a, "eq", b) for a, b in SAME)]:
        done = subprocess.run(["dpkg", "--compare-versions", a, relation, b], capture_output=True, check=False)
        assert (done.returncode, done.stderr) == (0, b""), f"{a} {relation} {b}"


@pytest.mark.parametrize("text", ["", "a", "1.0-", ":1", "x:1", "1_0", "1 0", "1:", "1" * (MAX_VERSION + 1), "1\u0663"])
def test_what_is_no_version_is_refused(text: str) -> None:
    with pytest.raises(Malformed):
        compare(text, "1.0")


def values_of(text: str, keyword: str, **included: str) -> str | None:
    found = first_value(
        directives_for_all(text, "sshd_config", lambda pattern: [(pattern, included[pattern])]), keyword
    )
    return found.arguments[0] if found else None


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("X11Forwarding yes\nX11Forwarding no\n", "yes"),
        ("x11forwarding=no", "no"),
        ("X11Forwarding = no", "no"),
        ('\t "X11Forwarding" "no"', "no"),
        ("# X11Forwarding yes\nX11Forwarding no # yes", "no"),
        ("X11Forwarding no\r\n", "no"),
        ("Match User bob\nX11Forwarding yes\n", None),
        ("Match User bob\nX11Forwarding yes\nMatch all\nX11Forwarding no\n", "no"),
        ("Include inner\nX11Forwarding no\n", "yes"),
        ("X11Forwarding no\nInclude inner\n", "no"),
        ("Include matching\nX11Forwarding no\n", "no"),
        ("Match User bob\nInclude inner\n", None),
        ("X11Forwarding no\nInclude unreadable\n", "no"),
        ("", None),
    ],
)
def test_the_first_value_outside_of_match_counts(text: str, value: str | None) -> None:
    files = {"inner": "X11Forwarding yes\n", "matching": "Match User bob\nX11Forwarding yes\n"}
    assert values_of(text, "X11Forwarding", **files) == value


@pytest.mark.parametrize("text", ["X11Forwarding", 'X11Forwarding "no', "Include itself"])
def test_a_configuration_that_sshd_would_refuse_is_refused(text: str) -> None:
    with pytest.raises(Malformed):
        values_of(text, "X11Forwarding", itself="Include itself\n")


def test_login_defs_are_read_as_shadow_utils_reads_them() -> None:
    values = parse_login_defs('UMASK 022\n# UMASK 077\n  UMASK\t "027"  \nPASS_MAX_DAYS\nBROKEN x')
    assert number(values, "UMASK", base=8) == 0o027
    assert number(values, "ABSENT") is None
    for name in ("PASS_MAX_DAYS", "BROKEN"):
        with pytest.raises(Malformed):
            number(values, name)


def test_accounts_are_parsed_whole_or_refused() -> None:
    (account,) = parse_passwd("root:x:0:0:a, b:/root:/bin/sh")
    assert (account.name, account.uid, account.shell) == ("root", 0, "/bin/sh")
    locked, opened = parse_shadow("a:!$6$x:1::::::\nb:$6$x:1::::::\n")
    assert (locked.can_log_in, opened.can_log_in) == (False, True)
    for text in ("", "root:x:0:0:a:/root", "root:x:99999999999:0::/:/bin/sh"):
        with pytest.raises(Malformed):
            parse_passwd(text)


def test_packages_and_upgrades() -> None:
    ok, half, removed = parse_packages("ii \ta\t1\niU \tb\t1\nrc \tc\t1\n")
    assert [p.whole for p in (ok, half, removed)] == [True, False, True]
    assert [p.installed for p in (ok, half, removed)] == [True, True, False]
    (one, two) = parse_upgrades("Listing...\nzsh/x-security,x,now 1:2-3 amd64 [von: 1]\nbash/x 2 all\n")
    assert (one.version, one.is_security, two.is_security) == ("1:2-3", True, False)
    for text in (
        "",
        "Listing...",
        "Auflistung…\n",
        "bash/x 1 amd64\n",
        "Listing...\nbash/x 1\n",
        "Listing...\nN: more\n",
    ):
        with pytest.raises(Malformed):
            parse_upgrades(text)


def test_security_lists_are_known_by_their_suite() -> None:
    debian = "deb.example.org_debian-security_dists_bookworm-security_main_binary-amd64_Packages.lz4"
    ubuntu = "archive.ubuntu.com_ubuntu_dists_jammy-security_main_binary-amd64_Packages"
    entries = (f"1.5 {debian}", f"2 {ubuntu}", "3 deb.example.org_debian_dists_bookworm_main_binary-amd64_Packages")
    assert security_lists(entries) == {debian: 1.5, ubuntu: 2.0}
    with pytest.raises(Malformed):
        security_lists((f"yesterday {debian}",))


def test_found_and_os_release() -> None:
    assert parse_found("f:4755:0:0:root:root:/a:b c\n").path == "/a:b c\n"
    with pytest.raises(Malformed):
        parse_found("f:9:0:0:root:root:/a")
    assert parse_os_release("ID=debian\n# x=y\nNAME='a b'\nbad line\nQ=\"open\nE=\n") == {
        "ID": "debian", "NAME": "a b", "E": "",
    }  # fmt: skip


def test_shown_is_printable_and_short() -> None:
    text = shown("\x1b[31m\n\u202e" + "x" * 500)
    assert text.startswith("\\x1b[31m\\n\\u202e")
    assert len(shown("x" * 500)) == MAX_SHOWN
