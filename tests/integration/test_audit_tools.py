"""bandit and detect-secrets for real: what they find, what cannot silence them, and what happens when they die."""

import contextlib
import gzip
import hashlib
import io
import json
import os
import resource
import signal
import sys
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import date
from importlib.metadata import version
from pathlib import Path
from typing import cast

import pytest
from detect_secrets.plugins.aws import AWSKeyDetector

from assess_registry.audit import batches as batching
from assess_registry.audit import findings
from assess_registry.audit.batches import (
    LARGE_BYTES,
    MAX_FAILURES,
    Batches,
    Bounds,
    batches,
    examine_batches,
)
from assess_registry.audit.checks import bandit, permissions, secrets
from assess_registry.audit.checks.bandit import PROGRAM as BANDIT
from assess_registry.audit.checks.secrets import PROGRAM as DETECT_SECRETS
from assess_registry.audit.context import Check, Context
from assess_registry.audit.pipeline import Terms, conclude, examine
from assess_registry.audit.programs import BANDIT_VERSIONS, DETECT_SECRETS_VERSIONS
from assess_registry.audit.programs import detect_secrets as quickened
from assess_registry.audit.values import Finding, Subject
from assess_registry.tools import ToolLimits, ToolRun, run_tool
from assess_registry.wheel import UnpackedFile, inspect, unpacked_files
from tests.support.wheels import DEMO_SOURCE, WheelBuilder

DANGEROUS = "import subprocess\n\n\ndef run(text):\n    subprocess.run(text, shell=True)\n"
HARMLESS = "import subprocess\n\n\ndef run(text):\n    subprocess.run([text], shell=False)\n"

AWS_KEY = "AKIA" + "QWERTYUIOPASDFGH"
"""The form of a key, of nobody's account."""
LEAK = f'KEY = "{AWS_KEY}"\n'
NO_LEAK = 'KEY = "from the environment"\n'

SHORT = ToolLimits(timeout_s=20)
TOOLS: tuple[Check, ...] = (bandit, secrets)

Build = Callable[..., Subject]


@pytest.fixture
def build(tmp_path: Path) -> Build:
    """A subject with these files beside the demo plugin, unpacked as an audit would."""
    made = iter(range(100))

    def make(files: Mapping[str, str | bytes]) -> Subject:
        builder = WheelBuilder(files={"demo_plugin/__init__.py": DEMO_SOURCE, **files})
        data = builder.build()
        wheel = inspect(data, builder.filename, kind="plugin")
        unpacked = tmp_path / f"private-copy-{next(made)}"
        contents = tuple(unpacked_files(data, wheel))
        for file in contents:
            path = unpacked / file.path
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(file.data)
        return Subject(wheel=wheel, data=data, files=contents, unpacked=unpacked, closure=(), as_of=date(2026, 11, 21))

    return make


def answering(stdout: bytes = b"", *, exit_code: int | None = 0, problem: str = "") -> Context:
    """A tool that answers this, whatever it is asked."""

    def run(argv: Sequence[str], *, cwd: Path, limits: ToolLimits | None = None) -> ToolRun:
        return ToolRun(exit_code=exit_code, stdout=stdout, problem=problem)

    return Context(run_tool=run)


def ids(found: Sequence[Finding], entry: str) -> list[str]:
    return [finding.id for finding in found if finding.entry == entry]


# --- bandit ----------------------------------------------------------------------------------------------------------


def test_bandit_finds_the_line_and_its_control_is_clean_of_it(build: Build) -> None:
    found = bandit.examine(build({"demo_plugin/run.py": DANGEROUS}), Context())
    (finding,) = [finding for finding in found.findings if finding.id == "bandit-b602"]
    assert (finding.entry, finding.line, finding.severity) == ("demo_plugin/run.py", 5, "high")
    assert finding.rule == "bandit B602 subprocess_popen_with_shell_equals_true"
    assert found.incomplete == ()
    assert found.tool.startswith("bandit 1.")
    assert found.facts["files"] == 2
    control = bandit.examine(build({"demo_plugin/run.py": HARMLESS}), Context())
    assert "bandit-b602" not in ids(control.findings, "demo_plugin/run.py")
    assert {finding.severity for finding in control.findings} <= {"low"}


