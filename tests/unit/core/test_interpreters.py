"""Which Pythons plugins may run under, in which order, and when one is asked again."""

import grp
import json
import os
import pwd
import stat
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from assess_core.errors import StoreError
from assess_core.store import Interpreter, Interpreters, running_interpreter, target_of, whose
from assess_core.store.interpreter import parse_build, running_build
from assess_core.store.interpreters import FAILED_S, LOOKED_S, NAME, unlike


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
        library = path.parent.parent / "lib" / ("python" + ".".join(version.split(".")[:2]) if version else "")
        (library / "lib-dynload").mkdir(parents=True, exist_ok=True)
        (library / "os.py").write_text("")
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
            "imports": "",
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


@pytest.mark.parametrize("seen", [[[]], [[None]], [["\0"]], [["x" * 5000]], [["/", [], {}]], []])
def test_what_it_says_was_seen_need_not_be_what_we_wrote(machine: Machine, seen: list[object]) -> None:
    machine.add("a/bin/python3.42", "3.42.1")
    assert versions(machine.known()) == ["own", "3.42.1"]
    memory = machine.root / "interpreters.json"
    document = json.loads(memory.read_bytes())
    for answer in document["interpreters"].values():
        answer["seen"] = seen
    memory.write_text(json.dumps(document))
    machine.asked.clear()
    assert versions(machine.known()) == ["own", "3.42.1"]
    assert len(machine.asked) == 1


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


@dataclass(frozen=True, kw_only=True, slots=True)
class Account:
    """As `pwd` and `grp` say: one user, one group."""

    pw_name: str = "ann"
    pw_gid: int = 1000
    gr_name: str = "ann"
    gr_mem: tuple[str, ...] = ()


