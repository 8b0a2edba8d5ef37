from collections.abc import Mapping

import pytest
from packaging.markers import default_environment
from packaging.tags import Tag, parse_tag

from assess_registry.closure import make_closure
from assess_registry.config import Targets
from assess_registry.errors import PublishError, TrustError, WheelError
from assess_registry.lock import Lock
from assess_registry.wheel import inspect
from tests.support.wheels import WheelBuilder
from tests.support.zips import Member


class Target:
    def __init__(self, python: str = "3.12", platform: str = "linux", tag: str = "py3-none-any") -> None:
        known = {key: str(value) for key, value in default_environment().items()}
        self.environment: Mapping[str, str] = known | {
            "python_version": python,
            "python_full_version": f"{python}.1",
            "sys_platform": platform,
            "implementation_name": "cpython",
        }
        self.tags: tuple[Tag, ...] = (*parse_tag(tag), *parse_tag("py3-none-any"))


def folder(*wheels: WheelBuilder) -> dict[str, bytes]:
    return {wheel.filename: wheel.build() for wheel in wheels}


def lib(name: str, version: str = "1.0", *requires: str, **changes: object) -> WheelBuilder:
    return WheelBuilder.dependency(name, version, requires=requires, **changes)


TARGETS = Targets(pythons=("3.11", "3.12", "3.13", "3.14"))


def closure(
    *requires: str, of: Mapping[str, bytes], requires_python: str | None = ">=3.11", targets: Targets = TARGETS
) -> Lock:
    plugin = WheelBuilder(requires=requires, requires_python=requires_python)
    return make_closure(inspect(plugin.build(), plugin.filename, kind="plugin"), of, targets=targets)


def chosen(lock: Lock, target: Target | None = None) -> dict[str, str]:
    wheels = lock.select(target) if target else lock.wheels
    return {wheel.project: wheel.version for wheel in wheels if wheel.project != "demo-plugin"}


def test_the_lock_holds_the_plugin_and_all_it_needs_and_nothing_else() -> None:
    wheels = folder(lib("a", "1.0", "b"), lib("b"), lib("unrelated"))
    lock = closure("a", of=wheels)
    assert {wheel.project for wheel in lock.wheels} == {"demo-plugin", "a", "b"}
    assert {wheel.filename: wheel.size for wheel in lock.wheels if wheel.project != "demo-plugin"} == {
        name: len(wheels[name]) for name in ("a-1.0-py3-none-any.whl", "b-1.0-py3-none-any.whl")
    }


def test_the_same_folder_gives_the_same_bytes() -> None:
    wheels = folder(lib("a", "1.0", "b", "c"), lib("b"), lib("c"))
    reversed_ = dict(reversed(wheels.items()))
    assert closure("a", of=wheels).data == closure("a", of=reversed_).data


def test_the_highest_version_that_all_admit_is_taken() -> None:
    wheels = folder(*(lib("a", version) for version in ("1.2", "1.10", "2.0", "2.1rc1")), lib("b", "1.0", "a<2"))
    assert chosen(closure("a", of=wheels)) == {"a": "2.0"}
    assert chosen(closure("a", "b", of=wheels)) == {"a": "1.10", "b": "1.0"}
    assert chosen(closure("a>=2.1rc1", of=wheels)) == {"a": "2.1rc1"}


def test_what_only_a_rejected_version_needed_is_not_in_the_lock() -> None:
    wheels = folder(lib("a", "2.0", "extra-of-two"), lib("a", "1.0"), lib("b", "1.0", "a<2"))
    assert chosen(closure("a", "b", of=wheels)) == {"a": "1.0", "b": "1.0"}


def test_requirements_may_form_a_circle() -> None:
    wheels = folder(lib("a", "1.0", "b"), lib("b", "1.0", "a; python_version < '3.13'", "demo-plugin>=1"))
    assert chosen(closure("a", of=wheels)) == {"a": "1.0", "b": "1.0"}


def test_all_missing_wheels_are_named_with_who_requires_them_and_what_is_offered() -> None:
    wheels = folder(lib("a", "1.0", "absent>1", "b>=2"), lib("b", "1.0"))
    with pytest.raises(PublishError) as refused:
        closure("a", of=wheels)
    text = str(refused.value)
    assert "a 1.0 requires absent>1; offered: none" in text
    assert "a 1.0 requires b>=2; offered: 1.0" in text


def test_requirements_that_contradict_each_other_are_named_together() -> None:
    wheels = folder(lib("a", "1.0", "c<2"), lib("b", "1.0", "c>=2"), lib("c", "1.0"), lib("c", "2.0"))
    with pytest.raises(
        PublishError, match=r"versions of a depend on c<2.*versions of b depend on c>=2|b .* c>=2.*a .* c<2"
    ):
        closure("a", "b", of=wheels)


