"""From a wheel to a release and what comes after it, as it is typed."""

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from assess_registry.audit.values import Verdict
from assess_registry.cli import main
from assess_registry.cli import submit as submit_command
from assess_registry.config import load_config
from assess_registry.keys import PrivateKey, TimedKey, generate_key, write_private_key
from assess_registry.review import submit as submit_module
from tests.support.ended import Ended
from tests.support.registry_tree import BEGAN, RegistryTree, copy_registry_tree, found
from tests.support.wheels import WheelBuilder, demo_manifest
from tests.support.word_reader import WordReader, page_problems

PLUGIN = WheelBuilder(version="1.1.0")
GROWN = WheelBuilder(version="1.2.0", manifest=demo_manifest(permissions='read = ["/etc"]\n'))
MODEST = WheelBuilder(version="1.1.0", manifest=demo_manifest(permissions="read = []\n"))
SIGN = ("--release-key", "release.key", "--online-key", "online.key")


@dataclass(frozen=True)
class Desk:
    """A registry with demo-plugin 1.0.0, everybody's keys in files, and somebody at a keyboard."""

    tree: RegistryTree
    run: Callable[..., Ended]

    def submit(self, wheel: WheelBuilder = PLUGIN, *more: object) -> Ended:
        Path(wheel.filename).write_bytes(wheel.build())
        keys = ("--key", "acme.key", "--audit-key", "audit.key")
        return self.run("submit", wheel.filename, *keys, "--closure", self.tree.closure, *more)

    def seen(self, wheel: WheelBuilder = PLUGIN) -> str:
        """The digest that `review show` prints."""
        shown = self.run("review", "show", wheel.filename)
        assert shown.code == 0, shown.stderr
        return str(re.findall(r"^statement +(\S+)$", shown.stdout, re.MULTILINE)[0])

    def approve(self, wheel: WheelBuilder = PLUGIN, *more: object, key: str = "rita.key") -> Ended:
        return self.run("review", "approve", wheel.filename, "--key", key, "--statement", self.seen(wheel), *more)

    def publish(self, wheel: WheelBuilder = PLUGIN, *more: object) -> Ended:
        return self.run("publish", wheel.filename, *SIGN, *more)

    def state(self, version: str = "1.1.0") -> dict[str, Any]:
        listed = self.run("review", "list", "--output", "json").document["submissions"]
        (found,) = [each for each in listed if each["version"] == version]
        assert isinstance(found, dict)
        return found


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Desk:
    tree = copy_registry_tree(tmp_path / "registry")
    people = tree.everybody
    named: dict[str, PrivateKey] = {"acme": tree.key, "release": people.release, "online": people.online}
    for name, key in {**named, **people.reviewers, "audit": people.audit}.items():
        write_private_key(tmp_path / f"{name}.key", key)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ASSESS_INDEX", str(tree.root))
    audited_as(monkeypatch, Verdict.APPROVED)

    def run(*argv: object) -> Ended:
        code = main([str(word) for word in argv])
        return Ended(code, *capsys.readouterr())

    return Desk(tree, run)


def audited_as(monkeypatch: pytest.MonkeyPatch, verdict: Verdict) -> None:
    """The next audits come to this verdict, in no time."""

    def submit(*arguments: Any, **named: Any) -> Any:
        return submit_module.submit(*arguments, judge=found(verdict), **named)

    monkeypatch.setattr(submit_command, "submit", submit)


def see(desk: Desk) -> tuple[str, ...]:
    assert page_problems(desk.tree.root) == []
    return WordReader(desk.tree.root, desk.tree.directory / "memory").see().versions


def test_the_way_of_a_wheel(desk: Desk) -> None:
    submitted = desk.submit()
    assert submitted.code == 0
    assert "review show" in submitted.stdout
    assert desk.state()["state"] == "waiting"
    shown = desk.run("review", "show", PLUGIN.filename)
    assert "publisher" in shown.stdout
    too_early = desk.publish(PLUGIN, "--output", "json")
    assert (too_early.code, too_early.document["error"]["step"]) == (5, "approval")
    assert see(desk) == ("1.0.0",)
    approved = desk.approve()
    assert (approved.code, approved.stdout) == (0, "")
    assert "approved by rita; it is approved now" in approved.stderr
    done = desk.publish()
    assert done.code == 0
    assert "approved-by: rita" in done.stdout
    assert see(desk) == ("1.0.0", "1.1.0")
    assert desk.state()["state"] == "published"
    assert desk.publish(PLUGIN, "--output", "json").document["published"]["changed"] is False


