"""Runs the jobs of a workflow file here, step by step and in order, in clones of one repository.

    place = Repository(origin=..., path=...)            what the jobs' commands find, and where they push to
    job = place.run("publish.yml", "assemble", Event(name="workflow_dispatch", values={...}))

`run:` steps are typed into bash as a runner does. Actions are what they leave behind: a clone, a copied artifact. `gh`
and `curl` are programs of this file's own, which write down what they were asked. What is installed already is not
installed again: `INSTALLS` are the steps that are not typed, unless the job runs in an environment of its own
(`run(..., alone=True)`), as it does on a runner: then nothing is there but what its steps install.
"""

import json
import os
import re
import shutil
import stat
import subprocess
import sys
import venv
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml  # type: ignore[import-untyped]  # of bandit, which audits need

from tests.support.checkout import BARE_PATH

INSTALLS = ("python -m pip install ",)

_EXPRESSION = re.compile(r"\$\{\{\s*(.*?)\s*\}\}", re.DOTALL)
_TOKEN = re.compile(r"\s*(&&|\|\||==|!=|!|\(|\)|'[^']*'|[A-Za-z_][A-Za-z0-9_.-]*(?:\(\))?)")

_GH = """#!{python}
import json, os, pathlib, sys
log = pathlib.Path(os.environ["FAKE_LOG"])
calls = [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []
words = sys.argv[1:]
body = words[words.index("--body-file") + 1] if "--body-file" in words else None
call = {{"gh": words, "token": os.environ.get("GH_TOKEN"), "body": pathlib.Path(body).read_text() if body else None}}
titles = []
for asked in (each["gh"] for each in calls if "gh" in each):
    if asked[:2] == ["issue", "create"]:
        titles.append(asked[asked.index("--title") + 1])
    if asked[:2] == ["issue", "edit"]:
        titles[int(asked[2]) - 1] = asked[asked.index("--title") + 1]
if words[:2] == ["issue", "list"]:
    found = [f"{{number}} {{title}}" for number, title in enumerate(titles, 1) if title.endswith(os.environ["DIGEST"])]
    print("\\n".join(found[:1]))
with log.open("a") as file:
    file.write(json.dumps(call) + "\\n")
"""
_CURL = """#!{python}
import json, os, pathlib, shutil, sys
words = sys.argv[1:]
shutil.copy(os.environ["FAKE_DOWNLOAD"], words[words.index("--output") + 1])
with pathlib.Path(os.environ["FAKE_LOG"]).open("a") as file:
    file.write(json.dumps({{"curl": words}}) + "\\n")
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Event:
    """Why a workflow runs, and what its expressions then say.

    Attributes:
        values: of `github.event.…`, `inputs.…` and `secrets.…`, by their whole name.
        ref: branch that is checked out where a step names none.
    """

    name: str
    values: Mapping[str, str] = field(default_factory=dict)
    ref: str = "main"

    def all(self) -> dict[str, str]:
        return {
            "github.event_name": self.name,
            "github.token": "the-job-token",
            "github.repository": "acme/registry",
            **self.values,
        }


@dataclass(kw_only=True, slots=True)
class Job:
    """What one job did.

    Attributes:
        bin: the directory with the python and the commands that its steps find.
        ran: names of its steps that were done, in order.
        typed: what was typed.
        outputs: the job's own.
        exit_code: of the step that failed, else 0.
        said: stdout and stderr of all steps.
        environments: the variables of each typed step, by its name.
    """

    workspace: Path
    bin: Path
    ran: list[str] = field(default_factory=list)
    typed: list[str] = field(default_factory=list)
    outputs: dict[str, str] = field(default_factory=dict)
    exit_code: int = 0
    said: str = ""
    environments: dict[str, dict[str, str]] = field(default_factory=dict)
    summary: str = ""


@dataclass(kw_only=True, slots=True)
class Repository:
    """A code host, as far as these workflows see of it.

    Attributes:
        origin: the repository that is cloned and pushed to.
        path: a directory for workspaces, artifacts and logs.
        bin: the directory with python and our commands.
        download: what `curl` brings.
        variables: of the environment of every step, as the repository's settings give them.
    """

    origin: Path
    path: Path
    bin: Path
    workflows: Path
    download: Path | None = None
    variables: Mapping[str, str] = field(default_factory=dict)
    number: int = 0
    scanned: list[Any] = field(default_factory=list)
    deployed: Path | None = None

    def calls(self, program: str) -> list[dict[str, Any]]:
        """What `gh` or `curl` was asked, in order."""
        log = self.path / "log"
        calls = [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []
        return [call for call in calls if program in call]

    def document(self, workflow: str) -> Any:
        """The file, parsed."""
        return yaml.safe_load((self.workflows / workflow).read_text())

    def job(self, workflow: str, name: str) -> Mapping[str, Any]:
        """One job of it."""
        job: Mapping[str, Any] = self.document(workflow)["jobs"][name]
        return job

    def wants(self, workflow: str, name: str, event: Event, needs: Mapping[str, Job] | None = None) -> bool:
        """Whether the job's `if` lets it run."""
        condition = str(self.job(workflow, name).get("if", "success()"))
        values = event.all() | _needs(needs)
        return evaluate(_EXPRESSION.sub(r"\1", condition), values)

    def run(
        self, workflow: str, name: str, event: Event, needs: Mapping[str, Job] | None = None, *, alone: bool = False
    ) -> Job:
        """Do the job, up to the first step that fails; later steps are asked whether they run all the same."""
        self.number += 1
        workspace = self.path / f"job-{self.number}" / "work"
        workspace.mkdir(parents=True)
        (workspace.parent / "temp").mkdir()
        job, done = self.job(workflow, name), Job(workspace=workspace, bin=self.bin)
        if alone:
            venv.create(workspace.parent / "python", with_pip=True, symlinks=True)
            done.bin = workspace.parent / "python" / "bin"
        values = event.all() | _needs(needs)
        for step in job["steps"]:
            condition = _EXPRESSION.sub(r"\1", str(step.get("if", "success()")))
            if not evaluate(condition, values, failed=done.exit_code != 0):
                continue
            given = {key: fill(str(value), values) for key, value in step.get("with", {}).items()}
            if "uses" in step:
                self._action(step["uses"].partition("@")[0], given, event, done)
            elif alone or not step["run"].startswith(INSTALLS):
                environment = {key: fill(str(value), values) for key, value in step.get("env", {}).items()}
                outputs = self._type(step["name"], step["run"], environment, done)
                values |= {f"steps.{step.get('id')}.outputs.{key}": value for key, value in outputs.items()}
            done.ran.append(step["name"])
        done.outputs = {key: fill(value, values) for key, value in job.get("outputs", {}).items()}
        return done

    def _type(self, name: str, text: str, environment: dict[str, str], done: Job) -> dict[str, str]:
        fake = self._programs()
        output, summary = done.workspace.parent / "output", done.workspace.parent / "summary"
        output.write_text("")
        everything = {
            "PATH": f"{fake}:{done.bin}:{BARE_PATH}",
            "HOME": str(done.workspace.parent),
            "CI": "true",
            "GITHUB_ACTIONS": "true",
            "GITHUB_OUTPUT": str(output),
            "GITHUB_STEP_SUMMARY": str(summary),
            "GITHUB_WORKSPACE": str(done.workspace),
            "RUNNER_TEMP": str(done.workspace.parent / "temp"),
            "FAKE_LOG": str(self.path / "log"),
            "FAKE_DOWNLOAD": str(self.download),
            "PIP_CONFIG_FILE": os.environ.get("ASSESS_PIP_CONFIG", os.devnull),
            **_authorities(),
            **self.variables,
            **environment,
        }
        ran = subprocess.run(
            ["bash", "--noprofile", "--norc", "-e", "-o", "pipefail", "-c", text],
            cwd=done.workspace,
            env=everything,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
        )
        done.said += ran.stdout + ran.stderr
        done.typed.append(text)
        done.environments[name] = everything
        done.exit_code = done.exit_code or ran.returncode
        done.summary = summary.read_text() if summary.exists() else ""
        return dict(line.split("=", 1) for line in output.read_text().splitlines())

    def _action(self, action: str, given: Mapping[str, str], event: Event, done: Job) -> None:
        match action:
            case "actions/checkout":
                assert given["persist-credentials"] == "False"
                self._clone(given.get("ref", event.ref), done.workspace / given.get("path", "."))
            case "actions/upload-artifact":
                _upload(given["path"], done.workspace, self.path / "artifacts" / given["name"])
            case "actions/download-artifact":
                shutil.copytree(
                    self.path / "artifacts" / given["name"], done.workspace / given.get("path", "."), dirs_exist_ok=True
                )
            case "github/codeql-action/upload-sarif":
                self.scanned.append(json.loads((done.workspace / given["sarif_file"]).read_text()))
            case "actions/upload-pages-artifact":
                pages = self.path / "pages"
                shutil.rmtree(pages, ignore_errors=True)
                shutil.copytree(done.workspace / given["path"], pages, ignore=shutil.ignore_patterns(".*"))
            case "actions/deploy-pages":
                self.deployed = self.path / "deployed"
                shutil.rmtree(self.deployed, ignore_errors=True)
                shutil.copytree(self.path / "pages", self.deployed)
            case "actions/setup-python":
                pass
            case _:
                raise AssertionError(f"an action that nothing is known of: {action}")

    def _clone(self, ref: str, target: Path) -> None:
        git("clone", "--quiet", "--branch", ref, "--depth", "1", self.origin.as_uri(), target)

    def _programs(self) -> Path:
        fake = self.path / "bin"
        fake.mkdir(exist_ok=True)
        for name, text in (("gh", _GH), ("curl", _CURL)):
            program = fake / name
            program.write_text(text.format(python=sys.executable))
            program.chmod(stat.S_IRWXU)
        return fake


