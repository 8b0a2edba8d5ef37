"""resolve -> fetch -> verify over `file:` and over http: what was published arrives, or it is said why not."""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from assess_registry.client import (
    ConfigError,
    NotPublishedError,
    Target,
    TrustError,
)
from tests.support.client_place import (
    DEMO,
    PLUGGY,
    SECOND,
    Place,
    reach,
    snapshot,
)
from tests.support.http_registry import serve
from tests.support.registry_tree import RegistryTree
from tests.support.wheels import WheelBuilder, demo_plugin_wheel


@pytest.fixture(params=["file", "http"])
def place(request: pytest.FixtureRequest, tree: RegistryTree) -> Iterator[Place]:
    with reach(tree, request.param) as place:
        yield place


def test_published_plugin_arrives_with_its_closure(place: Place) -> None:
    verified = place.chain("Demo.Plugin>=0.9,<2")
    assert (verified.inspected.project, verified.inspected.version) == ("demo-plugin", "1.0.0")
    assert verified.data == place.tree.path(DEMO).read_bytes()
    assert verified.signer == place.tree.key.public.id
    assert {wheel.inspected.project for wheel in verified.closure} == {"assess-plugin", "pluggy"}
    assert {wheel.signer for wheel in verified.closure} == {None}
    assert "demo_plugin/__init__.py" in {file.path for file in verified.files()}
    assert verified.lock is not None
    assert verified.lock.find(DEMO) is not None


def test_nothing_is_written_anywhere(place: Place, tmp_path: Path) -> None:
    before = snapshot(tmp_path)
    place.chain()
    assert snapshot(tmp_path) == before


def test_pinned_version_is_the_one_that_arrives(place: Place) -> None:
    assert place.chain("demo-plugin==0.9.0").inspected.version == "0.9.0"


def test_yanked_version_arrives_only_when_pinned(place: Place) -> None:
    def yank(page: dict[str, Any]) -> None:
        page["files"][-1]["yanked"] = "wrong result"

    place.tree.edit_page(yank)
    assert place.chain().inspected.version == "0.9.0"
    assert place.chain("demo-plugin==1.0.0").inspected.version == "1.0.0"
    with pytest.raises(NotPublishedError, match=r"only yanked versions match \(1\.0\.0\)"):
        place.chain("demo-plugin>=1")


def test_pre_release_arrives_only_when_it_is_asked_for(place: Place) -> None:
    place.tree.publish(*demo_plugin_wheel("2.0.0rc1"))
    assert place.chain().inspected.version == "1.0.0"
    assert place.chain("demo-plugin>=2.0.0rc1").inspected.version == "2.0.0rc1"


def test_release_with_a_wheel_for_each_platform_serves_each_with_its_own(place: Place) -> None:
    for machine in ("x86_64", "aarch64"):
        builder = WheelBuilder(version="1.1.0", tag=f"py3-none-linux_{machine}", purelib=False)
        place.tree.publish(builder.filename, builder.build())
    for machine in ("x86_64", "aarch64"):
        target = Target.cpython("3.11.2", platforms=(f"linux_{machine}",), machine=machine)
        assert place.chain(target=target).inspected.filename == f"demo_plugin-1.1.0-py3-none-linux_{machine}.whl"


def test_second_trusted_publisher_may_publish(place: Place) -> None:
    place.tree.publish(*demo_plugin_wheel("1.1.0"), key=SECOND)
    assert place.chain().signer == SECOND.public.id


def test_newest_version_for_another_platform_is_refused_not_replaced_by_an_older(place: Place) -> None:
    builder = WheelBuilder(version="1.1.0", tag="cp311-cp311-win_amd64", purelib=False)
    place.tree.publish(builder.filename, builder.build())
    with pytest.raises(TrustError, match="no wheel of this version is for this interpreter") as caught:
        place.chain()
    error = caught.value
    assert (error.step, error.thing) == ("tags", "demo-plugin 1.1.0")
    assert error.got == "cp311-cp311-win_amd64"
    assert "demo-plugin==1.0.0 (there are: 1.0.0, 0.9.0)" in error.next_step
    assert place.chain("demo-plugin==1.0.0").inspected.version == "1.0.0"
    windows = Target.cpython("3.11.9", platforms=("win_amd64",), machine="AMD64", sys_platform="win32")
    assert place.chain(target=windows).inspected.version == "1.1.0"


