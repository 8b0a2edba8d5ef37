import pytest

from assess_registry.wheel import EntryPoint
from tests.support.inspection import accepted, ids, refused
from tests.support.wheels import WheelBuilder, demo_manifest

PLUGIN = WheelBuilder()
GOOD = "[assess.plugins]\ndemo = demo_plugin:plugin\n"


def test_control_entry_points_are_read_in_order() -> None:
    assert accepted(PLUGIN).entry_points == (
        EntryPoint(group="assess.plugins", name="demo", value="demo_plugin:plugin"),
        EntryPoint(group="assess.providers", name="demo-subjects", value="demo_plugin:provider"),
    )
    text = f"# comment\n\n{GOOD}[console_scripts]\nmy tool=demo_plugin:main [extra]\n"
    (plugin, script) = accepted(PLUGIN.but(entry_points=text)).entry_points
    assert (plugin.module, plugin.attr) == ("demo_plugin", "plugin")
    assert (script.name, script.value) == ("my tool", "demo_plugin:main [extra]")


def test_control_the_module_itself_may_be_the_plugin() -> None:
    files = {"demo_plugin/__init__.py": "", "demo_plugin/sub/one.py": ""}
    (entry,) = accepted(
        PLUGIN.but(files=files, entry_points="[assess.plugins]\ndemo = demo_plugin.sub.one\n")
    ).entry_points
    assert (entry.module, entry.attr) == ("demo_plugin.sub.one", "")


ATTACKS = {
    "none of ours": ("[console_scripts]\nx = demo_plugin:main\n", "entry-point-missing"),
    "empty": ("", "entry-point-missing"),
    "unknown group of ours": (GOOD + "[assess.plugin]\nx = demo_plugin:x\n", "entry-point-group"),
    "upper-case name": (GOOD.replace("demo =", "Demo ="), "entry-point-name"),
    "a space in the name": (GOOD.replace("demo =", "de mo ="), "entry-point-name"),
    "long name": (GOOD.replace("demo =", "d" * 101 + " ="), "entry-point-name"),
    "no value": (GOOD.replace("demo_plugin:plugin", ""), "entry-points"),
    "a path as value": (GOOD.replace("demo_plugin:plugin", "../demo_plugin"), "entry-point-value"),
    "code as value": (GOOD.replace("demo_plugin:plugin", "demo_plugin:plugin()"), "entry-point-value"),
    "two attributes": (GOOD.replace("demo_plugin:plugin", "demo_plugin:a:b"), "entry-point-value"),
    "an extra": (GOOD.replace("demo_plugin:plugin", "demo_plugin:plugin [x]"), "entry-point-value"),
    "look-alike letters": (GOOD.replace("demo_plugin:plugin", "dem\u043e_plugin:plugin"), "entry-point-value"),
    "a module that is not here": (GOOD.replace("demo_plugin:plugin", "demo_plugin.none:plugin"), "entry-point-module"),
    "a module of others": (GOOD.replace("demo_plugin:plugin", "os:system"), "entry-point-module"),
    "name twice": (GOOD + "demo = demo_plugin:other\n", "entry-point-twice"),
    "group twice": (GOOD + GOOD.replace("demo =", "demo2 ="), "entry-point-twice"),
    "a plugin and a provider": (GOOD + "[assess.providers]\ndemo = demo_plugin:p\n", "entry-point-twice"),
    "a name in two cases": (GOOD + "[console_scripts]\na = x:y\nA = x:z\n", "entry-point-twice"),
    "defaults of all groups": (GOOD + "[DEFAULT]\nother = demo_plugin:x\n", "entry-points"),
    "defaults alone": ("[DEFAULT]\n" + GOOD, "entry-points"),
    "interpolation": (GOOD + "[console_scripts]\nx = %(demo)s:y\n", "entry-points"),
    "a percent sign": (GOOD + "[console_scripts]\nx = y:100%\n", "entry-points"),
    "colon for equals": (GOOD + "other: demo_plugin:x\n", "entry-points"),
    "continuation line": (GOOD + "  other = demo_plugin:x\n", "entry-points"),
    "tab": (GOOD + "\tother = demo_plugin:x\n", "entry-points"),
    "outside a group": ("demo = demo_plugin:plugin\n" + GOOD, "entry-points"),
    "open group": (GOOD + "[assess.providers\nx = demo_plugin:x\n", "entry-points"),
    "semicolon comment": (GOOD + "; x = demo_plugin:x\n", "entry-points"),
    "carriage return": (GOOD + "x = demo_plugin:x\ry = demo_plugin:y\n", "entry-points"),
    "NUL": (GOOD + "x\0 = demo_plugin:x\n", "entry-points"),
    "long line": (GOOD + "x = " + "a" * 2000 + "\n", "entry-points"),
    "large": (GOOD + "#" * 70_000, "entry-points"),
}


@pytest.mark.parametrize(("text", "expected"), ATTACKS.values(), ids=ATTACKS.keys())
def test_entry_points_that_can_be_read_in_two_ways_or_lead_nowhere_are_refused(text: str, expected: str) -> None:
    assert expected in ids(refused(PLUGIN.but(entry_points=text)))
    assert accepted(PLUGIN.but(entry_points=GOOD)).entry_points


def test_control_a_group_of_another_name_is_no_default() -> None:
    text = f"# 100% plain\n{GOOD}[default]\na = x:y\nb = x:y\n"
    assert [each.group for each in accepted(PLUGIN.but(entry_points=text)).entry_points] == [
        "assess.plugins",
        "default",
        "default",
    ]


def test_entry_points_that_are_no_text_are_refused() -> None:
    builder = PLUGIN.but(entry_points=None)
    files = {"demo_plugin/__init__.py": "", f"{PLUGIN.dist_info}/entry_points.txt": b"\xff"}
    assert "entry-points" in ids(refused(builder.but(files=files)))


def test_of_a_dependency_odd_lines_are_skipped() -> None:
    text = "[console_scripts]\ntool : x\ngood = somelib:main\n"
    (entry,) = accepted(WheelBuilder.dependency(entry_points=text), "dependency").entry_points
    assert entry.name == "good"


def test_every_check_names_a_plugin_of_the_wheel() -> None:
    issues = refused(PLUGIN.but(manifest=demo_manifest(plugin="dmeo")))
    assert ids(issues) == ["manifest-plugin"]
    assert "did you mean 'demo'?" in issues[0].message
    # a provider finds subjects and reports nothing
    assert ids(refused(PLUGIN.but(manifest=demo_manifest(plugin="demo-subjects")))) == ["manifest-plugin"]


def test_a_wheel_of_providers_alone_is_accepted() -> None:
    text = "[assess.providers]\nsubjects = demo_plugin:provider\n"
    assert accepted(PLUGIN.but(entry_points=text, manifest=demo_manifest(checks=()))).manifest is not None


def test_issues_of_the_manifest_are_among_those_of_the_wheel() -> None:
    issues = refused(PLUGIN.but(manifest="schema = 1\ntitel = 'x'\n", requires=("no requirement",)))
    assert ids(issues) == ["manifest-missing-key", "manifest-unknown-key", "metadata"]
    assert "demo_plugin/assess-plugin.toml: titel" in [issue.entry for issue in issues]
