import posixpath
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import tomli_w
from hypothesis import given, settings
from hypothesis import strategies as st

import assess_plugin.models
from assess_plugin.permissions import is_normal_path
from assess_registry.manifest import (
    SCHEMA_KEYWORDS,
    SEVERITIES,
    Limits,
    Manifest,
    ManifestError,
    Permissions,
    parse_manifest,
)
from assess_registry.manifest import parse as parsing
from assess_registry.manifest.parse import KEYS, MAX_MANIFEST_BYTES
from tests.support.examples import examples
from tests.support.wheels import demo_manifest

DOC = Path(__file__).parents[3] / "docs" / "manifest.md"


def example() -> dict[str, Any]:
    """The page's example, which every test changes in one place."""
    match = re.search(r"```toml\n(.*?)```", DOC.read_text(), re.DOTALL)
    assert match is not None
    return tomllib.loads(match[1])


def parse(document: dict[str, Any]) -> Manifest:
    return parse_manifest(tomli_w.dumps(document).encode())


def refusal(document: dict[str, Any] | bytes) -> list[tuple[str, str]]:
    with pytest.raises(ManifestError) as caught:
        parse_manifest(document) if isinstance(document, bytes) else parse(document)
    return [(issue.id.removeprefix("manifest-"), issue.entry) for issue in caught.value.issues]


def test_the_documented_example_is_read_whole() -> None:
    manifest = parse(example())
    assert manifest.title == "Linux host baseline"
    assert str(manifest.api) == "<2,>=1.0"
    (check,) = manifest.checks_of("host-baseline")
    assert (check.id, check.severity) == ("sysctl-protected-symlinks", "medium")
    assert check.controls == ("nist-800-53:cm-6", "cis-debian-12:1.5.4")
    assert manifest.checks_of("other") == ()
    assert [(each.name, each.has_default, each.secret) for each in manifest.settings] == [
        ("minimum_versions", True, False),
        ("api_token", False, True),
    ]
    assert manifest.permissions.commands == (("dpkg-query", "-W", "-f", "*"),)
    assert (manifest.limits.memory_mib, manifest.limits.timeout_s) == (256, 60)


def test_what_is_absent_is_denied_or_has_a_default() -> None:
    manifest = parse({"schema": 1, "api": "~=1.0", "title": "T", "summary": "S"})
    assert manifest.checks == ()
    assert manifest.permissions == Permissions()
    assert manifest.limits == Limits(
        memory_mib=256, timeout_s=60, cpu_s=None, scratch_mib=64, threads=64, descriptors=256
    )


def test_limits_are_taken_as_given() -> None:
    given: dict[str, Any] = {
        "memory_mib": 16,
        "timeout_s": 90,
        "cpu_s": 1.5,
        "scratch_mib": 65536,
        "threads": 1,
        "descriptors": 4096,
    }
    assert parse(change(example(), "limits", given)).limits == Limits(**given)


def test_the_demonstration_manifest_is_correct() -> None:
    assert [check.id for check in parse_manifest(demo_manifest().encode()).checks] == ["demo-greeting", "demo-kernel"]


def test_every_key_is_documented_and_every_documented_key_exists() -> None:
    documented = set(re.findall(r"^\| `([a-z_.]+)` \|", DOC.read_text(), re.MULTILINE))
    assert documented == {f"{table}.{key}" if table else key for table, keys in KEYS.items() for key in keys}


@pytest.mark.parametrize("key", KEYS["limits"])
def test_every_limit_is_documented_with_its_bounds_and_default(key: str) -> None:
    low, high = getattr(parsing, key.upper())
    default = getattr(Limits(), key) or "as long as the call may last"
    (row,) = re.findall(rf"^\| `limits.{key}` \| [a-z]+, default (.+?) \| (.+?):", DOC.read_text(), re.MULTILINE)
    assert row == (str(default), f"{low:,} to {high:,}")


