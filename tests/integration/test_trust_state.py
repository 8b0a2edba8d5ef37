"""What a client remembers of a registry: whole after any kill, shared by processes, not fooled by clock or disk."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from assess_registry.client.trust.clock import TOLERANCE
from assess_registry.client.trust.fetcher import role_of
from assess_registry.client.trust.rules import step_of
from assess_registry.errors import ConfigError, NotPublishedError, TransportError, TrustError
from assess_registry.files import LockTimeoutError, file_lock
from assess_registry.keys import generate_key
from tests.support.http_registry import drip, endless, serve, status
from tests.support.kills import steps, stride
from tests.support.trust_client import CONTROL, DEMO, MAX_STALENESS, OTHER, TrustClient
from tests.support.tuf_tree import bin_of, make_tuf_tree

DAY = timedelta(days=1)


@pytest.fixture
def client(tmp_path: Path) -> Iterator[TrustClient]:
    tree = make_tuf_tree(tmp_path / "registry")
    tree.put({DEMO: b"demo 1", OTHER: b"other 1", CONTROL: b"control 1"})
    client = TrustClient(tree=tree, state=tmp_path / "state")
    for path in (DEMO, CONTROL):
        client.read(path)
    yield client
    client.close()


# ---- clock ---------------------------------------------------------------------------------------------------------


def test_clock_that_went_back_is_refused_by_both_ways_to_the_word(client: TrustClient) -> None:
    client.later = -TOLERANCE / 2
    assert client.read() == client.remembered() == b"demo 1"
    client.later = -2 * TOLERANCE
    for way in (client.read, client.remembered):
        with pytest.raises(TrustError, match="clock went back") as caught:
            way()
        error = caught.value
        assert (error.step, error.thing) == ("clock", "system clock")
        assert error.expected.startswith("not before 20")
        assert "clock.json" in error.next_step


def test_time_at_which_a_remembered_word_served_counts_as_seen(client: TrustClient) -> None:
    client.later = 20 * DAY
    assert client.remembered() == b"demo 1"
    client.later = 10 * DAY
    with pytest.raises(TrustError) as caught:
        client.remembered()
    assert caught.value.step == "clock"


def test_clock_that_stood_far_ahead_locks_nobody_out(client: TrustClient) -> None:
    client.later = 400 * DAY
    with pytest.raises(TrustError) as caught:
        client.remembered()
    assert caught.value.step == "staleness"
    client.later = timedelta()
    assert client.remembered() == b"demo 1"


@pytest.mark.parametrize("content", [b"", b"{}", b'{"largest": 3}', b'{"largest": "2026-01-01T00:00:00"}', b"x" * 999])
def test_damaged_clock_file_is_not_taken_for_a_first_time(client: TrustClient, content: bytes) -> None:
    (client.state / "clock.json").write_bytes(content)
    with pytest.raises(TrustError) as caught:
        client.read()
    assert (caught.value.step, caught.value.thing) == ("clock", str(client.state / "clock.json"))


# ---- staleness -----------------------------------------------------------------------------------------------------


def test_word_is_remembered_for_as_long_as_it_may_be_stale(client: TrustClient) -> None:
    client.tree.root.rename(client.tree.root.with_name("gone"))
    client.anchor = (client.tree.root.with_name("gone") / "metadata" / "1.root.json").read_bytes()
    with pytest.raises(TransportError):
        client.read()
    for later in (timedelta(), MAX_STALENESS - DAY):  # the timestamp of the tree has expired by then, too
        client.later = later
        assert client.open().remembered().stale
        assert client.remembered() == b"demo 1"
    client.later = MAX_STALENESS + DAY
    with pytest.raises(TrustError, match="not given a valid word for too long") as caught:
        client.remembered()
    assert caught.value.step == "staleness"


@pytest.mark.parametrize(("ahead", "step"), [(timedelta(days=9000), "clock"), (timedelta(), "")])
def test_word_from_the_future_is_not_young_for_ever(client: TrustClient, ahead: timedelta, step: str) -> None:
    kept = client.state / "last" / "refreshed.json"
    refreshed_at = datetime.fromisoformat(json.loads(kept.read_bytes())["refreshed_at"])
    kept.write_text(json.dumps({"refreshed_at": (refreshed_at + ahead).isoformat()}))
    if not step:  # the control
        assert client.remembered() == b"demo 1"
        return
    with pytest.raises(TrustError, match="in the future") as caught:
        client.remembered()
    assert caught.value.step == step


def test_refresh_that_is_refused_does_not_make_the_word_younger(client: TrustClient) -> None:
    before = client.open().remembered().refreshed_at
    client.tree.write_timestamp(keys=[])
    with pytest.raises(TrustError):
        client.refresh()
    assert client.open().remembered().refreshed_at == before
    client.tree.write_timestamp()
    client.refresh()
    assert client.open().remembered().refreshed_at > before


def test_nothing_is_remembered_before_the_first_word(client: TrustClient, tmp_path: Path) -> None:
    client.state = tmp_path / "another"
    with pytest.raises(TrustError, match="never reached") as caught:
        client.remembered()
    assert caught.value.step == "staleness"
    assert client.read() == b"demo 1"
    assert client.remembered() == b"demo 1"


def test_what_was_never_asked_for_is_not_remembered(client: TrustClient) -> None:
    with pytest.raises(TrustError) as caught:
        client.remembered(OTHER)
    assert caught.value.step == "staleness"
    client.read(OTHER)
    assert client.remembered(OTHER) == b"other 1"


def test_refresh_brings_all_that_was_read_up_to_date(client: TrustClient) -> None:
    client.tree.put({DEMO: b"demo 2", CONTROL: b"control 2"})
    client.refresh()
    assert (client.remembered(), client.remembered(CONTROL)) == (b"demo 2", b"control 2")
    client.tree.put({DEMO: None})
    client.refresh()
    assert client.remembered() is None
    assert client.remembered(CONTROL) == b"control 2"


def test_refresh_without_news_reads_two_files(client: TrustClient) -> None:
    client.reads.clear()
    client.refresh()
    assert client.reads == ["metadata/2.root.json", "metadata/timestamp.json"]


# ---- roots ---------------------------------------------------------------------------------------------------------


def test_client_that_slept_through_rotations_follows_them_all(client: TrustClient) -> None:
    from_the_first = (client.tree.anchor, client.state)
    for _ in range(3):
        tree = client.tree
        tree.rotate("root", new=[generate_key() for _ in range(3)])
        online = [generate_key()]
        for role in ("timestamp", "snapshot"):
            tree.rotate(role, new=online)
    client.tree.put({DEMO: b"demo 2"})
    assert client.read() == client.remembered() == b"demo 2"
    assert (client.tree.anchor, client.state) == from_the_first
    (client.tree.metadata / "5.root.json").unlink()
    assert client.read() == b"demo 2"  # it is remembered
    shutil.rmtree(client.state)
    with pytest.raises(TrustError) as caught:  # and who begins anew is not led past a missing one
        client.read()
    assert caught.value.step == "timestamp"


def test_thief_of_the_online_key_cannot_lock_clients_out_of_what_follows(client: TrustClient) -> None:
    """Fast forward: versions so high that honest ones would look like a rollback; new keys end it (TUF 5.3.11)."""
    tree = client.tree
    honest = {role: tree.signed(role).version for role in ("snapshot", "timestamp")}
    for role in honest:
        tree.signed(role).version = 2**31
    tree.announce()
    assert client.read() == b"demo 1"
    for role, version in honest.items():
        tree.signed(role).version = version
    tree.put({DEMO: b"demo 2"})
    with pytest.raises(TrustError, match="or later") as caught:
        client.read()
    assert caught.value.step == "timestamp"
    online = [generate_key()]
    for role in honest:
        tree.rotate(role, new=online)
    tree.announce()
    assert client.read() == client.remembered() == b"demo 2"


def test_newer_anchor_serves_as_well(client: TrustClient) -> None:
    path = client.tree.write("root")
    client.anchor = path.read_bytes()
    assert client.read() == client.remembered() == b"demo 1"


def test_anchor_of_another_registry_is_refused(client: TrustClient, tmp_path: Path) -> None:
    client.anchor = make_tuf_tree(tmp_path / "other").anchor
    for way in (client.read, client.remembered):
        with pytest.raises(TrustError) as caught:
            way()
        assert caught.value.step in ("root", "timestamp")


@pytest.mark.parametrize("change", [b"", b"{}", b"not json", b"[]"])
def test_broken_anchor_is_refused(client: TrustClient, change: bytes) -> None:
    client.anchor = change or b"\0"
    with pytest.raises(TrustError) as caught:
        client.read()
    assert caught.value.step == "root"


# ---- transport -----------------------------------------------------------------------------------------------------


def test_word_over_http_is_the_same(client: TrustClient, tmp_path: Path) -> None:
    with serve(client.tree.root) as http:
        client.url, client.state = http.url, tmp_path / "over-http"
        assert client.read() == b"demo 1"
        http.answers["/metadata/2.root.json"] = status(403)  # what an object store says of what is not there
        assert client.read() == b"demo 1"
        http.answers["/metadata/2.root.json"] = status(500)
        with pytest.raises(TransportError, match="500"):
            client.read()
        http.answers.clear()
        http.answers["/metadata/timestamp.json"] = status(404)
        with pytest.raises(NotPublishedError, match=r"timestamp\.json"):
            client.read()
        http.answers["/metadata/timestamp.json"] = status(302, Location="https://evil.example/timestamp.json")
        with pytest.raises(TrustError) as caught:
            client.read()
        assert caught.value.step == "redirect"
        assert client.remembered() == b"demo 1"


@pytest.mark.parametrize("file", ["2.root.json", "timestamp.json"])
@pytest.mark.parametrize("how", ["drip", "endless"])
def test_slow_or_endless_metadata_ends_with_the_deadline(client: TrustClient, file: str, how: str) -> None:
    with serve(client.tree.root) as http:
        head = b"HTTP/1.1 200 OK\r\nContent-Length: 4000\r\n\r\n{"
        http.answers[f"/metadata/{file}"] = endless() if how == "endless" else drip(head, http.stopping)
        client.url, client.timeout_s = http.url, 0.5
        begin = time.monotonic()
        with pytest.raises((TransportError, TrustError)) as caught:
            client.read()
        assert time.monotonic() - begin < 30, "it goes on without end"
        assert file in str(caught.value)
        if how == "drip":
            assert "not complete within 0.5 s" in str(caught.value)
        http.answers.clear()
        client.timeout_s = 60
        assert client.read() == b"demo 1"


def test_one_deadline_holds_for_all_files_together(client: TrustClient, tmp_path: Path) -> None:
    """Each file comes in well under the time; together they do not."""
    client.state = tmp_path / "fresh"
    with serve(client.tree.root) as http:

        def slowly(name: str) -> None:
            data = (client.tree.root / name).read_bytes()
            answer = status(200, data)
            http.answers[f"/{name}"] = lambda handler: (http.stopping.wait(0.3), answer(handler))[1]

        versions = [f"metadata/{client.tree.signed(role).version}.{role}.json" for role in ("snapshot", "targets")]
        for name in ("metadata/timestamp.json", *versions):
            slowly(name)
        client.url, client.timeout_s = http.url, 0.7
        with pytest.raises(TransportError, match=r"not complete within 0\.7 s"):
            client.refresh()
        client.timeout_s = 60
        client.refresh()


# ---- two processes, and kills --------------------------------------------------------------------------------------


def test_state_in_use_is_waited_for_and_then_said(client: TrustClient) -> None:
    client.timeout_s = 0.2
    with file_lock(client.state / ".lock", timeout_s=0), pytest.raises(LockTimeoutError, match="still locked by"):
        client.read()
    with file_lock(client.state / ".lock", timeout_s=0):
        assert client.remembered() == b"demo 1"  # what is remembered needs no lock
    client.timeout_s = 60
    assert client.read() == b"demo 1"


def test_what_was_brought_up_to_date_is_not_waited_for_again(client: TrustClient) -> None:
    word = client.refresh()
    client.timeout_s = 0.2
    with file_lock(client.state / ".lock", timeout_s=0):
        assert word.read(DEMO, client.deadline()) == b"demo 1"
        with pytest.raises(LockTimeoutError):  # the control: it was never read
            word.read(OTHER, client.deadline())
    assert word.read(OTHER, client.deadline()) == b"other 1"


def test_word_of_before_another_process_refreshed_is_renewed_not_mixed(client: TrustClient) -> None:
    word = client.refresh()
    client.tree.put({DEMO: b"demo 2", OTHER: b"other 2"})
    client.refresh()
    assert word.read(OTHER, client.deadline()) == b"other 2"
    assert word.read(DEMO, client.deadline()) == b"demo 2"
    assert client.remembered() == b"demo 2"
    assert client.remembered(OTHER) == b"other 2"


def test_two_processes_at_once_both_succeed(client: TrustClient) -> None:
    code = (
        "import sys\nfrom pathlib import Path\n"
        "from tests.support.trust_client import *\nfrom tests.support.tuf_tree import TufTree\n"
        "tree = TufTree(root=Path(sys.argv[1]), keys={})\n"
        "client = TrustClient(tree=tree, state=Path(sys.argv[2]))\n"
        "for _ in range(5):\n    assert client.read(OTHER) == b'other 1'\n    assert client.remembered() == b'demo 1'\n"
    )
    command = [sys.executable, "-c", code, str(client.tree.root), str(client.state)]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    children = [subprocess.Popen(command, env=environment) for _ in range(2)]
    assert [child.wait(timeout=60) for child in children] == [0, 0]
    assert client.remembered(OTHER) == b"other 1"


def test_killed_anywhere_the_word_is_the_old_or_the_new_and_the_next_refresh_finishes(
    client: TrustClient, tmp_path: Path
) -> None:
    before, seen, kills = tmp_path / "before", set(), 0
    shutil.copytree(client.state, before, symlinks=True)
    for role in ("timestamp", "snapshot"):
        client.tree.rotate(role, new=[generate_key()])
    client.tree.put({DEMO: b"demo 2", CONTROL: b"control 2"})

    def prepare() -> None:
        shutil.rmtree(client.state)
        shutil.copytree(before, client.state, symlinks=True)

    for _ in steps(client.refresh, prepare, every=stride(4)):
        kills += 1
        word = client.remembered(), client.remembered(CONTROL)
        seen.add(word)
        assert word in ((b"demo 1", b"control 1"), (b"demo 2", b"control 2"))
        assert client.read() == b"demo 2"
        assert client.remembered(CONTROL) == b"control 2"
        leftovers = [path.name for path in client.state.iterdir() if path.name.startswith(("word-", ".word-"))]
        assert len(leftovers) == 1
    assert kills > 10
    assert len(seen) == 2


# ---- other hands in the state directory ----------------------------------------------------------------------------


TAMPERED = {
    "page": (f"targets/{DEMO.replace('/', '%2F')}", "targets"),
    "timestamp": ("metadata/timestamp.json", "timestamp"),
    "snapshot": ("metadata/snapshot.json", "snapshot"),
    "targets": ("metadata/targets.json", "targets"),
    "bin": (f"metadata/{bin_of(DEMO)}.json", "targets"),
    "time": ("refreshed.json", "staleness"),
}


@pytest.mark.parametrize("name", TAMPERED)
@pytest.mark.parametrize("how", ["changed", "emptied", "removed"])
def test_remembered_word_is_verified_again(client: TrustClient, name: str, how: str) -> None:
    file, step = TAMPERED[name]
    path = (client.state / "last").resolve() / file
    data = path.read_bytes()
    path.unlink()
    if how != "removed":
        path.write_bytes(data.replace(b"1", b"3") if how == "changed" else b"")
    if (name, how) == ("time", "changed"):
        path.write_bytes(b'{"refreshed_at": 1}')
    with pytest.raises(TrustError) as caught:
        client.remembered()
    assert caught.value.step in (step, "staleness"), str(caught.value)
    assert client.read() == client.remembered() == b"demo 1"


def writable(path: Path) -> None:
    path.chmod(path.stat().st_mode | 0o020)


def given_away(path: Path) -> None:
    os.chown(path, 65534, 65534)


def linked(path: Path) -> None:
    """What is remembered lies elsewhere from now on, where somebody may exchange it."""
    elsewhere = Path(tempfile.mkdtemp(dir=path.parents[1])) / path.name
    path.rename(elsewhere)
    path.symlink_to(elsewhere)


def untouched(path: Path) -> None:
    """The control."""


as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files to somebody else")


@pytest.mark.parametrize("name", ["clock.json", "metadata", "targets", "metadata/timestamp.json", "last/metadata", "."])
@pytest.mark.parametrize("how", [untouched, writable, pytest.param(given_away, marks=as_root), linked])
def test_state_that_others_can_change_is_used_by_nobody(
    client: TrustClient, how: Callable[[Path], None], name: str
) -> None:
    """Not only by commands: the door is the one that every program goes through."""
    path = client.state / name
    path = path.parent.resolve() / path.name
    how(path)
    if how is untouched or (how is linked and path == client.state):  # where it lies is for its owner to say
        assert client.remembered() == client.read() == b"demo 1"
        return
    for ask in (client.remembered, client.read):
        with pytest.raises(TrustError) as caught:
            ask()
        assert caught.value.step == "state"
        assert str(path) in {issue.entry for issue in caught.value.issues}
        assert "chmod -R go-w" in caught.value.next_step


@as_root
def test_a_link_of_somebody_elses_leads_to_no_state(client: TrustClient, tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(client.state)
    client.state = link
    assert client.remembered() == b"demo 1"
    os.chown(link, 65534, 65534, follow_symlinks=False)
    with pytest.raises(TrustError, match="belongs to uid 65534"):
        client.remembered()


def test_an_older_copy_of_the_state_is_believed_until_the_registry_is_heard_or_it_is_too_old(
    client: TrustClient, tmp_path: Path
) -> None:
    """What docs/trust.md says cannot be shown: that a complete set is the last one."""
    copy = tmp_path / "copy"
    shutil.copytree(client.state, copy, symlinks=True)
    client.tree.put({DEMO: b"demo 2"})
    assert client.read() == client.remembered() == b"demo 2"
    shutil.rmtree(client.state)
    client.state.symlink_to(copy)
    assert client.remembered() == b"demo 1"
    client.later = MAX_STALENESS + DAY
    with pytest.raises(TrustError, match="not given a valid word for too long"):
        client.remembered()
    client.later = timedelta()
    assert client.read() == client.remembered() == b"demo 2"


def test_remembered_rollback_of_one_file_does_not_fit(client: TrustClient) -> None:
    older = (client.state / "last" / "metadata" / "snapshot.json").read_bytes()
    client.tree.put({DEMO: b"demo 2"})
    client.refresh()
    path = (client.state / "last").resolve() / "metadata" / "snapshot.json"
    path.unlink()
    path.write_bytes(older)
    with pytest.raises(TrustError) as caught:
        client.remembered()
    assert (caught.value.step, caught.value.thing) == ("snapshot", "metadata/snapshot.json")


def test_state_that_cannot_be_is_a_mistake_of_configuration(client: TrustClient, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    client.state = tmp_path / "file" / "state"
    with pytest.raises(ConfigError, match=r"registry state: .*file/state: cannot be used"):
        client.read()


def test_a_directory_in_the_place_of_the_last_set_is_put_right(client: TrustClient) -> None:
    (client.state / "last").unlink()
    (client.state / "last").mkdir(mode=0o700)
    assert client.read() == b"demo 1"
    assert client.remembered() == b"demo 1"


def test_without_a_timestamp_nobody_is_told_to_believe_less(client: TrustClient) -> None:
    (client.tree.metadata / "timestamp.json").unlink()
    with pytest.raises(NotPublishedError) as caught:
        client.read()
    assert f"{client.tree.root.as_uri()}/metadata/timestamp.json" in str(caught.value)
    assert "maintainer" in str(caught.value)
    for weaker in ("install", "trusted_keys"):
        assert weaker not in str(caught.value)


def test_files_that_remember_are_for_their_owner_alone(client: TrustClient) -> None:
    assert client.state.stat().st_mode & 0o077 == 0
    assert json.loads((client.state / "clock.json").read_bytes())["largest"]


def test_all_that_is_remembered_is_written_to_last(client: TrustClient, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that is renamed without fsync may be empty after a power cut, and the rollback memory with it."""
    client.tree.put({DEMO: b"demo 2"})
    synced: set[str] = set()

    def fsync(descriptor: int) -> None:
        synced.add(Path(f"/proc/self/fd/{descriptor}").resolve().parent.name)

    monkeypatch.setattr(os, "fsync", fsync)
    client.read()
    assert {"metadata", "targets", client.state.name} <= synced
    assert not list(client.state.rglob("tmp*"))


def test_roles_are_told_from_file_names() -> None:
    names = ("metadata/3.root.json", "metadata/timestamp.json", "metadata/12.bin-0a.json")
    assert [role_of(name) for name in names] == ["root", "timestamp", "bin-0a"]
    assert [step_of(role_of(name)) for name in names] == ["root", "timestamp", "targets"]
