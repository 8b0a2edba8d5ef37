"""Publishing into a real directory: what is there afterwards, what is refused, and what a kill leaves behind."""

import hashlib
import json
import os
import re
import signal
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from html import unescape
from pathlib import Path

import pytest

from assess_registry.config import IndexConfig
from assess_registry.errors import ConfigError, PublishError, RegistryError, TrustError, WheelError
from assess_registry.files import atomic_write
from assess_registry.index import tree as tree_module
from assess_registry.index.create import create_index
from assess_registry.keys import PrivateKey, TrustedKeys, generate_key
from assess_registry.lock import parse_lock
from assess_registry.names import ProjectName
from assess_registry.publish import PublishReport, publish
from assess_registry.signatures import verify_detached
from tests.support.kills import stride
from tests.support.wheels import WheelBuilder

PLUGIN = WheelBuilder(requires=("somelib>=1",))
LIB = WheelBuilder.dependency("somelib", "1.0.0")


@dataclass(frozen=True)
class Bench:
    """A registry, a folder of wheels and a key."""

    root: Path
    dist: Path
    key: PrivateKey

    def add(self, *wheels: WheelBuilder) -> Path:
        for wheel in wheels:
            (self.dist / wheel.filename).write_bytes(wheel.build())
        return self.dist / wheels[0].filename

    def publish(self, wheel: WheelBuilder = PLUGIN, **changes: bool) -> PublishReport:
        return publish(self.root, self.add(wheel), key=self.key, closure=self.dist, **changes)


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return new_bench(tmp_path)


def new_bench(directory: Path, *, development: bool = True, key: PrivateKey | None = None) -> Bench:
    root, dist = directory / "registry", directory / "dist"
    dist.mkdir(parents=True)
    create_index(root, IndexConfig(name="test", development=development))
    bench = Bench(root, dist, key or generate_key())
    bench.add(LIB)
    return bench


def contents(root: Path) -> dict[str, bytes]:
    """Every file but the lock file, whose content is nobody's business, and leftovers of killed writers."""
    files = (path for path in sorted(root.rglob("*")) if path.is_file() and not path.name.startswith("."))
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in files}


def page_problems(root: Path) -> list[str]:
    """What is wrong with the pages: a link to nothing, a wrong hash, a file without what belongs to it."""
    problems: list[str] = []
    for page in root.glob("simple/*/index.html"):
        text = page.read_text()
        problems += [] if text.endswith("</html>\n") else [f"{page}: cut short"]
        listed = set()
        for attributes in re.findall(r"<a (.*?)>", text):
            values = {name: unescape(value) for name, value in re.findall(r'([\w-]+)="(.*?)"', attributes)}
            link, _, fragment = values["href"].partition("#sha256=")
            wheel = (page.parent / link).resolve()
            listed.add(wheel.name)
            problems += _wheel_problems(wheel, fragment, values["data-core-metadata"].removeprefix("sha256="))
        document_path = page.with_name("index.json")
        if not document_path.exists():
            problems.append(f"{page}: no JSON page beside it")
    for document_path in root.glob("simple/*/index.json"):
        for file in json.loads(document_path.read_bytes())["files"]:
            wheel = (document_path.parent / file["url"]).resolve()
            problems += _wheel_problems(wheel, file["hashes"]["sha256"], file["core-metadata"]["sha256"])
    root_page = json.loads((root / "simple/index.json").read_bytes())
    for name in [project["name"] for project in root_page["projects"]]:
        problems += (
            [] if (root / "simple" / name / "index.html").exists() else [f"root names {name}, which has no page"]
        )
    for link in re.findall(r'href="(.*?)/"', (root / "simple/index.html").read_text()):
        problems += (
            [] if (root / "simple" / link / "index.json").exists() else [f"root links {link}, which has no page"]
        )
    return problems


def _wheel_problems(wheel: Path, sha256: str, metadata_sha256: str) -> Iterator[str]:
    if not wheel.is_file():
        yield f"{wheel}: named by a page and not there"
        return
    if hashlib.sha256(wheel.read_bytes()).hexdigest() != sha256:
        yield f"{wheel}: not the bytes its page announces"
    metadata = wheel.with_name(wheel.name + ".metadata")
    if not metadata.is_file() or hashlib.sha256(metadata.read_bytes()).hexdigest() != metadata_sha256:
        yield f"{metadata}: not what its page announces"
    if wheel.name.startswith("demo_plugin"):
        for beside in (wheel.name + ".sig", "pylock.toml", "pylock.toml.sig"):
            if not wheel.with_name(beside).is_file():
                yield f"{wheel}: {beside} is missing"


