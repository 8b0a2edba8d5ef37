"""`assess-registry reindex`."""

from pathlib import Path

import click

from assess_registry.cli.options import index_option, output_option
from assess_registry.console import EXIT_DONE, EXIT_OPERATIONAL, print_json
from assess_registry.publish.reindex import reindex
from assess_registry.text import plain


@click.command("reindex")
@click.option("--check", is_flag=True, help="Change nothing; exit 1 when a page is not what it would be.")
@index_option
@output_option
def command(*, check: bool, root: Path, output: str) -> int:
    """Write all pages for pip, uv, simple clients and people anew, from the signed catalogue and the files.

    What is right already stays untouched. It needs no key: pages vouch for nothing.
    """
    written = reindex(root, only_compare=check)
    if output == "json":
        print_json({"different" if check else "written": list(written)})
    else:
        for path in written:
            click.echo(plain(path))
        click.echo(f"{len(written)} pages {'are not what they would be' if check else 'written'}", err=True)
    return EXIT_OPERATIONAL if check and written else EXIT_DONE