BANDIT_SILENCERS: dict[str, dict[str, str]] = {
    "nosec": {"demo_plugin/run.py": DANGEROUS.replace("True)", "True)  # nosec")},
    "nosec by test": {"demo_plugin/run.py": DANGEROUS.replace("True)", "True)  # nosec B602")},
    ".bandit at the top": {".bandit": "[bandit]\nskips: B602\nexclude: demo_plugin\n"},
    ".bandit beside it": {"demo_plugin/.bandit": "[bandit]\nskips: B602\ntests: B101\n"},
    "two .bandit files": {".bandit": "[bandit]\n", "demo_plugin/.bandit": "[bandit]\n"},
    "pyproject.toml": {"pyproject.toml": '[tool.bandit]\nskips = ["B602"]\nexclude_dirs = ["demo_plugin"]\n'},
    "setup.cfg": {"setup.cfg": "[bandit]\nskips = B602\n"},
    "tox.ini and YAML": {"tox.ini": "[bandit]\nskips = B602\n", "bandit.yaml": "skips: [B602]\n"},
    "a module of bandit's name": {"demo_plugin/bandit/__init__.py": "raise SystemExit(0)\n"},
}


@pytest.mark.parametrize("silencer", BANDIT_SILENCERS)
def test_nothing_in_the_wheel_silences_bandit(build: Build, silencer: str) -> None:
    # Top-level files and folders are refused by inspection; here they are in the copy all the same.
    given = {"demo_plugin/run.py": DANGEROUS, **BANDIT_SILENCERS[silencer]}
    inside = {path: text for path, text in given.items() if path.startswith("demo_plugin/")}
    subject = build(inside)
    for path in given.keys() - inside.keys():
        (subject.unpacked / path).write_text(given[path])
    found = bandit.examine(subject, Context())
    assert "bandit-b602" in ids(found.findings, "demo_plugin/run.py")
    assert found.incomplete == ()


@pytest.mark.parametrize(
    "name", ["CVS.py", "x.github.py", ".tox/run.py", ".eggs/run.py", "__pycache__/run.py", "a.egg"]
)
def test_no_name_is_excluded(build: Build, name: str) -> None:
    source = "#!/usr/bin/python3\n" + DANGEROUS
    # No wheel may hold some of these; a copy with one more file is enough to ask.
    path = f"demo_plugin/{name}"
    subject = build({})
    (subject.unpacked / path).parent.mkdir(exist_ok=True)
    (subject.unpacked / path).write_text(source)
    extra = UnpackedFile(path=path, data=source.encode(), executable=False)
    found = bandit.examine(replace(subject, files=(*subject.files, extra)), Context())
    assert "bandit-b602" in ids(found.findings, path)
    assert found.incomplete == ()


def test_more_files_than_bandit_draws_a_progress_bar_for(build: Build) -> None:
    many = {f"demo_plugin/m{number}.py": "x = 1\n" for number in range(60)}
    found = bandit.examine(build({**many, "demo_plugin/run.py": DANGEROUS}), Context())
    assert (found.incomplete, found.facts["files"]) == ((), 62)
    assert "bandit-b602" in ids(found.findings, "demo_plugin/run.py")


@pytest.mark.parametrize(
    "broken", ["def broken(:\n", "print 'Python 2'\n", "x = " + "(" * 500 + ")" * 500 + "\n", "x = 1\0\n"]
)
def test_a_file_that_bandit_cannot_read_is_named_and_hides_no_other(build: Build, broken: str) -> None:
    found = bandit.examine(build({"demo_plugin/bad.py": broken, "demo_plugin/run.py": DANGEROUS}), Context())
    assert [reason for reason in found.incomplete if "demo_plugin/bad.py" in reason] == list(found.incomplete) != []
    assert "bandit-b602" in ids(found.findings, "demo_plugin/run.py")


@pytest.mark.parametrize(
    ("argument", "gaps"),
    [
        (
            "{[]}",
            [
                "linux_commands_wildcard_injection",
                "start_process_with_partial_path",
                "subprocess_popen_with_shell_equals_true",
            ],
        ),
        ("[1]", []),
    ],
)
def test_code_on_which_a_test_of_bandit_breaks_is_named(build: Build, argument: str, gaps: list[str]) -> None:
    source = f"import subprocess\n\nsubprocess.Popen({argument}, shell=True)\n"
    found = bandit.examine(build({"demo_plugin/run.py": source}), Context())
    said = f"bandit: demo_plugin/run.py:3: its own test broke on this file: {', '.join(gaps)}"
    assert list(found.incomplete) == ([said] if gaps else [])
    assert ("bandit-b602" in ids(found.findings, "demo_plugin/run.py")) == (not gaps)


