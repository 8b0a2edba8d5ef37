"""Approved releases in a real registry: what clients see, what is refused, and what a kill leaves behind."""

import multiprocessing
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from multiprocessing.synchronize import Event
from pathlib import Path

import pytest

from assess_registry.config import load_config
from assess_registry.errors import ConfigError, PublishError, RegistryError, TrustError
from assess_registry.keys import generate_key
from assess_registry.publish import publish
from assess_registry.publish.approved import publish_approved
from assess_registry.review.submit import Submitted
from assess_registry.signatures import sign_detached
from tests.support.kills import steps, stride
from tests.support.registry_tree import RegistryTree, copy_registry_tree
from tests.support.wheels import WheelBuilder, demo_plugin_wheel
from tests.support.word_reader import WordReader, listed, page_problems

DEMO = "demo_plugin-1.0.0-py3-none-any.whl"


@pytest.fixture
def tree(tmp_path: Path) -> RegistryTree:
    """A registry in which demo-plugin 1.0.0 is published."""
    return copy_registry_tree(tmp_path / "registry")


@pytest.fixture
def reader(tree: RegistryTree, tmp_path: Path) -> WordReader:
    return WordReader(tree.root, tmp_path / "memory")


def contents(root: Path) -> dict[str, bytes]:
    """Every file that a web server would serve."""
    files = (path for path in sorted(root.rglob("*")) if path.is_file())
    named = {path.relative_to(root).as_posix(): path for path in files}
    return {name: path.read_bytes() for name, path in named.items() if "/." not in f"/{name}"}


def submitted(tree: RegistryTree, version: str = "1.1.0", **changes: object) -> Submitted:
    filename, data = demo_plugin_wheel(version)
    (made,) = tree.submit({filename: data}, **changes)  # type: ignore[arg-type]
    return made


def test_what_was_approved_is_the_registrys_word_and_on_its_pages(tree: RegistryTree, reader: WordReader) -> None:
    tree.publish(*demo_plugin_wheel("1.1.0"))
    assert reader.see().versions == ("1.0.0", "1.1.0")
    assert listed(tree.root) == [DEMO, DEMO.replace("1.0.0", "1.1.0")]
    assert page_problems(tree.root) == []


@pytest.mark.parametrize("requires", [("assess-plugin>=1.0,<2",), ()], ids=["with", "without"])
def test_a_plugin_is_published_with_dependencies_and_without(
    tree: RegistryTree, reader: WordReader, requires: tuple[str, ...]
) -> None:
    wheel = WheelBuilder(version="1.1.0", requires=requires)
    (made,) = tree.submit({wheel.filename: wheel.build()})
    assert (made.submission.directory / "closure").exists() == bool(requires)
    tree.approve(made)
    assert bool(tree.release(made).closure) == bool(requires)
    assert reader.see().versions == ("1.0.0", "1.1.0")


def test_publishing_again_changes_nothing(tree: RegistryTree) -> None:
    made = submitted(tree)
    tree.approve(made)
    first = tree.release(made)
    before = contents(tree.root)
    tree.approve(made, reviewer="ruben")  # one more signature would be another verdict
    again = tree.release(made)
    assert (again.written, again.published_at) == ((), first.published_at)
    assert contents(tree.root) == before


def test_nothing_is_published_that_nobody_approved(tree: RegistryTree, reader: WordReader) -> None:
    made = submitted(tree)
    before = contents(tree.root)
    with pytest.raises(TrustError) as refused:
        tree.release(made)
    assert refused.value.step == "approval"
    assert contents(tree.root) == before
    tree.approve(made)  # the control
    tree.release(made)
    assert reader.see().versions == ("1.0.0", "1.1.0")


def need(tree: RegistryTree, approvals: int) -> None:
    config = load_config(tree.root)
    tree.configure(replace(config, publishers=(replace(config.publishers[0], approvals=approvals),)))


def test_as_many_reviewers_as_the_publisher_needs(tree: RegistryTree, reader: WordReader) -> None:
    need(tree, 2)
    made = submitted(tree)
    tree.approve(made, reviewer="rita")
    with pytest.raises(TrustError, match="too few"):
        tree.release(made)
    tree.approve(made, reviewer="ruben")
    assert tree.release(made).approvals[0].by == ("rita", "ruben")
    # 1.0.0 was approved by one when one was enough; who needs more asks for more of all.
    with pytest.raises(TrustError, match="too few"):
        reader.see()


