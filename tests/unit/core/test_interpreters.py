"""Which Pythons plugins may run under, in which order, and when one is asked again."""

import json
import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from assess_core.errors import StoreError
from assess_core.store import Interpreter, Interpreters, running_interpreter, target_of
from assess_core.store.interpreter import parse_build, running_build
from assess_core.store.interpreters import FAILED_S, NAME, unlike, who_may_change


class Machine:
    """Executables below a directory that say what they are told to, and how often each was asked."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.now = 1000.0
        self.asked: list[str] = []
        self.said: dict[Path, dict[str, str]] = {}

    def add(self, name: str, version: str, **facts: str) -> Path:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(version)
        minor = "".join(version.split(".")[:2])
        own = running_build()
        self.said[path] = {
            "path": str(path),
            "version": version,
            "cache_tag": f"cpython-{minor}",
            "suffix": "." + own.interpreter.soabi.replace(own.interpreter.cache_tag, f"cpython-{minor}") + ".so",
            "platform": own.interpreter.platform,
            "site_packages": "lib/python/site-packages",
            "implementation": "cpython",
            "abiflags": "",
            "libc": own.libc,
            "library": "",
        } | facts
        return path

    def ask(self, path: Path) -> Mapping[str, str]:
        self.asked.append(path.name)
        if path not in self.said:
            raise StoreError(f"{path} is not a usable Python interpreter (3.11 or later): it broke")
        return self.said[path]

    def known(self, *configured: Path) -> Interpreters:
        return Interpreters(
            configured=configured,
            memory=self.root / "interpreters.json",
            places=(f"{self.root}/*/bin",),
            ask=self.ask,
            clock=lambda: self.now,
        )


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def versions(known: Interpreters, first: Interpreter | None = None) -> list[str]:
    return ["own" if each == known.own else each.version for each in known.usable(first)]


def test_the_runtimes_own_is_first_and_nobody_is_asked_for_it(machine: Machine) -> None:
    machine.add("a/bin/python3.42", "3.42.1")
    assert next(machine.known().usable()) == running_interpreter()
    assert machine.asked == []


def test_the_newest_of_each_minor_version_follows_and_no_pre_release(machine: Machine) -> None:
    machine.add("a/bin/python3.41", "3.41.9")
    machine.add("b/bin/python3.42", "3.42.1")
    machine.add("c/bin/python3.42", "3.42.3")
    machine.add("d/bin/python3.43", "3.43.0rc1")
    assert versions(machine.known()) == ["own", "3.42.3", "3.41.9"]


def test_what_runs_already_is_first_as_long_as_it_is_there(machine: Machine) -> None:
    path = machine.add("a/bin/python3.41", "3.41.9")
    machine.add("b/bin/python3.42", "3.42.1")
    old = parse_build(machine.said[path]).interpreter
    assert versions(machine.known(), old) == ["3.41.9", "own", "3.42.1"]
    path.unlink()
    assert versions(machine.known(), old) == ["own", "3.42.1"]


def test_what_is_nowhere_that_is_looked_at_is_not_first_either(machine: Machine) -> None:
    path = machine.add("elsewhere/python3.41", "3.41.9")
    assert versions(machine.known(), parse_build(machine.said[path]).interpreter) == ["own"]


def test_configured_are_the_only_ones_and_in_their_order_whatever_runs(machine: Machine) -> None:
    first, second = machine.add("a/bin/python3.41", "3.41.9"), machine.add("b/bin/python3.42", "3.42.1")
    machine.add("c/bin/python3.43", "3.43.0")
    known = machine.known(first, second)
    assert versions(known, parse_build(machine.said[second]).interpreter) == ["3.41.9", "3.42.1", "own"]
    assert versions(machine.known(first)) == ["3.41.9", "own"]


def test_the_runtimes_own_may_be_configured_anywhere_in_the_order(machine: Machine) -> None:
    other, own = machine.add("a/bin/python3.41", "3.41.9"), machine.add("own/python", "3.11.0")
    machine.said[own] = machine.said[other] | {"path": str(own)}
    machine.said[own] |= {
        key: getattr(running_interpreter(), key) for key in ("version", "cache_tag", "platform", "site_packages")
    }
    machine.said[own] |= {"path": str(running_interpreter().path), "suffix": f".{running_interpreter().soabi}.so"}
    assert versions(machine.known(own, other)) == ["own", "3.41.9"]
    assert versions(machine.known(other, own)) == ["3.41.9", "own"]


@pytest.mark.parametrize(
    ("facts", "why"),
    [
        ({"implementation": "pypy"}, "it is pypy"),
        ({"abiflags": "t"}, "without a global interpreter lock"),
        ({"platform": "linux-riscv64"}, "it is for"),
        ({"suffix": ".cpython-342-x86_64-linux-musl.so"}, "x86_64-linux-musl"),
        ({"libc": "glibc 2.17"}, "glibc 2.17"),
    ],
)
def test_one_that_cannot_run_what_is_built_here_is_named_and_not_used(
    machine: Machine, facts: dict[str, str], why: str
) -> None:
    machine.add("a/bin/python3.41", "3.41.9")  # the control
    machine.add("b/bin/python3.42", "3.42.1", **facts)
    known = machine.known()
    assert versions(known) == ["own", "3.41.9"]
    (refused,) = (each for each in known.found() if each.problem)
    assert (refused.version, why in refused.problem) == ("3.42.1", True)
    assert unlike(running_build(), running_build()) == ""


def test_one_that_cannot_be_asked_is_named_and_asked_again_after_a_while(machine: Machine) -> None:
    """Its failure may have been the machine's; a runtime that goes on for months has to try again."""
    path = machine.add("a/bin/python3.42", "3.42.1")
    said = machine.said.pop(path)
    known = machine.known()
    assert versions(known) == ["own"]
    (refused,) = (each for each in known.found() if not each.own)
    assert "it broke" in refused.problem
    assert machine.asked == ["python3.42"]
    machine.said[path] = said
    machine.now += FAILED_S - 1
    assert versions(known) == ["own"]
    assert versions(machine.known()) == ["own", "3.42.1"], "another process knows nothing of it"
    path.write_text("changed")
    machine.now += 2
    assert versions(known) == ["own", "3.42.1"]


