"""Markers as short as they are true, environments as narrow as was asked, requirements followed."""

import pytest
from packaging.markers import Marker

from assess_registry.closure.environments import later_pythons, lock_environments, resolver_environments, targets_for
from assess_registry.closure.markers import asked_about, simplest
from assess_registry.closure.survey import survey
from assess_registry.closure.walk import is_for_another_extra, reached
from assess_registry.config import Targets
from assess_registry.errors import PublishError
from assess_registry.names import ProjectName
from assess_registry.targets import targets_of
from assess_registry.wheel import InspectedWheel, inspect
from tests.support.wheels import WheelBuilder

X86, ARM, MUSL, MAC = "manylinux_2_28_x86_64", "manylinux_2_28_aarch64", "musllinux_1_2_x86_64", "macosx_11_0_arm64"


def environments(python: str, *platforms: str) -> list[dict[str, str]]:
    return [dict(each.environment) for each in targets_of(Targets(pythons=(python,), platforms=platforms))]


OLD, NEW = environments("3.11", X86)[0], environments("3.12", X86)[0]
WINDOWS = environments("3.12", "win_amd64")[0]
UV = "(python_full_version == '3.11.*' and platform_machine == 'x86_64' and sys_platform == 'linux') or (python_full_version == '3.11.*' and platform_machine == 'aarch64' and sys_platform == 'linux')"  # noqa: E501


@pytest.mark.parametrize(
    ("marker", "truth", "asked", "shortest"),
    [
        (UV, [(OLD, True), (NEW, True)], set(), None),
        (UV, [(OLD, True), (NEW, False)], set(), "python_full_version == '3.11.*'"),
        (
            "sys_platform == 'win32' and platform_machine == 'AMD64'",
            [(WINDOWS, True), (NEW, False)],
            {"sys_platform"},
            "sys_platform == 'win32'",
        ),
        # True by accident of what the targets are: nobody asked for the machine.
        (
            "platform_machine == 'AMD64' and os_name == 'nt'",
            [(WINDOWS, True), (NEW, False)],
            {"sys_platform"},
            "os_name == 'nt'",
        ),
        (
            "python_version < '3.12' and (sys_platform == 'linux' or sys_platform == 'darwin')",
            [(OLD, True), (NEW, False)],
            {"sys_platform"},
            "python_version < '3.12' and (sys_platform == 'linux' or sys_platform == 'darwin')",
        ),
    ],
)
def test_words_are_dropped_while_a_marker_stays_true(
    marker: str, truth: list[tuple[dict[str, str], bool]], asked: set[str], shortest: str | None
) -> None:
    found = simplest(Marker(marker), truth, frozenset(asked))
    assert found == (None if shortest is None else Marker(shortest))


def test_a_marker_that_says_something_else_is_no_marker_of_ours() -> None:
    with pytest.raises(ValueError, match=r"3\.12"):
        simplest(Marker("python_version == '3.12'"), [(OLD, True), (NEW, False)], frozenset())
    assert simplest(Marker("python_version == '3.12'"), [(OLD, False), (NEW, True)], frozenset()) is not None


def test_what_markers_ask_about_is_not_what_they_compare_with() -> None:
    assert asked_about(["os_name == 'platform_machine'", 'python_version < "3.12"']) == {"sys_platform"}
    assert asked_about(["'arm' in platform_machine", 'platform_python_implementation != "PyPy"']) == {
        "platform_machine",
        "implementation_name",
    }
    assert asked_about(['extra == "sys_platform"']) == set()


def plugin(*requires: str, requires_python: str | None = ">=3.11") -> InspectedWheel:
    wheel = WheelBuilder(requires=requires, requires_python=requires_python)
    return inspect(wheel.build(), wheel.filename, kind="plugin")


def lib(name: str, *requires: str, version: str = "1.0") -> InspectedWheel:
    wheel = WheelBuilder.dependency(name, version, requires=requires)
    return inspect(wheel.build(), wheel.filename, kind="dependency")


def test_targets_are_those_whose_python_the_plugin_admits() -> None:
    names = [each.name for each in targets_for(plugin(requires_python=">=3.12,<3.13"), Targets(platforms=(X86,)))]
    assert names == [f"Python 3.12 on {X86}"]
    beyond = targets_for(plugin(requires_python=">=3.21"), Targets(platforms=(X86,)))
    assert [each.name for each in beyond] == [f"Python 3.21 on {X86}"]
    with pytest.raises(PublishError, match="admits no Python 3"):
        targets_for(plugin(requires_python="<3"), Targets())