def test_what_was_published_is_signed_locked_and_listed(bench: Bench) -> None:
    report = bench.publish()
    home = bench.root / "files/demo-plugin/1.0.0"
    trusted = TrustedKeys.of(bench.key.public)
    wheel, lock = (home / PLUGIN.filename).read_bytes(), (home / "pylock.toml").read_bytes()
    assert wheel == PLUGIN.build()
    assert verify_detached(wheel, (home / f"{PLUGIN.filename}.sig").read_bytes(), trusted) == report.signer
    assert verify_detached(lock, (home / "pylock.toml.sig").read_bytes(), trusted) == report.signer
    assert {(entry.filename, entry.sha256) for entry in parse_lock(lock).wheels} == {
        (builder.filename, hashlib.sha256(builder.build()).hexdigest()) for builder in (PLUGIN, LIB)
    }
    for entry in parse_lock(lock).wheels:
        assert hashlib.sha256((home / entry.location).read_bytes()).hexdigest() == entry.sha256
    assert page_problems(bench.root) == []
    assert [each["name"] for each in json.loads((bench.root / "simple/index.json").read_bytes())["projects"]] == [
        "demo-plugin",
        "somelib",
    ]


def test_publishing_again_changes_nothing_and_needs_no_closure(bench: Bench, tmp_path: Path) -> None:
    assert bench.publish().written
    before = contents(bench.root)
    stamps = {path: path.stat().st_mtime_ns for path in bench.root.rglob("*.html")}
    assert bench.publish().written == ()
    again = publish(bench.root, bench.add(PLUGIN), key=bench.key, closure=tmp_path / "nowhere")
    assert again.written == ()
    assert contents(bench.root) == before
    assert {path: path.stat().st_mtime_ns for path in bench.root.rglob("*.html")} == stamps


def test_two_registries_with_the_same_input_have_the_same_bytes(tmp_path: Path) -> None:
    key = generate_key()
    benches = [new_bench(tmp_path / name, key=key) for name in ("one", "two")]
    newer = PLUGIN.but(version="1.1.0")
    for bench, order in zip(benches, ((PLUGIN, newer), (newer, PLUGIN)), strict=True):
        for wheel in order:
            bench.publish(wheel)
    assert contents(benches[0].root) == contents(benches[1].root)


def test_only_pages_that_differ_are_written(bench: Bench) -> None:
    bench.publish()
    written = bench.publish(PLUGIN.but(version="1.1.0")).written
    assert [path for path in written if path.startswith("simple/")] == [
        "simple/demo-plugin/index.json",
        "simple/demo-plugin/index.html",
    ]


@pytest.mark.parametrize(
    ("change", "error", "says"),
    [
        (PLUGIN.but(files={"demo_plugin/__init__.py": "x = 1\n"}), TrustError, "other bytes are published"),
        (PLUGIN.but(version="1.0"), PublishError, "published as 1.0.0 already"),
        (PLUGIN.but(build_tag="1"), (PublishError, WheelError), r"serves py3-none-any already|build"),
        (PLUGIN.but(tag="py2.py3-none-any"), PublishError, "serves py3-none-any already"),
        (PLUGIN.but(tag="py312-none-any", requires=()), PublishError, "requires other things"),
        (PLUGIN.but(version="1.1.0", requires=("absent",)), PublishError, "absent; offered: none"),
        (PLUGIN.but(version="1.1.0", manifest=None), WheelError, "manifest"),
        (PLUGIN.but(version="1.1.0", record=b""), WheelError, "RECORD"),
    ],
    ids=[
        "other bytes",
        "version alias",
        "build tag",
        "overlapping tags",
        "other needs",
        "missing",
        "no plugin",
        "record",
    ],
)
def test_what_is_refused_changes_nothing(
    bench: Bench, change: WheelBuilder, error: type[Exception] | tuple[type[Exception], ...], says: str
) -> None:
    bench.publish()
    before = contents(bench.root)
    with pytest.raises(error, match=says):
        bench.publish(change)
    assert contents(bench.root) == before
    assert bench.publish(PLUGIN.but(version="1.2.0")).written  # the control: a correct wheel goes in


