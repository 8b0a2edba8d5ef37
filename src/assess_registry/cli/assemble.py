"""`assess-registry assemble SOURCE`: what was offered becomes current."""

from pathlib import Path

import click

from assess_registry.cli.options import index_option, output_option
from assess_registry.cli.signing import load_keys, now, overrule_clock_option, passphrases_option
from assess_registry.console import print_json
from assess_registry.publish.assemble import Assembled, assemble
from assess_registry.text import table


@click.command("assemble")
@click.argument("source", type=click.Path(path_type=Path, file_okay=False))
@click.option("--online-key", type=click.Path(path_type=Path), required=True, help="The online key.")
@passphrases_option
@overrule_clock_option
@index_option
@output_option
def command(
    *,
    source: Path,
    online_key: Path,
    passphrase_files: tuple[Path, ...],
    overrule_clock: bool,
    root: Path,
    output: str,
) -> None:
    """Let what was offered in SOURCE, a copy of the registry, become the registry's word.

    It was signed by publisher, reviewers and release keys, with --offer; here it is verified, put in its
    place, and signed by the online key. No release key is needed, and none has to be where the online key is.
    """
    (key,) = load_keys([online_key], passphrase_files)
    _show(assemble(source, root, online_key=key, now=now(), overrule_clock=overrule_clock), output)


def _show(done: Assembled, output: str) -> None:
    if output == "json":
        document = {
            "releases": list(done.releases),
            "targets": list(done.targets),
            "written": list(done.written),
            "changed": bool(done.written),
        }
        print_json({"assembled": document})
        return
    rows = [
        *(("release", each) for each in done.releases),
        *(("signed", each) for each in done.targets),
        ("changed", f"{len(done.written)} files" if done.written else "nothing: there is no offer on top of this"),
    ]
    click.echo(table(("ASSEMBLED", ""), rows), nl=False)
