"""What the desk says of submissions that are hostile, broken, overtaken by a new key, published or revoked."""

import functools
import shutil
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from assess_registry.audit.values import Report, Verdict
from assess_registry.cli import submit as submit_command
from assess_registry.config import load_config
from assess_registry.keys import TimedKey, generate_key, write_private_key
from assess_registry.review import submit as submit_module
from tests.integration.test_review_cli import GROWN, PLUGIN, SIGN, Desk, audited_as, desk, see
from tests.support.registry_tree import found
from tests.support.wheels import WheelBuilder

__all__ = ["desk"]

OTHER = WheelBuilder(version="1.3.0")

HOSTILE = {
    "deep": b"[" * 200_000 + b"]" * 200_000,
    "a long number": b'{"wheel": ' + b"9" * 6000 + b"}",
    "no text": bytes(range(256)),
    "another shape": b'{"reports": 7}',
    "reports of no wheel": b'{"reports": [{"wheel": 3}, null]}',
}


def directory_of(desk: Desk, wheel: WheelBuilder = PLUGIN) -> Path:
    (found,) = [each for each in (desk.tree.root / ".submissions").iterdir() if (each / wheel.filename).exists()]
    return found


def listed(desk: Desk, directory: Path) -> dict[str, Any]:
    submissions = desk.run("review", "list", "--output", "json").document["submissions"]
    (found,) = [each for each in submissions if each["sha256"] == directory.name]
    assert isinstance(found, dict)
    return found


@pytest.mark.parametrize(
    ("name", "content"),
    [
        *(("audit.json", each) for each in HOSTILE),
        *((name, "deep") for name in ("statement.json", "audit.dsse.json", "pylock.toml", "sbom.cdx.json")),
    ],
)
def test_hostile_content_is_refused_by_every_command(desk: Desk, name: str, content: str) -> None:
    desk.submit()
    directory = directory_of(desk)
    (directory / name).write_bytes(HOSTILE[content])
    word = directory.name[:12]
    assert listed(desk, directory)["state"] == "broken"
    for argv in (
        ("review", "show", word),
        ("review", "show", word, "--output", "json"),
        ("review", "approve", word, "--key", "rita.key", "--statement", "0" * 12),
        ("review", "reject", word, "--key", "rita.key", "--reason", "broken"),
        ("publish", word, *SIGN, "--output", "json"),
    ):
        ended = desk.run(*argv)
        assert ended.code in (2, 5), argv
        assert "next: " in ended.stderr or ended.code == 2
        if "json" in argv:
            assert ended.document["error"]["exit"] == ended.code
    desk.submit()  # the control: submitted again it is whole again
    assert desk.run("review", "show", word).code == 0
    assert desk.approve().code == 0


def loop(path: Path) -> None:
    path.unlink()
    path.symlink_to(path.name)


def make_directory(path: Path) -> None:
    path.unlink()
    path.mkdir()


@pytest.mark.parametrize("harm", [loop, make_directory, Path.unlink], ids=["loop", "directory", "gone"])
@pytest.mark.parametrize("name", ["audit.json", "pylock.toml", "closure", "reviews"])
def test_one_broken_submission_stops_nobody_and_says_whose_it_is(desk: Desk, name: str, harm: Any) -> None:
    desk.submit()
    desk.submit(OTHER)
    desk.approve(OTHER)
    directory = directory_of(desk)
    if name in ("closure", "reviews"):
        shutil.rmtree(directory / name, ignore_errors=True)
        (directory / name).touch()
    harm(directory / name)
    broken = listed(desk, directory)
    if name == "reviews":  # of whom nobody has said anything yet
        assert broken["state"] == "waiting"
    else:
        assert (broken["state"], broken["publisher"]) == ("broken", "publisher")
        assert broken["why"]
        assert str(directory) in broken["next"]
        ended = desk.run("review", "list")
        assert f"remove {directory}" in ended.stderr
    assert desk.run("review", "show", directory.name[:12]).code in (0, 2, 5)
    assert desk.publish(OTHER).code == 0
    assert see(desk) == ("1.0.0", "1.3.0")
    assert desk.run("gc", "--keep-days", "0").code == 0


def rotate(desk: Desk, revoked: str) -> None:
    """The publisher has another key from now on."""
    new = generate_key()
    write_private_key(Path("new.key"), new)
    config, now = load_config(desk.tree.root), datetime.now(UTC)
    publisher = config.publishers[0]
    keys = (replace(publisher.keys[0], valid_until=now, revoked=revoked), TimedKey(key=new.public, valid_from=now))
    desk.tree.configure(replace(config, publishers=(replace(publisher, keys=keys),)))