def test_newest_version_for_another_python_is_refused_not_replaced_by_an_older(place: Place) -> None:
    place.tree.publish(*demo_plugin_wheel("1.1.0", requires_python=">=3.12"))
    older, newer = (Target.cpython(version, platforms=("linux_x86_64",)) for version in ("3.11.2", "3.12.1"))
    with pytest.raises(TrustError, match="not for this Python") as caught:
        place.chain(target=older)
    assert (caught.value.step, caught.value.expected, caught.value.got) == ("python", ">=3.12", "3.11.2")
    assert "demo-plugin==1.0.0" in caught.value.next_step
    assert place.chain(target=newer).inspected.version == "1.1.0"


def test_page_that_hides_the_python_requirement_is_caught_by_the_lock(place: Place) -> None:
    place.tree.publish(*demo_plugin_wheel("1.1.0", requires_python=">=3.12"))
    place.tree.edit_page(lambda page: [entry.pop("requires-python") for entry in page["files"]])
    older, newer = (Target.cpython(version, platforms=("linux_x86_64",)) for version in ("3.11.2", "3.12.1"))
    with pytest.raises(TrustError, match="does not serve this interpreter") as caught:
        place.chain(target=older)
    assert caught.value.step == "lock"
    assert place.chain(target=newer).inspected.version == "1.1.0"


def test_version_that_fits_nobody_says_so(place: Place) -> None:
    nowhere = Target.cpython("3.9.1", platforms=("linux_x86_64",))
    with pytest.raises(TrustError, match="no other version fits either") as caught:
        place.chain(target=nowhere)
    assert caught.value.step == "python"


@pytest.mark.parametrize(
    ("requirement", "said"),
    [
        ("nothing-like-it", "no project 'nothing-like-it'"),
        ("demo-plugin>=3", "published are 1.0.0, 0.9.0"),
        ("demo-plugin==1.0.1", "published are 1.0.0, 0.9.0"),
    ],
)
def test_what_is_not_published_is_no_refusal(place: Place, requirement: str, said: str) -> None:
    with pytest.raises(NotPublishedError, match=said):
        place.chain(requirement)


@pytest.mark.parametrize("filename", [DEMO, PLUGGY])
def test_missing_wheel_is_named(place: Place, filename: str) -> None:
    assert place.chain().inspected.filename == DEMO
    place.tree.path(filename).unlink()
    with pytest.raises(NotPublishedError, match=filename):
        place.chain()


@pytest.mark.parametrize(
    "requirement",
    ["demo-plugin @ https://evil.example/x.whl", "demo-plugin[extra]", "demo-plugin; python_version > '3'", "d" * 200],
)
def test_requirement_that_is_more_than_a_name_and_versions_is_a_mistake(place: Place, requirement: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(requirement[:20])):
        place.chain(requirement)


def test_file_registry_never_imports_httpx(tree: RegistryTree) -> None:
    code = (
        "import sys\nfrom pathlib import Path\nfrom packaging.requirements import Requirement\n"
        "from assess_registry.client import Registry, RegistryConfig, Target, fetch, resolve, verify\n"
        "config = RegistryConfig(url=sys.argv[1], trusted_keys=Path(sys.argv[2]))\n"
        "with Registry(config) as registry:\n"
        "    target = Target.running()\n"
        "    resolved = resolve(Requirement('demo-plugin'), registry=registry, target=target)\n"
        "    verify(fetch(resolved, registry=registry), registry=registry, target=target)\n"
        "print(resolved.version, sorted({'httpx', 'httpcore', 'asyncio', 'ssl'} & set(sys.modules)))\n"
    )

    def run(url: str) -> str:
        command = [sys.executable, "-c", code, url, str(tree.trusted_keys)]
        return subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout.strip()

    assert run(tree.root.as_uri()) == "1.0.0 []"
    with serve(tree.root) as http:
        assert run(http.url).startswith("1.0.0 ['")