def test_changed_people_are_signed_only_when_that_is_meant(tree: RegistryTree, reader: WordReader) -> None:
    made = submitted(tree)
    tree.approve(made)
    config = load_config(tree.root)
    planted = generate_key()
    tree.add_publisher(planted)
    before = contents(tree.root)
    arguments = {"keys": tree.everybody.release_keys, "now": datetime.now(UTC)}
    with pytest.raises(TrustError) as refused:
        publish_approved(tree.root, [made.submission.directory], **arguments)  # type: ignore[arg-type]
    assert refused.value.step == "control"
    assert planted.public.id in refused.value.got
    assert contents(tree.root) == before
    tree.configure(config)  # the control: as it was signed
    publish_approved(tree.root, [made.submission.directory], **arguments)  # type: ignore[arg-type]
    assert reader.see().versions == ("1.0.0", "1.1.0")


def test_a_changed_policy_is_signed_only_when_that_is_meant(tree: RegistryTree) -> None:
    config = load_config(tree.root)
    tree.configure(replace(config, policy=replace(config.policy, max_wheel_mib=250.0)))
    made = submitted(tree)
    tree.approve(made)
    arguments = {"keys": tree.everybody.release_keys, "now": datetime.now(UTC)}
    with pytest.raises(TrustError, match="now: policy sha256") as refused:
        publish_approved(tree.root, [made.submission.directory], **arguments)  # type: ignore[arg-type]
    assert refused.value.step == "control"
    assert "policy" in "".join(tree.release(made).control)


def test_a_lock_that_another_publisher_signed_is_refused(tree: RegistryTree) -> None:
    other = generate_key()
    tree.add_publisher(other)
    made = submitted(tree)
    tree.approve(made)
    path = made.submission.directory / "pylock.toml.sig"
    whole = path.read_bytes()
    path.write_bytes(sign_detached(made.submission.lock, other))
    with pytest.raises(TrustError, match="different keys"):
        tree.release(made)
    path.write_bytes(whole)
    assert tree.release(made).written


def test_what_was_approved_is_not_replaced_or_joined_by_a_publishers_key_alone(
    tree: RegistryTree, reader: WordReader
) -> None:
    before = contents(tree.root)
    for wheel in (WheelBuilder(metadata_lines=("Author: x",)), WheelBuilder(tag="py312-none-any")):
        path = tree.directory / wheel.filename
        path.write_bytes(wheel.build())
        with pytest.raises(TrustError, match="approved with other wheels"):
            publish(tree.root, path, key=tree.key, closure=tree.closure, replace_published=True)
    assert contents(tree.root) == before
    alone = WheelBuilder(version="1.1.0")  # the control: a version that nobody approved, for simple clients
    (tree.directory / alone.filename).write_bytes(alone.build())
    publish(tree.root, tree.directory / alone.filename, key=tree.key, closure=tree.closure)
    assert listed(tree.root) == [DEMO, alone.filename]
    assert reader.see().versions == ("1.0.0",)


@pytest.mark.parametrize("role", ["release", "online"])
def test_a_key_of_another_role_publishes_nothing(tree: RegistryTree, role: str) -> None:
    made = submitted(tree)
    tree.approve(made)
    seen = WordReader(tree.root, tree.directory / "memory").see().versions
    people = tree.everybody
    wrong = {"release": replace(people, release=people.online), "online": replace(people, online=people.release)}
    with pytest.raises(ConfigError, match="no key of role"):
        replace(tree, people=wrong[role]).release(made)
    assert WordReader(tree.root, tree.directory / "memory").see().versions == seen
    assert tree.release(made).written  # the control


def test_published_bytes_never_change(tree: RegistryTree, reader: WordReader) -> None:
    other = WheelBuilder(metadata_lines=("Author: x",))
    (made,) = tree.submit({other.filename: other.build()})
    tree.approve(made)
    before = contents(tree.root)
    with pytest.raises(TrustError, match="another release is published"):
        tree.release(made)
    assert contents(tree.root) == before
    tree.release(made, replace_published=True)
    (release,) = reader.see().catalogue.releases
    assert release.wheels[0].sha256 == made.submission.sha256
    assert page_problems(tree.root) == []


def test_replacing_is_for_development_registries(tree: RegistryTree) -> None:
    tree.configure(replace(load_config(tree.root), development=False))
    made = submitted(tree)
    tree.approve(made)
    with pytest.raises(ConfigError, match="development registry only"):
        tree.release(made, replace_published=True)
    assert tree.release(made).written