@pytest.mark.parametrize(
    ("stderr", "gaps"),
    [
        (b"[node_visitor]\tWARNING\tUnable to find qualified name\n", 0),
        (b"[config]\tERROR\tthat went wrong\n", 1),
        (b"x" * ((4 << 20) - 1), 0),
        (b"x" * (4 << 20), 1),
    ],
)
def test_what_bandit_says_of_itself_is_heard(build: Build, stderr: bytes, gaps: int) -> None:
    def run(argv: Sequence[str], *, cwd: Path, limits: ToolLimits | None = None) -> ToolRun:
        return ToolRun(exit_code=0, stdout=report(), stderr=stderr)

    assert len(bandit.examine(build({}), Context(run_tool=run)).incomplete) == gaps


def test_a_password_that_bandit_quotes_is_not_in_the_report(build: Build) -> None:
    found = bandit.examine(build({"demo_plugin/run.py": 'password = "hunter2-hunter2"\n'}), Context())
    assert ids(found.findings, "demo_plugin/run.py") == ["bandit-b105"]
    assert "hunter2" not in repr(found)


def report(**changes: object) -> bytes:
    metrics = {"_totals": {}, "././demo_plugin/__init__.py": {"loc": 1}}
    return json.dumps({"results": [], "errors": [], "metrics": metrics} | changes).encode()


@pytest.mark.parametrize(
    ("context", "reason"),
    [
        (answering(problem="bandit: not installed", exit_code=1), "not installed"),
        (answering(problem="bandit: wrote more than 33554432 bytes"), "wrote more"),
        (answering(report(), exit_code=2), "exit code 2"),
        (answering(report(), exit_code=1), "0 findings, but exit code 1"),
        (answering(b"Traceback", exit_code=1), "not the JSON"),
        (answering(b"[]"), "not the JSON"),
        (answering(b"[" * 100_000), "not the JSON"),
        (answering(report(results=[{}])), "not the JSON"),
        (answering(report(metrics={"_totals": {}})), "__init__.py: not in its report"),
    ],
)
def test_an_answer_of_bandit_that_cannot_be_relied_on_is_incomplete(
    build: Build, context: Context, reason: str
) -> None:
    found = bandit.examine(build({}), context)
    assert any(reason in said for said in found.incomplete)
    assert found.findings == ()
    assert bandit.examine(build({}), answering(report())).incomplete == ()


# --- secrets ---------------------------------------------------------------------------------------------------------


def test_a_secret_is_found_by_file_and_line_and_is_not_in_the_report(build: Build) -> None:
    found = secrets.examine(build({"demo_plugin/key.py": "\n\n" + LEAK}), Context())
    (finding,) = [finding for finding in found.findings if finding.id == "secret-aws-access-key"]
    assert (finding.entry, finding.line, finding.severity) == ("demo_plugin/key.py", 3, "high")
    assert AWS_KEY not in repr(found)
    assert found.incomplete == ()
    assert found.tool.startswith("detect-secrets 1.")
    control = secrets.examine(build({"demo_plugin/key.py": "\n\n" + NO_LEAK}), Context())
    assert (control.findings, control.incomplete) == ((), ())


SECRET_SILENCERS: dict[str, tuple[str, bytes]] = {
    "allowlist comment": ("key.py", LEAK.replace("\n", "  # pragma: allowlist secret\n").encode()),
    "allowlist line before": ("key.py", b"# pragma: allowlist nextline secret\n" + LEAK.encode()),
    "whitelist comment": ("key.py", LEAK.replace("\n", "  # pragma: whitelist secret\n").encode()),
    "a lock file": ("poetry.lock", LEAK.encode()),
    "a style sheet": ("style.css", LEAK.encode()),
    "a picture": ("logo.png", b"\x89PNG\r\n\x1a\n\0\0\0" + LEAK.encode() + b"\0\xff"),
    "swagger in its path": ("swagger/ui.txt", LEAK.encode()),
    "Latin-1": ("key.py", b"# -*- coding: latin-1 -*-\nWHO = 'Andr\xe9'\n" + LEAK.encode()),
    "UTF-16": ("key.txt", LEAK.encode("utf-16")),
    "UTF-16 without a mark": ("key.bin", LEAK.encode("utf-16-le")),
    "a comment in YAML": ("key.yaml", f"a: b  \n# {LEAK}c: d\n".encode()),
    "unquoted in YAML": ("key.yaml", f"a:\n  b: {AWS_KEY}\n".encode()),
    "a comment in what reads like INI": ("key.txt", f"[a]\n# {LEAK}b = c\n".encode()),
    "a comment in code that reads like INI": ("key.py", f"[__name__]\n# {LEAK}b = 'c'\n".encode()),
    "a baseline": (".secrets.baseline", json.dumps({"version": "1.5.0", "results": {}, "x": AWS_KEY}).encode()),
}