def test_a_dependency_with_other_bytes_is_refused(bench: Bench) -> None:
    bench.publish()
    bench.add(LIB.but(files={"somelib/__init__.py": "x = 2\n"}))
    with pytest.raises(TrustError, match="other bytes") as refused:
        bench.publish(PLUGIN.but(version="1.1.0"))
    assert LIB.filename in refused.value.thing
    assert not (bench.root / "files/demo-plugin/1.1.0").exists()


def test_another_key_cannot_take_over_a_published_wheel(bench: Bench) -> None:
    bench.publish()
    before = contents(bench.root)
    with pytest.raises(TrustError, match="another key") as refused:
        replace(bench, key=generate_key()).publish()
    assert refused.value.step == "publish"
    assert contents(bench.root) == before


def test_a_published_file_that_was_changed_by_hand_is_noticed(bench: Bench) -> None:
    bench.publish()
    metadata = bench.root / f"files/demo-plugin/1.0.0/{PLUGIN.filename}.metadata"
    metadata.write_bytes(metadata.read_bytes() + b"Requires-Dist: evil\n")
    with pytest.raises(TrustError, match="other bytes"):
        bench.publish()


def planted_lock(bench: Bench) -> Path:
    """A lock that somebody with a hand in the tree has put there: it names other bytes of the dependency."""
    evil = LIB.but(files={"somelib/__init__.py": "import os\n"}).build()
    home, lib = bench.root / "files/demo-plugin/1.0.0", bench.root / "files/somelib/1.0.0" / LIB.filename
    lock = (home / "pylock.toml").read_text()
    old = lib.read_bytes()
    lock = lock.replace(hashlib.sha256(old).hexdigest(), hashlib.sha256(evil).hexdigest())
    lock = lock.replace(f"size = {len(old)}", f"size = {len(evil)}")
    lib.write_bytes(evil)
    (home / "pylock.toml").write_text(lock)
    return home / "pylock.toml"


@pytest.mark.parametrize("signature", ["kept", "deleted"])
@pytest.mark.parametrize("tag", ["py311-none-any", "py312-none-any"], ids=["same wheel", "second platform"])
def test_a_lock_planted_in_the_tree_is_not_signed(bench: Bench, tag: str, signature: str) -> None:
    bench.publish(PLUGIN.but(tag="py311-none-any"))
    lock = planted_lock(bench)
    beside = lock.with_name("pylock.toml.sig")
    if signature == "deleted":
        beside.unlink()
    before = contents(bench.root)
    with pytest.raises(TrustError) as refused:
        bench.publish(PLUGIN.but(tag=tag))
    assert refused.value.step == "publish"
    assert contents(bench.root) == before


@pytest.mark.parametrize("what", ["wheel", "metadata"])
def test_a_dependency_changed_in_the_tree_is_noticed(bench: Bench, what: str) -> None:
    bench.publish()
    path = bench.root / "files/somelib/1.0.0" / (LIB.filename + (".metadata" if what == "metadata" else ""))
    whole = path.read_bytes()
    path.write_bytes(whole + b"x")
    before = contents(bench.root)
    with pytest.raises(TrustError) as refused:
        bench.publish()
    assert LIB.filename in refused.value.thing
    assert contents(bench.root) == before
    path.write_bytes(whole)
    assert bench.publish().written == ()


def test_a_wheel_changed_in_the_tree_does_not_join_a_signed_lock(bench: Bench) -> None:
    first = PLUGIN.but(tag="py311-none-any")
    bench.publish(first)
    evil = first.but(metadata_lines=("Author: x",)).build()
    (bench.root / "files/demo-plugin/1.0.0" / first.filename).write_bytes(evil)
    with pytest.raises(TrustError) as refused:
        bench.publish(PLUGIN.but(tag="py312-none-any"))
    assert refused.value.step == "publish"


def test_a_lost_lock_is_made_again_from_the_same_closure(bench: Bench) -> None:
    bench.publish()
    before = contents(bench.root)
    for name in ("pylock.toml", "pylock.toml.sig"):
        (bench.root / "files/demo-plugin/1.0.0" / name).unlink()
    bench.publish()
    assert contents(bench.root) == before