def test_a_release_is_published_whole(tree: RegistryTree, reader: WordReader) -> None:
    wheels = [WheelBuilder(version="1.1.0", tag=f"py3-none-linux_{name}", purelib=False) for name in ("a", "b")]
    one, two = tree.submit({wheel.filename: wheel.build() for wheel in wheels})
    tree.approve(one, two)
    with pytest.raises(ConfigError, match=r"linux_b\.whl: belongs to demo-plugin 1\.1\.0 as well"):
        tree.release(one)
    tree.release(one, two)
    release = reader.see().catalogue.release("1.1.0")
    assert release is not None
    assert [wheel.filename for wheel in release.wheels] == [wheel.filename for wheel in wheels]


def test_wheels_that_were_not_submitted_together_are_no_release(tree: RegistryTree) -> None:
    one, two = submitted(tree, "1.1.0"), submitted(tree, "1.2.0")
    tree.approve(one, two)
    with pytest.raises(ConfigError, match="was not submitted together"):
        tree.release(one, two)


def test_a_version_alias_is_refused(tree: RegistryTree) -> None:
    with pytest.raises(PublishError, match=r"published as 1\.0\.0 already"):
        submitted(tree, "1.0")


def test_no_closure_brings_in_a_wheel_called_like_a_plugin(tree: RegistryTree, reader: WordReader) -> None:
    evil = WheelBuilder.dependency("demo-plugin", "9.9.9")
    (tree.closure / evil.filename).write_bytes(evil.build())
    points = {"assess.plugins": {"demo": "other_plugin:plugin"}}
    other = WheelBuilder(name="other-plugin", requires=("demo-plugin",), entry_points=points)
    with pytest.raises(PublishError, match="demo-plugin is a plugin of this registry"):
        tree.submit({other.filename: other.build()})
    (tree.closure / evil.filename).unlink()
    shutil.copy(tree.path(DEMO), tree.closure)  # the control: the published wheel itself
    (made,) = tree.submit({other.filename: other.build()})
    tree.approve(made)
    tree.release(made)
    assert reader.see("other-plugin").versions == ("1.0.0",)


# --- what an attacker with the disk could do between two publishes ------------------------------------------------


TAMPERED: dict[str, tuple[str, Callable[[bytes], bytes], str]] = {
    "wheel": (DEMO.replace("1.0.0", "1.1.0"), lambda data: data + b"x", "submission"),
    "lock": ("pylock.toml", lambda data: data + b"\n", "signature"),
    "report": ("audit.json", lambda data: data + b"\n", "attestation"),
    "statement": ("statement.json", lambda data: data.replace(b'"/proc/sys"', b'"/proc/syt"'), "attestation"),
    "attestation": ("audit.dsse.json", lambda data: data.replace(b'"sig":"', b'"sig":"A'), "envelope"),
    "dependency": ("closure/pluggy-1.6.0-py3-none-any.whl", lambda data: data + b"x", "statement"),
}


@pytest.mark.parametrize(("name", "change", "step"), TAMPERED.values(), ids=TAMPERED)
def test_a_submission_that_was_changed_is_refused(
    tree: RegistryTree, name: str, change: Callable[[bytes], bytes], step: str
) -> None:
    made = submitted(tree)
    tree.approve(made)
    path = made.submission.directory / name
    whole, before = path.read_bytes(), contents(tree.root)
    path.write_bytes(change(whole))
    with pytest.raises(RegistryError) as refused:
        tree.release(made)
    assert getattr(refused.value, "step", "") == step, refused.value
    assert contents(tree.root) == before
    path.write_bytes(whole)
    assert tree.release(made).written


def test_metadata_that_was_changed_is_not_built_upon(tree: RegistryTree) -> None:
    made = submitted(tree)
    tree.approve(made)
    (page,) = tree.root.glob("catalog/*.demo-plugin.json")
    whole = page.read_bytes()
    page.write_bytes(whole.replace(b"1.0.0", b"6.6.6"))
    with pytest.raises(TrustError, match="not the bytes that were signed"):
        tree.release(made)
    page.write_bytes(whole)
    assert tree.release(made).written


# --- killed, and read all the while -------------------------------------------------------------------------------


