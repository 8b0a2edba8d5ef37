"""`assess-registry review list | show | approve | reject`."""

import json
from pathlib import Path

import click

from assess_registry.canonical import write_time
from assess_registry.cli.options import index_option, output_option
from assess_registry.cli.signing import load_keys, now, passphrases_option
from assess_registry.console import VerbGroup, print_json
from assess_registry.files import file_lock
from assess_registry.index.create import INDEX_LOCK_NAME, LOCK_TIMEOUT_S
from assess_registry.index.tree import Tree
from assess_registry.lock import parse_lock
from assess_registry.review.audited import require_audited
from assess_registry.review.check import check
from assess_registry.review.reports import reasons_of, without_verdict
from assess_registry.review.reviews import Review
from assess_registry.review.rules import rules_of
from assess_registry.review.seen import require_one_seen, require_seen
from assess_registry.review.speak import approve, reject
from assess_registry.review.standing import SHORT, Standing, standing_of, standings
from assess_registry.review.submissions import Submission, find_submission
from assess_registry.text import plain, table
from assess_registry.verdict.attestation import Attestation
from assess_registry.wheel import inspect

_key_option = click.option(
    "--key", "key_file", type=click.Path(path_type=Path), required=True, help="The reviewer's private key."
)


@click.group("review", cls=VerbGroup)
def command() -> None:
    """Look at submissions; approve or reject them with a key of your own."""


@command.command("list")
@index_option
@output_option
def list_submissions(root: Path, output: str) -> None:
    """List what was submitted and where it stands."""
    found = list(standings(root, rules_of(root, now())))
    if output == "json":
        print_json({"submissions": [_document(each) for each in found]})
        return
    rows = [
        (each.sha256[:SHORT], each.project, each.version, each.publisher, each.audit, each.state,
         f"{len(each.approvals)}/{each.needed}" if each.needed else ", ".join(each.approvals), each.why)
        for each in found
    ]  # fmt: skip
    headings = ("SUBMISSION", "PROJECT", "VERSION", "PUBLISHER", "AUDIT", "STATE", "APPROVALS", "WHY")
    click.echo(table(headings, rows), nl=False)
    for each in found:
        if each.state == "broken":
            click.echo(f"{each.sha256[:SHORT]} is broken: {plain(each.next)}", err=True)
    if not found:
        click.echo(f"{plain(root)}: nothing is submitted", err=True)


@command.command("show")
@click.argument("submission")
@index_option
@output_option
def show(submission: str, root: Path, output: str) -> None:
    """Show a submission as a reviewer needs to see it: who made it, what was found, what it may do, and what is new.

    SUBMISSION is its digest, the beginning of it, or the wheel's filename.
    """
    found, rules = find_submission(root, submission), rules_of(root, now())
    wheel = inspect(found.data, found.filename, kind="plugin")
    attestation = require_audited(found, wheel, rules)  # else nobody knows whose report it is
    each = standing_of(root, found, rules)
    if output == "json":
        document = _document(each) | {"statement": found.statement_sha256, "signed": _signed(found, attestation)}
        print_json({"submission": document, "report": json.loads(found.report)})
        return
    # Whole: what is approved has all been shown.
    click.echo(table(("SUBMISSION", ""), _rows(each, found, attestation), whole=True), nl=False)


@command.command("approve")
@click.argument("submission")
@_key_option
@click.option(
    "--statement",
    "seen",
    required=True,
    help="Digest of the statement you looked at, as review show prints it; its first 12 digits at least.",
)
@click.option("--accept-permissions", is_flag=True, help="You have seen what it asks for beyond the last version.")
@passphrases_option
@index_option
def approve_submission(
    *,
    submission: str,
    key_file: Path,
    seen: str,
    accept_permissions: bool,
    passphrase_files: tuple[Path, ...],
    root: Path,
) -> None:
    """Approve SUBMISSION: sign the statement of exactly this wheel, closure, report and permissions.

    The statement is the one that you looked at, by the digest that `review show` printed.
    """
    (key,) = load_keys([key_file], passphrase_files)
    rules = rules_of(root, now())
    with file_lock(root / INDEX_LOCK_NAME, timeout_s=LOCK_TIMEOUT_S):
        found = find_submission(root, submission)
        require_seen(found, seen)
        require_one_seen(root, found, seen)
        checked = check(found, rules)
        name = approve(
            Tree(root),
            checked,
            key,
            rules=rules,
            seen=seen,
            change=standing_of(root, found, rules).change,
            accept_permissions=accept_permissions,
        )
    _said(root, found, f"approved by {name}")


