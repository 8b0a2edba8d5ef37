"""The chain of a journal on disk: whatever is changed, cut off, put back or lost is told; what was not, is not."""

import errno
import json
import lzma
import shutil
import sqlite3
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from assess_core.errors import StoreError
from assess_core.journal import Journal, NoRoomError, Report, Word
from assess_core.journal.chain import Kind, make_entry
from assess_core.journal.identity import NOWHERE, Head
from assess_core.journal.signing import facts_of, last_entry
from assess_registry.client import PrivateKey, generate_key, load_public_key
from tests.support.chains import TABLES, Site, flip, standing

OLD = Path(__file__).parents[1] / "vendor" / "journal-layout-1" / "journal.db.xz"


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path / "state")


@pytest.fixture
def filled(site: Site) -> Site:
    """Three runs, one with evidence."""
    with site.open() as journal:
        for number in range(3):
            site.record(journal, evidence=b"kptr = 0" if number == 1 else b"")
            site.now += timedelta(days=1)
    return site


def test_what_was_recorded_is_sound(filled: Site) -> None:
    report = filled.verify()
    assert report.sound
    assert (report.runs, report.results, report.evidence, report.troubles) == (3, 9, 1, ())
    (chain,) = report.chains
    assert (chain.runtime, chain.first, chain.head.seq) == ("web-01", 1, 4)
    assert filled.identity.heads() == {"web-01": chain.head}


def _rewritten(table: str, old: str, new: str, key: str) -> str:
    text = f"replace(CAST(document AS TEXT), '{old}', '{new}')"
    return f"UPDATE {table} SET document = CAST({text} AS BLOB) WHERE {key} = 2"


CHANGES = {
    "a result says something else": (
        _rewritten("results", "of check-1", "of check-2", "position"),
        "changed",
    ),
    "a run says something else": (
        _rewritten("runs", '"subjects":1', '"subjects":2', "position"),
        "changed",
    ),
    "a list would show other counts": ("UPDATE runs SET counts = '{}' WHERE position = 2", "changed"),
    "an incomplete run would be complete": ("UPDATE runs SET complete = 1 - complete WHERE position = 2", "changed"),
    "a result is gone": ("DELETE FROM results WHERE position = 2", "changed"),
    "results have another order": ("UPDATE results SET position = 100 WHERE position = 1", "changed"),
    "a result is of no run": ("UPDATE results SET run_id = 'x' WHERE position = 2", "changed"),
    "the newest run is another one": ("UPDATE runs SET position = 100 WHERE position = 1", "changed"),
    "evidence is another": ("UPDATE evidence SET data = CAST('kptr = 2' AS BLOB)", "changed"),
    "evidence is of another kind": ("UPDATE evidence SET media_type = CAST('text/html' AS BLOB)", "changed"),
    "evidence is gone": ("DELETE FROM evidence", "missing"),
    "evidence is used by nobody": ("DELETE FROM evidence_uses", "changed"),
    "a run is gone": (
        "DELETE FROM results WHERE position BETWEEN 4 AND 6; DELETE FROM runs WHERE position = 2",
        "missing",
    ),
    "a run was added": (
        "INSERT INTO runs SELECT 9, 'x', 'y', document, 5, 5, 1, '{}', 1 FROM runs WHERE position = 2",
        "added",
    ),
    "an entry is gone": ("DELETE FROM chain WHERE seq = 2", "missing"),
    "entries are gone at the front": ("DELETE FROM chain WHERE seq < 3", "missing"),
    "entries are gone at the end": ("DELETE FROM chain WHERE seq > 2", "cut"),
    "all entries are gone": ("DELETE FROM chain", "cut"),
    "an entry says something else": (
        _rewritten("chain", "recorded", "recordec", "seq"),
        "changed",
    ),
    "a signature is another's": (
        "UPDATE chain SET signature = (SELECT signature FROM chain WHERE seq = 3) WHERE seq = 2",
        "changed",
    ),
}


@pytest.mark.parametrize("what", CHANGES)
def test_what_was_changed_is_told(what: str, filled: Site) -> None:
    statements, word = CHANGES[what]
    assert filled.verify().sound
    with filled.hands() as connection:
        before = connection.total_changes
        connection.executescript(statements)
        assert connection.total_changes > before
    report = filled.verify()
    assert not report.sound
    assert word in {trouble.word.value for trouble in report.troubles}


