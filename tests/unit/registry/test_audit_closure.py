"""Dependencies are chosen and inspected, and must be such that somebody can install them."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date

import pytest

from assess_registry.audit.pipeline import Terms, conclude, examine
from assess_registry.audit.values import Finding, Report, Verdict
from assess_registry.config import Targets
from assess_registry.targets import targets_of
from tests.support.wheels import WheelBuilder

X86, ARM = "manylinux_2_28_x86_64", "manylinux_2_28_aarch64"
TERMS = Terms(as_of=date(2026, 11, 21))
PLUGIN = WheelBuilder(requires=("somelib>=1",))


def library(tag: str = "py3-none-any", **changes: object) -> WheelBuilder:
    pure = tag.endswith("-any")
    return WheelBuilder.dependency("somelib", "1.2.0", tag=tag, purelib=pure, **changes)


def report(
    *closure: WheelBuilder, plugin: WheelBuilder = PLUGIN, targets: Targets | None = None, is_given: bool = True
) -> Report:
    terms = replace(TERMS, targets=targets or Targets())
    given = {each.filename: each.build() for each in closure} if is_given else None
    return conclude(examine(plugin.build(), plugin.filename, closure=given, terms=terms, checks=()), terms)


def findings(one: Report) -> list[Finding]:
    return [each.finding for each in one.judged]


def ids(one: Report) -> list[str]:
    return [each.id for each in findings(one)]


# --- the runtime's own part -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("is_given", [True, False])
def test_the_sdk_need_not_be_given_whether_other_wheels_are_or_not(is_given: bool) -> None:
    plugin = WheelBuilder(requires=("assess-plugin>=1.0,<2",))
    assert report(plugin=plugin, is_given=is_given).verdict is Verdict.APPROVED
    other = WheelBuilder(requires=("assess-plugins>=1.0,<2",))
    assert report(plugin=other, is_given=is_given).verdict is Verdict.FLAGGED


def test_the_sdk_is_chosen_where_it_is_given() -> None:
    plugin = WheelBuilder(requires=("assess-plugin>=1.0,<2", "somelib"))
    sdk = WheelBuilder.dependency("assess-plugin", "1.0.0")
    facts = report(library(), sdk, plugin=plugin).examinations[1].facts["wheels"]
    assert [each["filename"] for each in facts] == [sdk.filename, library().filename]
    assert report(library(), plugin=plugin).verdict is Verdict.APPROVED
    unfit = WheelBuilder.dependency("assess-plugin", "2.0.0")
    assert report(library(), unfit, plugin=plugin).verdict is Verdict.FLAGGED


# --- targets ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("tags", "found"),
    [
        (["py3-none-any"], []),
        (["py2.py3-none-any"], []),
        (["cp311-abi3-manylinux_2_28_x86_64", "cp311-abi3-manylinux_2_28_aarch64"], []),
        (["cp311-abi3-manylinux2014_x86_64", "cp311-abi3-manylinux_2_17_aarch64"], []),
        (["cp311-abi3-manylinux_2_28_x86_64"], ["closure-misses-target"]),
        (["cp313-cp313-manylinux_2_28_x86_64"], ["closure-misses-target"]),
        (["cp311-abi3-manylinux_2_34_x86_64"], ["closure-fits-no-target"]),
        (["cp311-abi3-musllinux_1_2_x86_64"], ["closure-fits-no-target"]),
        (["cp310-cp310-manylinux_2_28_x86_64"], ["closure-fits-no-target"]),
        (["cp312-cp312-win_amd64", "cp312-cp312-macosx_11_0_arm64"], ["closure-fits-no-target"]),
        (["py2-none-any"], ["closure-fits-no-target"]),
    ],
)
def test_a_closure_is_held_against_every_target(tags: Sequence[str], found: list[str]) -> None:
    one = report(*(library(tag) for tag in tags))
    assert ids(one) == found
    assert (one.verdict is Verdict.FLAGGED) is (found == ["closure-fits-no-target"])


def test_the_pythons_a_dependency_wants_count() -> None:
    assert ids(report(library(requires_python=">=3.11.4"))) == []
    (missed,) = findings(report(library(requires_python=">=3.13")))
    assert missed.id == "closure-misses-target"
    assert f"Python 3.11 on {X86}" in missed.message
    assert ids(report(library(requires_python=">=3.14"))) == ["closure-fits-no-target"]


def test_targets_the_plugin_is_not_meant_for_are_not_asked_of_its_closure() -> None:
    native = library(f"cp311-abi3-{X86}")
    assert ids(report(native)) == ["closure-misses-target"]
    only_x86 = PLUGIN.but(tag=f"py3-none-{X86}", purelib=False)
    assert ids(report(native, plugin=only_x86)) == []
    newest = library(f"cp313-cp313-{X86}")
    assert ids(report(newest, plugin=only_x86.but(requires_python=">=3.13"))) == []


@pytest.mark.parametrize("is_given", [True, False])
def test_a_plugin_that_nobody_can_install_is_flagged(is_given: bool) -> None:
    plugin = WheelBuilder(tag="py3-none-win_amd64", purelib=False, requires=())
    one = report(plugin=plugin, is_given=is_given)
    assert (one.verdict, ids(one)) == (Verdict.FLAGGED, ["closure-fits-no-target"])
    windows = Targets(platforms=("win_amd64",))
    assert report(plugin=plugin, is_given=is_given, targets=windows).verdict is Verdict.APPROVED


def test_the_targets_are_those_of_the_registry() -> None:
    mac = library("cp314-cp314-macosx_11_0_arm64")
    assert ids(report(mac)) == ["closure-fits-no-target"]
    assert ids(report(mac, targets=Targets(pythons=("3.14",), platforms=("macosx_14_0_arm64",)))) == []
    musl = library("cp312-cp312-musllinux_1_1_x86_64")
    assert ids(report(musl, targets=Targets(pythons=("3.12",), platforms=("musllinux_1_2_x86_64",)))) == []


def test_what_a_marker_leaves_out_is_not_asked_for() -> None:
    plugin = WheelBuilder(requires=("somelib; platform_machine == 'aarch64'",))
    assert ids(report(library(f"cp311-abi3-{ARM}"), plugin=plugin)) == []
    assert ids(report(library(f"cp311-abi3-{X86}"), plugin=plugin)) == ["closure-misses-target"]


@pytest.mark.parametrize(
    ("platform", "system", "machine"),
    [
        (X86, "linux", "x86_64"),
        ("musllinux_1_2_aarch64", "linux", "aarch64"),
        ("macosx_11_0_arm64", "darwin", "arm64"),
        ("win_amd64", "win32", "AMD64"),
        ("win32", "win32", "x86"),
        ("linux_ppc64le", "linux", "ppc64le"),
    ],
)
def test_markers_of_a_platform_are_those_of_its_machines(platform: str, system: str, machine: str) -> None:
    (target,) = targets_of(Targets(pythons=("3.12",), platforms=(platform,)))
    assert (target.environment["sys_platform"], target.environment["platform_machine"]) == (system, machine)
    assert target.name == f"Python 3.12 on {platform}"


# --- one directory for all --------------------------------------------------------------------------------------------


def sharing(*closure: tuple[str, Mapping[str, str | bytes]], own: Mapping[str, str] | None = None) -> Report:
    requires = tuple(name for name, _ in closure)
    plugin = WheelBuilder(requires=requires)
    if own is not None:
        plugin = plugin.but(files={**(plugin.files or {}), **own})
    return report(*(WheelBuilder.dependency(name, files=files) for name, files in closure), plugin=plugin)


@pytest.mark.parametrize(
    ("path", "content"),
    [
        ("demo_plugin/extra.py", "import os\n"),
        ("demo_plugin/__init__.py", "import os\n"),
        ("demo_plugin/data/x.txt", "x"),
        ("demo_plugin.py", "import os\n"),
        ("demo_plugin.cpython-311-x86_64-linux-gnu.so", "x"),
        ("Demo_Plugin/extra.py", "x = 1\n"),
        ("somelib-1.0.0.data/purelib/demo_plugin/extra.py", "import os\n"),
    ],
)
def test_a_dependency_writes_nothing_into_the_plugins_package(path: str, content: str) -> None:
    files = {"somelib/__init__.py": "", path: content}
    bad = sharing(("somelib", files))
    assert bad.verdict is Verdict.REJECTED
    (said,) = [each for each in findings(bad) if each.id == "closure-shadows-plugin"]
    assert said.entry == f"somelib-1.0.0-py3-none-any.whl: {path.rpartition('purelib/')[2]}"
    control = sharing(("somelib", {"somelib/__init__.py": "", path.lower().replace("demo_plugin", "somelib"): content}))
    assert (control.verdict, findings(control)) == (Verdict.APPROVED, [])


@pytest.mark.parametrize(
    ("path", "one", "two", "other"),
    [
        ("common/__init__.py", "x = 1\n", "x = 2\n", "common/__init__.py"),
        ("common", "x", "y", "common/y.py"),
    ],
)
def test_two_projects_with_different_files_at_one_path_are_refused(path: str, one: str, two: str, other: str) -> None:
    bad = sharing(("alib", {"alib.py": "", path: one}), ("blib", {"blib.py": "", other: two}))
    assert bad.verdict is Verdict.REJECTED
    assert {each.id for each in findings(bad)} == {"closure-file-conflict"}
    assert "blib brings something else" in findings(bad)[0].message
    assert findings(bad)[0].entry.endswith(f": {path}")
    same = sharing(("alib", {"alib.py": "", path: one}), ("blib", {"blib.py": "", path: one}))
    assert (same.verdict, findings(same)) == (Verdict.APPROVED, [])


def test_wheels_of_one_project_for_several_machines_are_no_conflict() -> None:
    builds = [
        library(f"cp311-abi3-{platform}", files={"somelib/__init__.py": f"MACHINE = {platform!r}\n"})
        for platform in (X86, ARM)
    ]
    assert ids(report(*builds)) == []
