"""`assess-registry import BUNDLE SITE --root 1.root.json`."""

from pathlib import Path

import click

from assess_registry.bundle import Imported, SiteKeys, import_bundle
from assess_registry.cli.options import output_option
from assess_registry.cli.places import root_option
from assess_registry.cli.signing import load_keys, now, overrule_clock_option, passphrases_option
from assess_registry.console import EXIT_DONE, EXIT_OPERATIONAL, FiniteRange, print_json
from assess_registry.errors import ConfigError
from assess_registry.repository.clock import OVERRULE
from assess_registry.text import table


@click.command("import")
@click.argument("bundle", type=click.Path(path_type=Path, dir_okay=False, exists=True))
@click.argument("site", type=click.Path(path_type=Path, file_okay=False))
@root_option
@click.option(
    "--site-online-key", type=click.Path(path_type=Path), help="The site has a root of its own; signs what is current."
)
@click.option(
    "--site-root-key", "site_root_keys", type=click.Path(path_type=Path), multiple=True,
    help="A root key of the site: the first time, and when the registry's release keys have changed.",
)  # fmt: skip
@click.option(
    "--site-root-threshold", type=click.IntRange(1, 100), default=1, show_default=True,
    help="How many of them have to sign; counts the first time.",
)  # fmt: skip
@passphrases_option
@overrule_clock_option
@click.option(
    "--accept-development-registry", is_flag=True, help="It may come from one whose keys all lie in one person's hands."
)
@click.option(
    "--timeout", "timeout_s", type=FiniteRange(0, 86_400, min_open=True), default=600.0, show_default=True,
    help="Seconds for reading and verifying.",
)  # fmt: skip
@output_option
def command(
    *,
    bundle: Path,
    site: Path,
    root: Path,
    site_online_key: Path | None,
    site_root_keys: tuple[Path, ...],
    site_root_threshold: int,
    passphrase_files: tuple[Path, ...],
    overrule_clock: bool,
    accept_development_registry: bool,
    timeout_s: float,
    output: str,
) -> int:
    """Take a bundle into the directory SITE, which then serves what it carries; or refuse it, with nothing changed.

    Clients of the site trust the registry's own root. With --site-online-key they trust the site's, which can serve
    and never approve, and need no word from the registry that is younger than its bundles.

    Pages and the registry's own files are put right, whatever became of them at the site. Exits 1 when the bundle was
    taken, and something of earlier ones is damaged: it says what to export again.
    """
    if site_root_keys and site_online_key is None:
        raise ConfigError("--site-root-key: goes with --site-online-key, which signs what is current")
    if overrule_clock and site_online_key is None:
        raise ConfigError(f"{OVERRULE}: goes with --site-online-key; without it nothing is signed here")
    keys = None
    if site_online_key is not None:
        (online,) = load_keys([site_online_key], passphrase_files)
        keys = SiteKeys(
            online=online,
            root=load_keys(site_root_keys, passphrase_files),
            root_threshold=site_root_threshold,
            overrule_clock=overrule_clock,
        )
    report = import_bundle(
        bundle,
        site=site,
        root=root,
        now=now(),
        keys=keys,
        development=accept_development_registry,
        timeout_s=timeout_s,
    )
    if output == "json":
        print_json({"imported": _document(report, site)})
    else:
        click.echo(_summary(report, site), nl=False)
    for needed_by in sorted({each.needed_by for each in report.damaged}):
        requirement = f"{needed_by.project}=={needed_by.version}"
        click.echo(f"alarm: {requirement} is damaged here: export {requirement} again, and import it", err=True)
    return EXIT_OPERATIONAL if report.damaged else EXIT_DONE


def _document(report: Imported, site: Path) -> dict[str, object]:
    return {
        "site": str(site),
        "root": str(site / report.root),
        "own_root": report.own_root,
        "releases": [{"project": each.project, "version": each.version} for each in report.releases],
        "written": list(report.written),
        "damaged": [
            {"file": each.name, "project": each.needed_by.project, "version": each.needed_by.version}
            for each in report.damaged
        ],
    }


def _summary(report: Imported, site: Path) -> str:
    whose = "the site's own" if report.own_root else "the registry's"
    rows = [
        *(("serves", str(each)) for each in report.releases),
        ("root", f"{site / report.root}, {whose}"),
        ("changed", f"{len(report.written)} files" if report.written else "nothing, it was there already"),
        *(("damaged", f"{each.name}, of {each.needed_by}") for each in report.damaged),
    ]
    return table(("IMPORTED", str(site)), rows)
