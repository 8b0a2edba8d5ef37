import hashlib
import random
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import pytest
import tomli_w
from packaging.markers import Marker, default_environment
from packaging.specifiers import SpecifierSet
from packaging.tags import Tag, parse_tag

from assess_registry.errors import TrustError
from assess_registry.lock import LockedWheel, parse_lock, write_lock
from assess_registry.names import ProjectName, Sha256

PY3 = "py3-none-any"


@dataclass(frozen=True)
class Target:
    tags: tuple[Tag, ...]
    environment: Mapping[str, str]


def target(python: str = "3.12", *tags: str, **environment: str) -> Target:
    known = {key: str(value) for key, value in default_environment().items()}
    changed = {"python_version": python, "python_full_version": f"{python}.1", "sys_platform": "linux"} | environment
    return Target(tuple(tag for text in (*tags, PY3) for tag in parse_tag(text)), known | changed)


def wheel(project: str, version: str = "1.0.0", tag: str = PY3, **changes: Any) -> LockedWheel:
    filename = f"{project.replace('-', '_')}-{version}-{tag}.whl"
    digest = Sha256(hashlib.sha256(filename.encode()).hexdigest())
    values: dict[str, Any] = {"filename": filename, "sha256": digest, "size": 1000}
    return LockedWheel(project=ProjectName(project), version=version, **(values | changes))


CLOSURE = (
    wheel("demo-plugin", requires_python=SpecifierSet(">=3.11,<4")),
    wheel("assess-plugin"),
    wheel("pluggy", "1.7.0"),
)


def written(*wheels: LockedWheel) -> bytes:
    return write_lock(wheels or CLOSURE, requires_python=SpecifierSet(">=3.11"))


def test_what_is_written_is_read_back() -> None:
    data = written()
    lock = parse_lock(data)
    assert lock.wheels == tuple(sorted(CLOSURE, key=lambda each: each.project))
    assert (lock.data, lock.sha256) == (data, hashlib.sha256(data).hexdigest())
    assert lock.requires_python == SpecifierSet(">=3.11")


def test_the_same_wheels_in_any_order_give_the_same_bytes() -> None:
    many = [wheel(f"lib-{n}", tag=tag) for n in range(8) for tag in (PY3, "cp312-cp312-linux_x86_64")]
    shuffled = random.Random(7).sample(many, len(many))
    assert written(*shuffled) == written(*many)


def test_a_location_follows_from_what_the_wheel_is() -> None:
    assert CLOSURE[2].location == "../../pluggy/1.7.0/pluggy-1.7.0-py3-none-any.whl"


def test_selection_takes_the_best_tag_and_keeps_one_wheel_a_project() -> None:
    native = wheel("lib", tag="cp312-cp312-manylinux_2_28_x86_64")
    lock = parse_lock(written(*CLOSURE, wheel("lib"), native))
    best = lock.select(target("3.12", "cp312-cp312-manylinux_2_28_x86_64"))
    assert [each.filename for each in best if each.project == "lib"] == [native.filename]
    assert len(best) == len(lock.select(target())) == 4
    assert wheel("lib") in lock.select(target())


def test_selection_evaluates_markers_for_the_target_not_for_the_running_interpreter() -> None:
    old = wheel("backport", marker=Marker('python_version < "3.12"'))
    lock = parse_lock(written(*CLOSURE, old))
    assert old in lock.select(target("3.11"))
    assert old not in lock.select(target("3.12"))


@pytest.mark.parametrize("python", ["3.10", "4.0"])
def test_a_python_outside_the_lock_is_refused(python: str) -> None:
    lock = parse_lock(written())
    assert lock.select(target("3.11"))
    with pytest.raises(TrustError, match="does not serve") as refused:
        lock.select(target(python))
    assert refused.value.step == "lock"
    assert python in refused.value.got


def test_a_platform_without_a_wheel_is_refused_by_project() -> None:
    lock = parse_lock(written(*CLOSURE, wheel("native", tag="cp312-cp312-win_amd64")))
    assert lock.select(target("3.12", "cp312-cp312-win_amd64"))
    with pytest.raises(TrustError, match="native"):
        lock.select(target())


def test_an_environment_outside_the_lock_is_refused() -> None:
    linux = Marker('sys_platform == "linux"')
    lock = parse_lock(write_lock(CLOSURE, requires_python=None, environments=(linux,)))
    assert lock.select(target())
    with pytest.raises(TrustError, match="environments"):
        lock.select(target(sys_platform="darwin"))


def document() -> dict[str, Any]:
    return tomllib.loads(written().decode())


Change = Callable[[dict[str, Any]], object]
FIRST = "assess-plugin"