def git(*words: str | Path, cwd: Path | None = None) -> str:
    """What a git command says; deaf to this machine's configuration."""
    environment = {"PATH": BARE_PATH, "HOME": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
    person = ["-c", "user.name=somebody", "-c", "user.email=somebody@example.org", "-c", "safe.directory=*"]
    done = subprocess.run(
        ["git", *person, *map(str, words)],
        cwd=cwd,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, f"git {words}: {done.stderr}"
    return done.stdout


def fill(text: str, values: Mapping[str, str]) -> str:
    """The text with every `${{ name }}` replaced by its value."""
    return _EXPRESSION.sub(lambda match: values.get(match[1], ""), text)


def evaluate(expression: str, values: Mapping[str, str], *, failed: bool = False) -> bool:
    """Whether a condition holds: names, texts, `==`, `!=`, `!`, `&&`, `||` and brackets.

    Where no status is asked for, it holds only while nothing has failed.
    """
    tokens = _tokens(expression)
    left = list(tokens)
    result = bool(_either(left, values, failed))
    assert not left, f"not understood: {left} of {expression!r}"
    asked = {"cancelled()", "success()", "always()", "failure()"} & set(tokens)
    return result and (not failed or bool(asked))


def _tokens(expression: str) -> list[str]:
    tokens, at = [], 0
    while at < len(expression.rstrip()):
        match = _TOKEN.match(expression, at)
        assert match is not None, f"not understood: {expression[at:]!r}"
        tokens.append(match[1])
        at = match.end()
    return tokens


def _either(left: list[str], values: Mapping[str, str], failed: bool) -> str | bool:
    result = _both(left, values, failed)
    while left[:1] == ["||"]:
        left.pop(0)
        other = _both(left, values, failed)
        result = result or other
    return result


def _both(left: list[str], values: Mapping[str, str], failed: bool) -> str | bool:
    result = _compared(left, values, failed)
    while left[:1] == ["&&"]:
        left.pop(0)
        other = _compared(left, values, failed)
        result = result and other
    return result


def _compared(left: list[str], values: Mapping[str, str], failed: bool) -> str | bool:
    one = _single(left, values, failed)
    if left[:1] in (["=="], ["!="]):
        operator = left.pop(0)
        other = _single(left, values, failed)
        return (one == other) is (operator == "==")
    return one


def _single(left: list[str], values: Mapping[str, str], failed: bool) -> str | bool:
    token = left.pop(0)
    if token == "!":
        return not _single(left, values, failed)
    if token == "(":
        result = _either(left, values, failed)
        assert left.pop(0) == ")"
        return result
    if token.startswith("'"):
        return token[1:-1]
    functions = {"cancelled()": False, "success()": not failed, "always()": True, "failure()": failed}
    return functions[token] if token in functions else values.get(token, "")


def _needs(needs: Mapping[str, Job] | None) -> dict[str, str]:
    return {
        f"needs.{name}.outputs.{key}": value
        for name, job in (needs or {}).items()
        for key, value in job.outputs.items()
    }


def _authorities() -> dict[str, str]:
    """Whom this machine trusts, for a pip too old to ask the system: as the Makefile has it."""
    places = (os.environ.get("PIP_CERT", ""), "/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt")
    return next(({"PIP_CERT": place} for place in places if place and Path(place).exists()), {})


def _upload(paths: str, workspace: Path, target: Path) -> None:
    shutil.rmtree(target, ignore_errors=True)
    patterns = paths.split()
    base = workspace / patterns[0] if len(patterns) == 1 and patterns[0].endswith("/") else workspace
    for file in _found(patterns, workspace):
        place = target / file.relative_to(base)
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(file, place)
    assert target.is_dir(), f"no files: {paths}"


def _found(patterns: list[str], workspace: Path) -> Iterator[Path]:
    for pattern in patterns:
        for path in sorted(workspace.glob(pattern.rstrip("/"))):
            yield from (each for each in path.rglob("*") if each.is_file()) if path.is_dir() else (path,)