@pytest.mark.parametrize(
    ("account", "gid", "refused"),
    [
        (Account(), 1000, False),
        (Account(gr_mem=("ann", "root")), 1000, False),
        (Account(), 0, False),
        (Account(gr_mem=("bob",)), 1000, True),
        (Account(gr_name="users"), 1000, True),
        (Account(pw_gid=100), 1000, True),
        (None, 1000, True),
    ],
    ids=["private", "lists-herself", "roots", "lists-bob", "of-all-users", "not-hers-first", "without-a-name"],
)
def test_what_a_group_may_write_counts_as_ones_own_where_nobody_else_is_in_it(
    account: Account | None, gid: int, refused: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    def say(_number: int) -> Account:
        if account is None:
            raise KeyError
        return account

    monkeypatch.setattr(pwd, "getpwuid", say)
    monkeypatch.setattr(grp, "getgrgid", say)
    monkeypatch.setattr(os, "getegid", lambda: 1000)
    status = os.stat_result((stat.S_IFREG | 0o664, 1, 1, 1, os.geteuid(), gid, 0, 0, 0, 0))
    assert whose.wrong_with("/opt/python", status) == ("/opt/python has mode 0664" if refused else "")
    closed = os.stat_result((stat.S_IFREG | 0o644, *status[1:]))
    assert whose.wrong_with("/opt/python", closed) == ""  # the control


@pytest.mark.parametrize("name", ["lib", "lib/python3.42", "lib/python3.42/encodings", "lib/python3.42/encodings/x.py"])
@pytest.mark.parametrize("mode", [0o777, 0o1777])
def test_nor_is_what_would_import_what_others_can_write(machine: Machine, name: str, mode: int) -> None:
    machine.add("a/bin/python3.42", "3.42.1")
    place = machine.root / "a" / name
    (machine.root / "a/lib/python3.42/encodings").mkdir()
    (machine.root / "a/lib/python3.42/encodings/x.py").write_text("")
    before = place.stat().st_mode
    place.chmod(mode)
    assert refusal(machine.known()) == f"others can change it: {place} has mode {mode:04o}"
    assert machine.asked == []
    place.chmod(before)
    assert versions(machine.known()) == ["own", "3.42.1"]  # the control


@pytest.mark.parametrize("name", ["lib/python342.zip", "lib/libpython3.42.so.1.0", "lib/python3.42/os.pyc"])
def test_nor_what_would_run_a_file_or_link_of_somebody_else(
    machine: Machine, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine.add("a/bin/python3.42", "3.42.1")
    place, mall = machine.root / "a" / name, machine.root / "mall"
    mall.mkdir()
    (mall / "file").write_text("")
    place.symlink_to(mall / "file")
    assert versions(machine.known()) == ["own", "3.42.1"]  # the control
    machine.asked.clear()
    (machine.root / "interpreters.json").unlink()
    mall.chmod(0o777)
    assert refusal(machine.known()) == f"others can change it: {mall} has mode 0777"
    assert machine.asked == []


def test_a_library_that_it_would_find_only_higher_up_is_not_looked_for_there(machine: Machine) -> None:
    machine.add("a/bin/python3.42", "3.42.1")
    (machine.root / "a/lib/python3.42/os.py").unlink()
    assert "its standard library is not in" in refusal(machine.known())
    assert machine.asked == []


def test_a_link_that_others_can_turn_is_not_followed_and_what_is_run_is_what_was_looked_at(machine: Machine) -> None:
    real, mall = machine.add("a/bin/python3.42", "3.42.1"), machine.root / "mall"
    mall.mkdir()
    named = machine.root / "named"
    (mall / "link").symlink_to(real)
    named.symlink_to(mall / "link")
    asked: list[Path] = []

    def ask(path: Path) -> Mapping[str, str]:
        asked.append(path)
        return machine.said[real]

    def found() -> str:
        return Interpreters(configured=[named], ask=ask).found()[0].problem

    assert found() == ""  # the control
    assert asked == [real]
    mall.chmod(0o777)
    assert found() == f"others can change it: {mall} has mode 0777"
    assert asked == [real]


def test_a_library_is_looked_through_again_when_it_was_replaced_or_after_a_while(machine: Machine) -> None:
    path = machine.add("a/bin/python3.42", "3.42.1")
    known, built_for = machine.known(), parse_build(machine.said[path]).interpreter
    known.require_runnable(built_for)
    deep = machine.root / "a/lib/python3.42/os.py"
    deep.chmod(0o777)
    known.require_runnable(built_for)
    machine.now += LOOKED_S
    with pytest.raises(StoreError, match=r"which is not used any more: others can change it: .*os\.py has mode 0777"):
        known.require_runnable(built_for)
    deep.chmod(0o644)
    known.require_runnable(built_for)
    (machine.root / "a/lib").chmod(0o777)
    with pytest.raises(StoreError, match=r"others can change it: .*lib has mode 0777"):
        known.require_runnable(built_for)


def test_what_an_order_leaves_out_is_not_started(machine: Machine) -> None:
    first, second = machine.add("a/bin/python3.41", "3.41.9"), machine.add("b/bin/python3.42", "3.42.1")
    built_for = parse_build(machine.said[second]).interpreter
    machine.known().require_runnable(built_for)
    machine.known(first, second).require_runnable(built_for)
    machine.known(first).require_runnable(running_interpreter())
    with pytest.raises(StoreError, match=r"it is none of runtime\.interpreters"):
        machine.known(first).require_runnable(built_for)


def test_another_patch_release_in_its_place_may_be_started(machine: Machine) -> None:
    path = machine.add("a/bin/python3.42", "3.42.1")
    built_for = replace(parse_build(machine.said[path]).interpreter, version="3.42.0")
    machine.known().require_runnable(built_for)
    assert machine.known().change(built_for)


@pytest.mark.parametrize(
    "facts",
    [
        {"version": "3.41.9-acme"},
        {"version": "3.41"},
        {"version": "4.0.0"},
        {"version": "3.41.1\n"},
        {"cache_tag": "cpython-342"},
        {"path": "relative"},
        {"path": "/x\0"},
        {"site_packages": "../../etc"},
        {"suffix": "/../x.so"},
        {"library": "lib.so"},
        {"libc": "glibc\x1b[2J"},
        {"imports": "/elsewhere"},
        {"abiflags": 1},
        {"platform": None},
        {"platform": "a" * 10_000},
    ],
)
def test_what_no_python_says_of_itself_is_not_believed(machine: Machine, facts: dict[str, str]) -> None:
    machine.said[machine.add("a/bin/python3.41", "3.41.9")] |= facts
    machine.add("b/bin/python3.42", "3.42.1")  # the control
    assert versions(machine.known()) == ["own", "3.42.1"]
    assert refusal(machine.known())


def refusal(known: Interpreters) -> str:
    (refused,) = (each for each in known.found() if each.problem)
    return refused.problem


def test_whom_a_configured_one_leads_to_has_to_be_nobody_elses_either(machine: Machine) -> None:
    named, real = machine.add("b/bin/python3.42", "3.42.1"), machine.add("a/bin/python3.42", "3.42.1")
    machine.said[named] = machine.said[real]
    assert versions(machine.known(named)) == ["3.42.1", "own"]
    for forget in (False, True):
        real.chmod(0o777)
        (refused, _) = machine.known(named).found()
        assert refused.problem == f"others can change it: {real} has mode 0777"
        if not forget:
            (machine.root / "interpreters.json").unlink()


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
