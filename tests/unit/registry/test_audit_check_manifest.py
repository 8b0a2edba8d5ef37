"""A manifest that does not describe its code is told so, with file, line and the table that is missing."""

import pytest

from assess_registry.audit.checks import manifest
from tests.support.examining import examined, ids, only, plugin_with
from tests.support.wheels import DEMO_CHECKS, DEMO_SOURCE, WheelBuilder, demo_manifest

USED = 'read = ["/proc/sys"]\ncommands = [["uname", "-s"]]\n'
FIRST = DEMO_SOURCE.count("\n") + 1


def plugin(source: str, *, permissions: str = USED, **changes: object) -> WheelBuilder:
    return plugin_with("PLACE = '/proc/sys'\n" + source, permissions=permissions, **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "code",
    [
        'CheckResult(check_id="{}", outcome=Outcome.PASS)',
        'import assess_plugin as a\na.CheckResult(check_id="{}", outcome=Outcome.PASS)',
        'from assess_plugin.models import CheckResult as R\nR(check_id="{}", outcome=Outcome.PASS)',
        'ID = "{}"\nCheckResult(check_id=ID, outcome=Outcome.PASS)',
        'from assess_plugin import Checks\nchecks = Checks()\n@checks.check("{}")\ndef f(input): ...',
        'from assess_plugin import Checks\nchecks = Checks()\nchecks.check("{}")(print)',
        'from demo_plugin.tables import CHECKS\n@CHECKS.check("{}")\ndef f(input): ...',
    ],
)
def test_a_check_that_is_reported_and_not_declared(code: str) -> None:
    bad = examined(manifest, plugin(code.format("not-declared")))
    finding = only(bad, "undeclared-check")
    assert finding.entry == "demo_plugin/__init__.py"
    assert finding.line == FIRST + 1 + next(
        n for n, line in enumerate(code.split("\n")) if "(check_id" in line or ".check(" in line
    )
    assert '[[checks]] id = "not-declared", plugin = "demo"' in finding.advice
    assert "demo_plugin/assess-plugin.toml" in finding.message
    assert ids(examined(manifest, plugin(code.format(DEMO_CHECKS[0])))) == []


def test_other_calls_named_check_are_not_checks() -> None:
    assert ids(examined(manifest, plugin('spelling.check("not-declared")'))) == []


@pytest.mark.parametrize("where", ["a text", "a data file"])
def test_a_declared_check_that_the_code_does_not_know(where: str) -> None:
    checks = [*DEMO_CHECKS, "only-on-paper"]
    bad = plugin("").but(manifest=demo_manifest(checks, permissions=USED))
    assert "only-on-paper" in only(examined(manifest, bad), "check-without-code").message
    good = plugin('X = "only-on-paper"') if where == "a text" else plugin("", table__json=b'["only-on-paper"]')
    assert ids(examined(manifest, good.but(manifest=demo_manifest(checks, permissions=USED)))) == []


@pytest.mark.parametrize(
    ("attribute", "source"),
    [
        ("thing", "thing = 1"),
        ("thing.part", "def thing(): ..."),
        ("thing", "from os import *"),
        ("thing", "def __getattr__(n): ..."),
    ],
)
def test_an_entry_point_that_names_nothing(attribute: str, source: str) -> None:
    points = {"assess.plugins": {"demo": f"demo_plugin:{attribute}"}}
    bad = examined(manifest, plugin("def f():\n    thing = 1").but(entry_points=points))
    assert "'thing'" in only(bad, "entry-point-attribute").message
    assert ids(examined(manifest, plugin(source).but(entry_points=points))) == []


@pytest.mark.parametrize(
    ("bad", "good"),
    [
        ('description = "x"', 'type = "string"'),
        ('type = "object"', 'type = "object"\nadditionalProperties = { type = "string" }'),
        ('type = "array"', 'type = "array"\nitems = { type = "string" }'),
    ],
)
def test_a_setting_that_accepts_anything(bad: str, good: str) -> None:
    def with_setting(schema: str) -> WheelBuilder:
        text = demo_manifest(permissions=USED) + f"\n[settings.extra]\n{schema}\n"
        return plugin("").but(manifest=text)

    assert only(examined(manifest, with_setting(bad)), "setting-accepts-anything").severity == "low"
    assert ids(examined(manifest, with_setting(good))) == []


@pytest.mark.parametrize(
    ("permission", "use"),
    [
        ('read = ["/etc/ssh"]', 'X = "/etc/ssh/sshd_config"'),
        ('read = ["/etc/ssh"]', 'X = "/etc/" + name'),
        ('stat = ["/etc/shadow"]', 'X = "/etc/shadow"'),
        ('commands = [["rpm", "-q"]]', 'X = ("rpm", "-q")'),
        ('network = ["a.example:443"]', 'X = ("a.example", 443)'),
        ('env = ["PROXY"]', 'X = "PROXY"'),
    ],
)
def test_a_permission_that_nothing_uses(permission: str, use: str) -> None:
    bad = examined(manifest, plugin("", permissions=permission + "\n"))
    assert permission.partition(" = ")[0] in only(bad, "unused-permission").entry
    assert ids(examined(manifest, plugin(use, permissions=permission + "\n"))) == []


def test_code_that_cannot_be_read_leaves_the_comparison_incomplete() -> None:
    assert len(examined(manifest, plugin("", more__py=b"def")).incomplete) == 1
    assert examined(manifest, plugin("", more__py=b"x")).incomplete == ()


def test_the_report_says_what_the_plugin_may_use() -> None:
    found = examined(manifest, plugin(DEMO_SOURCE))
    assert found.facts["limits"].keys() == {"memory_mib", "timeout_s", "cpu_s", "scratch_mib", "threads", "descriptors"}
