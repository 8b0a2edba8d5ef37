"""What the checks that read code make of a closure; external tools are doubles here."""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path
from zipfile import ZipFile

import pytest

from assess_registry.audit import dependencies
from assess_registry.audit.checks import CHECKS, READING_CODE, native, permissions, wasm
from assess_registry.audit.context import Check, Context
from assess_registry.audit.dependencies import NAME, examine_dependencies
from assess_registry.audit.pipeline import Terms, check_names, conclude, examine
from assess_registry.audit.released import RELEASED
from assess_registry.audit.render import render
from assess_registry.audit.values import Examination, Finding, Report, Subject, Verdict
from assess_registry.config import Acceptance, Policy
from assess_registry.manifest import Severity
from assess_registry.wheel import inspect
from tests.support.closure import sdk_wheel
from tests.support.examining import subject_of
from tests.support.wheels import DEMO_SOURCE, WheelBuilder, demo_manifest

TERMS = Terms(as_of=date(2026, 11, 21))
PURE = (permissions, native, wasm)
PLUGIN = WheelBuilder(requires=("somelib>=1",))
ELF = b"\x7fELF" + b"\0" * 60


def library(files: Mapping[str, str | bytes] | None = None, **changes: object) -> WheelBuilder:
    made = WheelBuilder.dependency("somelib", "1.2.0", **changes)
    return made.but(files={**(made.files or {}), **(files or {})})


def report(given: WheelBuilder, *checks: Check, terms: Terms = TERMS) -> Report:
    closure = {given.filename: given.build()}
    return conclude(
        examine(PLUGIN.build(), PLUGIN.filename, closure=closure, terms=terms, checks=checks or PURE), terms
    )


def found(one: Report) -> dict[str, Finding]:
    return {each.finding.id: each.finding for each in one.judged if each.check == NAME}


@dataclass
class Doing:
    """A check that finds what the test wants, and remembers what it was given."""

    act: Callable[[Subject], Examination]
    NAME: str = "doing"
    seen: list[Subject] = field(default_factory=list)

    def examine(self, subject: Subject, context: Context) -> Examination:
        self.seen.append(subject)
        return self.act(subject)


def look(check: Check, *libraries: WheelBuilder, context: Context | None = None) -> Examination:
    return examine_dependencies(
        subject_of(PLUGIN, closure=libraries),
        {each.filename: each.build() for each in libraries},
        checks=(check,),
        context=context or Context(),
        seen={},
        scratch=None,
    )


def finding(severity: Severity, *, kind: str = "bandit-b602", line: int = 1) -> Finding:
    return Finding(id=kind, severity=severity, entry="a/b.py", line=line, message="m", rule="r")


# --- what is looked at ------------------------------------------------------------------------------------------------


def test_every_check_that_reads_code_reads_that_of_dependencies() -> None:
    about_the_plugin = {"size", "naming", "manifest", "licence", "vulnerabilities", "sbom", "compatibility"}
    assert {check.NAME for check in CHECKS} == about_the_plugin | {check.NAME for check in READING_CODE}
    assert not about_the_plugin & {check.NAME for check in READING_CODE}
    assert check_names()[-1] == NAME


@pytest.mark.parametrize(
    ("hostile", "control", "kind", "place"),
    [
        ("import os\nos.system('id')\n", "import os\nos.getpid()\n", "process-outside-host", "somelib/extra.py"),
        ("import socket\nsocket.socket()\n", "import sys\nsys.version\n", "undeclared-socket", "somelib/extra.py"),
        ("import ctypes\n", "import math\n", "native-interface", "somelib/extra.py"),
        (ELF, b"\x7fELG" + b"\0" * 60, "native-code-in-pure-wheel", "somelib/data.bin"),
        (b"\0asm\x01\0\0", b"\0bsm\x01\0\0", "wasm-malformed", "somelib/data.bin"),
    ],
)
def test_what_a_dependency_brings_is_looked_at_by_somebody(
    hostile: str | bytes, control: str | bytes, kind: str, place: str
) -> None:
    bad = report(library({place: hostile}))
    assert bad.verdict is Verdict.FLAGGED
    said = found(bad)[f"dependency-{kind}"]
    assert (said.severity, said.entry) == ("medium", f"somelib-1.2.0-py3-none-any.whl: {place}")
    assert report(library({place: control})).verdict is Verdict.APPROVED