def test_choices_that_chase_each_other_end_in_an_error() -> None:
    wheels = folder(
        lib("a", "2.0", "b<2"), lib("a", "1.0", "b>=2"), lib("b", "2.0", "a>=2"), lib("b", "1.0", "a<2")
    )  # fmt: skip
    with pytest.raises(PublishError):
        closure("a", "b", of=wheels)


def test_markers_are_kept_for_the_target_and_not_evaluated_here() -> None:
    wheels = folder(lib("old"), lib("new"), lib("below-old"))
    wheels |= folder(lib("old", "1.0", "below-old"))
    lock = closure("old; python_version < '3.12'", "new; python_version >= '3.12'", of=wheels)
    assert chosen(lock, Target("3.11")) == {"old": "1.0", "below-old": "1.0"}
    assert chosen(lock, Target("3.12")) == {"new": "1.0"}


def test_two_ways_to_a_project_are_alternatives() -> None:
    wheels = folder(lib("a", "1.0", "shared; python_version < '3.12'"), lib("shared"))
    always = closure("a", "shared", of=wheels)
    sometimes = closure("a", "shared; python_version >= '3.14'", of=wheels)
    assert chosen(always, Target("3.13")) == {"a": "1.0", "shared": "1.0"}
    assert [chosen(sometimes, Target(python)) for python in ("3.11", "3.13", "3.14")] == [
        {"a": "1.0", "shared": "1.0"},
        {"a": "1.0"},
        {"a": "1.0", "shared": "1.0"},
    ]


def test_what_no_target_needs_is_left_out_and_limits_the_lock() -> None:
    lock = closure("a", "colorama; sys_platform == 'win32'", of=folder(lib("a")))
    assert chosen(lock, Target()) == {"a": "1.0"}
    with pytest.raises(TrustError, match="environments"):
        lock.select(Target(platform="win32"))


def test_without_such_a_requirement_the_lock_serves_every_platform() -> None:
    lock = closure("a", "old; python_version < '3.11'", of=folder(lib("a")))
    assert chosen(lock, Target(platform="darwin")) == {"a": "1.0"}


def test_extras_bring_their_requirements() -> None:
    wheels = folder(lib("a", "1.0", "b; extra == 'more'", "c; extra == 'other'"), lib("b"), lib("c"))
    assert chosen(closure("a[more]", of=wheels)) == {"a": "1.0", "b": "1.0"}
    assert chosen(closure("a", of=wheels)) == {"a": "1.0"}


def test_an_extra_of_some_pythons_brings_its_requirements_to_those() -> None:
    wheels = folder(lib("a", "1.0", "b; extra == 'more' and python_version < '3.12'"), lib("b"))
    assert chosen(closure("a", of=wheels)) == {"a": "1.0"}
    lock = closure("a[more]", of=wheels)
    assert chosen(lock, Target("3.11")) == {"a": "1.0", "b": "1.0"}
    assert chosen(lock, Target("3.12")) == {"a": "1.0"}


def test_a_dependency_that_comes_from_an_address_is_refused() -> None:
    wheels = folder(lib("a", "1.0", "b @ https://evil.example/b-1.0-py3-none-any.whl"), lib("b"))
    with pytest.raises(WheelError, match="address"):
        closure("a", of=wheels)


def test_every_wheel_of_the_chosen_version_is_locked_and_the_target_selects() -> None:
    native = lib("a", "1.0", tag="cp312-cp312-linux_x86_64", purelib=False)
    lock = closure("a", of=folder(lib("a"), native, lib("a", "0.9")))
    assert [wheel.filename for wheel in lock.wheels if wheel.project == "a"] == [
        "a-1.0-cp312-cp312-linux_x86_64.whl",
        "a-1.0-py3-none-any.whl",
    ]
    picked = lock.select(Target(tag="cp312-cp312-linux_x86_64"))
    assert native.filename in [wheel.filename for wheel in picked]


def test_a_dependency_that_lies_about_its_files_is_refused() -> None:
    tampered = lib("a", extra=(Member("smuggled.py", b"import os"),))
    with pytest.raises(WheelError, match=r"a-1\.0"):
        closure("a", of=folder(tampered))


def test_other_files_and_the_plugins_own_old_wheels_are_no_candidates() -> None:
    wheels = folder(lib("a")) | {"notes.txt": b"", "broken.whl": b"", "demo_plugin-9.0-py3-none-any.whl": b""}
    assert [wheel.version for wheel in closure("a", of=wheels).wheels if wheel.project == "demo-plugin"] == ["1.0.0"]
