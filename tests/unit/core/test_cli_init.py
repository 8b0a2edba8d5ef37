"""`assess init` says what to type next, for the file that it wrote."""

from pathlib import Path

import pytest

from assess_core.cli import main


@pytest.mark.parametrize(
    ("typed", "next_step"),
    [([], "assess run"), (["a b.toml"], "assess run --config 'a b.toml'")],
    ids=["where it is looked for", "elsewhere"],
)
def test_the_next_step_finds_the_file(
    typed: list[str],
    next_step: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["init", *typed]) == 0
    assert capsys.readouterr().err.endswith(f"; read it, then: {next_step}\n")
    assert (tmp_path / (typed[0] if typed else "assess.toml")).exists()
