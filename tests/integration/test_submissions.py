"""Submissions on disk: whole or not there, found by a few digits, and the same whoever writes them at once."""

import shutil
import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from assess_registry.audit.values import Verdict
from assess_registry.errors import ConfigError, RegistryError, TrustError
from assess_registry.index.tree import Tree
from assess_registry.names import ProjectName
from assess_registry.review.check import check
from assess_registry.review.published import last_approved, repository_of
from assess_registry.review.reports import verdict_and_day
from assess_registry.review.reviews import reviews_of
from assess_registry.review.rules import rules_of
from assess_registry.review.standing import standings
from assess_registry.review.submissions import find_submission, load_submission
from assess_registry.review.submit import Submitted, submit
from tests.support.kills import steps, stride
from tests.support.registry_tree import RegistryTree, copy_registry_tree, found, found_nothing
from tests.support.wheels import WheelBuilder, demo_manifest

PLUGIN = WheelBuilder(version="1.1.0")


@pytest.fixture
def tree(tmp_path: Path) -> RegistryTree:
    return copy_registry_tree(tmp_path / "registry", plugins=[])


def submitted(tree: RegistryTree, wheel: WheelBuilder = PLUGIN, **changes: object) -> Submitted:
    (made,) = tree.submit({wheel.filename: wheel.build()}, **changes)  # type: ignore[arg-type]
    return made


def test_a_submission_is_found_by_its_beginning_and_by_its_filename(tree: RegistryTree) -> None:
    made = submitted(tree).submission
    for word in (made.sha256, made.sha256[:6], f"sha256:{made.sha256}", str(made.directory), PLUGIN.filename):
        assert find_submission(tree.root, word).directory == made.directory
    for word in (made.sha256[:5], "", "0" * 64, "other-1.0-py3-none-any.whl"):
        with pytest.raises(ConfigError, match="expected one submission, got 0"):
            find_submission(tree.root, word)


@pytest.mark.timeout(1800)  # some fifty processes, one after another
@pytest.mark.parametrize(("earlier", "number"), [(None, 6), (Verdict.FLAGGED, 3)], ids=["first", "again"])
def test_killed_before_any_call_it_is_whole_or_cannot_be_approved(
    tree: RegistryTree, tmp_path: Path, earlier: Verdict | None, number: int
) -> None:
    if earlier:
        tree.approve(submitted(tree, judge=found(earlier)))
    image, now = tmp_path / "image", datetime.now(UTC)
    shutil.copytree(tree.root, image)

    def restore() -> None:
        shutil.rmtree(tree.root)
        shutil.copytree(image, tree.root)

    kills = 0
    for _ in steps(lambda: submitted(tree, now=now), restore, every=stride(3)):
        kills += 1
        rules = rules_of(tree.root, datetime.now(UTC))
        for each in standings(tree.root, rules):
            # What was killed left no submission, the one before, or the new one; only the one before was approved.
            assert each.state in ("broken", "rejected", "approved", "waiting"), each
            assert each.state != "approved" or each.audit == "flagged"
        directory = submitted(tree, now=now).submission.directory
        checked = check(load_submission(directory), rules)
        assert checked.verdict.result == "approved"
    assert kills > number


@pytest.mark.parametrize(("waited_s", "same"), [(30, True), (90, False)])
def test_who_waited_for_the_lock_keeps_what_was_attested_meanwhile(
    tree: RegistryTree, waited_s: int, same: bool
) -> None:
    now = datetime.now(UTC).replace(microsecond=0)
    first = submitted(tree, now=now).submission.statement
    again = submitted(tree, now=now - timedelta(seconds=waited_s)).submission.statement
    assert (again == first) is same


def test_two_at_once_make_one_submission(tree: RegistryTree) -> None:
    wheel = tree.directory / PLUGIN.filename
    wheel.write_bytes(PLUGIN.build())
    errors: list[Exception] = []

    def work() -> None:
        try:
            now = datetime.now(UTC)
            audit, place = tree.everybody.audit, tree.closure
            tree.approve(
                *submit(tree.root, [wheel], key=tree.key, audit_key=audit, closure=place, now=now, judge=found_nothing)
            )
        except RegistryError as error:
            errors.append(error)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    (each,) = standings(tree.root, rules_of(tree.root, datetime.now(UTC)))
    assert (each.state, each.approvals) == ("approved", ("rita",))