@pytest.mark.timeout(1800)  # a hundred processes, one after another
def test_killed_before_any_call_clients_see_the_old_or_the_new_and_the_next_run_finishes(tmp_path: Path) -> None:
    tree = copy_registry_tree(tmp_path / "registry")
    made = submitted(tree)
    tree.approve(made)
    image = tmp_path / "image"
    shutil.copytree(tree.root, image)
    now = datetime.now(UTC)

    def restore() -> None:
        shutil.rmtree(tree.root)
        shutil.copytree(image, tree.root)

    reader = WordReader(tree.root, tmp_path / "memory")
    reader.see()
    shutil.copytree(reader.memory, tmp_path / "memory-image", symlinks=True)
    seen, finished = [], set()
    for _ in steps(lambda: tree.release(made, now=now), restore, every=stride(5)):
        shutil.rmtree(reader.memory)
        shutil.copytree(tmp_path / "memory-image", reader.memory, symlinks=True)
        seen.append(reader.see().versions)
        if seen[-1] == ("1.0.0", "1.1.0"):
            finished.add(outside_of_status(tree.root))
        assert page_problems(tree.root) == []
        tree.release(made, now=now)
        assert reader.see().versions == ("1.0.0", "1.1.0")
        assert listed(tree.root) == [DEMO, DEMO.replace("1.0.0", "1.1.0")]
        assert page_problems(tree.root) == []
    assert len(seen) > 12
    # One moment divides them, and it is the last but for what makes it durable, and for the pages that people read.
    assert seen == sorted(seen)
    assert {("1.0.0",), ("1.0.0", "1.1.0")} == set(seen)
    assert finished <= {outside_of_status(tree.root)}


def outside_of_status(root: Path) -> frozenset[tuple[str, bytes]]:
    """Every file of the registry but its catalogue for people, and locks, which say who holds them."""
    found = ((path.relative_to(root), path) for path in root.rglob("*") if path.is_file())
    kept = ((name, path) for name, path in found if name.parts[0] != "status" and not name.name.endswith(".lock"))
    return frozenset((name.as_posix(), path.read_bytes()) for name, path in kept)


@contextmanager
def reading(root: Path, memory: Path) -> Iterator[Callable[[], int]]:
    """A client reads all the while, in a process of its own; gives how often it has, without an error."""
    stop, reads = multiprocessing.Event(), multiprocessing.Value("i", 0)
    child = multiprocessing.get_context("fork").Process(target=_read_on, args=(root, memory, stop, reads))
    child.start()
    try:
        yield lambda: reads.value
    finally:
        stop.set()
        child.join(60)
        code = child.exitcode
        child.close()
    assert code == 0, "a reader met an error"


def _read_on(root: Path, memory: Path, stop: Event, reads: "multiprocessing.sharedctypes.Synchronized[int]") -> None:
    reader, known = WordReader(root, memory), 0
    while not stop.is_set():
        versions = len(reader.see().versions)
        assert versions >= known, "it went back"
        known = versions
        reads.value += 1


def test_a_reader_never_meets_an_error_while_releases_are_published(tree: RegistryTree, tmp_path: Path) -> None:
    with reading(tree.root, tmp_path / "memory") as reads:
        for number in range(1, 11):
            tree.publish(*demo_plugin_wheel(f"1.{number}.0"))
        while reads() < 3:
            pass
    assert len(WordReader(tree.root, tmp_path / "other").see().versions) == 11


def test_two_at_once_both_end_up_published(tree: RegistryTree, reader: WordReader) -> None:
    made = [submitted(tree, f"1.{number}.0") for number in range(1, 5)]
    tree.approve(*made)
    errors: list[Exception] = []

    def work(one: Submitted) -> None:
        try:
            tree.release(one)
        except RegistryError as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=(one,)) for one in made]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert reader.see().versions == ("1.0.0", "1.1.0", "1.2.0", "1.3.0", "1.4.0")
    assert page_problems(tree.root) == []


def test_a_release_killed_and_published_by_others_later_is_judged_by_the_later_time(tree: RegistryTree) -> None:
    made = submitted(tree)
    tree.approve(made)
    config = load_config(tree.root)
    (timed,) = config.publishers[0].keys
    ended = replace(timed, valid_until=datetime.now(UTC) + timedelta(seconds=30))
    tree.configure(replace(config, publishers=(replace(config.publishers[0], keys=(ended,)),)))
    with pytest.raises(TrustError, match="expired"):
        tree.release(made, now=datetime.now(UTC) + timedelta(minutes=1))
    assert tree.release(made).written  # the control: the key is valid still
