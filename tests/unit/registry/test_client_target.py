"""A target is what an interpreter says of itself, running or not."""

import sys

import pytest
from packaging.specifiers import SpecifierSet
from packaging.tags import Tag, parse_tag, sys_tags

from assess_registry.client.target import Target

ARM = Target.cpython("3.12.1", platforms=("manylinux_2_28_aarch64", "linux_aarch64"), machine="aarch64")


def test_running_target_is_this_interpreter() -> None:
    running = Target.running()
    assert running.tags == tuple(sys_tags())
    assert running.python.release[:3] == sys.version_info[:3]
    assert running.environment["python_version"] == f"{sys.version_info[0]}.{sys.version_info[1]}"
    with pytest.raises(TypeError):
        running.environment["python_version"] = "2.7"  # type: ignore[index]


def test_given_target_ignores_the_running_interpreter() -> None:
    assert ARM.tags[0] == Tag("cp312", "cp312", "manylinux_2_28_aarch64")
    assert ARM.environment["python_full_version"] == ARM.environment["implementation_version"] == "3.12.1"
    assert ARM.environment["platform_machine"] == "aarch64"
    assert {tag.platform for tag in ARM.tags} == {"manylinux_2_28_aarch64", "linux_aarch64", "any"}


@pytest.mark.parametrize(
    "tag", ["cp312-cp312-linux_aarch64", "cp39-abi3-linux_aarch64", "py3-none-any", "py2.py3-none-any"]
)
def test_fitting_wheel_has_a_rank(tag: str) -> None:
    assert ARM.rank(parse_tag(tag)) is not None


@pytest.mark.parametrize(
    "tag",
    [
        "cp311-cp311-linux_aarch64",
        "cp313-abi3-linux_aarch64",
        "py3-none-linux_x86_64",
        "cp312-cp312t-linux_aarch64",
        "py2-none-any",
    ],
)
def test_wheel_for_another_interpreter_has_none(tag: str) -> None:
    assert ARM.rank(parse_tag(tag)) is None


def test_better_match_has_the_lower_rank() -> None:
    native, pure = ARM.rank(parse_tag("cp312-cp312-linux_aarch64")), ARM.rank(parse_tag("py3-none-any"))
    assert native is not None
    assert pure is not None
    assert native < pure


def test_python_requirement_counts_the_full_version() -> None:
    assert ARM.admits_python(SpecifierSet(">=3.12.1"))
    assert not ARM.admits_python(SpecifierSet(">=3.12.2"))


def test_pre_release_interpreter_is_its_version() -> None:
    alpha = Target.cpython("3.15.0a1", platforms=("linux_x86_64",))
    assert alpha.admits_python(SpecifierSet(">=3.11"))
    assert not alpha.admits_python(SpecifierSet(">=3.15"))
    built = Target.cpython("3.15.0a1+", platforms=("linux_x86_64",))
    assert built.admits_python(SpecifierSet(">=3.14"))


def test_markers_can_be_given() -> None:
    assert Target.cpython("3.12.1", platforms=(), sys_platform="darwin").environment["sys_platform"] == "darwin"
