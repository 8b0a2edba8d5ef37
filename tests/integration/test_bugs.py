"""A bug of ours is loud, has a report, and is one document for programs."""

import json
from pathlib import Path

import pytest

from assess_core.cli import main
from assess_core.errors import StoreError
from assess_core.runtime import Runtime


@pytest.fixture
def argv(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    (tmp_path / "assess.toml").write_text('[registry]\nurl = "file:index"\nroot = "1.root.json"\n')
    monkeypatch.chdir(tmp_path)
    return ["doctor", "--output", "json", "--state-dir", str(tmp_path / "state")]


def raising(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    def broken(_self: Runtime) -> None:
        raise error

    monkeypatch.setattr(Runtime, "__enter__", broken)


def test_a_bug_is_raised_written_down_and_one_document(
    argv: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    raising(monkeypatch, LookupError("boom"))
    with pytest.raises(LookupError) as raised:
        main(argv)
    (report,) = (tmp_path / "state" / "crash").iterdir()
    assert "LookupError: boom" in report.read_text()
    said = " ".join(raised.value.__notes__)
    assert str(report) in said
    assert "a bug of assess, not yours" in said
    assert json.loads(capsys.readouterr().out)["error"] == {
        "kind": "bug",
        "message": "a bug of assess: LookupError: boom",
        "exit": 1,
    }


def test_what_can_be_explained_is_none(
    argv: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    raising(monkeypatch, StoreError("no room"))
    assert main(argv) == 1
    assert not (tmp_path / "state" / "crash").exists()
    assert json.loads(capsys.readouterr().out)["error"]["kind"] == "operational"
