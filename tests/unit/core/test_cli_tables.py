"""A table without a row says so, and not where a program reads rows."""

import pytest

from assess_core.cli.tables import show_table


@pytest.mark.parametrize("rows", [[], [("a", "1")]], ids=["no row", "one row"])
def test_a_table_without_a_row_says_so_on_stderr(
    rows: list[tuple[str, str]], capsys: pytest.CaptureFixture[str]
) -> None:
    show_table(("NAME", "COUNT"), rows, none="nothing is here; make some")
    out, err = capsys.readouterr()
    assert out == ("NAME  COUNT\na     1\n" if rows else "")
    assert err == ("" if rows else "nothing is here; make some\n")
