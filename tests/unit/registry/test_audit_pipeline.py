import stat
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path

import pytest

from assess_registry.audit.checks import CHECKS, naming, size
from assess_registry.audit.checks.naming import distance, skeleton
from assess_registry.audit.context import Check, Context
from assess_registry.audit.pipeline import Examined, Terms, check_names, conclude, context_of, examine
from assess_registry.audit.values import Examination, Finding, Report, Subject, Verdict
from assess_registry.config import Policy, Publisher
from assess_registry.names import ProjectName
from assess_registry.wheel import inspect
from tests.support.wheels import WheelBuilder, demo_plugin_wheel

TERMS = Terms(as_of=date(2026, 11, 21))
FILENAME, DATA = demo_plugin_wheel()


@dataclass
class Doing:
    """A check that does what the test wants, and remembers what it was given."""

    act: Callable[[Subject, Context], Examination] = lambda *_: Examination(check="doing")
    NAME: str = "doing"
    seen: list[Subject] = field(default_factory=list)

    def examine(self, subject: Subject, context: Context) -> Examination:
        self.seen.append(subject)
        return self.act(subject, context)


def examined(*checks: Check, data: bytes = DATA, closure: dict[str, bytes] | None = None) -> Examined:
    return examine(data, FILENAME, closure=closure, terms=TERMS, checks=checks)


def report(*checks: Check, data: bytes = DATA, closure: dict[str, bytes] | None = None) -> Report:
    return conclude(examined(*checks, data=data, closure=closure), TERMS)


def raising(error: BaseException) -> Doing:
    def act(subject: Subject, context: Context) -> Examination:
        raise error

    return Doing(act)


@pytest.fixture(autouse=True)
def scratch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where private copies are made; empty again after every test."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    yield tmp_path
    assert list(tmp_path.iterdir()) == []


# --- structure ----------------------------------------------------------------------------------------------------


def test_a_wheel_nobody_objects_to_is_approved() -> None:
    found = report(Doing())
    assert (found.verdict, found.reasons, found.judged) == (Verdict.APPROVED, (), ())
    assert [each.check for each in found.examinations] == ["structure", "closure", "doing", "dependencies"]
    assert (found.project, found.version, found.size) == ("demo-plugin", "1.0.0", len(DATA))


def test_what_inspection_refuses_is_rejected_with_every_issue_and_no_check_is_run() -> None:
    check = Doing()
    wrong = WheelBuilder(
        record=lambda rows: rows[1:], entry_points={"assess.plugins": {"x": "os:system"}}
    ).build()  # fmt: skip
    found = report(check, data=wrong)
    assert found.verdict is Verdict.REJECTED
    issues = [each for each in found.judged if each.check == "structure"]
    assert len(issues) > 1
    assert {(each.finding.severity, each.verdict) for each in issues} == {("critical", Verdict.REJECTED)}
    assert check.seen == []
    why = "it was not run, because strict inspection refused the wheel"
    assert [each.incomplete for each in found.examinations[1:]] == [(why,)] * 3
    assert any("closure, doing, dependencies did not look at everything: " + why in reason for reason in found.reasons)
    assert report(check).verdict is Verdict.APPROVED
    assert len(check.seen) == 1