def test_of_a_chain_with_one_bad_entry_the_others_are_believed(filled: Site) -> None:
    for column in ("document", "head", "signature"):
        with filled.hands() as connection:
            old = connection.execute(f"SELECT {column} FROM chain WHERE seq = 3").fetchone()[0]
            new = bytes([old[0] ^ 1, *old[1:]])
            connection.execute(f"UPDATE chain SET {column} = ? WHERE seq = 3", (new,))
        report = filled.verify()
        assert ("changed", "entry 3") in standing(report)
        # its run is in doubt, or vouched for by nobody; none of the others is
        assert {where for _, where in standing(report)} <= {"entry 3", f"run {_run_of(filled, 3)}"}
        with filled.hands() as connection:
            connection.execute(f"UPDATE chain SET {column} = ? WHERE seq = 3", (old,))
    assert filled.verify().sound


def _run_of(site: Site, seq: int) -> str:
    with site.hands() as connection:
        return str(connection.execute("SELECT run_id FROM runs WHERE position = ?", (seq - 1,)).fetchone()[0])


# -- what a whole file that was put in the place of another is told by


def test_a_backup_that_was_put_back_is_told_even_after_more_was_recorded(filled: Site, tmp_path: Path) -> None:
    backup = _copy(filled, tmp_path / "backup.db")
    with filled.open() as journal:
        filled.record(journal)
    assert filled.verify().sound
    _put_back(filled, backup)
    assert standing(filled.verify()) == {("cut", "its end")}
    with filled.open() as journal:
        filled.record(journal)
        filled.record(journal)
    assert standing(filled.verify()) == {("cut", "entry 5")}
    with filled.open() as journal:
        journal.accept(reason="the disk was replaced", by="ops")
    report = filled.verify()
    assert report.sound
    (trouble,) = report.troubles
    assert "accepted by ops" in trouble.accepted
    assert "the disk was replaced" in trouble.accepted


def test_a_fork_of_the_same_length_is_told(filled: Site, tmp_path: Path) -> None:
    backup = _copy(filled, tmp_path / "backup.db")
    with filled.open() as journal:
        filled.record(journal)
    other = Site(tmp_path / "other")
    other.runs = 50
    shutil.copytree(filled.directory / "identity", other.directory / "identity")
    shutil.copy(backup, other.path)
    (other.directory / "identity" / "head.json").unlink()
    with other.open() as journal:
        other.record(journal)  # says that head.json is gone, and then the run: two entries
    _put_back(filled, other.path)
    assert ("replaced", "entry 5") in standing(filled.verify())
    with filled.open() as journal:
        filled.record(journal)
    assert ("replaced", "entry 7") in standing(filled.verify())


def test_what_was_changed_cannot_be_accepted(filled: Site) -> None:
    with filled.hands() as connection:
        connection.executescript(CHANGES["a result says something else"][0])
    with filled.open() as journal:
        journal.accept(reason="so what", by="ops")
    assert {word for word, _ in standing(filled.verify())} == {"changed"}


def test_an_entry_that_was_changed_cannot_be_accepted(filled: Site) -> None:
    with filled.hands() as connection:
        connection.execute("UPDATE chain SET signature = zeroblob(64) WHERE seq = 2")
    with filled.open() as journal:
        journal.accept(reason="so what", by="ops")
    assert ("changed", "entry 2") in standing(filled.verify())


# -- what somebody is told by who writes to the file and has keys, but not the runtime's


def _forge(site: Site, key: PrivateKey, *steps: tuple[Kind, dict[str, Any]]) -> None:
    with site.hands() as connection:
        for kind, facts in steps:
            last = last_entry(connection, site.runtime)
            end = last.end if last else NOWHERE
            one = make_entry(end, runtime=site.runtime, at=site.now, key=key, kind=kind, facts=facts)
            connection.execute(
                "INSERT INTO chain VALUES (?, ?, ?, ?, ?)",
                (one.runtime, one.seq, one.document, one.head, one.signature),
            )


def _handing_back(site: Site) -> tuple[tuple[Kind, dict[str, Any]], ...]:
    (ours,) = site.identity.public_keys()
    return (("accept", {"reason": "CHG-1311", "by": "root"}), ("key", {"why": "moved", "next": ours.base64()}))


