"""A program that others can change is run for nobody."""

import os
import shutil
from pathlib import Path

import pytest

from assess_core.host.programs import find_program
from assess_core.host.refusals import ImproperError
from assess_plugin.wire import COMMAND_PATH


@pytest.fixture
def program(tmp_path: Path) -> Path:
    path = tmp_path / "bin" / "tool"
    path.parent.mkdir(mode=0o755)
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)
    return path


def test_a_program_of_ours_or_roots_is_found_by_its_path(program: Path) -> None:
    assert find_program(str(program)) == str(program)


def test_a_bare_name_is_looked_for_where_commands_lie_and_nowhere_else(
    program: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(program.parent))
    assert find_program("env") == shutil.which("env", path=COMMAND_PATH)
    with pytest.raises(ImproperError, match="'tool' is not installed"):
        find_program("tool")


@pytest.mark.parametrize("name", ["bin/tool", "./tool", "/nowhere/tool", "", "/", "/etc/passwd"])
def test_what_is_no_program_is_not_installed(name: str) -> None:
    with pytest.raises(ImproperError, match="is not installed"):
        find_program(name)


@pytest.mark.parametrize(("of", "mode"), [("tool", 0o757), ("tool", 0o777), ("bin", 0o757), ("bin", 0o777)])
def test_one_that_anybody_can_write_or_replace_is_refused(program: Path, of: str, mode: int) -> None:
    place = program if of == "tool" else program.parent
    place.chmod(mode)
    with pytest.raises(ImproperError, match=f"others can change what that is: {place} has mode {mode:04o}"):
        find_program(str(program))


def test_where_others_may_add_but_move_nothing_it_is_found(program: Path) -> None:
    program.parent.chmod(0o1777)
    assert find_program(str(program)) == str(program)


def test_a_link_is_judged_at_both_ends(program: Path, tmp_path: Path) -> None:
    good, bad = tmp_path / "good", tmp_path / "bad"
    for folder in (good, bad):
        folder.mkdir()
        (folder / "link").symlink_to(program)
    bad.chmod(0o777)
    assert find_program(str(good / "link")) == str(good / "link"), "by the name that it was asked for"
    with pytest.raises(ImproperError, match=f"{bad} has mode 0777"):
        find_program(str(bad / "link"))
    program.chmod(0o757)
    with pytest.raises(ImproperError, match=f"{program} has mode"):
        find_program(str(good / "link"))


@pytest.mark.skipif(os.getuid() != 0, reason="only root gives files away")
def test_one_that_somebody_else_owns_or_whose_group_may_write_is_refused(program: Path) -> None:
    os.chown(program, 4711, 0)
    with pytest.raises(ImproperError, match="belongs to uid 4711"):
        find_program(str(program))
    os.chown(program, 0, 4711)
    assert find_program(str(program)) == str(program), "the control"
    program.chmod(0o775)
    with pytest.raises(ImproperError, match="has mode 0775"):
        find_program(str(program))