def test_every_schema_keyword_is_documented_and_every_documented_one_exists() -> None:
    section = DOC.read_text().split("| about | keywords |")[1].split("\n\n")[0]
    assert sorted(re.findall(r"`(\w+)`", section)) == sorted(SCHEMA_KEYWORDS)


def test_the_page_names_the_bounds_and_severities() -> None:
    page = DOC.read_text()
    assert all(f"`{severity}`" in page for severity in SEVERITIES)
    assert f"{MAX_MANIFEST_BYTES // 1024} KiB" in page


def test_the_released_api_is_that_of_the_sdk() -> None:
    assert assess_plugin.models.API_VERSIONS[-1] == assess_plugin.models.API_VERSION


def change(document: dict[str, Any], path: str, value: Any) -> dict[str, Any]:
    """The document with one value replaced; `checks.` means the first check."""
    *parents, last = path.split(".")
    place: Any = document
    for parent in parents:
        place = place[parent][0] if parent == "checks" else place[parent]
    if value is None:
        del place[last]
    else:
        place[last] = value
    return document


BAD: list[tuple[str, Any, str]] = [
    ("schema", 2, "bad-value"),
    ("schema", None, "missing-key"),
    ("schema", True, "wrong-type"),
    ("titel", "T", "unknown-key"),
    ("title", None, "missing-key"),
    ("title", 7, "wrong-type"),
    ("title", "  ", "bad-value"),
    ("title", "x" * 201, "bad-value"),
    ("title", "two\nlines", "bad-value"),
    ("title", "\x1b[31mred", "bad-value"),
    ("title", "right\u202eleft", "bad-value"),
    ("summary", "x" * 501, "bad-value"),
    ("api", ">=2", "bad-value"),
    ("api", "", "bad-value"),
    ("api", "one", "bad-value"),
    ("checks", {"id": "x"}, "wrong-type"),
    ("checks.id", "Upper", "bad-value"),
    ("checks.id", "x" * 101, "bad-value"),
    ("checks.plugin", None, "missing-key"),
    ("checks.plugin", "-x", "bad-value"),
    ("checks.severity", "huge", "bad-value"),
    ("checks.remediation", "x" * 2001, "bad-value"),
    ("checks.remediation", "x\n" * 60, "bad-value"),
    ("checks.severty", "low", "unknown-key"),
    ("settings", [], "wrong-type"),
    ("settings.minimum_versions", 3, "wrong-type"),
    ("settings.Bad", {"type": "string"}, "bad-value"),
    ("settings.api_token.default", "x" * 20, "bad-value"),
    ("settings.api_token.secret", "yes", "wrong-type"),
    ("permissions.reed", [], "unknown-key"),
    ("permissions.read", "/etc", "wrong-type"),
    ("limits.memory_mib", 15, "bad-value"),
    ("limits.memory_mib", 65537, "bad-value"),
    ("limits.memory_mib", 256.0, "wrong-type"),
    ("limits.timeout_s", 0, "bad-value"),
    ("limits.timeout_s", float("nan"), "bad-value"),
    ("limits.timeout_s", float("inf"), "bad-value"),
    ("limits.cpu_s", 0.5, "bad-value"),
    ("limits.cpu_s", "60", "wrong-type"),
    ("limits.scratch_mib", 0, "bad-value"),
    ("limits.threads", 0, "bad-value"),
    ("limits.threads", 1025, "bad-value"),
    ("limits.descriptors", 31, "bad-value"),
    ("limits.descriptors", True, "wrong-type"),
    ("limits.timeout", 3, "unknown-key"),
]


@pytest.mark.parametrize(("path", "value", "kind"), BAD, ids=[f"{path}={str(value)[:12]!r}" for path, value, _ in BAD])
def test_one_wrong_value_is_the_one_issue(path: str, value: Any, kind: str) -> None:
    place = path.replace("checks.", "checks[0].")
    assert refusal(change(example(), path, value)) == [(kind, place)]