def test_native_code_in_a_platform_wheel_flags_is_listed_and_is_accepted_for_this_wheel() -> None:
    files = {"somelib/core.so": ELF}
    one = report(library(files, tag="cp311-cp311-manylinux_2_28_x86_64", purelib=False))
    assert (one.verdict, list(found(one))) == (Verdict.FLAGGED, ["dependency-native-code"])
    (listed,) = one.examinations[-1].facts["wheels"]
    assert listed["native"]["native_files"][0]["path"] == "somelib/core.so"
    assert len(listed["native"]["native_files"][0]["sha256"]) == 64
    acceptance = Acceptance(
        finding="dependency-native-code", entry="somelib-*", reason="r", owner="o", expires=date(2027, 1, 1)
    )
    accepting = replace(TERMS, policy=Policy(accept=(acceptance,)))
    built = library(files, tag="cp311-cp311-manylinux_2_28_x86_64", purelib=False)
    assert report(built, terms=accepting).verdict is Verdict.APPROVED
    other = replace(acceptance, entry="otherlib-*")
    assert report(built, terms=replace(TERMS, policy=Policy(accept=(other,)))).verdict is Verdict.FLAGGED


def test_a_policy_may_be_stricter() -> None:
    strict = replace(TERMS, policy=Policy(reject=("critical", "high", "dependency-process-*")))
    hostile = library({"somelib/extra.py": "import os\nos.system('id')\n"})
    assert report(hostile, terms=strict).verdict is Verdict.REJECTED
    assert report(library(), terms=strict).verdict is Verdict.APPROVED


def test_the_plugin_is_still_held_to_the_plugins_measure() -> None:
    source = {"demo_plugin/__init__.py": DEMO_SOURCE + "import os\nos.system('id')\n"}
    data = PLUGIN.but(files=source).build()
    closure = {library().filename: library().build()}
    one = conclude(examine(data, PLUGIN.filename, closure=closure, terms=TERMS, checks=PURE), TERMS)
    assert one.verdict is Verdict.REJECTED
    assert found(one) == {}


# --- how it is weighed ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("check", "kind", "severity", "weighed"),
    [
        ("bandit", "bandit-b602", "critical", "medium"),
        ("bandit", "bandit-b602", "high", "medium"),
        ("bandit", "bandit-b301", "medium", "info"),
        ("bandit", "bandit-b101", "low", "info"),
        ("secrets", "secret-private-key", "high", "medium"),
        ("secrets", "secret-secret-keyword", "medium", "info"),
        ("native", "native-code", "medium", "medium"),
        ("native", "native-code", "info", "info"),
        ("permissions", "dynamic-code", "high", "info"),
        ("permissions", "process-outside-host", "high", "medium"),
        ("permissions", "socket-outside-host", "medium", "medium"),
    ],
)
def test_severities_are_those_of_the_table(check: str, kind: str, severity: Severity, weighed: Severity) -> None:
    doing = Doing(lambda _: Examination(check=check, findings=(finding(severity, kind=kind),)), NAME=check)
    (said,) = look(doing, library()).findings
    assert (said.id, said.severity) == (f"dependency-{kind}", weighed)


def test_of_one_id_there_is_one_finding_for_a_wheel_at_its_worst() -> None:
    many = (finding("low", line=1), finding("high", line=7), finding("high", line=9))
    (said,) = look(Doing(lambda _: Examination(check="doing", findings=many)), library()).findings
    assert (said.severity, said.line) == ("medium", 7)
    assert said.message == "3 findings of this id, the first of the worst: m"


def test_what_was_not_looked_at_is_named_with_its_wheel_and_flags() -> None:
    gaps = tuple(f"doing: {number}.py: syntax error" for number in range(30))
    said = look(Doing(lambda _: Examination(check="doing", incomplete=gaps)), library())
    assert said.incomplete[0] == "somelib-1.2.0-py3-none-any.whl: doing: 0.py: syntax error"
    assert said.incomplete[-1] == "somelib-1.2.0-py3-none-any.whl: doing: and 10 more"
    broken = report(library({"somelib/old.py": "print 'two'\n"}))
    assert broken.verdict is Verdict.FLAGGED
    assert any("somelib/old.py" in reason for reason in broken.reasons)
    assert report(library({"somelib/old.py": "print('three')\n"})).verdict is Verdict.APPROVED