def test_who_changed_the_past_and_signs_it_with_another_key_is_told_for_ever(filled: Site) -> None:
    """Attack 8a, item 0: another key vouches anew, removes, accepts, and hands back to the runtime's."""
    theirs, noted = generate_key(), filled.verify().chains[0].head
    with filled.hands() as connection:
        connection.executescript(CHANGES["a result says something else"][0])
        connection.executescript(CHANGES["a run is gone"][0].replace("BETWEEN 4 AND 6", "> 6").replace("= 2", "= 3"))
        changed = facts_of(connection, _run_of(filled, 2))
        (head,) = connection.execute("SELECT head FROM chain WHERE seq = 4").fetchone()
    went = {"before": "", "keep_days": 90, "runs": 1, "results": 3, "changed": []}
    _forge(
        filled,
        theirs,
        ("begin", {"why": ["key"], "left": None}),
        ("run", changed | {"why": "kept"}),
        ("retention", {"through_seq": 4, "through_head": head.hex(), **went}),
        *_handing_back(filled),
    )
    for _ in range(2):
        report = filled.verify(noted={"web-01": noted})
        assert ("unknown key", "entries 5 to 9") in standing(report)
        assert ("changed", f"run {changed['run_id']}") in standing(report)
        assert "missing" in {word for word, _ in standing(report)}
        with filled.open() as journal:
            filled.record(journal)
            journal.accept(reason="so what", by="ops")


def test_a_runtime_says_that_what_it_finds_behind_its_own_is_anothers(filled: Site) -> None:
    _forge(filled, generate_key(), *_handing_back(filled))
    with filled.open() as journal:
        filled.record(journal)
        filled.record(journal)
    assert standing(filled.verify()) == {("unknown key", "entries 5 to 6"), ("replaced", "entry 7")}


def test_a_head_is_never_that_of_anothers_entry(filled: Site) -> None:
    """Whoever adds while a service works, within the second in which its head is behind."""
    with filled.open() as journal:
        filled.record(journal)
        _forge(filled, generate_key(), *_handing_back(filled))
    assert filled.identity.heads()["web-01"].seq <= 5
    with filled.open() as journal:
        filled.record(journal)
    assert ("replaced", "entry 8") in standing(filled.verify())


def test_a_whole_journal_of_another_key_is_not_made_sound_by_what_the_runtime_adds(filled: Site) -> None:
    with filled.hands() as connection:
        connection.execute("DELETE FROM chain")
        runs = [facts_of(connection, row[0]) for row in connection.execute("SELECT run_id FROM runs").fetchall()]
    vouched: list[tuple[Kind, dict[str, Any]]] = [("run", run | {"why": "before"}) for run in runs]
    _forge(filled, generate_key(), ("begin", {"why": ["first"], "before": 0}), *vouched, *_handing_back(filled))
    with filled.open() as journal:
        filled.record(journal)
    assert standing(filled.verify()) == {("replaced", "entry 7"), ("new key", "entry 7")}


@pytest.mark.parametrize("accepted", [False, True])
def test_what_nobody_accepted_is_told_when_retention_removed_what_told_of_it(filled: Site, *, accepted: bool) -> None:
    (filled.directory / "identity" / "head.json").unlink()
    with filled.open() as journal:
        filled.record(journal)
        if accepted:
            journal.accept(reason="an oversight", by="ops")
        for _ in range(3):
            for _ in range(2):
                filled.record(journal)
            filled.now += timedelta(days=200)
            filled.record(journal)
            journal.retain(keep_days=90, now=filled.now)
    report = filled.verify()
    assert report.chains[0].first > 5
    assert {word for word, _ in standing(report)} == (set() if accepted else {"changed"})
    with filled.open() as journal:
        journal.accept(reason="an oversight", by="ops")
    assert filled.verify().sound


def test_retention_does_not_go_by_what_another_key_says(filled: Site) -> None:
    victim = _run_of(filled, 4)
    with filled.hands() as connection:
        facts = facts_of(connection, victim)
    _forge(filled, generate_key(), ("run", facts | {"why": "kept"}))
    filled.now += timedelta(days=200)
    with filled.open() as journal:
        filled.record(journal)
        filled.now += timedelta(days=200)
        filled.record(journal)
        filled.record(journal)
        assert journal.retain(keep_days=90, now=filled.now).runs == 4
    assert {word for word, _ in standing(filled.verify())} == {"changed"}
    (entry,) = {trouble.where for trouble in filled.verify().troubles} & {"entry 5"}
    assert entry