BAD_ITEMS = [
    *[("permissions.read", item) for item in ("etc", "", "/a/../b", "/a//b", "/a/", "/./a", "/a\0b", "/a\nb", 3)],
    ("permissions.read", "/" + "x" * 1024),
    ("permissions.stat", "../x"),
    ("permissions.read", "/etc/**"),
    ("permissions.stat", "/**/x"),
    *[
        ("permissions.commands", item)
        for item in ([], [""], ["*"], ["a*"], ["-x"], ["a/b"], ["/"], ["/a/../b"], [".."])
    ],
    ("permissions.commands", ["ls", 3]),
    ("permissions.commands", ["ls", "a\0b"]),
    ("permissions.commands", ["ls"] * 65),
    ("permissions.commands", "ls"),
    *[
        ("permissions.network", item)
        for item in ("host", "host:0", "host:65536", "Host:1", "a b:1", ":1", "http://a:1", "0.0.0.0:1", "[0::0]:1")
    ],
    *[("permissions.env", item) for item in ("A B", "1A", "", "PYTHONPATH", "LD_PRELOAD", "ASSESS_X", "A=B")],
    *[("permissions.env", item) for item in ("PATH", "HOME", "TMPDIR", "GLIBC_TUNABLES", "BASH_ENV")],
    *[("checks.controls", item) for item in ("cm-6", "NIST:cm-6", "nist:", "nist:a b", 6)],
]


@pytest.mark.parametrize(("path", "item"), BAD_ITEMS, ids=[f"{path}-{str(item)[:14]!r}" for path, item in BAD_ITEMS])
def test_one_wrong_item_is_the_one_issue(path: str, item: Any) -> None:
    good = {"commands": ["ls"], "network": "a:1", "env": "A", "controls": "nist:1"}.get(path.partition(".")[2], "/a")
    assert refusal(change(example(), path, [good, item])) == [
        ("bad-value", path.replace("checks.", "checks[0].") + "[1]")
    ]
    parse(change(example(), path, [good]))


@pytest.mark.parametrize("item", ["a:1", "a.example.org:65535", "127.0.0.1:80", "[::1]:443"])
def test_network_permissions_name_host_and_port(item: str) -> None:
    assert parse(change(example(), "permissions.network", [item])).permissions.network == (item,)


def test_duplicates_are_refused() -> None:
    document = example()
    document["checks"].append(document["checks"][0])
    document["permissions"]["read"] = ["/a", "/b", "/a"]
    assert refusal(document) == [("duplicate", "checks[1].id"), ("duplicate", "permissions.read[2]")]


def test_all_problems_come_at_once_with_the_nearest_word() -> None:
    document = example() | {"titel": "x", "sumary": "y"}
    del document["title"]
    document["checks"][0]["severity"] = "hihg"
    with pytest.raises(ManifestError) as caught:
        parse(document)
    text = str(caught.value)
    assert len(caught.value.issues) == 4
    assert "did you mean 'title'?" in text
    assert "did you mean 'summary'?" in text
    assert "did you mean 'high'?" in text


def test_counts_are_bounded() -> None:
    document = example()
    check = document["checks"][0]
    document["checks"] = [check | {"id": f"c{number}"} for number in range(2001)]
    document["settings"] = {f"s{number}": {"type": "string", "default": ""} for number in range(101)}
    document["permissions"]["env"] = [f"V{number}" for number in range(201)]
    data = tomli_w.dumps(document).encode()
    assert len(data) > MAX_MANIFEST_BYTES
    assert refusal(data) == [("too-large", "")]
    for each in document["checks"]:
        each |= {"title": "t", "remediation": "r", "controls": [], "plugin": "p"}
    assert refusal(document) == [("bad-value", "checks"), ("bad-value", "settings"), ("bad-value", "permissions.env")]


ATTACKS = {
    "no UTF-8": b"title = '\xff'",
    "no TOML": b"title",
    "a key twice": b"title = 'a'\ntitle = 'b'",
    "deep arrays": b"x = " + b"[" * 5000 + b"]" * 5000,
    "deep inline tables": b"x = " + b"{a=" * 2000 + b"1" + b"}" * 2000,
    "a huge number": b"x = " + b"9" * 5000,
    "a long dotted key": b"a." * 100 + b".".join([b"a"] * 200) + b" = 1",
    "a long line": b"x = '" + b"a" * 9000 + b"'",
}


