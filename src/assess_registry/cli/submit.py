"""`assess-registry submit WHEEL...`."""

from pathlib import Path

import click

from assess_registry.audit.values import Verdict
from assess_registry.cli.options import index_option, keys_directory, output_option
from assess_registry.cli.signing import load_keys, now, passphrases_option
from assess_registry.console import EXIT_DONE, EXIT_FLAGGED, EXIT_REFUSED, print_json
from assess_registry.errors import ConfigError
from assess_registry.files import read_bounded
from assess_registry.keys import KeyRing
from assess_registry.review.audited import require_audits
from assess_registry.review.reports import without_verdict
from assess_registry.review.rules import rules_of
from assess_registry.review.submit import Submitted, submit
from assess_registry.text import table

EXITS = {Verdict.APPROVED: EXIT_DONE, Verdict.FLAGGED: EXIT_FLAGGED, Verdict.REJECTED: EXIT_REFUSED}

MAX_EVIDENCE_BYTES = 32 << 20


@click.command("submit")
@click.argument("wheels", type=click.Path(path_type=Path), nargs=-1, required=True)
@click.option("--key", "key_file", type=click.Path(path_type=Path), required=True, help="The publisher's private key.")
@click.option(
    "--closure", type=click.Path(path_type=Path), required=True, help="Directory with the wheels they depend on."
)
@click.option(
    "--audit-key",
    "audit_key_file",
    type=click.Path(path_type=Path),
    default=None,
    help="The audit's private key, which signs its report. [default: the one audit key where keys lie]",
)
@click.option(
    "--keys",
    "keys_dir",
    type=click.Path(path_type=Path),
    default=None,
    envvar="ASSESS_KEYS_DIR",
    show_envvar=True,
    help="Where an audit key is looked for. [default: assess/keys in the user's configuration directory]",
)
@click.option(
    "--evidence",
    "evidence_file",
    type=click.Path(path_type=Path),
    default=None,
    help="What `tox run --installpkg WHEEL --result-json FILE` wrote.",
)
@passphrases_option
@index_option
@output_option
def command(
    *,
    wheels: tuple[Path, ...],
    key_file: Path,
    closure: Path,
    audit_key_file: Path | None,
    keys_dir: Path | None,
    evidence_file: Path | None,
    passphrase_files: tuple[Path, ...],
    root: Path,
    output: str,
) -> int:
    """Sign the WHEELS of one version, lock their closure, audit both, and leave them for reviewers.

    The audit's key signs what the audit was given and what it found, and approves what the policy leaves to it.

    Submitting again audits again: after a change of the policy, with newer advisories, or with another closure.

    Exits 0 when the audit approves all of them, 4 when it flags one, 5 when it rejects one.
    """
    (key,) = load_keys([key_file], passphrase_files)
    require_audits(rules_of(root, now()))
    (audit_key,) = load_keys([audit_key_file or _only_audit_key(keys_directory(keys_dir))], passphrase_files)
    submitted = submit(
        root,
        wheels,
        key=key,
        audit_key=audit_key,
        closure=closure,
        now=now(),
        evidence=_evidence(evidence_file),
    )
    if output == "json":
        print_json({"submitted": [_document(each) for each in submitted]})
    else:
        click.echo(table(("SUBMITTED", ""), [row for each in submitted for row in _rows(each)]), nl=False)
    return max(EXITS[each.report.verdict] for each in submitted)


def _only_audit_key(directory: Path) -> Path:
    found = [each.private for each in KeyRing(directory).of_role("audit") if each.private is not None]
    if len(found) != 1:
        raise ConfigError(
            f"{directory}: expected one private key of role audit, which signs the audit's report, found {len(found)}; "
            "name one with --audit-key, or make one: assess-registry keys new NAME --role audit, and let the registry "
            "name it: assess-registry keys add NAME.pub --role audit"
        )
    return found[0]


def _evidence(path: Path | None) -> bytes | None:
    if path is None:
        return None
    try:
        return read_bounded(path, MAX_EVIDENCE_BYTES)
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from error


def _rows(each: Submitted) -> list[tuple[str, object]]:
    report = each.report
    return [
        ("submission", each.submission.sha256),
        ("plugin", f"{report.project} {report.version}"),
        ("wheel", report.filename),
        ("publisher", each.publisher),
        ("audit", report.verdict.value),
        *(("because", without_verdict(reason, report.verdict.value)) for reason in report.reasons),
        *((f"more than {each.change.since}", entry) for entry in (each.change.more if each.change.since else ())),
        ("next", _next(each)),
    ]


def _next(each: Submitted) -> str:
    if each.report.verdict is Verdict.REJECTED:
        return "correct the plugin and submit another version"
    if each.automatic:
        return "the policy has approved it: publish it"
    return f"a reviewer looks at it: assess-registry review show {each.submission.sha256[:12]}"


def _document(each: Submitted) -> dict[str, object]:
    report = each.report
    return {
        "sha256": each.submission.sha256,
        "filename": report.filename,
        "project": report.project,
        "version": report.version,
        "publisher": each.publisher,
        "verdict": report.verdict.value,
        "reasons": list(report.reasons),
        "automatic": each.automatic,
        "permissions": {
            "since": each.change.since or None,
            "more": list(each.change.more),
            "less": list(each.change.less),
        },
    }