def test_a_second_platform_joins_the_version_and_its_lock(bench: Bench) -> None:
    bench.publish(PLUGIN.but(tag="py311-none-any"))
    bench.add(WheelBuilder.dependency("somelib", "2.0.0"))  # newer, but the version's closure is decided
    second = bench.publish(PLUGIN.but(tag="py312-none-any"))
    lock = parse_lock((bench.root / "files/demo-plugin/1.0.0/pylock.toml").read_bytes())
    assert [entry.filename for entry in lock.wheels] == [
        "demo_plugin-1.0.0-py311-none-any.whl",
        "demo_plugin-1.0.0-py312-none-any.whl",
        "somelib-1.0.0-py3-none-any.whl",
    ]
    assert second.replaced == ()
    assert page_problems(bench.root) == []
    assert bench.publish(PLUGIN.but(tag="py311-none-any")).written == ()


def test_another_key_cannot_join_a_version(bench: Bench) -> None:
    bench.publish(PLUGIN.but(tag="py311-none-any"))
    before = contents(bench.root)
    with pytest.raises(TrustError, match="another key"):
        replace(bench, key=generate_key()).publish(PLUGIN.but(tag="py312-none-any"))
    assert contents(bench.root) == before
    assert bench.publish(PLUGIN.but(tag="py312-none-any")).written  # the control


def test_replacing_is_for_development_registries(tmp_path: Path) -> None:
    bench = new_bench(tmp_path, development=False)
    bench.publish()
    before = contents(bench.root)
    with pytest.raises(ConfigError, match="development registry only"):
        bench.publish(PLUGIN.but(metadata_lines=("Author: x",)), replace_published=True)
    assert contents(bench.root) == before


def test_replacing_replaces_everywhere_and_names_the_locks_it_broke(bench: Bench) -> None:
    entry_points = {"assess.plugins": {"demo": "other_plugin:plugin"}}
    other = WheelBuilder(name="other-plugin", requires=("somelib",), entry_points=entry_points)
    bench.publish(other)
    bench.publish()
    bench.add(LIB.but(files={"somelib/__init__.py": "x = 2\n"}))
    report = bench.publish(PLUGIN.but(metadata_lines=("Author: x",)), replace_published=True)
    assert report.replaced == (LIB.filename, PLUGIN.filename)
    assert report.stale == ("files/other-plugin/1.0.0/pylock.toml",)
    assert page_problems(bench.root) == []
    assert bench.publish(other, replace_published=True).stale == ()
    assert bench.publish(PLUGIN.but(metadata_lines=("Author: x",)), replace_published=True).written == ()


def test_replacing_with_another_key_signs_anew(bench: Bench) -> None:
    bench.publish()
    other = replace(bench, key=generate_key())
    other.publish(replace_published=True)
    signature = (bench.root / f"files/demo-plugin/1.0.0/{PLUGIN.filename}.sig").read_bytes()
    assert verify_detached(PLUGIN.build(), signature, TrustedKeys.of(other.key.public)) == other.key.public.id


class Killed(BaseException):
    """The process ends here."""


Step = Callable[[Bench], object]

SCENARIOS: dict[str, tuple[tuple[Step, ...], Step]] = {
    "a first publish": ((), lambda bench: bench.publish()),
    "a new version": ((lambda bench: bench.publish(),), lambda bench: bench.publish(PLUGIN.but(version="1.1.0"))),
    "a second platform": (
        (lambda bench: bench.publish(PLUGIN.but(tag="py311-none-any")),),
        lambda bench: bench.publish(PLUGIN.but(tag="py312-none-any")),
    ),
    "a replacement": (
        (
            lambda bench: bench.publish(),
            lambda bench: bench.add(LIB.but(files={"somelib/__init__.py": "x = 2\n"})),
        ),
        lambda bench: bench.publish(PLUGIN.but(metadata_lines=("Author: x",)), replace_published=True),
    ),
}