def test_a_chain_is_not_accepted_before_it_was_broken(filled: Site, tmp_path: Path) -> None:
    backup = _copy(filled, tmp_path / "backup.db")
    with filled.open() as journal:
        filled.record(journal)
    _put_back(filled, backup)
    with filled.open() as journal:
        journal.accept(reason="the disk was replaced", by="ops")
    assert filled.verify().sound  # a restore, accepted at once: the chain first says that it was cut
    backup = _copy(filled, tmp_path / "backup2.db")
    with filled.open() as journal:
        filled.record(journal)
    _put_back(filled, backup)
    assert {word for word, _ in standing(filled.verify())} == {"cut"}
    with filled.open() as journal:
        filled.record(journal)
    assert standing(filled.verify()) == {("cut", "entry 7")}


def test_a_head_that_was_noted_elsewhere_is_asked_for(filled: Site) -> None:
    head = filled.verify().chains[0].head
    assert filled.verify(noted={"web-01": head}).sound
    with filled.open() as journal:
        filled.record(journal)
    assert filled.verify(noted={"web-01": head}).sound
    wrong = Head(seq=head.seq, digest=bytes(32))
    assert standing(filled.verify(noted={"web-01": wrong})) == {("replaced", "entry 4")}
    ahead = Head(seq=99, digest=head.digest)
    assert standing(filled.verify(noted={"web-01": ahead})) == {("cut", "its end")}
    assert standing(filled.verify(noted={"web-02": head})) == {("cut", "its end")}


def test_a_whole_other_journal_with_its_own_key_is_of_an_unknown_key(filled: Site, tmp_path: Path) -> None:
    other = Site(tmp_path / "other")
    with other.open() as journal:
        for _ in range(3):
            other.record(journal)
    assert other.verify().sound
    (filled.directory / "identity" / "head.json").write_bytes((other.directory / "identity" / "head.json").read_bytes())
    _put_back(filled, other.path)
    assert standing(filled.verify()) == {("unknown key", "entries 1 to 4")}


def test_other_keys_can_be_asked_for(filled: Site, tmp_path: Path) -> None:
    other = Site(tmp_path / "other")
    assert filled.verify(trusted=filled.identity.public_keys()).sound
    report = filled.verify(trusted=(other.identity.any_key().public,))
    assert standing(report) == {("unknown key", "entries 1 to 4")}


def test_a_key_that_was_lost_is_told_and_what_it_signed_is_believed(filled: Site) -> None:
    for path in (filled.directory / "identity").glob("*.key"):
        path.unlink()
    with filled.open() as journal:
        filled.record(journal)
    report = filled.verify()
    assert standing(report) == {("new key", "entry 5")}
    with filled.open() as journal:
        journal.accept(reason="a new disk", by="ops")
    assert filled.verify().sound


def test_the_whole_identity_that_was_lost_is_told(filled: Site) -> None:
    shutil.rmtree(filled.directory / "identity")
    assert not filled.verify().sound
    with filled.open() as journal:
        filled.record(journal)
    assert standing(filled.verify()) == {("new key", "entry 5"), ("cut", "entry 5")}


def test_a_head_that_was_taken_away_is_told(filled: Site) -> None:
    (filled.directory / "identity" / "head.json").unlink()
    report = filled.verify()
    assert report.sound
    assert "head.json" in report.notes[0]
    with filled.open() as journal:
        filled.record(journal)
    assert standing(filled.verify()) == {("cut", "entry 5")}


def test_a_head_that_is_behind_alarms_nobody(filled: Site) -> None:
    """A crash between the commit and the head."""
    head = (filled.directory / "identity" / "head.json").read_bytes()
    with filled.open() as journal:
        filled.record(journal)
        filled.record(journal)
    (filled.directory / "identity" / "head.json").write_bytes(head)
    assert filled.verify().troubles == ()
    with filled.open() as journal:
        filled.record(journal)
    assert filled.verify().troubles == ()
    assert filled.identity.heads()["web-01"].seq == 7