CHANGES: dict[str, tuple[str, Change]] = {
    "a source distribution": ("sdist", lambda d: package(d).update(sdist=source("assess_plugin-1.0.0.tar.gz"))),
    "a repository": ("vcs", lambda d: replaced(d, vcs={"type": "git", "url": "https://x/y", "commit-id": "0"})),
    "a directory": ("directory", lambda d: replaced(d, directory={"path": "."})),
    "an archive": ("archive", lambda d: replaced(d, archive=source("x.zip"))),
    "a url beside the path": ("url", lambda d: one(d).update(url="https://evil.example/x.whl")),
    "an index": ("index", lambda d: package(d).update(index="https://evil.example/simple")),
    "a tool table": ("tool", lambda d: d.update(tool={"x": 1})),
    "an unknown key": ("surprise", lambda d: d.update(surprise=1)),
    "a newer lock version": ("lock-version", lambda d: d.update({"lock-version": "1.1"})),
    "another major version": ("not supported", lambda d: d.update({"lock-version": "2.0"})),
    "no path": ("path", lambda d: one(d).pop("path")),
    "a path elsewhere": ("path must be", lambda d: one(d).update(path="../../../../" + one(d)["name"])),
    "an absolute path": ("path must be", lambda d: one(d).update(path="/tmp/" + one(d)["name"])),
    "a url as path": ("path must be", lambda d: one(d).update(path="https://x/" + one(d)["name"])),
    "a sibling project's path": ("path must be", lambda d: one(d).update(path="../../pluggy/1.0.0/" + one(d)["name"])),
    "no size": ("size", lambda d: one(d).pop("size")),
    "size zero": ("size", lambda d: one(d).update(size=0)),
    "a negative size": ("size", lambda d: one(d).update(size=-1)),
    "a huge size": ("size", lambda d: one(d).update(size=1 << 40)),
    "a boolean size": ("bool", lambda d: one(d).update(size=True)),
    "no hash": ("hash", lambda d: one(d).update(hashes={})),
    "only a weak hash": ("sha256 alone", lambda d: one(d).update(hashes={"md5": "0" * 32})),
    "a weak hash beside": ("sha256 alone", lambda d: one(d)["hashes"].update(md5="0" * 32)),
    "a hash in capitals": ("sha256", lambda d: one(d).update(hashes={"sha256": "A" * 64})),
    "a short hash": ("sha256", lambda d: one(d).update(hashes={"sha256": "a" * 63})),
    "a version in another spelling": ("normal form", lambda d: package(d).update(version="01.0.0")),
    "no version": ("not a version", lambda d: package(d).pop("version")),
    "another version than the file's": ("version", lambda d: package(d).update(version="1.0.1")),
    "a name that is not normalised": ("normalized", lambda d: package(d).update(name="Assess_Plugin")),
    "another project's file": ("consistent", lambda d: package(d).update(name="other")),
    "a path in the filename": ("filename", lambda d: one(d).update(name="assess_plugin-1.0.0-py3-none-any/../x.whl")),
    "a project twice": ("same project twice", lambda d: d["packages"].append(package(d))),
    "a file twice": ("same file twice", lambda d: package(d)["wheels"].append(one(d))),
    "nothing": ("at least the plugin's own", lambda d: d.update(packages=[])),
    "no packages": ("packages", lambda d: d.pop("packages")),
    "packages that are text": ("packages", lambda d: d.update(packages="all")),
    "wheels that are text": ("wheels", lambda d: package(d).update(wheels=["x.whl"])),
    "a marker that is none": ("marker", lambda d: package(d).update(marker="always")),
    "a deep marker": ("not a lock", lambda d: package(d).update(marker="(" * 5000 + "os_name == 'x'" + ")" * 5000)),
}


def package(lock: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = next(each for each in lock["packages"] if each["name"] == FIRST)
    return found


def one(lock: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = package(lock)["wheels"][0]
    return found


def replaced(lock: dict[str, Any], **instead: Any) -> None:
    package(lock).pop("wheels")
    package(lock).update(instead)


def source(name: str) -> dict[str, Any]:
    return {"path": name, "size": 1, "hashes": {"sha256": "0" * 64}}


def test_the_unchanged_document_is_accepted() -> None:
    assert parse_lock(tomli_w.dumps(document()).encode()).wheels == parse_lock(written()).wheels


@pytest.mark.parametrize(("says", "change"), CHANGES.values(), ids=CHANGES)
def test_a_lock_with_one_thing_changed_is_refused(says: str, change: Change) -> None:
    changed = document()
    change(changed)
    with pytest.raises(TrustError, match=says) as refused:
        parse_lock(tomli_w.dumps(changed).encode())
    assert refused.value.step == "lock"


@pytest.mark.parametrize(
    "data",
    [b"", b"\xff\xfe", b"<html>404</html>", b"a = " + b"[" * 50_000, b"x = 1\nx = 2", b"#" * ((1 << 20) + 1)],
    ids=["empty", "not utf-8", "a page", "deep", "a key twice", "too large"],
)
def test_what_is_no_lock_is_refused(data: bytes) -> None:
    with pytest.raises(TrustError) as refused:
        parse_lock(data)
    assert refused.value.step == "lock"


def test_every_wrong_wheel_is_named_at_once() -> None:
    changed = document()
    for each in changed["packages"]:
        each["wheels"][0]["size"] = 0
    with pytest.raises(TrustError) as refused:
        parse_lock(tomli_w.dumps(changed).encode())
    assert len(refused.value.issues) == 3