@pytest.mark.parametrize("data", [b"", b"PK", DATA[:-1], DATA + b"x", DATA[: len(DATA) // 2]])
def test_no_bytes_are_too_broken_to_report_on(data: bytes) -> None:
    found = report(data=data)
    assert (found.verdict, found.project, found.version) == (Verdict.REJECTED, "demo-plugin", "1.0.0")
    assert conclude(examine(data, "nonsense", closure=None, terms=TERMS), TERMS).project == ""


# --- the private copy ---------------------------------------------------------------------------------------------


def test_checks_see_the_same_files_in_memory_and_on_disk(scratch: Path) -> None:
    def act(subject: Subject, context: Context) -> Examination:
        found = [path for path in subject.unpacked.rglob("*") if path.is_file()]
        assert scratch in subject.unpacked.parents
        assert {file.path for file in subject.files} == {str(path.relative_to(subject.unpacked)) for path in found}
        for file in subject.files:
            assert (subject.unpacked / file.path).read_bytes() == file.data
        private = subject.unpacked.parent
        assert stat.S_IMODE(private.stat().st_mode) == 0o700
        for path in (subject.unpacked, *subject.unpacked.rglob("*")):
            assert stat.S_IMODE(path.stat().st_mode) == (0o500 if path.is_dir() else 0o400)
        return Examination(check="doing")

    found = report(Doing(act))
    assert found.verdict is Verdict.APPROVED, found.reasons


def test_files_come_in_the_order_of_their_paths() -> None:
    check = Doing()
    report(check)
    paths = [file.path for file in check.seen[0].files]
    assert paths == sorted(paths)


def test_the_copy_is_removed_when_somebody_interrupts(scratch: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        report(raising(KeyboardInterrupt()))
    assert list(scratch.iterdir()) == []


# --- checks that fail ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("error", [ValueError("x"), RecursionError(), MemoryError(), SyntaxError("bad")])
def test_a_check_that_crashes_is_never_a_pass_and_stops_no_other(error: Exception) -> None:
    after = Doing(NAME="after")
    found = report(raising(error), after)
    assert found.verdict is Verdict.FLAGGED
    assert [each.finding.id for each in found.judged] == ["check-crashed", "check-incomplete"]
    assert type(error).__name__ in found.judged[0].finding.message
    assert len(after.seen) == 1


def test_a_crash_tells_nothing_of_this_machine() -> None:
    def act(subject: Subject, context: Context) -> Examination:
        return Examination(check=(subject.unpacked / "missing").read_text())

    message = report(Doing(act)).judged[0].finding.message
    assert "./missing" in message
    assert "/tmp" not in message


def test_a_policy_that_forgives_everything_does_not_forgive_a_check_that_did_not_look() -> None:
    one = examined(Doing(lambda *_: Examination(check="doing", incomplete=("bandit: killed by SIGKILL",))))
    assert conclude(one, replace(TERMS, policy=Policy(reject=(), flag=()))).verdict is Verdict.FLAGGED


def test_findings_are_put_in_order_whatever_order_a_check_finds_them_in() -> None:
    def at(entry: str, line: int | None) -> Finding:
        return Finding(id="x-y", severity="low", entry=entry, line=line, message="m", rule="r")

    wanted = (at("a", None), at("a", 2), at("a", 10), at("b", 1))
    found = report(Doing(lambda *_: Examination(check="doing", findings=wanted[::-1])))
    assert found.examinations[-2].findings == wanted


# --- dependencies -------------------------------------------------------------------------------------------------

LIBRARY = WheelBuilder.dependency("somelib", "1.2.0")
NEEDS = WheelBuilder(requires=("somelib>=1",)).build()


def test_dependencies_are_inspected_and_given_to_the_checks() -> None:
    check = Doing()
    other = WheelBuilder.dependency("unrelated")
    closure = {LIBRARY.filename: LIBRARY.build(), other.filename: b"never looked at"}
    found = report(check, data=NEEDS, closure=closure)
    assert found.verdict is Verdict.APPROVED, found.reasons
    assert [each.filename for each in check.seen[0].closure] == [LIBRARY.filename]
    (listed,) = next(each for each in found.examinations if each.check == "closure").facts["wheels"]
    assert listed["left_out"] == []


def test_what_is_left_out_of_a_dependency_is_listed() -> None:
    odd = LIBRARY.but(files={**(LIBRARY.files or {}), "x.pth": "import os\n"})
    found = report(data=NEEDS, closure={odd.filename: odd.build()})
    (listed,) = next(each for each in found.examinations if each.check == "closure").facts["wheels"]
    assert listed["left_out"] == ["x.pth"]
    assert found.examinations[1].facts["wheels"][0]["filename"] == LIBRARY.filename


@pytest.mark.parametrize(
    ("requires", "complete"),
    [
        ((), True),
        (("assess-plugin>=1.0,<2",), True),
        (("Assess_Plugin>=1.0",), True),
        (('pytest; extra == "test"',), True),
        (("somelib",), False),
        (('somelib; extra == ""',), False),  # true without extras, says pip
        (('somelib; python_version >= "3"',), False),
        (('somelib; extra == "x" or python_version >= "3"',), False),
    ],
)
def test_without_the_dependencies_nothing_is_known_of_them(requires: tuple[str, ...], complete: bool) -> None:
    found = report(data=WheelBuilder(requires=requires, metadata_lines=("Provides-Extra: test",)).build())
    assert (found.verdict is Verdict.APPROVED) is complete
    assert complete or "dependencies were not given: somelib" in found.reasons[0]


def test_a_missing_dependency_leaves_the_closure_incomplete_and_is_named() -> None:
    found = report(data=NEEDS, closure={})
    assert found.verdict is Verdict.FLAGGED
    assert "requires somelib>=1; offered: none" in found.reasons[0]


def test_a_dependency_that_inspection_refuses_rejects_the_plugin() -> None:
    broken = LIBRARY.but(record=lambda rows: rows[1:]).build()
    found = report(data=NEEDS, closure={LIBRARY.filename: broken})
    assert found.verdict is Verdict.REJECTED
    assert found.judged[0].finding.entry.startswith(f"{LIBRARY.filename}: ")


# --- what follows from the policy ---------------------------------------------------------------------------------


def context(policy: Policy | None = None, *publishers: Publisher) -> Context:
    wheel = inspect(DATA, FILENAME, kind="plugin")
    return context_of(wheel, replace(TERMS, policy=policy or Policy(), publishers=publishers))


def test_evidence_given_beside_the_wheel_reaches_the_checks() -> None:
    given: list[bytes | None] = []

    def act(subject: Subject, context: Context) -> Examination:
        given.append(context.evidence)
        return Examination(check="doing")

    for evidence in (b"{}", None):
        examine(DATA, FILENAME, closure=None, terms=TERMS, evidence=evidence, checks=(Doing(act),))
    assert given == [b"{}", None]


def test_native_code_is_for_publishers_that_all_may_ship_it() -> None:
    demo, other = Publisher(name="demo", projects=("demo-*",)), Publisher(name="other", projects=("*",))
    policy = Policy(native_publishers=("demo",))
    assert context(policy, demo).native_allowed
    assert not context(policy, demo, other).native_allowed
    assert not context(policy).native_allowed
    assert not context(Policy(), demo).native_allowed


def test_any_licence_is_no_list_of_licences() -> None:
    assert "MIT" in context().licences
    assert context(Policy(licences=("MIT", "*"))).licences == ()


def test_every_check_has_a_name_of_its_own_and_is_listed() -> None:
    names = check_names()
    assert len(set(names)) == len(names) == len(CHECKS) + 2
    listed = {f"{path.stem if path.stem != '__init__' else path.parent.name}" for path in _check_modules()}
    assert listed == {check.__name__.rpartition(".")[2] for check in CHECKS}  # type: ignore[attr-defined]


def _check_modules() -> Iterator[Path]:
    directory = Path(size.__file__).parent
    for path in sorted(directory.iterdir()):
        if path.suffix == ".py" and path.name != "__init__.py":
            yield path
        elif (path / "__init__.py").exists():
            yield path / "__init__.py"


# --- size and names -----------------------------------------------------------------------------------------------


def ids(check: Check, **given: object) -> list[str]:
    wheel = inspect(DATA, FILENAME, kind="plugin")
    subject = Subject(wheel=wheel, data=DATA, files=(), unpacked=Path(), closure=(), as_of=TERMS.as_of)
    return [each.id for each in check.examine(subject, Context(**given)).findings]  # type: ignore[arg-type]


def test_a_wheel_larger_than_the_policy_wants_is_a_finding() -> None:
    assert ids(size, max_wheel_bytes=len(DATA)) == []
    assert ids(size, max_wheel_bytes=len(DATA) - 1) == ["wheel-too-large"]


@pytest.mark.parametrize(
    ("publishers", "found"),
    [
        ((), []),
        ((("demo", ("demo-*",)),), []),
        ((("acme", ("acme-*",)), ("demo", ("demo-plugin",))), []),
        ((("acme", ("acme-*",)),), ["unknown-publisher"]),
    ],
)
def test_where_publishers_are_configured_one_must_admit_the_project(publishers: object, found: list[str]) -> None:
    assert ids(naming, publishers=publishers) == found


@pytest.mark.parametrize(
    ("other", "found"),
    [
        ("demo-plugin", []),
        ("demo-plugins", ["look-alike-name"]),
        ("deom-plugin", ["look-alike-name"]),
        ("demo-plug", ["look-alike-name"]),
        ("demo-plu", []),
        ("dem0-plugin", ["confusable-name"]),
        ("demo-p1ug1n", ["confusable-name"]),
        ("derno-plugin", ["confusable-name"]),
        ("demoplugin", ["confusable-name"]),
        ("other-plugin", []),
    ],
)
def test_names_that_people_mistake_for_published_ones_are_found(other: str, found: list[str]) -> None:
    assert ids(naming, published=frozenset({ProjectName(other)})) == found
    reserved = {"confusable-name": "confusable-name", "look-alike-name": "look-alike-name"}
    assert ids(naming, reserved=(other,)) == ([reserved[each] for each in found] or _if_same(other))


def _if_same(other: str) -> list[str]:
    return ["reserved-name"] if other == "demo-plugin" else []


def test_a_published_project_may_go_on_beside_one_that_looks_like_it() -> None:
    published = frozenset({ProjectName("demo-plugins"), ProjectName("demo-plugin")})
    assert ids(naming, published=published) == []


def test_names_of_one_publisher_deceive_nobody() -> None:
    published = frozenset({ProjectName("demo-plugins")})
    assert ids(naming, published=published, publishers=(("demo", ("demo-*",)),)) == []
    apart = (("demo", ("demo-plugin",)), ("other", ("demo-plugins",)))
    assert ids(naming, published=published, publishers=apart) == ["look-alike-name"]


def test_a_reserved_prefix_is_for_whoever_was_given_it() -> None:
    assert ids(naming, reserved_prefixes=("demo-",)) == ["reserved-prefix"]
    assert ids(naming, reserved_prefixes=("demo-",), publishers=(("demo", ("demo-*",)),)) == []
    assert ids(naming, reserved_prefixes=("demo-",), publishers=(("all", ("*",)),)) == ["reserved-prefix"]
    assert ids(naming, reserved_prefixes=("acme-",)) == []


@pytest.mark.parametrize(
    ("one", "other", "slips"),
    [
        ("abc", "abc", 0),
        ("abc", "abd", 1),
        ("abc", "acb", 1),
        ("abc", "ab", 1),
        ("abc", "abxc", 1),
        ("abcd", "badc", 2),
        ("abcdef", "abxdyf", 2),
        ("ca", "abc", 3),
        ("abc", "xyz", 3),
        ("a", "abcdefgh", 3),
    ],
)
def test_slips_are_counted_as_hands_make_them(one: str, other: str, slips: int) -> None:
    assert distance(one, other) == distance(other, one) == slips


@pytest.mark.parametrize(("one", "other"), [("rnodern", "modem"), ("i1l", "lll"), ("a-b", "ab"), ("o0", "oo")])
def test_letters_that_look_alike_are_alike(one: str, other: str) -> None:
    assert skeleton(one) == skeleton(other)