@pytest.mark.parametrize("private", [True, False])
def test_a_damaged_public_key_stops_no_recording(filled: Site, private: bool) -> None:
    (public,) = filled.identity.directory.glob("*.pub")
    kept = public.read_bytes()
    public.write_bytes(b"junk")
    if not private:
        public.with_suffix(".key").unlink()
    filled.now += timedelta(days=90)
    with filled.open() as journal:
        for _ in range(2):
            filled.record(journal)
        if private:
            assert journal.retain(keep_days=30, now=filled.now).runs == 3
        else:
            with pytest.raises(StoreError, match="of no known key"):  # what nobody can judge stays
                journal.retain(keep_days=30, now=filled.now)
    report = filled.verify()
    assert len(report.notes) == (not private)
    assert {trouble.word for trouble in report.troubles} == (set() if private else {Word.NEW_KEY})
    public.write_bytes(kept)
    assert {trouble.word for trouble in filled.verify().troubles} == (set() if private else {Word.NEW_KEY})


def test_on_another_machine_another_key_signs_and_the_old_one_says_so(filled: Site) -> None:
    old = filled.identity.public_keys()
    filled.machine.write_text("22" * 16)
    with filled.open() as journal:
        filled.record(journal)
        filled.record(journal)
    report = filled.verify()
    assert report.troubles == ()
    assert report.chains[0].moved_at is not None
    assert len(filled.identity.public_keys()) == 2
    assert filled.verify(trusted=old).sound  # who knows the old key alone is told by it of the new one
    with filled.open() as journal:
        filled.record(journal)
    assert filled.verify().chains[0].head.seq == 8  # once, and not again


def test_a_key_that_others_can_read_signs_no_more_and_nothing_is_lost(filled: Site) -> None:
    (key,) = (filled.directory / "identity").glob("*.key")
    key.chmod(0o644)
    with filled.open() as journal:
        filled.record(journal)
    report = filled.verify()
    assert standing(report) == {("new key", "entry 5")}
    assert report.runs == 4


@pytest.mark.parametrize("full", [False, True])
def test_without_room_for_the_first_key_nothing_is_recorded_and_it_may_be_tried_again(
    site: Site, monkeypatch: pytest.MonkeyPatch, *, full: bool
) -> None:
    def write(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC if full else errno.EACCES, "no")

    with site.open() as journal:
        with monkeypatch.context() as patched:
            patched.setattr("assess_core.journal.identity.write_key_pair", write)
            with pytest.raises(StoreError) as caught:
                site.record(journal)
        assert isinstance(caught.value, NoRoomError) is full
        assert journal.runs() == ()
        site.record(journal)
    assert site.verify().sound


def test_a_journal_that_was_moved_away_is_told_and_the_next_one_can_be_accepted(filled: Site) -> None:
    filled.path.unlink()
    assert standing(filled.verify()) == {("cut", "its end")}
    with filled.open() as journal:
        filled.record(journal)
    assert standing(filled.verify()) == {("cut", "entry 1")}
    with filled.open() as journal:
        journal.accept(reason="it was damaged", by="ops")
    assert filled.verify().sound


@pytest.mark.parametrize("renamed", [False, True])
def test_a_copy_on_another_machine_has_a_key_of_its_own_whatever_else_happened(filled: Site, *, renamed: bool) -> None:
    filled.machine.write_text("22" * 16)
    if renamed:
        filled.runtime = "db-01"  # as where the name is the host's
    else:
        with filled.hands() as connection:
            connection.execute("DELETE FROM chain WHERE seq = 4")  # or cut: a backup and the identity, put back there
    old = set(filled.identity.public_keys())
    with filled.open() as journal:
        filled.record(journal)
    (new,) = set(filled.identity.public_keys()) - old
    with filled.hands() as connection:
        last = connection.execute("SELECT document FROM chain WHERE runtime = ? ORDER BY seq DESC", (filled.runtime,))
        assert json.loads(last.fetchone()[0])["key"] == new.base64()


def test_a_renamed_runtime_begins_a_chain_of_its_own(filled: Site) -> None:
    filled.runtime = "db-01"
    with filled.open() as journal:
        filled.record(journal)
    report = filled.verify()
    assert report.troubles == ()
    assert [(chain.runtime, chain.head.seq, chain.adopted) for chain in report.chains] == [
        ("db-01", 2, 0),
        ("web-01", 4, 0),
    ]


