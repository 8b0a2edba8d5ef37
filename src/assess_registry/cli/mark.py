"""`assess-registry mark PROJECT MARKER`."""

from pathlib import Path

import click

from assess_registry.canonical import write_time
from assess_registry.catalogue import MARKERS
from assess_registry.catalogue.project_status import parse_marker
from assess_registry.cli.after import accept_registry_changes_option, heading, offer_option, project_name, signing_keys
from assess_registry.cli.options import index_option, output_option
from assess_registry.cli.signing import (
    now,
    online_keys_option,
    overrule_clock_option,
    passphrases_option,
    release_keys_option,
)
from assess_registry.console import print_json
from assess_registry.errors import ConfigError
from assess_registry.publish.mark import Marked, mark
from assess_registry.text import plain, table

ACTIVE = "active"


@click.command("mark")
@click.argument("project")
@click.argument("marker", type=click.Choice((*MARKERS, ACTIVE)))
@click.option("--reason", default=None, help="Why, one line for everybody to read; of every marker but active.")
@release_keys_option
@online_keys_option
@passphrases_option
@accept_registry_changes_option
@overrule_clock_option
@offer_option
@index_option
@output_option
def command(
    *,
    project: str,
    marker: str,
    reason: str | None,
    release_keys: tuple[Path, ...],
    online_keys: tuple[Path, ...],
    passphrase_files: tuple[Path, ...],
    accept_registry_changes: bool,
    overrule_clock: bool,
    offer: bool,
    root: Path,
    output: str,
) -> None:
    """Say what has become of PROJECT as a whole, a plugin's or a dependency's; `active` takes it back.

    archived: nothing new is published. deprecated: it is said, and no more. quarantined: nobody gets anything of it.
    """
    if (marker == ACTIVE) == (reason is not None):
        raise ConfigError(f"give --reason TEXT with {', '.join(MARKERS)}, and none with {ACTIVE}")
    marked = mark(
        root,
        project_name(project),
        None if marker == ACTIVE else parse_marker(marker),
        reason=reason or "",
        keys=signing_keys(release_keys, online_keys, passphrase_files, offer=offer, overrule_clock=overrule_clock),
        now=now(),
        accept_registry_changes=accept_registry_changes,
    )
    for sentence in marked.control:
        click.echo(f"registry: {plain(sentence)}", err=True)
    _show(marked, output, offer=offer)


def _show(marked: Marked, output: str, *, offer: bool) -> None:
    status = marked.status
    since = write_time(status.at) if status else ""
    if output == "json":
        said: dict[str, object] = {"marker": ACTIVE}
        if status:
            said = {"marker": status.marker, "reason": status.reason, "since": since}
        said |= {"changed": bool(marked.written)} | ({"offered": True} if offer else {})
        print_json({"marked": {"project": marked.project, **said}})
        return
    rows = [("project", marked.project), ("marker", status.marker if status else ACTIVE)]
    rows += [("reason", status.reason), ("since", since)] if status else []
    rows.append(("changed", f"{len(marked.written)} files" if marked.written else "nothing, it was so already"))
    click.echo(table((heading("marked", offer=offer), ""), rows), nl=False)