def test_a_check_that_crashes_on_a_dependency_is_never_a_pass() -> None:
    def crash(subject: Subject) -> Examination:
        raise ValueError(f"in {subject.unpacked}/x.py")

    said = look(Doing(crash), library())
    assert said.incomplete == ("somelib-1.2.0-py3-none-any.whl: doing: it crashed",)
    (one,) = said.findings
    assert (one.id, one.severity) == ("dependency-check-crashed", "medium")
    assert "ValueError: in ./x.py" in one.message


@pytest.mark.parametrize(
    ("hiding", "plain"),
    [
        ("import base64\nexec(base64.b64decode(TEXT))\n", "import base64\nbase64.b64decode(TEXT)\n"),
        ("eval(TEXT)\n", "float(TEXT)\n"),
        ("compile(TEXT, 'x', 'exec')\n", "str(TEXT)\n"),
        ("import marshal\nmarshal.loads(TEXT)\n", "import json\njson.loads(TEXT)\n"),
        ("import pickle\npickle.loads(TEXT)\n", "import pickle\npickle.dumps(TEXT)\n"),
        ("import importlib\nimportlib.import_module(TEXT)\n", "import importlib\nimportlib.invalidate_caches()\n"),
        ("__import__(TEXT)\n", "import json\n"),
        ("import builtins\ngetattr(builtins, TEXT)(TEXT)\n", "import math\ngetattr(math, TEXT)(TEXT)\n"),
        ("import os\ngetattr(os, TEXT)('id')\n", "import os\ngetattr(os, 'getpid')()\n"),
        ("import types\ntypes.FunctionType(TEXT, {})\n", "import types\nisinstance(TEXT, types.FunctionType)\n"),
        (
            "import importlib.util as u\nu.module_from_spec(u.spec_from_file_location('x', TEXT))\n",
            "import typing\ntyping.get_type_hints(TEXT)\n",
        ),
    ],
)
def test_a_dependency_that_hides_what_it_runs_is_looked_at(hiding: str, plain: str) -> None:
    # Below more of what is harmless, and of the same id, than a report names.
    looking = "TEXT = str()\n" + "import inspect\n" + "inspect.getmembers(TEXT)\n" * 30
    bad = report(library({"somelib/extra.py": looking + hiding}))
    assert bad.verdict is Verdict.FLAGGED
    said = found(bad)["dependency-dynamic-code"]
    assert (said.severity, said.entry) == ("medium", "somelib-1.2.0-py3-none-any.whl: somelib/extra.py")
    assert said.line == 32 + hiding.count("\n")
    control = report(library({"somelib/extra.py": looking + plain}))
    assert control.verdict is Verdict.APPROVED
    assert found(control)["dependency-dynamic-code"].severity == "info"


# --- bounds -----------------------------------------------------------------------------------------------------------


def test_more_wheels_than_anybody_waits_for_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    others = [WheelBuilder.dependency(f"lib{number}") for number in range(3)]
    doing = Doing(lambda _: Examination(check="doing"))
    assert look(doing, *others).incomplete == ()
    monkeypatch.setattr(dependencies, "MAX_WHEELS", 2)
    (left,) = look(doing, *others).incomplete
    assert left.startswith("lib2-")
    monkeypatch.setattr(dependencies, "MAX_BYTES", 10)
    assert len(look(doing, *others).incomplete) == 3


def test_the_same_wheel_is_looked_at_once_for_all_that_use_the_same_terms() -> None:
    doing = Doing(lambda _: Examination(check="permissions", findings=(finding("high", kind="undeclared-socket"),)))
    subject = subject_of(PLUGIN, closure=(library(),))
    given = {library().filename: library().build()}
    seen: dependencies.Seen = {}

    def again(subject: Subject, context: Context) -> Examination:
        return examine_dependencies(subject, given, checks=(doing,), context=context, seen=seen, scratch=None)

    first = again(subject, Context())
    assert again(subject, Context()) == first
    assert len(doing.seen) == 1
    again(subject, Context(native_allowed=True))
    assert len(doing.seen) == 2
    secret = PLUGIN.but(manifest=demo_manifest() + '[settings.token]\ntype = "string"\nsecret = true\n')
    again(subject_of(secret, closure=(library(),)), Context())
    assert len(doing.seen) == 3


