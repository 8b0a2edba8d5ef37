"""`assess-registry publish WHEEL`."""

from dataclasses import asdict
from pathlib import Path

import click

from assess_registry.cli.options import index_option, output_option, passphrase_option, read_passphrase
from assess_registry.console import print_json
from assess_registry.keys import load_private_key
from assess_registry.publish import PublishReport, publish
from assess_registry.text import plain, table


@click.command("publish")
@click.argument("wheel", type=click.Path(path_type=Path))
@click.option("--key", "key_file", type=click.Path(path_type=Path), required=True, help="The publisher's private key.")
@passphrase_option
@click.option(
    "--closure", type=click.Path(path_type=Path), required=True, help="Directory with the wheels it depends on."
)
@index_option
@click.option("--replace-published-bytes", is_flag=True, help="Development registries only: replace what is published.")
@output_option
def command(
    *,
    wheel: Path,
    key_file: Path,
    passphrase_file: Path | None,
    closure: Path,
    root: Path,
    replace_published_bytes: bool,
    output: str,
) -> None:
    """Inspect WHEEL, lock and mirror its closure, sign both, and write the pages.

    Publishing the same again changes nothing. Published bytes never change, except in a development registry with
    --replace-published-bytes.
    """
    key = load_private_key(key_file, passphrase=read_passphrase(passphrase_file))
    report = publish(root, wheel, key=key, closure=closure, replace_published=replace_published_bytes)
    for lock in report.stale:
        click.echo(f"warning: {plain(lock)} names replaced bytes: publish that plugin again", err=True)
    if output == "json":
        print_json({"published": asdict(report) | {"changed": bool(report.written)}})
    else:
        click.echo(_summary(report))


def _summary(report: PublishReport) -> str:
    rows = [
        ("plugin", f"{report.project} {report.version}"),
        ("wheel", report.filename),
        ("sha256", report.sha256),
        ("signed by", report.signer),
        ("lock", f"sha256:{report.lock_sha256}"),
        *(("with", filename) for filename in report.closure),
        *(("replaced", filename) for filename in report.replaced),
        ("changed", f"{len(report.written)} files" if report.written else "nothing, it was published already"),
    ]
    return table(("PUBLISHED", ""), rows)
