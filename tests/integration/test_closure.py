"""A closure for every target, chosen by uv and judged by its requirements; uv is run for real."""

import os
import subprocess
import sys
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError
from pathlib import Path

import pytest
from packaging.markers import default_environment
from packaging.tags import Tag, parse_tag

from assess_registry.closure import Closure, closure_for, make_closure
from assess_registry.closure.resolve import uv_program
from assess_registry.config import Targets
from assess_registry.errors import ConfigError, PublishError, RegistryError, TrustError, WheelError
from assess_registry.index.folder import WheelFolder
from assess_registry.lock import Lock, write_lock
from assess_registry.wheel import inspect
from tests.support.programs import refuse_or_skip, require_program
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


@pytest.mark.parametrize(
    "marker",
    [
        'platform_release >= "5"',
        '"fc" in platform_release',
        'platform_version == "#1"',
        'sys_platform == "linux" and platform_release >= "5"',
        'sys_platform == "win32" or platform_release >= "5"',
    ],
)
def test_what_only_the_machine_that_runs_it_can_say_is_refused_and_not_left_out(marker: str) -> None:
    with pytest.raises(PublishError, match="kernel"):
        closure(f"rr; {marker}", of=folder(lib("rr")))
    with pytest.raises(PublishError, match="kernel"):  # needed by what is needed
        closure("a", of=folder(lib("a", "1.0", f"rr; {marker}"), lib("rr")))
    kernel = marker.rpartition(" or ")[2].rpartition(" and ")[2]
    foreign = f'rr; sys_platform == "win32" and {kernel}'  # the control: no target asks for it
    assert chosen(closure("a", foreign, of=folder(lib("a"), lib("rr")))) == {"a": "1.0"}


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


# --- what configures uv elsewhere has no say --------------------------------------------------------------------------


def test_the_users_and_the_machines_configuration_change_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wheels = folder(lib("a", "1.0"), lib("a", "2.0"))
    expected = closure("a", of=wheels).data
    forbids = "[pip]\nconstraint = []\n"
    hostile = tmp_path / "uv"
    hostile.mkdir()
    (hostile / "uv.toml").write_text('resolution = "lowest"\n' + forbids)
    for name in ("XDG_CONFIG_HOME", "XDG_CONFIG_DIRS"):
        monkeypatch.setenv(name, str(tmp_path))
    monkeypatch.setenv("UV_CONFIG_FILE", str(hostile / "uv.toml"))
    monkeypatch.setenv("UV_RESOLUTION", "lowest")
    monkeypatch.setenv("UV_INDEX_URL", "http://127.0.0.1:9/simple")
    monkeypatch.chdir(hostile)
    assert closure("a", of=wheels).data == expected
    assert b'version = "2.0"' in expected


IN_ITS_OWN_ETC = """
set -e
mount -t tmpfs none /etc
mkdir /etc/uv
echo 'no-such-option = 1' > /etc/uv/uv.toml
! "$UV" --no-progress pip compile --offline --no-index --universal in.txt > uv.out 2>&1
grep -q no-such-option uv.out
exec "$PYTHON" lock.py
"""
LOCK = """
from pathlib import Path
from assess_registry.closure import make_closure
from assess_registry.index.folder import WheelFolder
from assess_registry.wheel import inspect
(path,) = Path("dist").iterdir()
wheel = inspect(path.read_bytes(), path.name, kind="plugin")
print(sorted(each.filename for each in make_closure(wheel, WheelFolder(Path("wheels"))).wheels))
"""