def test_what_happens_afterwards(desk: Desk) -> None:
    yanked = desk.run("yank", "demo-plugin", "1.0.0", "--reason", "wrong", *SIGN, "--output", "json")
    assert (yanked.code, yanked.document["yanked"]["changed"]) == (0, True)
    assert see(desk) == ()
    assert desk.run("yank", "Demo_Plugin", "1.0.0", "--undo", *SIGN).code == 0
    assert see(desk) == ("1.0.0",)
    key_id = desk.tree.key.public.id
    served = desk.run("keys", "signed", key_id, "--output", "json").document["signed"]
    assert [(each["kind"], each["served"]) for each in served] == [("lock", "yes"), ("wheel", "yes")]
    revoked = desk.run("revoke", "demo-plugin", "1.0.0", "--reason", "bad", "--severity", "high", *SIGN)
    assert revoked.code == 0
    assert see(desk) == ()
    assert "no: revoked" in desk.run("keys", "signed", key_id).stdout
    assert desk.run("gc", "--keep-days", "0", "--output", "json").code == 0
    assert see(desk) == ()


@pytest.mark.parametrize(
    ("argv", "says"),
    [
        (("yank", "demo-plugin", "1.0.0", *SIGN), "either --reason TEXT or --undo"),
        (("yank", "demo-plugin", "1.0.0", "--reason", "x"), "give --release-key"),
        (("yank", "demo-plugin", "9", "--reason", "x", *SIGN), r"no such release; there are: 1.0.0"),
        (("revoke", "not a name", "1", "--reason", "x", "--severity", "low", *SIGN), "PROJECT"),
        (("review", "show", "abcdef"), "expected one submission, got 0"),
        (("publish", "abcdef0123", *SIGN), "expected one submission, got 0"),
        (("publish", "abcdef0123"), "no wheel; for a submission give --release-key"),
        (("publish", "x.whl"), "--closure: a directory"),
        (("publish",), "give --release-key"),
        (("keys", "signed", "acme"), "KEY_ID"),
    ],
)
def test_what_cannot_be_done_is_said(desk: Desk, argv: tuple[str, ...], says: str) -> None:
    ended = desk.run(*argv)
    assert (ended.code, says in ended.stderr) == (2, True), ended.stderr