def test_what_was_there_before_any_chain_is_vouched_for_from_then_on(filled: Site) -> None:
    shutil.rmtree(filled.directory / "identity")
    with filled.hands() as connection:
        connection.execute("DELETE FROM chain")
    assert standing(filled.verify()) == {("added", "3 runs")}
    with filled.open() as journal:
        filled.record(journal)
    report = filled.verify()
    assert report.troubles == ()
    assert report.chains[0].adopted == 3
    with filled.hands() as connection:
        connection.executescript(CHANGES["a run says something else"][0])
    assert {word for word, _ in standing(filled.verify())} == {"changed"}


@pytest.mark.parametrize("killed", [False, True])
def test_what_was_there_before_any_chain_is_vouched_for_a_slice_at_a_time(
    filled: Site, monkeypatch: pytest.MonkeyPatch, *, killed: bool
) -> None:
    monkeypatch.setattr("assess_core.journal.signing.ADOPTED_AT_ONCE", 2)
    with filled.open() as journal:
        for _ in range(4):
            filled.record(journal)
    shutil.rmtree(filled.directory / "identity")
    with filled.hands() as connection:
        connection.execute("DELETE FROM chain")
    with filled.open() as journal:
        if killed:
            with monkeypatch.context() as patched:
                patched.setattr(Journal, "adopt", lambda _: None)
                filled.record(journal)
            assert journal.verify().chains[0].adopted == 2
            with filled.hands() as connection:  # who adds one now has it vouched for no more than before
                connection.execute(
                    "INSERT INTO runs SELECT 99, 'x', 'y', document, 5, 5, 1, '{}', 1 FROM runs WHERE position = 2"
                )
        else:
            filled.record(journal)
    with filled.open() as journal:
        journal.adopt()
    report = filled.verify()
    assert standing(report) == ({("added", "run x")} if killed else set())
    assert (report.chains[0].adopted, report.chains[0].head.seq) == (7, 9)
    assert not (filled.directory / "identity" / "adopting.json").exists()


def test_a_service_vouches_for_what_was_there_before_anything_is_recorded(filled: Site) -> None:
    shutil.rmtree(filled.directory / "identity")
    with filled.hands() as connection:
        connection.execute("DELETE FROM chain")
    with filled.open() as journal:
        journal.adopt()
        journal.adopt()
    report = filled.verify()
    assert (report.troubles, report.chains[0].adopted, report.chains[0].head.seq) == ((), 3, 4)


def test_a_journal_of_an_older_release_is_vouched_for_from_the_next_run_on(site: Site) -> None:
    site.directory.mkdir()
    site.path.write_bytes(lzma.decompress(OLD.read_bytes()))
    report = site.verify()
    assert {word for word, _ in standing(report)} == {"added"}
    with site.open() as journal:
        site.record(journal)
    later = site.verify()
    assert later.troubles == ()
    assert later.chains[0].adopted == report.runs > 0
    with site.hands() as connection:
        flip(connection, "results", 0, 3, 77)
    assert {word for word, _ in standing(site.verify())} == {"changed"}


def test_an_empty_journal_is_sound(site: Site) -> None:
    report = site.verify()
    assert (report.troubles, report.chains, report.runs) == ((), (), 0)


# -- any history, any bit

_DAYS = st.integers(0, 90)
_STEPS = st.one_of(
    st.tuples(st.just("run"), st.sampled_from("abc"), st.booleans(), st.integers(0, 2), _DAYS),
    st.tuples(st.just("retain"), st.integers(1, 200)),
    st.tuples(st.just("rename"), st.sampled_from(["web-01", "web-02"])),
    st.tuples(st.just("no room")),
    st.tuples(st.just("clock"), st.integers(-400, 400)),
)