@pytest.mark.parametrize("end", ["", "stolen from a laptop"], ids=["rotated", "revoked"])
def test_a_key_that_ended_while_a_submission_waited(desk: Desk, end: str) -> None:
    desk.submit()
    desk.approve()
    directory = directory_of(desk)
    assert (listed(desk, directory)["state"], listed(desk, directory)["publisher"]) == ("approved", "publisher")
    rotate(desk, end)
    waiting = listed(desk, directory)
    assert (waiting["state"], waiting["publisher"]) == ("stale", "publisher")
    assert "assess-registry submit" in waiting["next"]
    assert ("stolen" in waiting["next"]) == bool(end), "who submitted it may have been the thief"
    old = desk.submit(PLUGIN)
    for ended in (desk.publish(PLUGIN, "--accept-registry-changes"), old):
        assert ended.code == 5
        assert "published so" not in ended.stderr, "nothing was published"
        assert "a key of publisher that counts now" in ended.stderr
    ended = desk.run("submit", PLUGIN.filename, "--key", "new.key", "--audit-key", "audit.key", "--closure",
                     desk.tree.closure)  # fmt: skip
    assert ended.code == 0, ended.stderr
    assert desk.publish(PLUGIN, "--accept-registry-changes").code == 0


def test_a_published_submission_shows_publisher_and_approvals(desk: Desk) -> None:
    desk.submit()
    assert desk.state()["approvals"] == []
    desk.approve()
    desk.publish()
    for version in ("1.0.0", "1.1.0"):
        published = desk.state(version)
        assert (published["state"], published["publisher"]) == ("published", "publisher")
        assert published["approvals"] == ["rita"]
    row = next(line for line in desk.run("review", "list").stdout.splitlines() if " 1.1.0 " in line)
    assert " rita" in row


def test_a_published_submission_that_policy_approved(desk: Desk) -> None:
    config = load_config(desk.tree.root)
    desk.tree.configure(replace(config, policy=replace(config.policy, automatic_approval=("publisher",))))
    desk.submit()
    assert desk.publish(PLUGIN, "--accept-registry-changes").code == 0
    assert desk.state()["approvals"] == ["policy"]


def test_what_is_revoked_is_not_published_again(desk: Desk) -> None:
    desk.submit()
    desk.approve()
    assert desk.publish().code == 0
    assert desk.publish().code == 0  # the control: once more changes nothing
    assert desk.run("revoke", "demo-plugin", "1.1.0", "--reason", "it spies", "--severity", "high", *SIGN).code == 0
    again = desk.publish(PLUGIN, "--output", "json")
    assert (again.code, again.document["error"]["step"]) == (5, "revoked")
    assert "it spies" in again.stderr
    assert "raise the version" in again.stderr
    assert (desk.state()["state"], "it spies" in desk.state()["why"]) == ("revoked", True)
    assert see(desk) == ("1.0.0",)


def test_the_second_wheel_of_a_platform_is_named_as_the_second(desk: Desk) -> None:
    """A build tag sorts before the wheel that is published; who reads it looks for what is wrong with their own."""
    second = WheelBuilder(version="1.0.0", build_tag="2")
    ended = desk.submit(second)
    assert ended.code == 1
    assert f"{second.filename}: demo_plugin-1.0.0-py3-none-any.whl serves py3-none-any already" in ended.stderr


def test_show_says_what_to_type_next(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.submit(GROWN)
    statement = desk.seen(GROWN)

    def next_step() -> str:
        shown = desk.run("review", "show", GROWN.filename)
        (line,) = [each for each in shown.stdout.splitlines() if each.startswith("next ")]
        document = desk.run("review", "show", GROWN.filename, "--output", "json").document["submission"]
        assert document["next"] in line
        return str(document["next"])

    typed = next_step()
    assert f"--statement {statement[7:19]}" in typed
    assert "--accept-permissions" in typed
    words = typed[typed.index("review approve") :].split(",")[0].split()
    assert desk.run(*(each.replace("KEY", "rita.key") for each in words)).code == 0
    typed = next_step()
    words = typed[typed.index("publish ") :].split()
    keys = iter(("release.key", "online.key"))
    assert desk.run(*(next(keys) if each == "KEY" else each for each in words)).code == 0
    assert desk.state("1.2.0")["next"] == ""
    audited_as(monkeypatch, Verdict.REJECTED)
    desk.submit(OTHER)
    assert "another version" in listed(desk, directory_of(desk, OTHER))["next"]


def test_submit_says_flagged_once(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    for reasons in (("Flagged: it is odd.",), ("Rejected: it is odd.",)):

        def judge(*given: Any, reasons: tuple[str, ...] = reasons, **named: Any) -> Report:
            return replace(found(Verdict.FLAGGED)(*given, **named), reasons=reasons)

        monkeypatch.setattr(submit_command, "submit", functools.partial(submit_module.submit, judge=judge))
        submitted, shown = desk.submit().stdout, desk.run("review", "show", PLUGIN.filename).stdout
        for out in (submitted, shown):
            (line,) = [each for each in out.splitlines() if each.startswith("because")]
            assert line.split(maxsplit=1)[1] == reasons[0].removeprefix("Flagged: ")