def test_the_resolver_is_told_of_the_targets_and_of_nothing_between_them() -> None:
    targets = tuple(targets_of(Targets(pythons=("3.11", "3.12", "3.14"), platforms=(X86, MUSL, ARM))))
    told = resolver_environments(targets)
    assert len(told) == 2  # musl and glibc are one and the same to markers

    def served(python: str, platform: str) -> int:
        return sum(Marker(each).evaluate(environments(python, platform)[0]) for each in told)

    assert [served(python, X86) for python in ("3.11", "3.12", "3.13", "3.14", "3.15")] == [1, 1, 0, 1, 0]
    assert [served("3.12", platform) for platform in (X86, ARM, MUSL, MAC)] == [1, 1, 1, 0]


@pytest.mark.parametrize(
    ("asked", "later", "expected"),
    [
        (set(), True, []),
        ({"sys_platform"}, True, ['sys_platform == "linux"']),
        ({"platform_machine"}, True, ['platform_machine == "x86_64"', 'platform_machine == "aarch64"']),
        (set(), False, ['python_version == "3.11"', 'python_version == "3.12"']),
        (
            {"sys_platform"},
            False,
            [
                'sys_platform == "linux" and python_version == "3.11"',
                'sys_platform == "linux" and python_version == "3.12"',
            ],
        ),
    ],
)
def test_a_lock_is_limited_to_what_was_asked_about(asked: set[str], later: bool, expected: list[str]) -> None:
    targets = tuple(targets_of(Targets(pythons=("3.11", "3.12"), platforms=(X86, ARM))))
    assert list(lock_environments(targets, asked, later=later)) == [Marker(text) for text in expected]


def test_later_pythons_are_told_apart_where_a_marker_does() -> None:
    targets = tuple(targets_of(Targets(pythons=("3.12",), platforms=(X86,))))
    later = later_pythons(targets, ['python_version < "3.20"', 'python_version >= "3.9"'])
    assert [each["python_version"] for each in later] == ["3.13", "3.19", "3.20", "3.21", "3.99"]


@pytest.mark.parametrize(
    ("marker", "active", "another"),
    [
        ('extra == "more"', set(), True),
        ('extra == "more"', {"more"}, False),
        ('sys_platform == "linux" and extra == "more"', {"other"}, True),
        ('(sys_platform == "linux" or os_name == "nt") and extra == "more"', set(), True),
        ('sys_platform == "linux" or extra == "more"', set(), False),
        ('sys_platform == "linux"', set(), False),
    ],
)
def test_a_requirement_of_an_extra_that_nobody_asked_for_asks_about_nothing(
    marker: str, active: set[str], another: bool
) -> None:
    assert is_for_another_extra(Marker(marker), active) is another  # type: ignore[arg-type]  # normalised by hand


def test_requirements_are_followed_and_what_is_not_met_is_named() -> None:
    wheels = {"a": [lib("a", "b[x]>=1", "absent; python_version < '3.12'")], "b": [lib("b", "c<1; extra == 'x'")]}
    wheels["c"] = [lib("c")]

    def of(project: ProjectName) -> list[InspectedWheel]:
        return wheels.get(project, [])

    found = reached(plugin("a"), of, OLD)
    assert found.projects == {"demo-plugin", "a", "b", "c"}
    assert found.problems == ("a 1.0 requires absent; offered: none", "b 1.0 requires c<1; offered: 1.0")
    assert reached(plugin("a"), of, NEW).problems == ("b 1.0 requires c<1; offered: 1.0",)
    with pytest.raises(PublishError, match=r"absent; offered: none\n.*c<1; offered: 1\.0"):
        survey(plugin("a"), of, tuple(targets_of(Targets(platforms=(X86,)))))
    wheels["c"] = [lib("c", version="0.9")]
    assert not reached(plugin("a"), of, NEW).problems


def test_a_marker_that_cannot_be_evaluated_is_named() -> None:
    wheel = plugin("a; python_version ~= 'x'")
    with pytest.raises(PublishError, match=r"demo-plugin 1\.0\.0: marker .* cannot be evaluated"):
        reached(wheel, lambda _: (), OLD)