@command.command("reject")
@click.argument("submission")
@_key_option
@click.option("--reason", required=True, help="Why, one line for its publisher to read.")
@passphrases_option
@index_option
def reject_submission(
    *, submission: str, key_file: Path, reason: str, passphrase_files: tuple[Path, ...], root: Path
) -> None:
    """Reject SUBMISSION: it is not published as long as this stands; approving it takes it back."""
    (key,) = load_keys([key_file], passphrase_files)
    rules = rules_of(root, now())
    with file_lock(root / INDEX_LOCK_NAME, timeout_s=LOCK_TIMEOUT_S):
        found = find_submission(root, submission)
        name = reject(Tree(root), check(found, rules), key, rules=rules, reason=reason)
    _said(root, found, f"rejected by {name}")


def _said(root: Path, submission: Submission, what: str) -> None:
    each = standing_of(root, submission, rules_of(root, now()))
    more = f": {each.why}" if each.why else ""
    click.echo(f"{plain(submission.filename)}: {what}; it is {each.state} now{plain(more)}", err=True)


def _signed(submission: Submission, attestation: Attestation) -> dict[str, object]:
    return {
        "lock": attestation.lock_sha256,
        "report": attestation.report_sha256,
        "sbom": attestation.sbom_sha256,
        "policy": attestation.policy_sha256,
        "audited_at": write_time(attestation.audited_at),
        "dependencies": dict(_dependencies(submission)),
    }


def _dependencies(submission: Submission) -> list[tuple[str, str]]:
    wheels = parse_lock(submission.lock).wheels
    return [(each.filename, each.sha256) for each in wheels if each.filename in submission.closure]


def _rows(each: Standing, submission: Submission, attestation: Attestation) -> list[tuple[str, object]]:
    reasons = reasons_of(submission.report, submission.sha256)
    return [
        ("submission", each.sha256),
        ("plugin", f"{each.project} {each.version}"),
        ("wheel", each.filename),
        ("publisher", each.publisher),
        *(("with", f"{name} sha256:{sha256}") for name, sha256 in _dependencies(submission)),
        ("lock", f"sha256:{attestation.lock_sha256}"),
        ("report", f"sha256:{attestation.report_sha256}"),
        ("bill of materials", f"sha256:{attestation.sbom_sha256}" if attestation.sbom_sha256 else "none"),
        ("audited", write_time(attestation.audited_at)),
        ("audit", each.audit),
        *(("because", without_verdict(reason, each.audit)) for reason in reasons),
        *((f"not in {each.change.since}" if each.change.since else "may", entry) for entry in each.change.more),
        *(("no longer", entry) for entry in each.change.less),
        *(_review_row(review) for review in each.reviews),
        *(("approved by", name) for name in each.approved_by),
        ("state", each.state),
        ("why", each.why),
        ("read it", str(submission.directory)),
        ("statement", f"sha256:{submission.statement_sha256}" if submission.statement_sha256 else "none"),
        *((("next", each.next),) if each.next else ()),
    ]


def _review_row(review: Review) -> tuple[str, str]:
    who = review.reviewer or f"{review.key} (nobody who counts)"
    stale = f", {review.not_counted}" if review.stale else ""
    return ("approved by" if review.approves else "rejected by", f"{who}{stale}{review.reason and ': '}{review.reason}")


def _document(each: Standing) -> dict[str, object]:
    return {
        "sha256": each.sha256,
        "filename": each.filename,
        "project": each.project,
        "version": each.version,
        "publisher": each.publisher,
        "audit": each.audit,
        "state": each.state,
        "why": each.why,
        "next": each.next,
        "needed": each.needed,
        "approvals": list(each.approvals),
        "permissions": {
            "since": each.change.since or None,
            "more": list(each.change.more),
            "less": list(each.change.less),
        },
        "reviews": [
            {
                "key": review.key,
                "reviewer": review.reviewer or None,
                "approves": review.approves,
                "stale": review.stale,
                "not_counted": review.not_counted or None,
                "at": write_time(review.at) if review.at else None,
                "reason": review.reason,
            }
            for review in each.reviews
        ],
    }