@pytest.mark.parametrize("before_write", [True, False], ids=["before the write", "after the write"])
@pytest.mark.parametrize(("earlier", "last"), SCENARIOS.values(), ids=SCENARIOS)
def test_killed_at_any_write_the_pages_are_valid_and_a_rerun_completes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, earlier: tuple[Step, ...], last: Step, *, before_write: bool
) -> None:
    key = generate_key()
    reference = new_bench(tmp_path / "reference", key=key)
    for step in (*earlier, last):
        step(reference)
    whole = contents(reference.root)
    kills = 0
    while True:
        bench = new_bench(tmp_path / f"kill-{kills}", key=key)
        for step in earlier:
            step(bench)
        listed = page_problems(bench.root)
        assert listed == []
        countdown = iter(range(kills, -1, -1))

        def write(path: Path, data: bytes, countdown: Iterator[int] = countdown) -> None:
            dies = next(countdown) == 0
            if dies and before_write:
                raise Killed
            atomic_write(path, data)
            if dies:
                raise Killed

        monkeypatch.setattr(tree_module, "atomic_write", write)
        try:
            last(bench)
        except Killed:
            completed = False
        except StopIteration:  # pragma: no cover  a write after the death of its process
            pytest.fail("wrote on after it was killed")
        else:
            completed = True
        monkeypatch.setattr(tree_module, "atomic_write", atomic_write)
        assert page_problems(bench.root) == []
        last(bench)
        assert contents(bench.root) == whole
        if completed:
            break
        kills += stride(2)  # after the n-th write is before the next: both ways together leave none out
    assert kills >= 5


def test_a_real_kill_between_two_writes_leaves_a_valid_index(bench: Bench) -> None:
    bench.publish()
    bench.add(PLUGIN.but(version="1.1.0"))
    child = os.fork()
    if child == 0:
        _die_at_write(4)
        bench.publish(PLUGIN.but(version="1.1.0"))
        os._exit(0)
    _, status = os.waitpid(child, 0)
    assert os.WTERMSIG(status) == signal.SIGKILL
    assert page_problems(bench.root) == []
    versions = json.loads((bench.root / "simple/demo-plugin/index.json").read_bytes())["versions"]
    assert versions == ["1.0.0"]
    assert bench.publish(PLUGIN.but(version="1.1.0")).written
    assert page_problems(bench.root) == []


def _die_at_write(number: int) -> None:
    left = iter(range(number, -1, -1))

    def write(path: Path, data: bytes) -> None:
        if next(left) == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        atomic_write(path, data)

    setattr(tree_module, "atomic_write", write)  # noqa: B010  in the child alone


def test_two_at_once_both_end_up_published(bench: Bench) -> None:
    versions = [f"1.{number}.0" for number in range(4)]
    errors: list[Exception] = []

    def run(version: str) -> None:
        try:
            bench.publish(PLUGIN.but(version=version))
        except RegistryError as error:
            errors.append(error)

    threads = [threading.Thread(target=run, args=(version,)) for version in versions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert json.loads((bench.root / "simple/demo-plugin/index.json").read_bytes())["versions"] == versions
    assert page_problems(bench.root) == []


def test_a_leftover_of_a_killed_publish_can_be_replaced_by_another_key(bench: Bench) -> None:
    home = bench.root / "files/demo-plugin/1.0.0"
    home.mkdir(parents=True)
    (home / f"{PLUGIN.filename}.sig").write_bytes(b"of a key that is lost")
    (home / "pylock.toml").write_bytes(b"half a thought")
    bench.publish()
    assert page_problems(bench.root) == []


def test_a_directory_that_is_no_registry_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / PLUGIN.filename).write_bytes(PLUGIN.build())
    with pytest.raises(ConfigError, match="assess-registry init"):
        publish(tmp_path / "empty", tmp_path / PLUGIN.filename, key=generate_key(), closure=tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [PLUGIN.filename]


def test_creating_again_completes_and_overwrites_nothing(tmp_path: Path) -> None:
    root = tmp_path / "registry"
    first = IndexConfig(name="first", development=True)
    made = ("registry.toml", "simple/index.json", "simple/index.html", "plugins.json")
    assert create_index(root, first)[1] == made
    (root / "simple/index.html").unlink()
    assert create_index(root, IndexConfig(name="second")) == (first, ("simple/index.html",))
    assert create_index(root, IndexConfig(name="second")) == (first, ())


def test_something_foreign_among_the_versions_is_named(bench: Bench) -> None:
    bench.publish()
    (bench.root / "files/demo-plugin/latest").mkdir()
    with pytest.raises(ConfigError, match="latest"):
        tree_module.Tree(bench.root).page_files(ProjectName("demo-plugin"))