@pytest.mark.parametrize(("name", "times"), [("bandit", 1), ("secrets", 1), ("wasm", 1), ("native", 2), ("doing", 2)])
def test_what_depends_on_files_alone_is_asked_once_whoever_depends_on_the_wheel(name: str, times: int) -> None:
    doing = Doing(lambda _: Examination(check=name, findings=(finding("high"),)), NAME=name)
    given = {library().filename: library().build()}
    seen: dependencies.Seen = {}
    for manifest in (demo_manifest(), demo_manifest(permissions='read = ["/etc"]\n')):
        subject = subject_of(PLUGIN.but(manifest=manifest), closure=(library(),))
        said = examine_dependencies(subject, given, checks=(doing,), context=Context(), seen=seen, scratch=None)
        assert [each.id for each in said.findings] == ["dependency-bandit-b602"]
    assert len(doing.seen) == times
    other = library({"somelib/new.py": "x = 1\n"})
    subject = subject_of(PLUGIN, closure=(other,))
    given = {other.filename: other.build()}
    examine_dependencies(subject, given, checks=(doing,), context=Context(), seen=seen, scratch=None)
    assert len(doing.seen) == times + 1  # another wheel of the same name


def test_a_wheel_that_changes_while_it_is_audited_was_not_looked_at() -> None:
    doing = Doing(lambda _: Examination(check="doing"))
    other = library({"somelib/extra.py": "import os\n"}).build()
    subject = subject_of(PLUGIN, closure=(library(),))
    for given in ({library().filename: other}, {}):
        said = examine_dependencies(subject, given, checks=(doing,), context=Context(), seen={}, scratch=None)
        assert said.incomplete == ("somelib-1.2.0-py3-none-any.whl was not looked at: it changed while it was audited",)
    assert doing.seen == []


# --- the runtime's own part -------------------------------------------------------------------------------------------


def test_the_runtimes_own_sdk_needs_no_look_and_another_of_its_name_does() -> None:
    path = sdk_wheel()
    own = WheelBuilder.dependency("assess-plugin", "1.0.0")
    doing = Doing(lambda _: Examination(check="doing"))
    assert look(doing, own).facts["wheels"][0].keys() == {"filename", "sha256", "doing"}
    assert len(doing.seen) == 1
    subject = subject_of(PLUGIN)
    data = path.read_bytes()
    subject = replace(subject, closure=(inspect(data, path.name, kind="dependency"),))
    said = examine_dependencies(subject, {path.name: data}, checks=(doing,), context=Context(), seen={}, scratch=None)
    assert said.facts["wheels"][0]["same_as"] == "the runtime's own copy"
    assert len(doing.seen) == 1


RELEASES = sorted((Path(__file__).parents[3] / "sdk" / "releases").glob("*.whl"))


def test_every_release_that_is_kept_is_known_and_nothing_else() -> None:
    kept = {hashlib.sha256(path.read_bytes()).hexdigest(): path.name.split("-")[1] for path in RELEASES}
    assert len(kept) >= 2
    assert kept == RELEASED


@pytest.mark.parametrize("path", RELEASES, ids=lambda path: path.name)
def test_a_released_sdk_needs_no_look_and_one_that_was_changed_does(path: Path) -> None:
    doing = Doing(lambda _: Examination(check="doing"))
    data = path.read_bytes()
    inspected = inspect(data, path.name, kind="dependency")
    subject = replace(subject_of(PLUGIN), closure=(inspected,))
    said = examine_dependencies(subject, {path.name: data}, checks=(doing,), context=Context(), seen={}, scratch=None)
    assert said.facts["wheels"][0]["same_as"] == f"assess-plugin {inspected.version} as released"
    assert doing.seen == []
    with ZipFile(path) as archive:
        modules = {name: archive.read(name) for name in archive.namelist() if ".dist-info/" not in name}
    modules["assess_plugin/__init__.py"] += b"import os\n"
    look(doing, WheelBuilder.dependency("assess-plugin", inspected.version, files=modules))
    assert len(doing.seen) == 1


# --- how it reads -----------------------------------------------------------------------------------------------------


def test_a_report_names_wheel_and_file(tmp_path: Path) -> None:
    one = report(library({"somelib/extra.py": "x = 1\nimport os\nos.system('id')\n"}))
    assert "somelib-1.2.0-py3-none-any.whl: somelib/extra.py:3" in render("table", one, width=200)
    sarif = render("sarif", one)
    assert '"uri": "somelib-1.2.0-py3-none-any.whl/somelib/extra.py"' in sarif
    assert '"uriBaseId": "CLOSURE"' in sarif