@pytest.mark.parametrize("silencer", SECRET_SILENCERS)
def test_nothing_in_the_wheel_silences_detect_secrets(build: Build, silencer: str) -> None:
    name, data = SECRET_SILENCERS[silencer]
    found = secrets.examine(build({f"demo_plugin/{name}": data}), Context())
    assert "secret-aws-access-key" in ids(found.findings, f"demo_plugin/{name}")
    assert found.incomplete == ()


def test_a_large_library_is_looked_at_in_parts(build: Build, monkeypatch: pytest.MonkeyPatch) -> None:
    runs = b"".join(b"\0\1an ordinary text %d\1\0" % number for number in range(2000))
    library = b"\x7fELG" + runs + AWS_KEY.encode() + b"\0"
    asked: list[int] = []

    def run(argv: Sequence[str], *, cwd: Path, limits: ToolLimits | None = None) -> ToolRun:
        asked.append(sum(path.stat().st_size for path in cwd.iterdir()))
        return run_tool(argv, cwd=cwd, limits=limits)

    for bounds in (secrets.BOUNDS, Bounds(max_bytes=30_000, max_lines=1000)):
        monkeypatch.setattr(secrets, "BOUNDS", bounds)
        found = secrets.examine(build({"demo_plugin/x.bin": library}), Context(run_tool=run))
        assert "secret-aws-access-key" in ids(found.findings, "demo_plugin/x.bin")
        assert found.incomplete == ()
    assert len(asked) > 2
    assert max(asked[1:]) < 31_000
    text = build({"demo_plugin/x.txt": runs.replace(b"\0", b"").replace(b"\1", b"\n") * 2})
    assert "demo_plugin/x.txt" in secrets.examine(text, Context()).incomplete[0]


@pytest.mark.parametrize("before", [0, 100, 3_000, 3_060, 4_070, 4_080, 7_150, 100_000])
def test_a_secret_in_a_long_line_is_found_in_its_line(build: Build, before: int) -> None:
    source = f"x = 1\r\ny = {'z' * before!r}; {LEAK}z = 1\n"
    found = secrets.examine(build({"demo_plugin/long.py": source}), Context())
    assert {finding.line for finding in found.findings if finding.id == "secret-aws-access-key"} == {2}
    assert found.incomplete == ()


@pytest.mark.parametrize("before", ["é" * 3000, "e" * 6000, "x" + "é" * 3000, "漢" * 4000, "x𝄞" * 9000])
@pytest.mark.parametrize("name", ["long.py", "long.txt", "long.yaml", "long.toml"])
def test_a_long_line_in_any_alphabet_hides_nothing_behind_it(build: Build, before: str, name: str) -> None:
    source = f"x = '{before}'\n{AWS_KEY}\n-----BEGIN RSA PRIVATE " + "KEY-----\n"
    found = secrets.examine(build({f"demo_plugin/{name}": source}), Context())
    by_id = {finding.id: finding.line for finding in found.findings if finding.entry == f"demo_plugin/{name}"}
    assert (by_id["secret-aws-access-key"], by_id["secret-private-key"]) == (2, 3)
    assert found.incomplete == ()


@pytest.mark.parametrize(("spoilt", "gaps"), [(b"\xff", ["demo_plugin/key.py"]), (b"", [])])
def test_a_file_that_the_tool_dropped_without_a_word_is_named(build: Build, spoilt: bytes, gaps: list[str]) -> None:
    def run(argv: Sequence[str], *, cwd: Path, limits: ToolLimits | None = None) -> ToolRun:
        for path in cwd.iterdir():
            data = path.read_bytes()
            path.write_bytes(data + spoilt if AWS_KEY.encode() in data else data)
        return run_tool(argv, cwd=cwd, limits=limits)

    found = secrets.examine(build({"demo_plugin/key.py": LEAK}), Context(run_tool=run))
    assert [reason.split(": ")[1] for reason in found.incomplete] == gaps
    assert ("secret-aws-access-key" in ids(found.findings, "demo_plugin/key.py")) == (not gaps)


@pytest.mark.parametrize("name", ["dot.env", "settings.ini", "settings.toml"])
def test_values_of_a_configuration_need_no_quotes(build: Build, name: str) -> None:
    text = "host = example\nvalue = " + "8f14e45fceea167a" + "5a36dedd4bea2543\n"
    found = secrets.examine(build({f"demo_plugin/{name}": text}), Context())
    assert [(finding.id, finding.line) for finding in found.findings] == [("secret-hex-high-entropy-string", 2)]
    assert found.incomplete == ()


