"""Which version is meant, whether it serves the target, and whether page and lock agree: pure rules."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.tags import parse_tag
from packaging.version import Version

from assess_registry.client.choose import check_page_against_lock, check_target, choose_version, select_own
from assess_registry.client.location import Location
from assess_registry.client.page import PageWheel
from assess_registry.client.target import Target
from assess_registry.errors import NotPublishedError, TrustError
from assess_registry.lock import Lock, LockedWheel, parse_lock, write_lock
from assess_registry.names import ProjectName, Sha256

DEMO = ProjectName("demo")
LINUX = Target.cpython("3.12.1", platforms=("linux_x86_64",), machine="x86_64", sys_platform="linux")


def offer(version: str, tag: str = "py3-none-any", **changes: Any) -> PageWheel:
    filename = f"demo-{version}-{tag}.whl"
    values: dict[str, Any] = {
        "filename": filename,
        "version": Version(version),
        "tags": parse_tag(tag),
        "location": Location(f"files/demo/{version}/{filename}"),
        "sha256": Sha256("0" * 64),
        "size": 10,
        "requires_python": SpecifierSet(),
        "yanked": False,
        "yanked_reason": "",
    }
    return PageWheel(**values | changes)


def lock_of(*wheels: PageWheel) -> Lock:
    locked = (
        LockedWheel(
            project=DEMO, version=str(wheel.version), filename=wheel.filename, sha256=wheel.sha256, size=wheel.size or 1
        )
        for wheel in wheels
    )
    return parse_lock(write_lock(locked, requires_python=None))


def choose(requirement: str, *versions: str | PageWheel) -> str:
    offered = tuple(offer(version) if isinstance(version, str) else version for version in versions)
    return str(choose_version(Requirement(requirement), offered, url="https://registry.example/"))


@pytest.mark.parametrize(
    ("requirement", "versions", "chosen"),
    [
        ("demo", ["1.0", "1.10", "1.9"], "1.10"),
        ("demo<1.10", ["1.0", "1.10", "1.9"], "1.9"),
        ("demo~=1.2", ["1.1", "1.9", "2.0"], "1.9"),
        ("demo", ["1.0", "2.0rc1"], "1.0"),
        ("demo", ["1.0rc1", "1.0rc2"], "1.0rc2"),
        ("demo>=2.0rc1", ["1.0", "2.0rc1"], "2.0rc1"),
        ("demo==1.0", ["1.0", "1.1"], "1.0"),
        ("demo==1.0.0", ["1.0", "1.1"], "1.0"),
        ("demo===1.0", ["1.0", "1.1"], "1.0"),
        ("demo==1.*", ["1.0", "1.1", "2.0"], "1.1"),
        ("demo==1.0", ["1.0", "1.0+local"], "1.0+local"),
        ("demo!=1.1", ["1.0", "1.1"], "1.0"),
    ],
)
def test_highest_admitted_version_is_chosen(requirement: str, versions: list[str], chosen: str) -> None:
    assert choose(requirement, *versions) == chosen


@settings(max_examples=40)
@given(st.lists(st.integers(0, 30), min_size=1, unique=True), st.integers(0, 30))
def test_chosen_version_is_admitted_and_none_above_it_is(minors: list[int], bound: int) -> None:
    admitted = [minor for minor in minors if minor <= bound]
    versions = [f"1.{minor}" for minor in minors]
    if admitted:
        assert choose(f"demo<=1.{bound}", *versions) == f"1.{max(admitted)}"
    else:
        with pytest.raises(NotPublishedError):
            choose(f"demo<=1.{bound}", *versions)


@pytest.mark.parametrize("pin", ["demo==1.1", "demo===1.1", "demo>=1,==1.1"])
def test_yanked_version_is_chosen_when_pinned(pin: str) -> None:
    assert choose(pin, "1.0", offer("1.1", yanked=True)) == "1.1"


@pytest.mark.parametrize(
    ("pin", "yanked", "chosen"),
    [
        ("demo==2.0.0", ("2.0.0+local.1",), "2.0.0"),
        ("demo==2.0.0", ("2.0.0",), "2.0.0+local.1"),
        ("demo==2.0.0", ("2.0.0", "2.0.0+local.1"), "2.0.0+local.1"),
        ("demo==2.0.0", (), "2.0.0+local.1"),
        ("demo===2.0.0", ("2.0.0",), "2.0.0"),
        ("demo==2.0.0+local.1", ("2.0.0+local.1",), "2.0.0+local.1"),
    ],
)
def test_a_pin_is_of_a_yanked_version_only_where_nothing_else_satisfies_it(
    pin: str, yanked: tuple[str, ...], chosen: str
) -> None:
    versions = ("1.0", "2.0.0", "2.0.0+local.1", "3.0")
    assert choose(pin, *(offer(version, yanked=version in yanked) for version in versions)) == chosen


@pytest.mark.parametrize("requirement", ["demo", "demo>=1", "demo==1.*", "demo~=1.0"])
def test_yanked_version_is_not_chosen_otherwise(requirement: str) -> None:
    assert choose(requirement, "1.0", offer("1.1", yanked=True)) == "1.0"


def test_release_with_one_yanked_wheel_is_yanked() -> None:
    half = offer("1.1", "cp312-cp312-linux_x86_64", yanked=True)
    assert choose("demo", "1.0", "1.1", half) == "1.0"


@pytest.mark.parametrize(
    ("offered", "said"),
    [
        (("1.0",), "published are 1.0"),
        ((), "no wheel of it is published"),
        (tuple(f"1.{minor}" for minor in range(20)), "and 12 more"),
    ],
)
def test_nothing_that_matches_says_what_there_is(offered: tuple[str, ...], said: str) -> None:
    with pytest.raises(NotPublishedError, match=said) as caught:
        choose("demo>=2", *offered)
    assert caught.value.url == "https://registry.example/"


def test_any_fitting_wheel_of_the_version_will_do() -> None:
    wheels = offer("1.0", "cp312-cp312-win_amd64"), offer("1.0", "cp312-cp312-linux_x86_64")
    check_target(DEMO, Version("1.0"), wheels, LINUX)
    with pytest.raises(TrustError, match="no wheel of this version") as caught:
        check_target(DEMO, Version("1.0"), wheels[:1], LINUX)
    assert (caught.value.step, caught.value.got) == ("tags", "cp312-cp312-win_amd64")


def test_suggestion_leaves_out_what_is_yanked_or_does_not_fit() -> None:
    offered = (
        offer("2.0", "py3-none-win_amd64"),
        offer("1.3", yanked=True),
        offer("1.2", requires_python=SpecifierSet(">=3.13")),
        offer("1.1"),
    )
    with pytest.raises(TrustError) as caught:
        check_target(DEMO, Version("2.0"), offered, LINUX)
    assert caught.value.next_step == "ask for one that fits, for example demo==1.1 (there are: 1.1)"


def test_page_may_offer_less_than_the_lock_but_not_more() -> None:
    one, other = offer("1.0"), offer("1.0", "cp312-cp312-linux_x86_64")
    check_page_against_lock((one,), lock_of(one, other), lock_url="lock")
    with pytest.raises(TrustError) as caught:
        check_page_against_lock((one, other), lock_of(one), lock_url="lock")
    assert (caught.value.step, caught.value.thing) == ("lock", other.filename)


@pytest.mark.parametrize("changes", [{"sha256": Sha256("1" * 64)}, {"size": 11}])
def test_page_and_lock_agree_on_every_value(changes: dict[str, Any]) -> None:
    check_page_against_lock((offer("1.0", size=None),), lock_of(offer("1.0")), lock_url="lock")
    with pytest.raises(TrustError, match="did not lock"):
        check_page_against_lock((offer("1.0", **changes),), lock_of(offer("1.0")), lock_url="lock")


def test_lock_chooses_the_best_wheel_for_the_target() -> None:
    pure, native, windows = offer("1.0"), offer("1.0", "cp312-cp312-linux_x86_64"), offer("1.0", "py3-none-win_amd64")
    own, rest = select_own(lock_of(windows, pure, native), project=DEMO, version="1.0", target=LINUX)
    assert (own.filename, rest) == (native.filename, ())


@pytest.mark.parametrize(("project", "version"), [("demo", "1.1"), ("other", "1.0")])
def test_lock_of_something_else_is_refused(project: str, version: str) -> None:
    with pytest.raises(TrustError, match="does not hold the plugin") as caught:
        select_own(lock_of(offer("1.0")), project=ProjectName(project), version=version, target=LINUX)
    assert (caught.value.expected, caught.value.got) == (f"a wheel of {project} {version}", "demo 1.0")
