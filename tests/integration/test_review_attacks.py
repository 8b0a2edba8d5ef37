"""What somebody with write access to `.submissions` or `registry.toml` tries between audit, review and publishing.

They hold no key. Each attack has a control that differs in one thing and is published.
"""

import hashlib
import json
import shutil
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from assess_plugin.permissions import Permissions
from assess_registry.audit.pipeline import Terms
from assess_registry.audit.values import Examination, Report, Verdict
from assess_registry.config import load_config
from assess_registry.dsse import parse_envelope, sign_envelope
from assess_registry.errors import ConfigError, RegistryError, TrustError
from assess_registry.index.tree import Tree
from assess_registry.keys import PrivateKey, TimedKey, generate_key
from assess_registry.names import ProjectName
from assess_registry.publish.after import revoke
from assess_registry.publish.approved import PublishedRelease, publish_approved
from assess_registry.review.check import check
from assess_registry.review.permissions import PermissionChange
from assess_registry.review.reviews import reviews_of
from assess_registry.review.rules import rules_of
from assess_registry.review.seen import require_one_seen
from assess_registry.review.speak import approve, reject, write_approval
from assess_registry.review.submissions import Submission, load_submission
from assess_registry.review.submit import Submitted, submit
from assess_registry.review.words import Word, sign_word
from assess_registry.verdict import PAYLOAD_TYPE, parse_verdict
from tests.support.registry_tree import BEGAN, RegistryTree, found, found_nothing, make_registry_tree
from tests.support.wheels import WheelBuilder, demo_manifest

PLUGIN = WheelBuilder(version="1.1.0")
OTHER_BYTES = PLUGIN.but(metadata_lines=("Author: x",))
READS_ETC = demo_manifest(permissions='read = ["/etc"]\n')
SBOM = "sbom.cdx.json"
UNCHANGED = PermissionChange()


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> RegistryTree:
    """A registry in which demo-plugin 1.0.0 is published."""
    return make_registry_tree(tmp_path_factory.mktemp("registry"))


@pytest.fixture
def tree(published: RegistryTree, tmp_path: Path) -> RegistryTree:
    return published.copy(tmp_path / "copy")


def with_sbom(data: bytes, filename: str, *, closure: Mapping[str, bytes], terms: Terms, evidence: Any) -> Report:
    report = found_nothing(data, filename, closure=closure, terms=terms, evidence=evidence)
    return replace(report, examinations=(Examination(check="sbom", attachments={SBOM: b'{"bomFormat":"CycloneDX"}'}),))


def submitted(tree: RegistryTree, wheel: WheelBuilder = PLUGIN, **changes: Any) -> Submitted:
    (made,) = tree.submit({wheel.filename: wheel.build()}, **{"judge": with_sbom, **changes})
    return made


def release(tree: RegistryTree, made: Submitted) -> PublishedRelease:
    """Publish without accepting any change of registry.toml."""
    keys = tree.everybody.release_keys
    return publish_approved(tree.root, [made.submission.directory], keys=keys, now=datetime.now(UTC))


def refused(attempt: Callable[[], object]) -> TrustError:
    with pytest.raises(TrustError) as caught:
        attempt()
    assert caught.value.thing
    assert caught.value.next_step
    return caught.value


def vouch(submission: Submission, key: PrivateKey) -> None:
    """Let this key sign the attestation that lies there."""
    path = submission.directory / "audit.dsse.json"
    path.write_bytes(sign_envelope(parse_envelope(path.read_bytes()).payload, PAYLOAD_TYPE, [key]).data())


# --- the audit's report -------------------------------------------------------------------------------------------


def whitewash(submission: Submission) -> None:
    """A report that found nothing, and a statement that fits it: all that can be written without a key."""
    report = json.loads(submission.report) | {"verdict": "approved", "reasons": []}
    (submission.directory / "audit.json").write_text(json.dumps(report))
    assert submission.statement is not None
    digest = hashlib.sha256((submission.directory / "audit.json").read_bytes()).hexdigest()
    verdict = replace(parse_verdict(submission.statement), report_sha256=digest, result="approved")  # type: ignore[arg-type]
    (submission.directory / "statement.json").write_bytes(verdict.statement())


def drop(name: str) -> Callable[[Submission, RegistryTree], object]:
    return lambda submission, _: (submission.directory / name).unlink()


