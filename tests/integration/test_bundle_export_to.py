"""Where a bundle is written to: said before anything is read, by the name that was given."""

import os
from pathlib import Path

import pytest

from assess_registry.cli import main
from tests.support.air_gap import Gap
from tests.support.registry_tree import copy_registry_tree

LONG = "x" * 256


@pytest.fixture
def gap(tmp_path: Path) -> Gap:
    return Gap(tree=copy_registry_tree(tmp_path / "registry"), directory=tmp_path)


def typed(gap: Gap, to: Path, *more: str) -> list[str]:
    return [
        *("export", "demo-plugin", "--index", str(gap.tree.root), "--root", str(gap.tree.root_metadata)),
        *("--accept-development-registry", "--state", str(gap.directory / "memory"), "--to", str(to), *more),
    ]


@pytest.mark.parametrize(
    ("to", "code", "said"),
    [
        (LONG, 1, "file name too long; take a shorter name"),
        (f"{LONG}/carried.assess", 1, "file name too long; take a shorter name"),
        ("nowhere/carried.assess", 2, "no directory"),
        ("file/carried.assess", 1, "not a directory"),
        ("fifo", 2, "expected a file, or nothing"),
        ("link-to-fifo", 2, "expected a file, or nothing"),
    ],
)
def test_a_place_that_is_none_is_said_by_its_name_and_before_anything_is_read(
    gap: Gap, to: str, code: int, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (gap.directory / "file").write_text("somebody's")
    os.mkfifo(gap.directory / "fifo")
    (gap.directory / "link-to-fifo").symlink_to("fifo")
    assert main(typed(gap, gap.directory / to)) == code
    err = capsys.readouterr().err
    assert str(gap.directory / to.partition("/")[0]) in err
    assert said in err
    assert ".tmp-" not in err
    assert ".gather-" not in err
    assert not (gap.directory / "memory").exists()
    assert (gap.directory / "fifo").is_fifo()


def test_the_longest_name_and_a_link_are_replaced(gap: Gap) -> None:
    """The controls."""
    outside = gap.directory / "outside"
    outside.write_text("somebody's")
    (gap.directory / "link").symlink_to(outside)
    for name in (LONG[1:], "link", "carried.assess", "carried.assess"):
        assert main(typed(gap, gap.directory / name)) == 0
        assert not (gap.directory / name).is_symlink()
    assert outside.read_text() == "somebody's"


@pytest.mark.parametrize("option", ["--state", "--index", "--root", "--ca-file", "--secret-file"])
@pytest.mark.parametrize("name", [LONG, f"{LONG}/below"])
def test_no_name_that_is_too_long_is_a_bare_number(
    gap: Gap, option: str, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    more = ["--index", "https://127.0.0.1:1/"] if option.endswith("-file") else []
    assert main(typed(gap, gap.bundle, *more, option, str(gap.directory / name))) in (1, 2)
    err = capsys.readouterr().err
    assert "Errno" not in err
    assert LONG in err
    assert not gap.bundle.exists()