def nested_zip(levels: int) -> bytes:
    data = b"x" * 1000
    for _ in range(levels):
        file = io.BytesIO()
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr(zipfile.ZipInfo("inner.zip"), data)
        data = file.getvalue()
    return data


@pytest.mark.parametrize(
    "data",
    [nested_zip(20), b"#!/bin/sh\n" + nested_zip(2), gzip.compress(b"x"), b"\0" * 257 + b"ustar\0" + b"\0" * 249],
    ids=["zip", "zip behind a script", "gzip", "tar"],
)
def test_an_archive_in_the_wheel_is_named_and_hides_nothing(build: Build, data: bytes) -> None:
    found = secrets.examine(build({"demo_plugin/data.dat": data, "demo_plugin/key.py": LEAK}), Context())
    assert found.incomplete == ("demo_plugin/data.dat: an archive inside the wheel, whose content is not looked at",)
    assert "secret-aws-access-key" in ids(found.findings, "demo_plugin/key.py")


def finding_planted(**changes: object) -> Context:
    """A tool that finds nothing but the key planted in each file."""

    def run(argv: Sequence[str], *, cwd: Path, limits: ToolLimits | None = None) -> ToolRun:
        results = {}
        for path in cwd.iterdir():
            *lines, last = path.read_text().splitlines() or [""]
            if "pragma" not in last:
                continue
            digest = hashlib.sha1(last.split()[1].encode()).hexdigest()
            line = {"type": "AWS Access Key", "hashed_secret": digest, "line_number": len(lines) + 1}
            results[path.name] = [line]
        return ToolRun(exit_code=0, stdout=json.dumps({"results": results} | changes).encode())

    return Context(run_tool=run)


@pytest.mark.parametrize(
    ("context", "reason"),
    [
        (answering(problem="detect_secrets: not installed", exit_code=1), "not installed"),
        (answering(b'{"results": {}}', exit_code=1), "exit code 1"),
        (answering(b""), "not the JSON"),
        (answering(b'{"results": []}'), "not the JSON"),
        (finding_planted(results={"../other": [{}]}), "not the JSON"),
        (finding_planted(results={}), "did not find the keys that were planted"),
    ],
)
def test_an_answer_of_detect_secrets_that_cannot_be_relied_on_is_incomplete(
    build: Build, context: Context, reason: str
) -> None:
    found = secrets.examine(build({}), context)
    assert any(reason in said for said in found.incomplete)
    assert found.findings == ()
    control = secrets.examine(build({}), finding_planted())
    assert (control.findings, control.incomplete) == ((), ())


# --- both ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("check", TOOLS, ids=lambda check: check.NAME)
def test_the_same_wheel_gives_the_same_examination_wherever_it_was_unpacked(build: Build, check: Check) -> None:
    files = {"demo_plugin/b.py": DANGEROUS + LEAK, "demo_plugin/a.py": DANGEROUS + LEAK}
    one, two = build(files), build(files)
    first, second = check.examine(one, Context()), check.examine(two, Context())
    assert one.unpacked != two.unpacked
    assert first == second
    assert len(first.findings) > 1
    assert list(first.findings) == sorted(first.findings, key=lambda it: (it.entry, it.line or 0, it.id))
    assert "private-copy" not in repr(first)
    assert "/tmp" not in repr(first)


def test_bandit_killed_half_way_leaves_the_check_incomplete(build: Build) -> None:
    before = set(_children(os.getpid()))

    def run(argv: Sequence[str], *, cwd: Path, limits: ToolLimits | None = None) -> ToolRun:
        # Held open by us, this file cannot be read to its end: the tool is surely at work when it is killed.
        waits = cwd / "demo_plugin" / "waits.py"
        waits.unlink()
        os.mkfifo(waits)
        with ThreadPoolExecutor(1) as threads:
            ran = threads.submit(run_tool, argv, cwd=cwd, limits=SHORT)
            with waits.open("wb"):  # returns when the tool opens it for reading
                (child,) = set(_children(os.getpid())) - before
                os.killpg(child, signal.SIGKILL)
                return ran.result()

    files = {"demo_plugin/waits.py": "", "demo_plugin/run.py": DANGEROUS}
    found = bandit.examine(build(files), Context(run_tool=run))
    assert found.findings == ()
    assert any("killed by SIGKILL" in reason and "demo_plugin/run.py" in reason for reason in found.incomplete)
    control = bandit.examine(build(files), Context())
    assert control.incomplete == ()
    assert "bandit-b602" in ids(control.findings, "demo_plugin/run.py")