FORGED: dict[str, Callable[[Submission, RegistryTree], object]] = {
    "a report that found nothing": lambda submission, _: whitewash(submission),
    "no attestation": drop("audit.dsse.json"),
    "no statement, as if it were rejected": drop("statement.json"),
    "no bill of materials": drop(SBOM),
    "another bill of materials": lambda submission, _: (submission.directory / SBOM).write_bytes(b"{}"),
    "signed by a stranger": lambda submission, _: vouch(submission, generate_key()),
    "signed by a reviewer": lambda submission, tree: vouch(submission, tree.everybody.reviewers["rita"]),
    "signed by the publisher": lambda submission, tree: vouch(submission, tree.key),
    "signed by the online key": lambda submission, tree: vouch(submission, tree.everybody.online),
}


@pytest.mark.parametrize("name", FORGED)
def test_nobody_but_the_audit_says_what_the_audit_found(tree: RegistryTree, name: str) -> None:
    made = submitted(tree, judge=found(Verdict.FLAGGED) if name == "a report that found nothing" else with_sbom)
    image = tree.directory / "image"
    shutil.copytree(made.submission.directory, image)
    FORGED[name](made.submission, tree)
    assert refused(lambda: tree.approve(made)).step == "attestation"
    assert refused(lambda: release(tree, made)).step == "attestation"
    shutil.rmtree(made.submission.directory)  # the control: as the audit left it
    shutil.copytree(image, made.submission.directory)
    tree.approve(made)
    assert release(tree, made).written


REPLAYED = [
    ("audit.dsse.json",),
    ("audit.dsse.json", "audit.json"),
    ("audit.dsse.json", "statement.json"),
    ("audit.dsse.json", "audit.json", "pylock.toml", "pylock.toml.sig", SBOM),
    ("audit.json", "statement.json", SBOM),
    (SBOM,),
]


@pytest.mark.parametrize("names", REPLAYED, ids="+".join)
def test_an_older_attestation_of_the_same_wheel_does_not_fit(tree: RegistryTree, names: tuple[str, ...]) -> None:
    """Audited when nothing was known against it; audited again with another lock, report and bill of materials."""
    old = tree.directory / "old"
    before = submitted(tree).submission
    shutil.copytree(before.directory, old)
    newer = WheelBuilder.dependency("pluggy", "1.6.1")
    (tree.closure / newer.filename).write_bytes(newer.build())
    made = submitted(tree, judge=found(Verdict.FLAGGED))
    assert made.submission.sha256 == before.sha256
    assert made.submission.lock != before.lock
    new = tree.directory / "new"
    shutil.copytree(made.submission.directory, new)
    for name in names:
        shutil.copy(old / name, made.submission.directory / name)
    assert refused(lambda: tree.approve(made)).step in ("attestation", "signature")
    shutil.rmtree(made.submission.directory)
    shutil.copytree(new, made.submission.directory)
    tree.approve(made)
    assert release(tree, made).written


def test_an_attestation_under_another_policy_is_stale(tree: RegistryTree) -> None:
    made = submitted(tree)
    config = load_config(tree.root)
    tree.configure(replace(config, policy=replace(config.policy, max_wheel_mib=7.0)))
    assert refused(lambda: tree.approve(made)).step == "stale"
    tree.approve(submitted(tree))


def test_a_time_to_come_is_no_time_of_an_audit(tree: RegistryTree) -> None:
    made = submitted(tree, now=datetime.now(UTC) + timedelta(hours=1))
    assert "has not come" in str(refused(lambda: tree.approve(made)))
    tree.approve(submitted(tree))  # the control


def audit_keys(tree: RegistryTree, *keys: TimedKey) -> None:
    tree.configure(replace(load_config(tree.root), audit_keys=keys))


def test_a_registry_without_an_audit_key_says_how_to_add_one(tree: RegistryTree) -> None:
    keys = load_config(tree.root).audit_keys
    bare = make_registry_tree(tree.directory / "bare", plugins=[], config=lambda config: replace(config, audit_keys=()))
    for wanted in ("keys new NAME --role audit", "keys add NAME.pub --role audit", "registry.toml names none"):
        with pytest.raises(ConfigError, match=wanted):
            submitted(bare)
    audit_keys(bare, TimedKey(key=bare.everybody.audit.public, valid_from=BEGAN))
    made = submitted(bare)  # nothing is signed there yet, so what it says now is what will be
    bare.approve(made)
    assert release(bare, made).written
    assert keys