def _play(site: Site, steps: list[tuple[object, ...]]) -> Report:
    """Do all that, and look after each step."""
    with site.open() as journal:
        site.record(journal)
        for kind, *values in steps:
            match kind, values:
                case "run", [str(name), bool(complete), int(piece), int(days)]:
                    site.record(journal, name, complete=complete, evidence=b"abc"[:piece] * 200, results=2)
                    site.now += timedelta(days=days)
                case "retain", [int(days)]:
                    before = {run.run_id for run in journal.latest().values()}
                    would = journal.would_remove(keep_days=days, now=site.now)
                    did = journal.retain(keep_days=days, now=site.now)
                    assert (would.runs, would.results) == (did.runs, did.results)
                    assert {run.run_id for run in journal.latest().values()} == before
                case "rename", [str(name)]:
                    site.runtime = name
                case "no room", []:
                    journal.limit_evidence(1)
                    with pytest.raises(Exception, match="no room for evidence"):
                        site.record(journal, "d", evidence=b"d" * 100)
                    journal.limit_evidence(None)
                case "clock", [int(days)]:
                    site.now += timedelta(days=days)
            report = journal.verify()
            assert report.troubles == (), (kind, values)
    return site.verify()


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    steps=st.lists(_STEPS, max_size=12),
    where=st.sampled_from(sorted(TABLES)),
    at=st.tuples(*[st.integers(0, 2**31)] * 3),
)
def test_any_history_is_sound_and_any_bit_that_is_changed_is_told(
    steps: list[tuple[object, ...]], where: str, at: tuple[int, int, int]
) -> None:
    with TemporaryDirectory(dir="/dev/shm") as directory:
        site = Site(Path(directory, "state"))
        assert _play(site, steps).sound
        with site.hands() as connection:
            changed = flip(connection, where, *at)
        if changed:
            assert not site.verify().sound, changed


class Told:
    """What must be told, by a model that knows what happened and not how it is found out."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.told = False  # in the chain, and nobody has accepted it since
        self.lost: set[str] = set()
        self.saved: tuple[Path, bool] | None = None

    def append(self, *, accept: bool = False) -> None:
        self.told = (self.told or self.cut or self.no_head or self.key in self.lost) and not accept
        with self.site.open() as journal:
            if accept:
                journal.accept(reason="so it is", by="ops")
            else:
                self.site.record(journal, results=1)

    def back_up(self) -> None:
        self.saved = _copy(self.site, self.site.directory.with_name("saved.db")), self.told

    def put_back(self) -> None:
        if self.saved is not None:
            _put_back(self.site, self.saved[0])
            self.told = self.saved[1]

    def lose_key(self) -> None:
        for path in (self.site.directory / "identity").glob("*.key"):
            self.lost.add(json.dumps(load_public_key(path.with_suffix(".pub")).base64()))
            path.unlink()

    def lose_head(self) -> None:
        (self.site.directory / "identity" / "head.json").unlink(missing_ok=True)

    def move(self) -> None:
        self.site.machine.write_text(str(self.site.runs) * 32)

    @property
    def rows(self) -> dict[int, tuple[bytes, bytes]]:
        with self.site.hands() as connection:
            return {row[0]: row[1:] for row in connection.execute("SELECT seq, head, document FROM chain ORDER BY seq")}

    @property
    def key(self) -> str:
        """What signs next, by the last entry."""
        rows = self.rows
        last = json.loads(rows[max(rows)][1])
        return json.dumps(last.get("next", last["key"]))

    @property
    def no_head(self) -> bool:
        return "web-01" not in self.site.identity.heads()

    @property
    def cut(self) -> bool:
        head = self.site.identity.heads().get("web-01")
        return head is not None and self.rows.get(head.seq, (b"", b""))[0] != head.digest


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    steps=st.lists(
        st.sampled_from(["append", "append", "accept", "back_up", "put_back", "lose_key", "lose_head", "move"]),
        max_size=14,
    )
)
def test_whatever_is_put_back_lost_and_copied_is_told_until_it_is_accepted(steps: list[str]) -> None:
    with TemporaryDirectory(dir="/dev/shm") as directory:
        model = Told(Site(Path(directory, "state")))
        with model.site.open() as journal:
            model.site.record(journal)
        for step in steps:
            if step == "accept":
                model.append(accept=True)
            else:
                getattr(model, step)()
            assert model.site.verify().sound is not (model.told or model.cut), step


def _copy(site: Site, target: Path) -> Path:
    with site.hands() as connection, sqlite3.connect(target) as other:
        connection.backup(other)
    other.close()
    return target


def _put_back(site: Site, backup: Path) -> None:
    for path in site.directory.glob("journal.db*"):
        path.unlink()
    shutil.copy(backup, site.path)