LEAKS = """
aws = "AKIA{}"  # and 203.0.113.7 beside it
my_password = "correct horse battery staple"
PA\u017f\u017fWORD_\u017fecret = "\u017fomething {}"
\u017fecret_\u212aey = "kelvin and long letters"
if "a-sentence-of-words" == db_pass: pass
key = 'cGFzc3dvcmQgMTIzNDU2Nzg5MCBhYmNkZWZnaGlqa2xtbm9w'
digest = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
url = "https://user:hunter22@example.org/"
token = "ghp_{}"
-----BEGIN RSA PRIVATE KEY-----
stripe = sk_live_{}
secret = request.headers["apikey"]
password = get_password("prompt")
api_key: plain-value-without-quotes
slack = "https://hooks.slack.com/services/T00000000/B00000000/XXXXXXXXXXXXXXXXXXXXXXXX"
jwt = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U"
plain = "nothing to see here"
""".format(AWS_KEY[4:], "x" * 300, "A1b2C3d4E5f6G7h8I9j0K1l2M3n4O5p6Q7r8", "A1b2C3d4E5f6G7h8I9j0K1l2")


def test_what_is_passed_by_quickly_is_what_detect_secrets_finds_nothing_in(tmp_path: Path) -> None:
    assert version("detect-secrets") in DETECT_SECRETS_VERSIONS  # else nothing is passed by, and an audit takes minutes
    for suffix in (".py", ".go", ".c", ".toml", ".txt"):
        for number, text in enumerate((LEAKS, LEAKS.upper(), "a = 1\n\n" * 50)):
            (tmp_path / f"{number}{suffix}").write_text(text)
    arguments = ("--cores", "2", "scan", "--all-files", "--no-verify", ".")

    def found(module: str) -> Mapping[str, list[dict[str, object]]]:
        ran = run_tool([sys.executable, "-I", "-m", module, *arguments], cwd=tmp_path, limits=SHORT)
        assert (ran.problem, ran.exit_code) == ("", 0)
        results: Mapping[str, list[dict[str, object]]] = json.loads(ran.stdout)["results"]
        return results

    expected = found("detect_secrets")
    assert len({secret["type"] for secrets_ in expected.values() for secret in secrets_}) >= 8
    assert found(DETECT_SECRETS) == expected


def test_bandit_without_its_quadratic_part_says_the_same(tmp_path: Path) -> None:
    assert version("bandit") in BANDIT_VERSIONS  # else a table of texts takes minutes
    rows = "".join(f"    ('{number}', '/tmp/{number}', 'password'),\n" for number in range(100))
    call = "subprocess.call(\n    'ls',\n" + "    #\n" * 40 + "    shell=True, cwd='/tmp/a',\n)\n"
    sources = (
        f"{DANGEROUS}TABLE = (\n{rows})\n",
        f"import subprocess\n{call}password = 'x'\n",
        f"x = [\n{rows}\n",
        HARMLESS,
    )
    for number, source in enumerate(sources):
        (tmp_path / f"{number}.py").write_text(source)
    targets = [f"./{number}.py" for number in range(len(sources))]

    def said(module: str) -> dict[str, object]:
        argv = [sys.executable, "-I", "-m", module, "-q", "-f", "json", "--ignore-nosec", *targets]
        ran = run_tool(argv, cwd=tmp_path, limits=SHORT)
        assert (ran.problem, ran.exit_code) == ("", 1)
        document: dict[str, object] = json.loads(ran.stdout)
        return {name: document[name] for name in ("results", "metrics", "errors")}

    expected = said("bandit")
    assert len(cast(list[object], expected["results"])) > 100
    assert expected["errors"]
    assert said(BANDIT) == expected


def test_where_a_detector_is_not_known_the_tool_goes_its_own_way(monkeypatch: pytest.MonkeyPatch) -> None:
    class Foreign:
        """Whatever it looks for."""

    def whole(lines: list[tuple[int, str]], filename: str) -> Iterator[object]:
        yield from lines

    monkeypatch.setattr(quickened, "_whole", whole)
    lines = [(1, "a = 1"), (2, LEAK), (3, "b = 2")]
    for plugins, is_whole in (((AWSKeyDetector(), Foreign()), True), ((AWSKeyDetector(),), False)):
        quickened._seers.cache_clear()
        monkeypatch.setattr(quickened, "get_plugins", lambda plugins=plugins: plugins)
        found = list(quickened.quickly(lines, "a.py"))
        assert (found == lines) is is_whole
        if not is_whole:
            assert [secret.line_number for secret in found] == [2]
    quickened._seers.cache_clear()