def test_an_audit_key_counts_when_it_is_signed_not_when_it_is_written_down(tree: RegistryTree) -> None:
    planted = generate_key()
    people = replace(tree.everybody, audit=planted)
    old = load_config(tree.root).audit_keys
    made = submitted(tree)
    audit_keys(tree, *old, TimedKey(key=planted.public, valid_from=BEGAN))
    assert refused(lambda: submitted(replace(tree, people=people))).step == "attestation"
    vouch(made.submission, planted)
    assert "audits nothing here" in refused(lambda: tree.approve(made)).got
    assert refused(lambda: release(tree, made)).step == "control"
    vouch(made.submission, tree.everybody.audit)  # the control
    tree.approve(made)
    vouch(made.submission, planted)
    tree.release(made)  # accepting registry.toml's changes, and with them this key


@pytest.mark.parametrize("ended", [True, False])
def test_a_revoked_audit_keys_reports_are_to_be_made_again(tree: RegistryTree, ended: bool) -> None:
    made = submitted(tree)
    tree.approve(made)
    until = {"valid_until": datetime.now(UTC), "revoked": "stolen"} if ended else {}
    audit_keys(tree, TimedKey(key=tree.everybody.audit.public, valid_from=BEGAN, **until))  # type: ignore[arg-type]
    if ended:
        assert "revoked as of" in refused(lambda: tree.release(made)).got
    else:
        assert tree.release(made).written


def test_wheels_of_two_audits_are_no_release(tree: RegistryTree) -> None:
    wheels = [WheelBuilder(version="1.1.0", tag=f"py3-none-linux_{name}", purelib=False) for name in ("a", "b")]
    files = {wheel.filename: wheel.build() for wheel in wheels}
    one, two = tree.submit(files)
    first = (one.submission.directory / "audit.dsse.json").read_bytes()
    assert first == (two.submission.directory / "audit.dsse.json").read_bytes()
    again, _ = tree.submit(files, judge=found(Verdict.FLAGGED))
    shutil.copy(one.submission.directory / "audit.dsse.json", two.submission.directory)
    tree.approve(again)
    (two.submission.directory / "audit.dsse.json").write_bytes(first)
    assert refused(lambda: tree.approve(two)).step == "attestation"


# --- between looking and approving --------------------------------------------------------------------------------


def approve_as(tree: RegistryTree, submission: Submission, seen: str, change: PermissionChange = UNCHANGED) -> str:
    """As `review approve` does with what lies there now."""
    rules = rules_of(tree.root, datetime.now(UTC))
    checked = check(load_submission(submission.directory), rules)
    key = tree.everybody.reviewers["rita"]
    return approve(Tree(tree.root), checked, key, rules=rules, seen=seen, change=change, accept_permissions=True)


SWAPS: dict[str, Callable[[RegistryTree], Submitted]] = {
    "other bytes under the same filename": lambda tree: submitted(tree, OTHER_BYTES),
    "the same wheel with another report": lambda tree: submitted(tree, judge=found(Verdict.FLAGGED)),
    "the same wheel without a bill of materials": lambda tree: submitted(tree, judge=found_nothing),
}


@pytest.mark.parametrize("name", SWAPS)
def test_what_was_exchanged_since_it_was_looked_at_is_not_approved(tree: RegistryTree, name: str) -> None:
    looked_at = submitted(tree).submission.statement_sha256
    assert looked_at is not None
    swapped = SWAPS[name](tree).submission  # audited and signed as well, and nobody has looked at it
    error = refused(lambda: approve_as(tree, swapped, looked_at))
    assert (error.step, error.got) == ("seen", f"sha256:{swapped.statement_sha256}")
    assert swapped.statement_sha256 is not None
    assert approve_as(tree, swapped, f"sha256:{swapped.statement_sha256[:12]}") == "rita"  # the control: looked again


def test_a_statement_is_named_by_twelve_digits_at_least_and_by_as_many_as_it_takes(tree: RegistryTree) -> None:
    made = submitted(tree).submission
    digest = made.statement_sha256
    assert digest is not None
    for seen in ("", "sha256:", digest[:11], digest.upper(), digest[:12] + "g", digest + "0", f"sha512:{digest}"):
        with pytest.raises(ConfigError, match="--statement"):
            approve_as(tree, made, seen)
    twin = submitted(tree, PLUGIN.but(version="1.2.0")).submission
    shutil.copy(made.directory / "statement.json", twin.directory)
    with pytest.raises(ConfigError, match="begins so as well"):
        require_one_seen(tree.root, made, digest[:12])
    (twin.directory / "statement.json").unlink()
    require_one_seen(tree.root, made, digest[:12])
    assert approve_as(tree, made, digest[:12]) == "rita"


