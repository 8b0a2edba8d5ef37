"""A program that is asked what it is has nothing of whoever asks, and leaves nothing behind."""

import os
import sys
import time
from pathlib import Path

import pytest

from assess_core.errors import StoreError
from assess_core.store.asking import MAX_ANSWER_BYTES, answer_of
from assess_core.store.interpreter import ask_build


def program(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "python3.42"
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


def test_a_python_answers() -> None:
    assert ask_build(Path(sys.executable))["version"].startswith("3.")


def test_both_outputs_and_the_code_are_had(tmp_path: Path) -> None:
    assert answer_of([program(tmp_path, "echo a; echo b >&2; exit 3")], timeout_s=10) == (3, b"a\n", b"b\n")


@pytest.mark.parametrize("where", ["1", "2"])
def test_what_it_says_is_bounded(tmp_path: Path, where: str) -> None:
    head = f"head -c {MAX_ANSWER_BYTES} /dev/zero >&{where}"
    code, *_ = answer_of([program(tmp_path, head)], timeout_s=10)  # the control
    assert code == 0
    with pytest.raises(ValueError, match="more than 64 KiB"):
        answer_of([program(tmp_path, f"cat /dev/zero >&{where}")], timeout_s=10)
    with pytest.raises(StoreError, match=r"not a usable Python interpreter .* more than 64 KiB"):
        ask_build(program(tmp_path, f"cat /dev/zero >&{where}"))


def test_it_reads_nothing_of_what_the_caller_is_given(tmp_path: Path) -> None:
    read, write = os.pipe()
    saved = os.dup(0)
    try:
        os.dup2(read, 0)
        os.write(write, b"secret\n")
        assert answer_of([program(tmp_path, "read line; echo got $line")], timeout_s=10)[1] == b"got\n"
        assert os.read(0, 100) == b"secret\n"
    finally:
        os.dup2(saved, 0)
        for each in (read, write, saved):
            os.close(each)


@pytest.mark.parametrize("end", ["sleep 333", "exec >&- 2>&-; sleep 333", "exit 0", "cat /dev/zero"])
def test_what_it_started_is_ended_with_it(tmp_path: Path, end: str) -> None:
    left = tmp_path / "left"
    asked = program(tmp_path, f"sleep 333 >/dev/null 2>&1 &\necho $! > {left}.new; mv {left}.new {left}\n{end}")
    try:
        answer_of([asked], timeout_s=1)
        assert end == "exit 0"
    except ValueError:
        assert end != "exit 0"
    status = Path(f"/proc/{left.read_text().strip()}/stat")
    deadline = time.monotonic() + 60
    while status.exists() and status.read_text().split()[2] != "Z" and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not status.exists() or status.read_text().split()[2] == "Z"


def test_an_answer_that_is_nested_too_deeply_is_none(tmp_path: Path) -> None:
    deep = tmp_path / "deep"
    deep.write_text("[" * 60_000)
    with pytest.raises(StoreError, match="not a usable Python interpreter"):
        ask_build(program(tmp_path, f"cat {deep}"))