def test_an_audits_word_is_the_exit_code(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    audited_as(monkeypatch, Verdict.FLAGGED)
    assert desk.submit().code == 4
    assert (desk.state()["audit"], desk.state()["state"]) == ("flagged", "waiting")
    audited_as(monkeypatch, Verdict.REJECTED)
    ended = desk.submit(PLUGIN, "--output", "json")
    assert (ended.code, ended.document["submitted"][0]["verdict"]) == (5, "rejected")
    assert desk.state()["state"] == "rejected"
    assert desk.seen() == "none"
    for seen in ("0" * 12, "sha256:" + "0" * 64):
        assert desk.run("review", "approve", PLUGIN.filename, "--key", "rita.key", "--statement", seen).code == 5
    assert "the audit rejected it" in desk.publish().stderr
    assert desk.publish().code == 5


def test_flagged_is_for_people_also_where_the_policy_approves(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    config = load_config(desk.tree.root)
    desk.tree.configure(replace(config, policy=replace(config.policy, automatic_approval=("publisher",))))
    audited_as(monkeypatch, Verdict.FLAGGED)
    assert desk.submit(PLUGIN).code == 4
    assert desk.state()["state"] == "waiting"
    assert desk.publish(PLUGIN, "--accept-registry-changes").code == 5
    audited_as(monkeypatch, Verdict.APPROVED)  # the control
    assert desk.submit(PLUGIN).code == 0
    done = desk.publish(PLUGIN, "--accept-registry-changes")
    assert "approved-by: policy" in done.stdout
    assert see(desk) == ("1.0.0", "1.1.0")


def test_permissions_that_grew_are_shown_and_have_to_be_confirmed(desk: Desk) -> None:
    submitted = desk.submit(GROWN)
    assert "more than 1.0.0" in submitted.stdout
    assert "read /etc" in desk.run("review", "show", GROWN.filename).stdout
    refused = desk.approve(GROWN)
    assert refused.code == 5
    assert "--accept-permissions" in refused.stderr
    assert desk.publish(GROWN).code == 5
    assert desk.approve(GROWN, "--accept-permissions").code == 0
    assert desk.publish(GROWN).code == 0


def test_permissions_that_grew_are_never_approved_by_policy(desk: Desk) -> None:
    config = load_config(desk.tree.root)
    desk.tree.configure(replace(config, policy=replace(config.policy, automatic_approval=("publisher",))))
    assert desk.submit(GROWN).code == 0
    assert desk.state("1.2.0")["state"] == "waiting"


@pytest.mark.parametrize("key", ["acme.key", "audit.key", "release.key"])
def test_nobody_but_a_reviewer_approves(desk: Desk, key: str) -> None:
    desk.submit()
    refused = desk.approve(key=key)
    assert refused.code == 5
    assert "'reviewer'" in refused.stderr
    assert desk.state()["approvals"] == []
    assert desk.approve().code == 0  # the control


def test_a_publisher_who_also_reviews_does_not_approve_their_own(desk: Desk) -> None:
    config = load_config(desk.tree.root)
    rita, ruben = config.reviewers
    desk.tree.configure(replace(config, reviewers=(replace(rita, name="publisher"), ruben)))
    desk.submit()
    assert "do not approve" not in desk.approve().stderr
    assert desk.approve().code == 5
    assert desk.approve(key="ruben.key").code == 0


def test_a_rejection_blocks_until_it_is_taken_back(desk: Desk) -> None:
    desk.submit()
    desk.approve()
    assert desk.run("review", "reject", PLUGIN.filename, "--key", "ruben.key", "--reason", "reads too much").code == 0
    assert (desk.state()["state"], "reads too much" in desk.state()["why"]) == ("refused", True)
    assert desk.publish().code == 5
    assert desk.approve(key="ruben.key").code == 0
    assert desk.publish().code == 0


@pytest.mark.parametrize("rejected", [True, False])
def test_submitting_again_does_not_lift_a_rejection_not_even_by_policy(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, rejected: bool
) -> None:
    config = load_config(desk.tree.root)
    desk.tree.configure(replace(config, policy=replace(config.policy, automatic_approval=("publisher",))))
    desk.submit()
    if rejected:
        assert desk.run("review", "reject", PLUGIN.filename, "--key", "ruben.key", "--reason", "it spies").code == 0
    audited_as(monkeypatch, Verdict.FLAGGED)  # another statement
    desk.submit()
    audited_as(monkeypatch, Verdict.APPROVED)
    desk.submit()
    done = desk.publish(PLUGIN, "--accept-registry-changes")
    assert (done.code, "it spies" in done.stderr) == ((5, True) if rejected else (0, False))


@pytest.mark.parametrize("again", ["", "ruben", "rita"])
def test_a_rejection_outlives_its_key_until_the_same_reviewer_approves(desk: Desk, again: str) -> None:
    desk.submit()
    assert desk.run("review", "reject", PLUGIN.filename, "--key", "ruben.key", "--reason", "it spies").code == 0
    new = generate_key()
    write_private_key(Path("new.key"), new)
    config = load_config(desk.tree.root)
    rita, ruben = config.reviewers
    ended = replace(ruben.keys[0], valid_until=datetime.now(UTC))
    keys = (ended, TimedKey(key=new.public, valid_from=BEGAN))
    desk.tree.configure(replace(config, reviewers=(rita, replace(ruben, keys=keys))))
    desk.approve()
    if again:
        assert desk.approve(key={"ruben": "new.key", "rita": "rita.key"}[again]).code == 0
    done = desk.publish(PLUGIN, "--accept-registry-changes")
    assert (done.code, "it spies" in done.stderr) == ((0, False) if again == "ruben" else (5, True))


@pytest.mark.parametrize(("wheel", "state"), [(PLUGIN, "waiting"), (MODEST, "approved")])
def test_permissions_that_nobody_ever_saw_are_not_approved_by_policy(
    desk: Desk, wheel: WheelBuilder, state: str
) -> None:
    """Not of a first version either: nothing that stands has them."""
    config = load_config(desk.tree.root)
    desk.tree.configure(replace(config, policy=replace(config.policy, automatic_approval=("publisher",))))
    assert (
        desk.run(
            "revoke",
            "demo-plugin",
            "1.0.0",
            *SIGN,
            "--reason",
            "broken",
            "--severity",
            "high",
            "--accept-registry-changes",
        ).code
        == 0
    )
    assert desk.submit(wheel).code == 0
    assert desk.state(wheel.version)["state"] == state


def test_an_approval_is_stale_when_the_policy_or_the_report_changes(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.submit()
    desk.approve()
    config = load_config(desk.tree.root)
    desk.tree.configure(replace(config, policy=replace(config.policy, max_wheel_mib=7.0)))
    assert desk.state()["state"] == "stale"
    refused = desk.publish(PLUGIN, "--accept-registry-changes")
    assert refused.code == 5
    assert "the policy changed" in refused.stderr
    desk.tree.configure(config)
    assert desk.state()["state"] == "approved"
    audited_as(monkeypatch, Verdict.FLAGGED)  # another report
    desk.submit()
    standing = desk.state()
    assert (standing["state"], standing["approvals"]) == ("waiting", [])
    assert [review["stale"] for review in standing["reviews"]] == [True]
    assert desk.publish().code == 5
    desk.approve()
    assert desk.publish().code == 0


def test_submitting_the_same_again_keeps_the_approvals(desk: Desk) -> None:
    desk.submit()
    desk.approve()
    desk.submit()
    assert desk.state()["approvals"] == ["rita"]
    assert desk.publish().code == 0


def test_somebody_elses_project_is_not_submitted(desk: Desk) -> None:
    config = load_config(desk.tree.root)
    desk.tree.configure(replace(config, publishers=(replace(config.publishers[0], projects=("acme-*",)),)))
    refused = desk.submit(PLUGIN, "--output", "json")
    assert (refused.code, refused.document["error"]["step"]) == (5, "publisher")
    listed = desk.run("review", "list", "--output", "json").document["submissions"]
    assert [each["version"] for each in listed] == ["1.0.0"]
    desk.tree.configure(config)
    assert desk.submit().code == 0  # the control


def test_a_changed_registry_toml_is_signed_only_when_asked_to(desk: Desk) -> None:
    config = load_config(desk.tree.root)
    desk.tree.configure(replace(config, reviewers=config.reviewers[:1]))
    refused = desk.run("publish", *SIGN)
    assert refused.code == 5
    assert "no longer: reviewer ruben" in refused.stderr
    done = desk.run("publish", *SIGN, "--accept-registry-changes")
    assert (done.code, "no longer: reviewer ruben" in done.stdout) == (0, True)
    control = WordReader(desk.tree.root, desk.tree.directory / "memory").see().control
    assert control is not None
    assert list(control.reviewers) == ["rita"]
    assert "nothing to sign" in desk.run("publish", *SIGN).stderr


def test_wheels_are_not_published_by_their_publisher_where_others_approve(desk: Desk) -> None:
    config = load_config(desk.tree.root)
    desk.tree.configure(replace(config, development=False))
    Path(PLUGIN.filename).write_bytes(PLUGIN.build())
    alone = ("publish", PLUGIN.filename, "--key", "acme.key", "--closure", desk.tree.closure)
    refused = desk.run(*alone)
    assert refused.code == 2
    assert "submit the wheel" in refused.stderr
    assert desk.run("publish", *SIGN, "--accept-registry-changes").code == 0
    desk.tree.configure(config)  # says development, and the signed word does not
    assert desk.run(*alone).code == 2
    assert desk.run("publish", *SIGN, "--accept-registry-changes").code == 0
    done = desk.run(*alone)  # the control
    assert (done.code, "approval   none" in done.stdout) == (0, True)
    assert see(desk) == ("1.0.0",)


def test_text_of_submissions_cannot_drive_the_terminal(desk: Desk) -> None:
    desk.submit()
    (directory,) = [each for each in (desk.tree.root / ".submissions").iterdir() if (each / PLUGIN.filename).exists()]
    (directory / PLUGIN.filename).rename(directory / "x\x1b[2J.whl")
    for ended in (desk.run("review", "list"), desk.run("review", "show", directory.name)):
        assert all(line.isprintable() for line in (ended.stdout + ended.stderr).split("\n"))


LONG = "b" * 600
ASKING = 'read = ["/etc/ shadow, and nothing else"]\ncommands = [["uname", "-c", "' + LONG + '", "the end"]]\n'


def test_whatever_is_asked_for_is_shown_whole_and_apart_from_our_words(desk: Desk) -> None:
    """A reviewer's signature covers all of it, so no part of it stays behind a bound or passes for a word of ours."""
    wheel = WheelBuilder(version="1.1.0", manifest=demo_manifest(permissions=ASKING))
    assert desk.submit(wheel).code == 0
    for shown in (desk.run("review", "show", wheel.filename), desk.run("inspect", wheel.filename)):
        assert f"uname -c {LONG} 'the end'" in shown.stdout
        assert "read '/etc/ shadow, and nothing else'" in shown.stdout
    assert desk.approve(wheel, "--accept-permissions").code == 0
    assert desk.publish(wheel).code == 0
    page = (desk.tree.root / "status/projects/demo-plugin/1.1.0/index.html").read_text()
    assert f"uname -c {LONG} &#x27;the end&#x27;" in page