# --- permissions that are new by the time of publishing -----------------------------------------------------------


def do_revoke(tree: RegistryTree, version: str) -> None:
    now, keys = datetime.now(UTC), tree.everybody.release_keys
    revoke(tree.root, ProjectName("demo-plugin"), version, reason="bad", severity="high", keys=keys, now=now)


def had_it(tree: RegistryTree) -> Submitted:
    """A version that may read /etc is published; the next one, which may as well, is approved: nothing is new."""
    had = PLUGIN.but(manifest=READS_ETC)
    tree.publish(had.filename, had.build())
    made = submitted(tree, PLUGIN.but(version="1.2.0", manifest=READS_ETC))
    assert made.change.more == ()
    tree.approve(made)
    return made


@pytest.mark.parametrize("revoked", [True, False])
def test_what_a_revoked_version_might_is_new_again(tree: RegistryTree, revoked: bool) -> None:
    made = had_it(tree)
    if not revoked:
        assert release(tree, made).written
        return
    do_revoke(tree, "1.1.0")
    error = refused(lambda: release(tree, made))
    assert (error.step, error.got, error.expected) == ("permissions", "read /etc", "nothing new")
    again = submitted(tree, PLUGIN.but(version="1.2.0", manifest=READS_ETC))
    assert (again.change.since, again.change.more) == ("1.0.0", ("read /etc",))
    assert refused(lambda: release(tree, again)).step == "approval"  # who approved was shown nothing new
    tree.approve(again)
    assert release(tree, again).written


@pytest.mark.parametrize("revoked", [True, False])
def test_nobody_approves_a_comparison_that_no_longer_holds(tree: RegistryTree, revoked: bool) -> None:
    made = had_it(tree)
    digest = made.submission.statement_sha256
    assert digest is not None
    new = PermissionChange(since="1.0.0", added=Permissions(read=("/etc",)))
    if revoked:
        error = refused(lambda: approve_as(tree, made.submission, digest, new))
        assert (error.step, error.got) == ("permissions", "read /etc")
    else:
        assert approve_as(tree, made.submission, digest) == "rita"


@pytest.mark.parametrize("revoked", [True, False])
def test_policy_approves_nothing_that_is_new_by_then(tree: RegistryTree, revoked: bool) -> None:
    config = load_config(tree.root)
    tree.configure(replace(config, policy=replace(config.policy, automatic_approval=("publisher",))))
    had = PLUGIN.but(manifest=READS_ETC)
    tree.publish(had.filename, had.build())
    made = submitted(tree, PLUGIN.but(version="1.2.0", manifest=READS_ETC))
    assert made.automatic
    if revoked:
        do_revoke(tree, "1.1.0")
        assert refused(lambda: release(tree, made)).step == "permissions"
    else:
        assert release(tree, made).written


def test_who_was_shown_all_of_it_as_new_has_approved_it_whatever_is_revoked(tree: RegistryTree) -> None:
    had = PLUGIN.but(manifest=READS_ETC)
    made = submitted(tree, PLUGIN.but(version="1.2.0", manifest=READS_ETC))  # compared with 1.0.0: /etc is new
    tree.approve(made)
    tree.publish(had.filename, had.build())
    do_revoke(tree, "1.1.0")
    assert release(tree, made).written


# --- what reviewers said ------------------------------------------------------------------------------------------


def reviews(submission: Submission) -> Path:
    return submission.directory / "reviews"


def counted(tree: RegistryTree, submission: Submission) -> list[tuple[str, bool]]:
    rules = rules_of(tree.root, datetime.now(UTC))
    found_ = reviews_of(load_submission(submission.directory), rules=rules, publisher="publisher")
    return [(each.reviewer, each.approves) for each in found_ if not each.stale and each.reviewer]


def do_reject(tree: RegistryTree, submission: Submission, reviewer: str = "rita") -> None:
    rules = rules_of(tree.root, datetime.now(UTC))
    key = tree.everybody.reviewers[reviewer]
    reject(Tree(tree.root), check(submission, rules), key, rules=rules, reason="it spies")