def test_nobody_is_asked_again_before_it_has_changed(machine: Machine) -> None:
    path = machine.add("a/bin/python3.42", "3.42.1")
    library = machine.add("a/lib/libpython3.42.so", "")
    machine.said[path]["library"] = str(library)
    assert versions(machine.known()) == versions(machine.known()) == ["own", "3.42.1"]
    assert machine.asked == ["python3.42"], "the second process reads what the first has written"
    machine.said[path]["version"] = "3.42.2"
    for file in (path, library):
        asked = len(machine.asked)
        os.utime(file, ns=(1, asked))
        assert versions(machine.known()) == ["own", "3.42.2"]
        assert len(machine.asked) == asked + 1


@pytest.mark.parametrize("memory", [b"", b"{}", b"[]", b'{"schema": 1, "interpreters": {"/x": {"facts": {}}}}'])
def test_a_memory_that_cannot_be_read_is_made_anew(machine: Machine, memory: bytes) -> None:
    machine.add("a/bin/python3.42", "3.42.1")
    (machine.root / "interpreters.json").write_bytes(memory)
    assert versions(machine.known()) == ["own", "3.42.1"]
    assert "3.42.1" in str(json.loads((machine.root / "interpreters.json").read_bytes()))


def test_what_others_can_change_is_never_run(machine: Machine) -> None:
    path = machine.add("a/bin/python3.42", "3.42.1")
    for place in (path, path.parent, path.parent.parent):
        mode = place.stat().st_mode
        place.chmod(mode | 0o002)
        assert versions(machine.known()) == ["own"]
        (refused,) = (each for each in machine.known().found() if not each.own)
        assert str(place) in refused.problem
        place.chmod(mode)
    assert machine.asked == []
    assert versions(machine.known()) == ["own", "3.42.1"]  # the control


def test_nor_is_what_would_import_from_where_others_can_write(machine: Machine) -> None:
    path = machine.add("a/bin/python3.42", "3.42.1")
    (machine.root / "a/lib/python3.42").mkdir(parents=True)
    assert who_may_change(path) == ""
    (machine.root / "a/lib/python3.42").chmod(0o777)
    assert "lib/python3.42 has mode 0777" in who_may_change(path)


def test_whom_a_configured_one_leads_to_has_to_be_nobody_elses_either(machine: Machine) -> None:
    shim, real = machine.add("shims/python3", ""), machine.add("a/bin/python3.42", "3.42.1")
    machine.said[shim] = machine.said[real]
    assert versions(machine.known(shim)) == ["3.42.1", "own"]
    real.chmod(0o777)
    (machine.root / "interpreters.json").unlink()
    (refused, _) = machine.known(shim).found()
    assert refused.problem == f"others can change it: {real} has mode 0777"


def test_it_says_what_became_of_an_interpreter(machine: Machine) -> None:
    path = machine.add("a/bin/python3.42", "3.42.1")
    known, built_for = machine.known(), parse_build(machine.said[path]).interpreter
    assert known.change(built_for) == ""
    assert known.change(known.own) == ""
    machine.said[path]["version"] = "3.42.2"
    os.utime(path, ns=(1, 1))
    assert known.change(built_for) == f"its environment is for Python 3.42.1, and {path} is 3.42.2 now"
    path.unlink()
    assert known.change(built_for) == f"its environment needs Python 3.42.1, which was {path}; that is gone"


@pytest.mark.parametrize(
    ("name", "looked_at"),
    [
        ("python3.11", True),
        ("python3.20", True),
        ("python3", False),
        ("python3.10", False),
        ("python3.11-config", False),
        ("python3.11-gdb.py", False),
        ("python3.11\n", False),
    ],
)
def test_only_executables_of_interpreters_are_looked_at(name: str, looked_at: bool) -> None:
    assert bool(NAME.match(name)) is looked_at


def test_a_target_of_another_interpreter_takes_its_own_wheels_and_the_machines_platforms() -> None:
    own = running_interpreter()
    other = target_of(replace(own, path=Path("/x"), version="3.42.1", cache_tag="cpython-342"))
    assert str(other.tags[0]).startswith("cp342-cp342-")
    assert {tag.platform for tag in other.tags} == {tag.platform for tag in target_of(own).tags}
    assert (other.environment["python_full_version"], other.environment["python_version"]) == ("3.42.1", "3.42")