def test_an_audit_that_is_too_old_is_stale(tree: RegistryTree) -> None:
    made = submitted(tree)
    later = datetime.now(UTC) + timedelta(days=31)
    with pytest.raises(TrustError, match="too old") as refused:
        check(made.submission, rules_of(tree.root, later))
    assert refused.value.step == "stale"
    assert check(made.submission, rules_of(tree.root, later - timedelta(days=1))).publisher == "publisher"


@pytest.mark.parametrize("what", ["publisher", "reviewer"])
def test_a_key_counts_only_while_it_is_valid(tree: RegistryTree, what: str) -> None:
    made = submitted(tree)
    tree.approve(made)
    rules = rules_of(tree.root, datetime.now(UTC))
    before = replace(rules, now=datetime(2025, 12, 31, tzinfo=UTC))
    if what == "publisher":
        with pytest.raises(TrustError, match="not valid before") as refused:
            check(made.submission, before)
        assert refused.value.step == "publisher"
        assert check(made.submission, rules).publisher == "publisher"
    else:
        assert [each.reviewer for each in reviews_of(made.submission, rules=before, publisher="publisher")] == [""]
        assert [each.reviewer for each in reviews_of(made.submission, rules=rules, publisher="publisher")] == ["rita"]


def test_rubbish_among_the_reviews_is_no_review(tree: RegistryTree) -> None:
    made = submitted(tree)
    tree.approve(made)
    rita, ruben = (tree.everybody.reviewers[name].public.id.removeprefix("sha256:") for name in ("rita", "ruben"))
    review = made.submission.directory / "reviews" / f"{rita}.json"
    review.with_name(f"{ruben}.json").write_bytes(review.read_bytes())  # rita's, under another's name
    review.with_name("x.json").write_bytes(b"{}")
    review.with_name(f"{'0' * 64}.json").write_bytes(review.read_bytes().replace(b'"sig":"', b'"sig":"A'))
    rules = rules_of(tree.root, datetime.now(UTC))
    assert [each.reviewer for each in reviews_of(made.submission, rules=rules, publisher="publisher")] == ["rita"]


def test_a_report_of_several_wheels_says_it_of_each(tree: RegistryTree) -> None:
    wheels = [WheelBuilder(tag=f"py3-none-linux_{name}", purelib=False) for name in ("a", "b")]
    one, two = tree.submit({wheel.filename: wheel.build() for wheel in wheels})
    assert one.submission.report == two.submission.report
    assert verdict_and_day(one.submission.report, one.submission.sha256)[0] == "approved"
    assert verdict_and_day(one.submission.report, two.submission.sha256)[0] == "approved"
    for bad in (b"", b"[]", b"{}", b'{"reports": 1}', b'{"reports": []}'):
        with pytest.raises(ValueError, match=r"."):
            verdict_and_day(bad, one.submission.sha256)


def test_what_one_wheel_of_several_may_do_is_new_to_the_others(tree: RegistryTree) -> None:
    manifests = [demo_manifest(permissions=text) for text in ('read = ["/a", "/b"]\n', 'read = ["/b", "/c"]\n')]
    wheels = [
        WheelBuilder(tag=f"py3-none-linux_{name}", purelib=False, manifest=manifest)
        for name, manifest in zip("ab", manifests, strict=True)
    ]
    both = tree.submit({wheel.filename: wheel.build() for wheel in wheels})
    tree.approve(*both)
    tree.release(*both)
    place, repository = Tree(tree.root), repository_of(tree.root)
    version, permissions = last_approved(place, repository, ProjectName("demo-plugin"), "1.1.0")
    assert (version, permissions.read) == ("1.0.0", ("/b",))
    assert last_approved(place, repository, ProjectName("demo-plugin"), "0.9")[0] == ""
