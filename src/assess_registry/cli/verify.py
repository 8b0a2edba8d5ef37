"""`assess-registry verify FILE...`."""

from dataclasses import asdict
from pathlib import Path

import click

from assess_registry.cli.options import output_option
from assess_registry.cli.places import python_option, trusted_keys_directory, trusted_keys_option
from assess_registry.client import Target
from assess_registry.console import print_json
from assess_registry.errors import ConfigError
from assess_registry.simple import VerifyReport, verify, verify_folder
from assess_registry.text import table


@click.command("verify")
@click.argument("files", type=click.Path(path_type=Path), nargs=-1, required=True)
@trusted_keys_option
@python_option
@output_option
def command(*, files: tuple[Path, ...], trusted_keys: Path | None, target: Target | None, output: str) -> None:
    """Say who signed each of FILES, or refuse it: a wheel, a pylock.toml, or a folder of plugins with all in it.

    Of a wheel also the lock beside it is verified, if there is one; without, nobody has said what it runs with.
    """
    keys = trusted_keys_directory(trusted_keys)
    reports = [report for file in files for report in _verify(file, keys, target)]
    if not reports:  # "verified, exit 0" about nothing at all would be taken for more than it is
        raise ConfigError(f"{', '.join(str(file) for file in files)}: there are no plugins in it; nothing was verified")
    if output == "json":
        print_json({"verified": [asdict(report) | {"path": str(report.path)} for report in reports]})
        return
    rows = [(report.path, _plugin(report), report.signer, _lock(report)) for report in reports]
    click.echo(table(("FILE", "PLUGIN", "SIGNED BY", "LOCK"), rows), nl=False)


def _verify(file: Path, keys: Path, target: Target | None) -> tuple[VerifyReport, ...]:
    if file.is_dir():
        return verify_folder(file, trusted_keys=keys, target=target)
    return (verify(file, trusted_keys=keys),)


def _plugin(report: VerifyReport) -> str:
    return f"{report.project} {report.version}".strip()


def _lock(report: VerifyReport) -> str:
    if report.lock_sha256 is None:
        return "none beside it: what it runs with is not covered"
    return f"sha256:{report.lock_sha256}"
