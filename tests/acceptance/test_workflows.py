"""The workflows of this repository, step by step on a local clone: from a pull request to `assess sync`.

What people do in between - sign, review, offer - is done with the commands, as docs/workflows.md says. The steps are
those of `.github/workflows`, read from there; tests/support/workflows.py is the runner.
"""

import json
import re
import shutil
import subprocess
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from assess_registry import scaffold
from tests.support.checkout import ROOT, Checkout
from tests.support.osv import about_others
from tests.support.workflows import INSTALLS, Event, Job, Repository, fill, git

WORKFLOWS = ROOT / ".github" / "workflows"
COPIED = ROOT / "src" / "assess_registry" / "scaffolding" / "templates" / "common"
WHEEL = "assess_host_baseline-1.0.0-py3-none-any.whl"
BY_DIGEST = (
    "python -m pip install --require-hashes --only-binary :all: -r ci/hashed/commands.txt",
    "python -m pip install --no-deps --no-build-isolation --no-index ./sdk .",
)
SOURCES = ("ci", "contrib", "sdk", "src", "LICENSE", "README.md", "pyproject.toml")
SECRET = "secrets.ASSESS_ONLINE_KEY"
ROLES = ("root", "release", "online", "publisher", "reviewer", "audit")
PULL_REQUEST = {
    "github.event.pull_request.number": "7",
    "github.event.pull_request.head.repo.full_name": "acme/registry",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class People:
    """Everybody who signs, each with a key at home, and none of it anywhere near a workflow."""

    place: Checkout
    home: Path

    def registry(self, *words: str | Path, exits: int = 0) -> str:
        done = subprocess.run(
            [self.place.bin / "assess-registry", *words],
            cwd=self.home, capture_output=True, text=True, timeout=300, check=False,
        )  # fmt: skip
        assert done.returncode == exits, f"{words}\n{done.stdout}{done.stderr}"
        return done.stdout

    def key(self, role: str) -> Path:
        return self.home / role / f"{role}.key"

    def begin(self, root: Path) -> None:
        """A registry in which acme publishes and rita reviews; its keys are made."""
        for role in ROLES:
            self.registry("keys", "new", role, "--role", role, "--directory", self.home, "--unencrypted")
        pub = {role: self.key(role).with_suffix(".pub") for role in ROLES}
        at = ("--index", root)
        self.registry("init", root, "--name", "acme")
        self.registry(
            "keys", "add", pub["publisher"], "--role", "publisher", "--name", "acme", "--project", "assess-*", *at
        )
        self.registry("keys", "add", pub["reviewer"], "--role", "reviewer", "--name", "rita", *at)
        self.registry("keys", "add", pub["audit"], "--role", "audit", *at)
        self.registry("root", "init", "--threshold", "1", "--root-key", pub["root"], "--release-key", pub["release"],
                      "--online-key", pub["online"], *at)  # fmt: skip
        self.registry("sign", "export", "--to", self.home / "root-1", *at)
        self.registry(
            "sign", "make", self.home / "root-1", "--key", self.key("root"), "--to", self.home / "root.sig", "--yes"
        )
        self.registry("sign", "import", self.home / "root.sig", *at)
        self.registry(
            "refresh", "--release-key", self.key("release"), "--online-key", self.key("online"), "--bins", "16", *at
        )

    def offer(self, origin: Path, artifact: Path, branch: str) -> None:
        """Take the wheel that was audited, sign, review and offer it on a clone of the branch `registry`."""
        clone = self.home / branch
        git("clone", "--quiet", "--branch", "registry", origin.as_uri(), clone)
        at = ("--index", clone)
        self.registry("submit", artifact / "dist" / WHEEL, "--key", self.key("publisher"), "--closure",
                      artifact / "closure", "--audit-key", self.key("audit"), *at, exits=4)  # fmt: skip
        shown = json.loads(self.registry("review", "show", WHEEL, "--output", "json", *at))
        self.registry("review", "approve", WHEEL, "--statement", _statement(shown), "--key", self.key("reviewer"), *at)
        said = self.registry("publish", WHEEL, "--offer", "--release-key", self.key("release"), *at)
        assert said.startswith("OFFERED")
        git("checkout", "--quiet", "-b", branch, cwd=clone)
        git("add", "--all", "--force", ".", cwd=clone)
        git("commit", "--quiet", "--message", "Offer 1.0.0 of the host baseline", cwd=clone)
        git("push", "--quiet", "origin", branch, cwd=clone)


@dataclass(frozen=True, kw_only=True, slots=True)
class Story:
    """All that happened, told by each test."""

    repository: Repository
    people: People
    proposed: Job
    pushed: Job
    published: Job
    before: str


@pytest.fixture(scope="module")
def story(ran: Checkout, tmp_path_factory: pytest.TempPathFactory) -> Story:
    base = tmp_path_factory.mktemp("workflows")
    people = People(place=ran, home=base / "people")
    people.home.mkdir(mode=0o700)
    repository = Repository(origin=base / "origin.git", path=base, bin=ran.bin, workflows=WORKFLOWS)
    git("init", "--quiet", "--bare", "--initial-branch", "main", repository.origin)
    _first_commit(repository, base / "main", "main", [ran.path / name for name in SOURCES])
    people.begin(base / "registry")
    _first_commit(
        repository,
        base / "first",
        "registry",
        [path for path in (base / "registry").iterdir() if not path.name.startswith(".")],
    )

    proposal = Event(name="pull_request", values=PULL_REQUEST)
    proposed = repository.run("test.yml", "plugin", proposal)
    repository.run("test.yml", "scanning", proposal, {"plugin": proposed})
    repository.run("test.yml", "comment", proposal, {"plugin": proposed})
    push = Event(name="push")
    pushed = repository.run("test.yml", "plugin", push)
    for _ in range(2):
        repository.run("test.yml", "issue", push, {"plugin": pushed})

    people.offer(repository.origin, base / "artifacts" / "audit", "offer-1")
    before = git("rev-parse", "registry", cwd=repository.origin)
    secret = people.key("online").read_text()
    approval = Event(
        name="workflow_dispatch", values={"inputs.offer": "offer-1", "secrets.ASSESS_ONLINE_KEY": secret.rstrip("\n")}
    )
    published = repository.run("publish.yml", "assemble", approval, alone=True)
    repository.run("publish.yml", "deploy", approval, {"assemble": published})
    return Story(
        repository=repository, people=people, proposed=proposed, pushed=pushed, published=published, before=before
    )


def _statement(shown: Any) -> str:
    return str(shown["submission"]["statement"])


def _first_commit(repository: Repository, clone: Path, branch: str, paths: list[Path]) -> None:
    git("init", "--quiet", "--initial-branch", branch, clone)
    for path in paths:
        if path.is_dir():
            shutil.copytree(path, clone / path.name, ignore=shutil.ignore_patterns("__pycache__", ".tox", "*.egg-info"))
        else:
            shutil.copy(path, clone / path.name)
    git("add", "--all", "--force", ".", cwd=clone)
    git("commit", "--quiet", "--message", "Begin", cwd=clone)
    git("push", "--quiet", repository.origin.as_uri(), branch, cwd=clone)


def test_every_step_was_done(story: Story) -> None:
    for workflow, name, job in (
        ("test.yml", "plugin", story.proposed),
        ("publish.yml", "assemble", story.published),
    ):
        assert job.exit_code == 0, job.said
        assert job.ran == [step["name"] for step in story.repository.job(workflow, name)["steps"]]


def test_a_pull_request_is_told_the_verdict(story: Story) -> None:
    (comment,) = [call for call in story.repository.calls("gh") if call["gh"][:2] == ["pr", "comment"]]
    assert comment["gh"][2:] == ["7", "--edit-last", "--create-if-none", "--body-file", "verdict.md"]
    assert comment["token"] == "the-job-token"
    assert comment["body"].startswith(f"# Flagged: {WHEEL} sha256:")
    assert "no advisories" in comment["body"]
    assert story.proposed.summary == comment["body"]
    (scanned,) = story.repository.scanned
    assert scanned["version"] == "2.1.0"


def test_a_pull_request_from_elsewhere_is_told_in_the_summary_alone(story: Story) -> None:
    fork = Event(
        name="pull_request", values={**PULL_REQUEST, "github.event.pull_request.head.repo.full_name": "m/fork"}
    )
    needs = {"plugin": story.proposed}
    for job in ("comment", "scanning", "issue"):
        assert not story.repository.wants("test.yml", job, fork, needs)
    ours = Event(name="pull_request", values=PULL_REQUEST)
    wanted = {job: story.repository.wants("test.yml", job, ours, needs) for job in ("comment", "scanning", "issue")}
    assert wanted == {"comment": True, "scanning": True, "issue": False}


def test_no_step_that_runs_what_was_proposed_has_a_token_or_a_secret(story: Story) -> None:
    for job in (story.proposed, story.pushed):
        for environment in job.environments.values():
            assert not {"GH_TOKEN", "GITHUB_TOKEN", "ONLINE_KEY"} & environment.keys()


def test_two_runs_build_the_same_bytes(story: Story) -> None:
    built = [json.loads((job.workspace / "audit.json").read_text())["wheel"] for job in (story.proposed, story.pushed)]
    assert built[0] == built[1]


def test_commands_of_the_document_do_what_it_says(ran: Checkout) -> None:
    found = re.findall(r"^```sh\n(.*?)^```", (ROOT / "docs" / "workflows.md").read_text(), re.MULTILINE | re.DOTALL)
    assert len(found) == 2
    for block in found:
        announced = re.search(r"# exits (\d+)\n\Z", block)
        done = ran.shell(f"set -e; {block}")
        assert done.returncode == (int(announced[1]) if announced else 0), done.stdout + done.stderr
    assert done.stdout.startswith(f"# Flagged: {WHEEL} sha256:")


def test_flagged_bytes_get_one_issue(story: Story) -> None:
    words = [call["gh"][:2] for call in story.repository.calls("gh") if call["gh"][0] == "issue"][:4]
    assert words == [["issue", "list"], ["issue", "create"], ["issue", "list"], ["issue", "edit"]]
    (made,) = [call for call in story.repository.calls("gh") if call["gh"][:2] == ["issue", "create"]]
    assert made["gh"][3] == made["body"].splitlines()[0].removeprefix("# ")


def test_what_was_published_is_on_its_branch_and_served(story: Story) -> None:
    log = git("log", "--format=%s", "registry", cwd=story.repository.origin).splitlines()
    assert log[-2:] == ["Publish what offer-1 offers", "Begin"]
    listed = git("ls-tree", "-r", "--name-only", "registry", cwd=story.repository.origin).splitlines()
    assert f"files/assess-host-baseline/1.0.0/{WHEEL}.verdict.json" in listed
    assert not [name for name in listed if name.endswith(".lock") or name.startswith(".submissions")]
    assert story.repository.deployed is not None
    assert (story.repository.deployed / "files" / "assess-host-baseline" / "1.0.0" / WHEEL).is_file()


def test_the_key_is_nowhere_afterwards(story: Story) -> None:
    secret = story.people.key("online").read_text().splitlines()[1].encode()
    assert secret not in story.published.said.encode()
    for place in (story.published.workspace.parent, story.repository.deployed):
        assert place is not None
        assert [path for path in place.rglob("*") if path.is_file() and secret in path.read_bytes()] == []


def test_a_runtime_syncs_it_and_runs_it(story: Story, ran: Checkout, tmp_path: Path) -> None:
    """By nothing but the registry's first root and what is served."""
    assert story.repository.deployed is not None
    shutil.copy(story.repository.deployed / "metadata" / "1.root.json", tmp_path)
    config = tmp_path / "assess.toml"
    for words in (
        ("init", config, "--registry-url", story.repository.deployed.as_uri(), "--state-dir", "state"),
        ("sync", "--config", config),
        ("run", "--config", config, "--fail-on", "none", "--output", "json"),
    ):
        done = ran.run(ran.bin / "assess", *words)
        assert done.returncode == 0, done.stdout + done.stderr
    results = json.loads(done.stdout)["results"]
    assert len(results) >= 24
    assert {result["registry"] for result in results}.isdisjoint({"development", "folder"})


def test_an_offer_that_somebody_changed_is_not_assembled(story: Story, tmp_path: Path) -> None:
    """One byte of the wheel, by whoever can push to the branch; what was offered is the control above."""
    repository, clone = story.repository, tmp_path / "clone"
    git("clone", "--quiet", "--branch", "offer-1", repository.origin.as_uri(), clone)
    path = clone / "files" / "assess-host-baseline" / "1.0.0" / WHEEL
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    git("commit", "--quiet", "--all", "--message", "Change it", cwd=clone)
    git("push", "--quiet", "origin", "HEAD:offer-2", cwd=clone)
    git("push", "--quiet", "origin", f"{story.before.strip()}:refs/heads/then", cwd=clone)
    again = Repository(origin=tmp_path / "origin.git", path=tmp_path, bin=repository.bin, workflows=WORKFLOWS)
    git("clone", "--quiet", "--bare", repository.origin.as_uri(), again.origin)
    git("update-ref", "refs/heads/registry", story.before.strip(), cwd=again.origin)
    secret = story.people.key("online").read_text().rstrip("\n")
    event = {"secrets.ASSESS_ONLINE_KEY": secret, "inputs.offer": "offer-2"}
    job = again.run("publish.yml", "assemble", Event(name="workflow_dispatch", values=event))
    assert job.exit_code == 5, job.said
    assert "refused at step 'file'" in job.said
    assert git("rev-parse", "registry", cwd=again.origin) == story.before
    assert "Commit the published tree" not in job.ran


def test_nothing_was_installed_for_the_key_but_what_is_hashed_and_our_own(story: Story) -> None:
    """The runner's environment was empty; the assembled tree above was made with what these steps put there."""
    done = subprocess.run(
        [story.published.bin / "python", "-m", "pip", "list", "--format", "json"],
        capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip
    there = {each["name"].lower().replace("_", "-"): each["version"] for each in json.loads(done.stdout)}
    hashed = dict(re.findall(r"^([a-z0-9-]+)==([^ ]+)", (ROOT / "ci/hashed/commands.txt").read_text(), re.MULTILINE))
    ours = {"assess-plugin", "assess-runtime"}
    assert there.keys() - ours == (there.keys() & hashed.keys()) | ({"setuptools"} & there.keys())
    assert {name: there[name] for name in hashed if name in there} == {n: v for n, v in hashed.items() if n in there}
    assert ours | {"click", "tuf", "hatchling"} <= there.keys()


def test_another_file_than_was_hashed_is_not_installed_and_the_key_does_not_come(story: Story, tmp_path: Path) -> None:
    """As if the index had exchanged one; all that is published above is the control."""
    clone, origin = tmp_path / "clone", tmp_path / "origin.git"
    git("clone", "--quiet", "--bare", story.repository.origin.as_uri(), origin)
    git("clone", "--quiet", "--branch", "main", origin.as_uri(), clone)
    path = clone / "ci" / "hashed" / "commands.txt"
    name, said, rest = re.split(r"(?m)^(tomli-w==.*\n(?:    --hash=.*\n?)+)", path.read_text(), maxsplit=1)
    path.write_text(
        name + re.sub(r"sha256:(.)", lambda found: f"sha256:{'0' if found[1] == 'f' else 'f'}", said) + rest
    )
    assert path.read_text() != name + said + rest
    git("commit", "--quiet", "--all", "--message", "Exchange", cwd=clone)
    git("push", "--quiet", "origin", "HEAD:main", cwd=clone)
    other = Repository(origin=origin, path=tmp_path, bin=story.repository.bin, workflows=WORKFLOWS)
    secret = story.people.key("online").read_text().rstrip("\n")
    job = other.run("nightly.yml", "refresh", Event(name="schedule", values={SECRET: secret}), alone=True)
    assert job.exit_code != 0
    assert "THESE PACKAGES DO NOT MATCH THE HASHES" in job.said
    assert [each for each in job.environments.values() if "ONLINE_KEY" in each] == []
    assert "Install the registry's commands" in job.ran


def test_the_nightly_run_signs_anew_and_serves_that(story: Story) -> None:
    repository = story.repository
    version = _timestamp(repository)
    secret = story.people.key("online").read_text().rstrip("\n")
    night = Event(name="schedule", values={"secrets.ASSESS_ONLINE_KEY": secret})
    job = repository.run("nightly.yml", "refresh", night)
    assert job.exit_code == 0, job.said
    repository.run("nightly.yml", "deploy", night, {"refresh": job})
    assert _timestamp(repository) == version + 1
    assert repository.deployed is not None
    served = json.loads((repository.deployed / "metadata" / "timestamp.json").read_text())
    assert served["signed"]["version"] == version + 1


def _timestamp(repository: Repository) -> int:
    document = json.loads(git("show", "registry:metadata/timestamp.json", cwd=repository.origin))
    version: int = document["signed"]["version"]
    return version


def test_the_nightly_run_tells_of_what_is_newly_affected(story: Story, tmp_path: Path) -> None:
    repository, night = story.repository, Event(name="schedule")
    vulnerable = {
        "id": "TEST-2026-9999",
        "modified": datetime.now(UTC).strftime("%Y-%m-%dT00:00:00Z"),
        "affected": [{
            "package": {"ecosystem": "PyPI", "name": "pluggy"},
            "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}]}],
        }],
    }  # fmt: skip
    before = len(repository.calls("gh"))
    for export, verdict in (([*about_others()], "0"), ([*about_others(), vulnerable], "4")):
        repository.download = tmp_path / "export.json"
        repository.download.write_text(json.dumps(export))
        job = repository.run("nightly.yml", "reaudit", night)
        assert (job.exit_code, job.outputs) == (0, {"verdict": verdict}), job.said
        assert repository.wants("nightly.yml", "issues", night, {"reaudit": job}) is (verdict == "4")
        assert "ONLINE_KEY" not in json.dumps(job.environments)
    for _ in range(2):
        repository.run("nightly.yml", "issues", night, {"reaudit": job})
    words = [call["gh"][:2] for call in repository.calls("gh")[before:]]
    # The bytes have their issue since they were flagged; that they are rejected now is told once.
    again = [["issue", "list"], ["issue", "edit"]]
    assert words == [*again, ["issue", "reopen"], *again]
    body = repository.calls("gh")[-1]["body"]
    assert body.startswith(f"# Rejected: {WHEEL} sha256:")
    assert "TEST-2026-9999" in body


def test_a_new_plugins_own_workflow_tests_and_audits_it(ran: Checkout, tmp_path: Path) -> None:
    """What `assess-registry new` has copied into it, on what it has made, untouched."""
    assert ran.run(ran.bin / "python", "-m", "pip", "install", "-q", "-c", "ci/constraints.txt", "tox").returncode == 0
    scaffold("demo", to=tmp_path)
    project, origin = tmp_path / "demo", tmp_path / "origin.git"
    git("init", "--quiet", "--initial-branch", "main", project)
    git("add", "--all", ".", cwd=project)
    git("commit", "--quiet", "--message", "Begin", cwd=project)
    git("clone", "--quiet", "--bare", project.as_uri(), origin)
    wheels = {"PIP_FIND_LINKS": f"{ROOT / 'sdk' / 'releases'} {ran.path / '.assess' / 'closure'}"}
    workflows = project / ".github" / "workflows"
    repository = Repository(origin=origin, path=tmp_path, bin=ran.bin, workflows=workflows, variables=wheels)
    event = Event(name="pull_request", values=PULL_REQUEST)
    job = repository.run("plugin.yml", "wheel", event)
    assert (job.exit_code, job.outputs) == (0, {"verdict": "4"}), job.said
    assert job.ran == [step["name"] for step in repository.job("plugin.yml", "wheel")["steps"]]
    report = json.loads((tmp_path / "artifacts" / "audit" / "audit.json").read_text())
    assert {finding["id"] for finding in report["findings"] if finding["verdict"] != "approved"} == {"check-incomplete"}
    (compatibility,) = [each for each in report["checks"] if each["name"] == "compatibility"]
    assert compatibility["facts"]["summary"]["Python 3.11, API 1.0.0"]["passed"] == 1
    needs = {"wheel": job}
    for name in ("scanning", "comment"):
        assert repository.wants("plugin.yml", name, event, needs)
        repository.run("plugin.yml", name, event, needs)
    assert [call["gh"][:3] for call in repository.calls("gh")] == [["pr", "comment", "7"]]
    assert not repository.wants("plugin.yml", "issue", event, needs)


@pytest.mark.parametrize("path", [*sorted(WORKFLOWS.glob("*.yml")), COPIED / "plugin.yml"], ids=lambda path: path.name)
def test_every_workflow_is_careful(path: Path) -> None:
    """What zizmor and the schema (`tox -e lint`) do not ask: our own rules, on every job and step."""
    repository = Repository(origin=path, path=path.parent, bin=path.parent, workflows=path.parent)
    document = repository.document(path.name)
    assert document["permissions"] == {}
    events = set(document[True])  # YAML 1.1 reads `on` as a truth
    assert events <= {"push", "pull_request", "schedule", "workflow_dispatch"}
    for job in document["jobs"].values():
        assert "timeout-minutes" in job
        assert job["permissions"]
        secrets = "secrets." in json.dumps(job)
        assert not secrets or ("environment" in job and "pull_request" not in events)
        for step in job["steps"]:
            assert step["name"]
            for line in step.get("run", "").splitlines() if secrets else ():
                assert "pip" not in line or line.strip() in BY_DIGEST
            assert fill(step.get("run", ""), {}) == step.get("run", ""), "an expression in a script"
            if "uses" in step:
                assert len(step["uses"].partition("@")[2]) == 40
    writing = [job for job in document["jobs"].values() if "write" in json.dumps(job["permissions"])]
    for job in writing:
        checked_out = [step["with"].get("ref") for step in job["steps"] if "checkout" in step.get("uses", "")]
        assert None not in checked_out, "what may write runs nothing that was proposed"
    assert INSTALLS