@pytest.mark.parametrize("data", ATTACKS.values(), ids=ATTACKS.keys())
def test_hostile_text_is_a_syntax_issue(data: bytes) -> None:
    ((kind, _),) = refusal(data)
    assert kind == "syntax"


@settings(max_examples=examples(100))
@given(st.binary(max_size=60) | st.text(alphabet="[]{}=.'\"\n #ax1", max_size=60).map(str.encode))
def test_any_bytes_are_a_manifest_or_a_manifest_error(data: bytes) -> None:
    with pytest.raises(ManifestError):  # nothing this short is complete
        parse_manifest(data)


def test_a_command_matches_argument_by_argument() -> None:
    permissions = Permissions(commands=(("dpkg-query", "-W", "-f", "*"), ("uname",), ("/bin/ls", "a*")))
    assert permissions.allows_run(["dpkg-query", "-W", "-f", "${Version} *"])
    assert permissions.allows_run(("uname",))
    assert permissions.allows_run(["/bin/ls", "a*"])
    for argv in (
        ["dpkg-query", "-W", "-f"],
        ["dpkg-query", "-W", "-f", "a", "b"],
        ["dpkg-query", "-L", "-f", "a"],
        ["/usr/bin/dpkg-query", "-W", "-f", "a"],
        ["uname", "-a"],
        ["/bin/ls", "ab"],
        [],
    ):
        assert not permissions.allows_run(argv), argv
    assert not Permissions().allows_run(["uname"])


def test_a_path_is_readable_at_and_below_an_entry_only() -> None:
    permissions = Permissions(read=("/proc/sys", "/etc/passwd"), stat=("/etc/shadow",))
    for path in ("/proc/sys", "/proc/sys/kernel/kptr_restrict", "/etc/passwd"):
        assert permissions.allows_read(path)
        assert permissions.allows_stat(path)
    assert permissions.allows_stat("/etc/shadow")
    assert not permissions.allows_read("/etc/shadow")
    for path in ("/proc/system", "/proc", "/", "/etc/passwd-", "/proc/sys/../1/environ", "proc/sys", "/proc/sys/", ""):
        assert not permissions.allows_stat(path), path


def test_the_root_directory_as_an_entry_means_everything() -> None:
    assert Permissions(read=("/",)).allows_read("/etc/passwd")
    assert Permissions(read=("/",)).allows_read("/")
    assert not Permissions(read=("/",)).allows_read("/etc/../x")


absolute = st.text(alphabet="/a.", max_size=8).map("/".__add__)


@settings(max_examples=examples(100))
@given(absolute.filter(is_normal_path), absolute)
def test_what_is_readable_stays_below_the_entry_however_it_is_resolved(entry: str, path: str) -> None:
    allowed = Permissions(read=(entry,)).allows_read(path)
    normal = posixpath.normpath(path) == path and not path.startswith("//")  # POSIX lets two slashes stand
    expected = normal and posixpath.commonpath([entry, path]) == entry
    assert allowed == expected


@pytest.mark.parametrize("name", ["", "A", "1a", "a b", "a" * 65, "a/b", "db.password", 3])
def test_what_is_no_name_of_a_secret_is_refused(name: object) -> None:
    document = change(change(example(), "permissions.secrets", ["db", name]), "api", ">=1.2,<2")
    assert refusal(document) == [("bad-value", "permissions.secrets[1]")]


def test_secrets_and_stars_are_what_plugin_api_1_2_has() -> None:
    document = change(change(example(), "permissions.secrets", ["db-password"]), "permissions.read", ["/home/*/.ssh"])
    assert refusal(document) == [("bad-value", "permissions.read[0]"), ("bad-value", "permissions.secrets")]
    manifest = parse(change(document, "api", ">=1.2,<2"))
    assert manifest.permissions.secrets == ("db-password",)
    assert manifest.permissions.allows_read("/home/me/.ssh/config")