def test_an_approval_that_is_put_back_beside_a_later_rejection_does_not_count(tree: RegistryTree) -> None:
    made = submitted(tree)
    tree.approve(made)
    kept = {path.name: path.read_bytes() for path in reviews(made.submission).iterdir()}
    do_reject(tree, made.submission)
    for name, data in kept.items():
        (reviews(made.submission) / f"again-{name}").write_bytes(data)
    tree.approve(made, reviewer="ruben")
    assert counted(tree, made.submission) == sorted(
        [("rita", False), ("ruben", True)], key=lambda each: tree.everybody.reviewers[each[0]].public.id
    )
    assert "it spies" in str(refused(lambda: release(tree, made)))
    tree.approve(made)  # the control: she says it again, later
    assert release(tree, made).written


def test_copies_of_an_approval_count_once(tree: RegistryTree) -> None:
    made = submitted(tree)
    tree.approve(made)
    for path in list(reviews(made.submission).iterdir()):
        shutil.copy(path, path.with_name(f"copy-{path.name}"))
    assert counted(tree, made.submission) == [("rita", True)]
    assert release(tree, made).written


@pytest.mark.parametrize("word", [True, False])
def test_a_signature_without_its_word_is_no_approval(tree: RegistryTree, word: bool) -> None:
    made = submitted(tree)
    key = tree.everybody.reviewers["rita"]
    if word:
        tree.approve(made)
        assert release(tree, made).written
    else:
        write_approval(Tree(tree.root), made.submission, key)
        assert refused(lambda: release(tree, made)).step == "approval"


@pytest.mark.parametrize("what", ["wheel_sha256", "statement_sha256", "at", ""])
def test_a_word_is_about_this_wheel_this_statement_and_not_of_a_time_to_come(tree: RegistryTree, what: str) -> None:
    made = submitted(tree)
    key, digest = tree.everybody.reviewers["rita"], made.submission.statement_sha256
    assert digest is not None
    word = Word(says="approves", wheel_sha256=made.submission.sha256, statement_sha256=digest, at=datetime.now(UTC))
    other: dict[str, Any] = {"at": word.at + timedelta(hours=1)}
    wrong = {what: other.get(what, "ab" * 32)} if what else {}
    write_approval(Tree(tree.root), made.submission, key)
    (reviews(made.submission) / "word.json").write_bytes(sign_word(replace(word, **wrong), key).data())
    if what:
        assert refused(lambda: release(tree, made)).step == "approval"
    else:
        assert release(tree, made).written


@pytest.mark.parametrize("later", [True, False])
def test_what_a_thief_says_with_a_key_that_has_ended_is_not_the_last_word(tree: RegistryTree, later: bool) -> None:
    """A rejection by the old key, of a time after its end; its holder approves with the new one."""
    made = submitted(tree)
    old, new = tree.everybody.reviewers["rita"], generate_key()
    end = datetime.now(UTC) - timedelta(minutes=1)
    config = load_config(tree.root)
    keys = (TimedKey(key=old.public, valid_from=BEGAN, valid_until=end), TimedKey(key=new.public, valid_from=BEGAN))
    rita, ruben = config.reviewers
    tree.configure(replace(config, reviewers=(replace(rita, keys=keys), ruben)))
    said_at = datetime.now(UTC) + timedelta(days=1) if later else end - timedelta(minutes=1)
    digest = made.submission.statement_sha256
    assert digest is not None
    word = Word(says="rejects", wheel_sha256=made.submission.sha256, statement_sha256=digest, at=said_at, reason="no")
    reviews(made.submission).mkdir()
    (reviews(made.submission) / "old.json").write_bytes(sign_word(word, old).data())
    assert counted(tree, made.submission) == [("rita", False)]
    people = replace(tree.everybody, reviewers={"rita": new})
    replace(tree, people=people).approve(made)
    assert counted(tree, made.submission) == [("rita", True)]
    assert tree.release(made).written


def test_a_publishers_own_audit_is_nobodys(tree: RegistryTree) -> None:
    wheel = tree.directory / PLUGIN.filename
    wheel.write_bytes(PLUGIN.build())
    arguments: dict[str, Any] = {"key": tree.key, "closure": tree.closure, "now": datetime.now(UTC)}
    with pytest.raises(RegistryError, match="no audit key of it"):
        submit(tree.root, [wheel], audit_key=tree.key, judge=found_nothing, **arguments)
    assert submit(tree.root, [wheel], audit_key=tree.everybody.audit, judge=found_nothing, **arguments)