def test_the_machines_own_configuration_of_uv_has_no_say(tmp_path: Path) -> None:
    """`/etc/uv/uv.toml` is seen by uv alone, which is the control, and not by the uv that resolves."""
    unshare = require_program("unshare")
    if subprocess.run([unshare, "-m", "true"], capture_output=True, check=False, timeout=60).returncode:
        refuse_or_skip("a namespace to mount another /etc in")
    for place, wheels in {"dist": [WheelBuilder(requires=("a",))], "wheels": [lib("a"), lib("a", "2.0")]}.items():
        (tmp_path / place).mkdir()
        for wheel in wheels:
            (tmp_path / place / wheel.filename).write_bytes(wheel.build())
    (tmp_path / "in.txt").write_text("")
    (tmp_path / "lock.py").write_text(LOCK)
    done = subprocess.run(
        [unshare, "-m", "sh", "-c", IN_ITS_OWN_ETC],
        cwd=tmp_path,
        env={"PATH": os.environ["PATH"], "UV": uv_program(), "PYTHON": sys.executable, "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.strip() == "['a-2.0-py3-none-any.whl', 'demo_plugin-1.0.0-py3-none-any.whl']"


def test_without_uv_it_is_said_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    wheels = folder(lib("a", "1.0"), lib("a", "2.0"))

    def absent(name: str) -> None:
        raise PackageNotFoundError(name)

    monkeypatch.setattr("assess_registry.closure.resolve.files", absent)
    with pytest.raises(RegistryError, match=r"pip install 'assess-runtime\[audit\]'"):
        closure("a", of=wheels)
    assert chosen(closure("a", of=folder(lib("a", "1.0")))) == {"a": "1.0"}  # nothing to decide: nobody is asked


def test_a_pipe_among_the_wheels_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    for name, data in folder(lib("a", "1.0"), lib("a", "2.0")).items():
        (tmp_path / name).write_bytes(data)
    assert chosen(closure("a", of=WheelFolder(tmp_path))) == {"a": "2.0"}
    os.mkfifo(tmp_path / "a-3.0-py3-none-any.whl")
    with pytest.raises(ConfigError, match=r"a-3\.0.*no regular file"):
        closure("a", of=WheelFolder(tmp_path))


# --- targets ----------------------------------------------------------------------------------------------------------


def native(tag: str, name: str = "n") -> WheelBuilder:
    return lib(name, "1.0", tag=tag, purelib=False)


X86, ARM, WINDOWS = "manylinux_2_28_x86_64", "manylinux_2_28_aarch64", "win_amd64"


def test_wheels_that_no_target_takes_are_left_out() -> None:
    wheels = folder(
        *(native(f"cp312-cp312-{platform}") for platform in (X86, ARM, WINDOWS, "manylinux_2_34_x86_64")),
        native("cp311-cp311-manylinux_2_28_x86_64"),
    )
    lock = closure("n", of=wheels, targets=Targets(pythons=("3.12",)))
    names = [wheel.filename for wheel in lock.wheels if wheel.project == "n"]
    assert names == [f"n-1.0-cp312-cp312-{ARM}.whl", f"n-1.0-cp312-cp312-{X86}.whl"]


def test_of_several_fitting_wheels_the_best_is_taken_and_of_those_the_highest_build() -> None:
    builds = [lib("a", "1.0", build_tag=build) for build in ("1", "2")]
    lock = closure("a", of=folder(*builds, lib("a", "1.0")), targets=Targets(pythons=("3.12",)))
    assert [wheel.filename for wheel in lock.wheels if wheel.project == "a"] == ["a-1.0-2-py3-none-any.whl"]


def test_a_wheel_for_some_targets_serves_those_and_no_others() -> None:
    wheels = folder(native(f"cp312-cp312-{X86}"))
    targets = Targets(pythons=("3.12",))
    plugin = WheelBuilder(requires=("n",))
    made = closure_for(inspect(plugin.build(), plugin.filename, kind="plugin"), wheels, targets=targets)
    assert list(made.unserved) == [f"Python 3.12 on {ARM}"]
    assert made.unserved[f"Python 3.12 on {ARM}"] == f"n 1.0 has no wheel for it, but n-1.0-cp312-cp312-{X86}.whl"
    both = closure_for(
        inspect(plugin.build(), plugin.filename, kind="plugin"),
        wheels | folder(native(f"cp312-cp312-{ARM}")),
        targets=targets,
    )
    assert not both.unserved


def test_a_wheel_for_no_target_is_refused_by_name_with_every_target() -> None:
    with pytest.raises(PublishError) as refused:
        closure("n", of=folder(native(f"cp312-cp312-{WINDOWS}")), targets=Targets(pythons=("3.12",)))
    assert f"Python 3.12 on {X86}: n 1.0 has no wheel for it" in str(refused.value)
    assert f"Python 3.12 on {ARM}: n 1.0 has no wheel for it" in str(refused.value)


def test_an_older_version_is_not_taken_because_another_platform_misses_something() -> None:
    wheels = folder(lib("a", "2.0", "pywin; sys_platform == 'win32'"), lib("a", "1.0"))
    assert chosen(closure("a", of=wheels)) == {"a": "2.0"}
    windows = Targets(pythons=("3.12",), platforms=(X86, WINDOWS))
    with pytest.raises(PublishError, match="two versions of a"):
        closure("a", of=wheels, targets=windows)
    assert chosen(closure("a", of=wheels | folder(lib("pywin")), targets=windows)) == {"a": "2.0", "pywin": "1.0"}


def test_what_one_of_two_platforms_needs_is_marked_for_it() -> None:
    wheels = folder(lib("a", "1.0", "pywin; sys_platform == 'win32'"), lib("pywin"))
    lock = closure("a", of=wheels, targets=Targets(pythons=("3.12",), platforms=(X86, WINDOWS)))
    assert chosen(lock, Target(platform="win32")) == {"a": "1.0", "pywin": "1.0"}
    assert chosen(lock, Target(platform="linux")) == {"a": "1.0"}
    with pytest.raises(TrustError, match="environments"):
        lock.select(Target(platform="darwin"))


def test_a_machine_that_a_requirement_asks_for_limits_the_lock() -> None:
    wheels = folder(lib("a", "1.0", "b; platform_machine == 'aarch64'"), lib("b"))
    lock = closure("a", of=wheels)
    assert sorted(map(str, lock.environments)) == ['platform_machine == "aarch64"', 'platform_machine == "x86_64"']
    assert closure("b", of=wheels).environments == ()


def test_patch_levels_that_a_requirement_distinguishes_are_distinguished() -> None:
    wheels = folder(lib("a", "1.0", "backport; python_full_version < '3.12.4'"), lib("backport"))
    lock = closure("a", of=wheels)

    def at(version: str) -> dict[str, str]:
        target = Target("3.12")
        target.environment = {**target.environment, "python_full_version": version}
        return chosen(lock, target)

    assert at("3.12.3") == {"a": "1.0", "backport": "1.0"}
    assert at("3.12.4") == {"a": "1.0"}


def test_later_pythons_are_served_if_they_need_nothing_else() -> None:
    lock = closure("a", of=folder(lib("a")), targets=Targets(pythons=("3.12",)))
    assert chosen(lock, Target("3.15")) == {"a": "1.0"}
    needs_more = folder(lib("a", "1.0", "b; python_version >= '3.15'"), lib("c"))
    limited = closure("a", of=needs_more, targets=Targets(pythons=("3.12",)))
    assert chosen(limited, Target("3.12")) == {"a": "1.0"}
    with pytest.raises(TrustError, match="environments"):
        limited.select(Target("3.15"))


def test_pythons_between_two_targets_are_not_taken_for_one() -> None:
    wheels = folder(lib("a", "1.0", "b; python_version == '3.12'", "c; python_version == '3.13'"), lib("c"))
    lock = closure("a", of=wheels, targets=Targets(pythons=("3.11", "3.13")))
    assert chosen(lock, Target("3.11")) == {"a": "1.0"}
    assert chosen(lock, Target("3.13")) == {"a": "1.0", "c": "1.0"}


def test_lower_pythons_than_the_targets_are_refused() -> None:
    lock = closure("a", of=folder(lib("a", requires_python=None)), requires_python=None)
    assert str(lock.requires_python) == ">=3.11"
    assert chosen(lock, Target("3.11")) == {"a": "1.0"}
    with pytest.raises(TrustError, match="does not serve"):
        lock.select(Target("3.10"))


def test_a_plugin_for_later_pythons_than_the_targets_is_locked_for_those() -> None:
    lock = closure("a; python_version >= '3.16'", of=folder(lib("a")), requires_python=">=3.16")
    assert chosen(lock, Target("3.16")) == {"a": "1.0"}


def test_an_extra_with_a_condition_is_locked() -> None:
    wheels = folder(lib("a", "1.0", 'b; sys_platform == "linux" and extra == "more"', 'c; extra == "other"'), lib("b"))
    assert chosen(closure("a[more]", of=wheels), Target()) == {"a": "1.0", "b": "1.0"}
    alone = closure("a", of=wheels)
    assert chosen(alone) == {"a": "1.0"}
    assert alone.environments == ()  # what an extra asks about limits nothing where nobody asked for the extra


def test_two_versions_of_a_project_for_different_targets_are_refused_by_name() -> None:
    wheels = folder(lib("a", "1.0"), lib("a", "2.0"))
    requires = ("a<2; python_version < '3.12'", "a>=2; python_version >= '3.12'")
    with pytest.raises(PublishError, match=r"two versions of a, 1\.0 and 2\.0|two versions of a, 2\.0 and 1\.0"):
        closure(*requires, of=wheels)
    assert chosen(closure(*requires, of=wheels, requires_python=">=3.12")) == {"a": "2.0"}


@pytest.mark.parametrize("more", [(), ("b; python_version < '3.12'",)], ids=["certain", "resolved"])
def test_one_version_in_two_spellings_is_refused(more: tuple[str, ...]) -> None:
    wheels = folder(lib("a", "1.0"), lib("a", "1.0.0"), lib("b"))
    with pytest.raises(PublishError, match=r"one version in two spellings: a-1\.0-.*, a-1\.0\.0-"):
        closure("a", *more, of=wheels)
    assert chosen(closure("a", of=folder(lib("a", "1.0.0")))) == {"a": "1.0.0"}


# --- a folder with a lock ---------------------------------------------------------------------------------------------


@pytest.fixture
def pinned(tmp_path: Path) -> Path:
    """A folder with wheels of a and b, and the lock of a plugin that needs both."""
    wheels = folder(lib("a", "1.0", "b"), lib("b"))
    lock = closure("a", of=wheels)
    for name, data in wheels.items():
        (tmp_path / name).write_bytes(data)
    (tmp_path / "pylock.toml").write_bytes(write_lock(lock.wheels, requires_python=lock.requires_python, beside=True))
    assert chosen(closure("a", of=WheelFolder(tmp_path))) == {"a": "1.0", "b": "1.0"}
    return tmp_path


def test_a_changed_wheel_is_refused_by_name(pinned: Path) -> None:
    other = lib("b", "1.0", files={"b.py": "changed = True\n"})
    (pinned / other.filename).write_bytes(other.build())
    with pytest.raises(TrustError, match=r"'closure': b-1\.0-py3-none-any\.whl: it was changed"):
        closure("a", of=WheelFolder(pinned))
    (pinned / "pylock.toml").unlink()
    assert chosen(closure("a", of=WheelFolder(pinned))) == {"a": "1.0", "b": "1.0"}


def test_a_removed_wheel_is_refused_by_name(pinned: Path) -> None:
    (pinned / "b-1.0-py3-none-any.whl").unlink()
    with pytest.raises(TrustError, match=r"b-1\.0-py3-none-any\.whl: it is missing"):
        closure("a", of=WheelFolder(pinned))


def test_an_added_wheel_is_refused_by_name_and_would_have_been_chosen(pinned: Path) -> None:
    added = lib("b", "1.1")
    (pinned / added.filename).write_bytes(added.build())
    with pytest.raises(TrustError, match=r"b-1\.1-py3-none-any\.whl: it was added"):
        closure("a", of=WheelFolder(pinned))
    (pinned / "pylock.toml").unlink()
    assert chosen(closure("a", of=WheelFolder(pinned))) == {"a": "1.0", "b": "1.1"}


def test_a_plugin_that_needs_other_wheels_than_were_locked_is_refused(pinned: Path) -> None:
    with pytest.raises(TrustError, match="needs other wheels than the lock beside them says"):
        closure("b", of=WheelFolder(pinned))


def test_a_lock_that_lies_there_and_is_none_is_refused(pinned: Path) -> None:
    (pinned / "pylock.toml").write_text('lock-version = "1.0"\ncreated-by = "x"\npackages = []\n')
    with pytest.raises(TrustError, match="'lock'"):
        closure("a", of=WheelFolder(pinned))


# --- markers that uv reads otherwise than the specification -----------------------------------------------------------

ODD = [
    # marker, the one that says the same in words that nobody reads otherwise
    ('python_version not in "3.11, 3.12"', 'python_version != "3.11" and python_version != "3.12"'),
    ('python_version in "3.11, 3.12"', 'python_version == "3.11" or python_version == "3.12"'),
    ('python_version in "2.7,3.1x,3.110"', 'python_version == "3.11"'),
    ('"3.12" in python_version', 'python_version == "3.12"'),
    ('"3.12" not in python_version', 'python_version != "3.12"'),
    ('python_version === "3.12"', 'python_version == "3.12"'),
    ('python_version == "3.x"', 'python_version < "3"'),
    ('python_version > "3.12a1"', 'python_version >= "3.12"'),
    ('python_full_version in "3.12.1, 3.12.2"', 'python_full_version >= "3.12.1" and python_full_version < "3.12.3"'),
    (
        'sys_platform == "linux" and python_version in "3.11, 3.12"',
        'sys_platform == "linux" and python_version >= "3.11" and python_version < "3.13"',
    ),
]


@pytest.mark.parametrize("whose", ["plugin", "dependency"])
def test_a_marker_that_uv_reads_otherwise_is_locked_as_the_specification_says(whose: str) -> None:
    """PEP 508: `in` is what it is for strings in Python. The control says the same plainly."""

    def locked_with(*markers: str) -> Lock:
        needs = tuple(f"ff{number}; {marker}" for number, marker in enumerate(markers))
        requires, a = (("a", *needs), lib("a")) if whose == "plugin" else (("a",), lib("a", "1.0", *needs))
        return closure(*requires, of=folder(a, *(lib(f"ff{number}") for number in range(len(ODD)))))

    odd, plain = locked_with(*(odd for odd, _ in ODD)), locked_with(*(plain for _, plain in ODD))
    for python in ("3.11", "3.12", "3.13", "3.14"):
        assert chosen(odd, Target(python)) == chosen(plain, Target(python))
    assert chosen(plain, Target("3.11")).keys() == {"a", "ff1", "ff2", "ff4", "ff9"}
    assert {each.filename: each.marker for each in odd.wheels} == {each.filename: each.marker for each in plain.wheels}


def test_a_version_that_such_a_marker_asks_of_other_pythons_is_no_contradiction() -> None:
    """Read as "always", the old requirement would leave nothing to choose."""
    wheels = folder(lib("ff", "1.0"), lib("ff", "2.0"))

    def made(marker: str) -> Closure:
        plugin = WheelBuilder(requires=(f"ff<2; {marker}", "ff>=2"))
        return closure_for(inspect(plugin.build(), plugin.filename, kind="plugin"), wheels, targets=TARGETS)

    assert chosen(made('python_version in "2.7, 3.6"').lock) == {"ff": "2.0"}
    assert not made('python_version in "2.7, 3.6"').unserved
    control = made('python_version in "2.7, 3.12"')
    assert control.unserved
    assert all(name.startswith("Python 3.12 ") for name in control.unserved)


def test_what_a_later_python_needs_by_such_a_marker_limits_the_lock() -> None:
    """Nobody looks at 3.15 unless something names it."""
    wheels, targets = folder(lib("ff"), lib("a")), Targets(pythons=("3.11", "3.12"))
    lock = closure("a", 'ff; "12" in python_version', 'gone; "15" in python_version', of=wheels, targets=targets)
    assert chosen(lock, Target("3.12")) == {"a": "1.0", "ff": "1.0"}
    with pytest.raises(RegistryError):
        lock.select(Target("3.15"))
    control = closure("a", 'ff; "12" in python_version', of=wheels, targets=targets)
    assert chosen(control, Target("3.15")) == {"a": "1.0"}


def test_a_marker_that_cannot_be_said_plainly_is_refused_with_what_to_write_instead() -> None:
    odd = 'ff; "7" in python_full_version'
    wheels = folder(lib("a", "1.0", odd), lib("ff"))
    with pytest.raises(
        PublishError, match=r"a 1\.0: marker '\"7\" in python_full_version' (.|\n)*write .*python_version"
    ):
        closure("a", of=wheels)
    control = folder(lib("a", "1.0", 'ff; "7" in python_version'), lib("ff"))
    assert chosen(closure("a", of=control)) == {"a": "1.0"}