def test_detect_secrets_killed_half_way_leaves_the_check_incomplete(build: Build) -> None:
    before = set(_children(os.getpid()))

    def run(argv: Sequence[str], *, cwd: Path, limits: ToolLimits | None = None) -> ToolRun:
        for name in ("0.py", "1.py"):  # for one file alone it starts no worker
            (cwd / name).write_text("x = 1\n" * 500_000)
        with ThreadPoolExecutor(1) as threads:
            ran = threads.submit(run_tool, argv, cwd=cwd, limits=SHORT)
            # It opens no FIFO, but has workers exactly while it scans.
            while not ran.done():
                for child in set(_children(os.getpid())) - before:
                    if _children(child):
                        os.killpg(child, signal.SIGKILL)
            return ran.result()

    subject = build({})
    only = tuple(file for file in subject.files if file.path.endswith(".py"))
    found = secrets.examine(replace(subject, files=only), Context(run_tool=run))
    assert found.findings == ()
    assert found.incomplete == ("detect_secrets: killed by SIGKILL; not examined: demo_plugin/__init__.py",)
    assert secrets.examine(replace(subject, files=only), Context()).incomplete == ()


def _children(pid: int) -> list[int]:
    found: list[int] = []
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):  # it, or a thread of it, has ended meanwhile
        for task in Path(f"/proc/{pid}/task").iterdir():
            found += [int(child) for child in (task / "children").read_text().split()]
    return found


def test_a_million_lines_and_an_archive_of_archives_hide_nothing_on_any_machine(build: Build) -> None:
    million = "".join(f"x{number} = {number}\n" for number in range(1_000_000))
    subject = build(
        {
            "demo_plugin/million.py": million,
            "demo_plugin/archive.zip": nested_zip(50),
            "demo_plugin/run.py": DANGEROUS,
            "demo_plugin/key.py": LEAK,
        }
    )
    ran: list[ToolRun] = []

    def run(argv: Sequence[str], *, cwd: Path, limits: ToolLimits | None = None) -> ToolRun:
        ran.append(run_tool(argv, cwd=cwd, limits=limits))
        return ran[-1]

    code = bandit.examine(subject, Context(run_tool=run))
    assert "bandit-b602" in ids(code.findings, "demo_plugin/run.py")
    (gap,) = code.incomplete
    assert gap.startswith(f"demo_plugin/million.py: {len(million)} bytes in 1000001 lines, more than are examined")
    keys = secrets.examine(subject, Context(run_tool=run))
    assert "secret-aws-access-key" in ids(keys.findings, "demo_plugin/key.py")
    assert "demo_plugin/million.py" in " ".join(keys.incomplete)
    assert "demo_plugin/archive.zip" in " ".join(keys.incomplete)
    # No clock had a say: the tools ended by themselves.
    assert [each.problem for each in ran] == ["", ""]


def file_of(path: str, size: int) -> UnpackedFile:
    return UnpackedFile(path=path, data=b"#" * size, executable=False)


def grouped(*files: UnpackedFile, max_bytes: int = 1 << 20, max_lines: int = 1000) -> Batches[UnpackedFile]:
    return batches(files, Bounds(max_bytes=max_bytes, max_lines=max_lines))


def paths(made: Batches[UnpackedFile]) -> list[list[str]]:
    return [[file.path for file in group] for group in made.groups]


def test_large_files_come_last_and_alone() -> None:
    files = [
        file_of("c.py", LARGE_BYTES + 2),
        file_of("b.py", 10),
        file_of("d.py", LARGE_BYTES + 1),
        file_of("a.py", 10),
    ]
    assert paths(grouped(*files)) == [["a.py", "b.py"], ["d.py"], ["c.py"]]


def test_a_file_beyond_the_bounds_is_named_and_one_at_them_is_examined() -> None:
    made = grouped(file_of("a.py", 100), file_of("b.py", 101), max_bytes=100)
    assert paths(made) == [["a.py"]]
    assert made.too_large == ("b.py: 101 bytes in 1 lines, more than are examined (100 bytes, 1000 lines)",)
    lines = [UnpackedFile(path=f"{end!r}.py", data=f"x{end}".encode() * 3, executable=False) for end in "\n\r"]
    assert grouped(*lines, max_lines=4).too_large == ()
    assert len(grouped(*lines, max_lines=3).too_large) == 2


