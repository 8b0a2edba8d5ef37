"""`assess waive`, as somebody types it, on real files."""

import errno
import json
import os
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from assess_core.cli.app import main
from assess_core.config import MAX_BYTES, load
from tests.support.chains import Site

FILE = """# kept
[runtime]
id = "web-01"   # kept, too
[registry]
url = "file:index"
root = "1.root.json"
"""
LAST = (datetime.now(UTC) + timedelta(days=100)).date().isoformat()
SOON = (datetime.now(UTC) + timedelta(days=3)).date().isoformat()


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "assess.toml"
    path.write_text(FILE)
    path.chmod(0o640)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ASSESS_STATE_DIR", str(tmp_path / "state"))
    return path


def add(*more: str, check: str = "check-a", subject: str = "host:a", expires: str = LAST) -> int:
    given = ("--check", check, "--subject", subject, "--owner", "ops@example.org", "--reason", "CHG-1")
    return main(["waive", "add", *given, "--expires", expires, *more])


def listed(capsys: pytest.CaptureFixture[str]) -> list[dict[str, str]]:
    capsys.readouterr()
    assert main(["waive", "list", "--output", "json"]) == 0
    found: list[dict[str, str]] = json.loads(capsys.readouterr().out)["waivers"]
    return found


def test_added_listed_and_removed_and_the_file_is_as_it_was(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert add() == 0
    assert f"check-a on host:a is waived until {LAST}; it stays a failure" in capsys.readouterr().out
    assert add(check="check-b", expires=SOON) == 0
    assert config.read_text().startswith(FILE)
    assert config.stat().st_mode & 0o777 == 0o640
    assert [(each["check"], each["state"]) for each in listed(capsys)] == [
        ("check-a", "active"),
        ("check-b", "expiring"),
    ]
    assert main(["waive", "list"]) == 0
    assert capsys.readouterr().out.splitlines()[0].split() == [
        "STATE", "EXPIRES", "CHECK", "SUBJECT", "OWNER", "REASON"
    ]  # fmt: skip
    for check in ("check-a", "check-b"):
        assert main(["waive", "remove", "--check", check, "--subject", "host:a"]) == 0
    assert config.read_text().rstrip() == FILE.rstrip()
    assert sorted(path.name for path in config.parent.iterdir() if path.name.startswith(".")) == []


def test_one_that_is_over_is_listed_as_expired(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config.write_text(
        FILE + '[[waivers]]\ncheck = "c"\nsubject = "s"\nowner = "o"\nreason = "r"\nexpires = 2020-01-01\n'
    )
    assert [each["state"] for each in listed(capsys)] == ["expired"]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"expires": "2020-01-01"}, "2020-01-01 is over; give a day that is still to come"),
        ({"expires": "2099-01-01"}, "more than two years away"),
        ({"expires": "31.3.2027"}, "expected a date as 2027-03-31, got '31.3.2027'"),
        ({"expires": "never"}, "expected a date"),
        ({"check": "check-*"}, "waivers[0].check"),
        ({"check": "Check A"}, "waivers[0].check"),
        ({"subject": ""}, "waivers[0].subject"),
        ({"subject": "a\nb"}, "waivers[0].subject"),
        ({"subject": "host:a "}, "--subject: it begins or ends with a blank; results name it 'host:a'"),
        ({"subject": " host:a"}, "--subject: it begins or ends with a blank; results name it 'host:a'"),
        ({"subject": "\udc80"}, "no text that can be written as UTF-8"),
    ],
    ids=str,
)
def test_what_would_not_load_is_not_written(
    config: Path, capsys: pytest.CaptureFixture[str], changes: dict[str, str], words: str
) -> None:
    assert add(**changes) == 2
    assert words in " ".join(capsys.readouterr().err.split())
    assert config.read_text() == FILE
    assert add() == 0  # the control


def test_a_pair_is_waived_once_and_removed_once(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert add() == 0
    once = config.read_text()
    assert add(expires=SOON) == 2
    assert "is waived by waivers[0] already" in capsys.readouterr().err
    assert config.read_text() == once
    assert main(["waive", "remove", "--check", "check-a", "--subject", "host:b"]) == 2
    assert "did you mean 'host:a'?" in capsys.readouterr().err
    assert config.read_text() == once
    assert main(["waive", "remove", "--check", "check-a", "--subject", "host:a"]) == 0
    assert main(["waive", "remove", "--check", "check-a", "--subject", "host:a"]) == 2


def test_a_file_that_does_not_load_is_not_touched(config: Path) -> None:
    config.write_text(FILE + "surprise = 1\n")
    assert add() == 2
    assert config.read_text() == FILE + "surprise = 1\n"


def test_what_would_be_too_large_to_be_read_is_not_written(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = FILE + "# " + "x" * (MAX_BYTES - len(FILE) - 4) + "\n"
    config.write_text(text)
    assert load(config).waivers == ()
    assert add() == 2
    assert f"a configuration has at most {MAX_BYTES}" in capsys.readouterr().err
    assert config.read_text() == text


def test_where_there_is_no_room_the_file_is_named_and_as_it_was(
    config: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", full)
        assert add() == 1
    assert f"{config}: cannot be written: No space left on device; nothing was changed" in capsys.readouterr().err
    assert config.read_text() == FILE
    assert not list(config.parent.glob(".tmp-*"))
    assert add() == 0


def test_a_link_stays_one_and_what_it_leads_to_is_changed(config: Path) -> None:
    real = config.with_name("real.toml")
    config.rename(real)
    config.symlink_to(real.name)
    assert add() == 0
    assert config.is_symlink()
    assert len(load(real).waivers) == 1


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give a file away")
def test_it_keeps_its_owner(config: Path) -> None:
    os.chown(config, 0, 12345)
    assert add() == 0
    assert (config.stat().st_uid, config.stat().st_gid) == (0, 12345)
    assert config.stat().st_mode & 0o777 == 0o640


def test_two_at_once_lose_nothing(config: Path) -> None:
    codes: list[int] = []
    threads = [
        threading.Thread(target=lambda number=number: codes.append(add("-o", "json", check=f"check-{number}")))
        for number in range(6)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert codes == [0] * 6
    assert sorted(waiver.check for waiver in load(config).waivers) == [f"check-{number}" for number in range(6)]


def test_a_subject_that_no_run_found_is_warned_of(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Such a waiver waives nothing, and stays `active` all the while."""
    assert add() == 0
    assert "warning" not in capsys.readouterr().err, "nothing ran yet: nobody knows"
    assert not (config.parent / "state" / "journal.db").exists()
    site = Site(config.parent / "state")
    with site.open() as journal:
        site.record(journal)
        (run,) = journal.runs()
        found = journal.results(run.run_id)[0].subject.id
    for number, slip in enumerate((found + "x", found.partition(":")[2] or found[1:])):
        assert add(subject=slip, check=f"check-{number}") == 0
        said = " ".join(capsys.readouterr().err.split())
        assert "newest run found a subject" in said
        assert f"did you mean '{found}'?" in said
    assert add(subject=found, check="check-c") == 0
    assert "subject" not in capsys.readouterr().err, "the control"
