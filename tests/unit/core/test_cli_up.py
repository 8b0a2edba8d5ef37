"""What `assess up` takes, before anything is begun."""

from pathlib import Path

import pytest

from assess_core.cli import main


@pytest.mark.parametrize("seconds", ["nan", "inf", "1e999", "-1", "86401", "5s", ""])
def test_a_bound_that_bounds_nothing_is_refused(
    seconds: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    argv = ["up", "--config", str(tmp_path / "absent.toml"), "--state-dir", str(tmp_path / "state"), "--stop-within"]
    assert main([*argv, seconds]) == 2
    assert "Invalid value for '--stop-within'" in capsys.readouterr().err
    for control in ("0", "0.5", "86400"):
        assert main([*argv, control]) == 2
        assert "absent.toml: there is no such file" in capsys.readouterr().err