def test_a_batch_is_no_larger_than_a_file_may_be() -> None:
    three = [file_of(f"{name}.py", 40) for name in "abc"]
    assert paths(grouped(*three, max_bytes=100)) == [["a.py", "b.py"], ["c.py"]]
    assert paths(grouped(*three, max_lines=2)) == [["a.py", "b.py"], ["c.py"]]
    assert paths(grouped(*three)) == [["a.py", "b.py", "c.py"]]


def test_a_tool_is_run_so_often_and_what_is_left_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batching, "MAX_RUNS", 2)
    three = [file_of(f"{name}.py", 40) for name in "abc"]
    bounds = Bounds(max_bytes=50, max_lines=10)
    said = examine_batches(three, lambda _: ToolRun(exit_code=0), lambda _, batch: batch[0].path, bounds=bounds)
    assert (said.answers, said.incomplete) == (("a.py", "b.py"), ("not tried, after 2 runs, on c.py",))


def _processor_s() -> float:
    """Of the children that have ended: what others do on this machine is not in it."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def test_what_a_tool_may_be_given_takes_it_a_fraction_of_its_time(build: Build) -> None:
    # The slowest known content at a quarter of the bound; the bound is for a machine ten times as slow as this one.
    source = "f(f(f(f(f(0)))))\n" * (bandit.BOUNDS.max_bytes // 17 // 4)
    begun = _processor_s()
    assert bandit.examine(build({"demo_plugin/nested.py": source}), Context()).incomplete == ()
    assert _processor_s() - begun < ToolLimits().timeout_s / 10


@pytest.mark.parametrize("check", TOOLS, ids=lambda check: check.NAME)
def test_after_a_few_failures_the_rest_is_not_tried_and_every_file_is_named(build: Build, check: Check) -> None:
    asked: list[Sequence[str]] = []

    def run(argv: Sequence[str], *, cwd: Path, limits: ToolLimits | None = None) -> ToolRun:
        asked.append(argv)
        return ToolRun(exit_code=None, problem="it: timed out after 1 s")

    large = [file_of(f"demo_plugin/large{number}.py", LARGE_BYTES + 1) for number in range(9)]
    found = check.examine(replace(build({}), files=tuple(large)), Context(run_tool=run))
    assert len(asked) == MAX_FAILURES
    assert len(found.incomplete) == len(large)
    assert all(any(file.path in reason for reason in found.incomplete) for file in large)


@pytest.mark.parametrize("check", TOOLS, ids=lambda check: check.NAME)
def test_tools_run_isolated_by_this_interpreter(build: Build, check: Check) -> None:
    asked: list[Sequence[str]] = []

    def run(argv: Sequence[str], *, cwd: Path, limits: ToolLimits | None = None) -> ToolRun:
        asked.append(argv)
        return ToolRun(exit_code=None, problem="not now")

    check.examine(build({}), Context(run_tool=run))
    assert [list(argv[:3]) for argv in asked] == [[sys.executable, "-I", "-m"]]


def test_more_findings_of_one_kind_than_anybody_reads_are_counted() -> None:
    many = [
        Finding(id="bandit-b101", severity="low", entry="a.py", line=line, message="assert", rule="bandit")
        for line in range(1, 1001)
    ]
    kept = findings.in_order(reversed(many))
    assert kept[:-1] == tuple(many[: findings.MAX_ALIKE - 1])
    assert (kept[-1].line, kept[-1].message) == (findings.MAX_ALIKE, "951 findings of this kind from this line on")
    assert findings.in_order(many[: findings.MAX_ALIKE]) == tuple(many[: findings.MAX_ALIKE])


# --- the closure ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "hostile", "control", "kind"),
    [
        ("somelib/run.py", DANGEROUS, HARMLESS.replace("subprocess", "other"), "dependency-bandit-b602"),
        ("somelib/key.py", LEAK, NO_LEAK, "dependency-secret-aws-access-key"),
    ],
)
def test_the_tools_read_dependencies_too(path: str, hostile: str, control: str, kind: str) -> None:
    plugin = WheelBuilder(requires=("somelib",))
    verdicts = []
    for source in (hostile, control):
        library = WheelBuilder.dependency("somelib", files={"somelib/__init__.py": "", path: source})
        terms = Terms(as_of=date(2026, 11, 21))
        closure = {library.filename: library.build()}
        examined = examine(
            plugin.build(), plugin.filename, closure=closure, terms=terms, checks=(permissions, bandit, secrets)
        )
        report = conclude(examined, terms)
        verdicts.append(report.verdict)
        found = {each.finding.id: each.finding for each in report.judged}
        if source == hostile:
            assert (found[kind].severity, found[kind].entry) == ("medium", f"{library.filename}: {path}")
    assert verdicts == ["flagged", "approved"]
