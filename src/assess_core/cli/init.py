"""`assess init`: write a commented configuration."""

import shlex
from pathlib import Path

import click

from assess_core.config import FILE_NAME, template
from assess_core.errors import ConfigError
from assess_registry.client import atomic_write, plain


@click.command(name="init")
@click.option("--registry-url", default="file:simple-index", show_default=True, help="Where plugins are published.")
@click.option(
    "--registry-root", default="1.root.json", show_default=True, help="Its first root metadata, from its maintainer."
)
@click.option("--state-dir", help="Where plugins, results and trust are kept; the XDG state home if not given.")
@click.option(
    "--development", is_flag=True, help="Accept a registry whose keys are in one hand; every result will say so."
)
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False), default=Path(FILE_NAME))
def command(registry_url: str, registry_root: str, state_dir: str | None, development: bool, file: Path) -> None:
    """Write a commented assess.toml. An existing file is left as it is."""
    if file.exists():
        raise ConfigError(f"{file}: exists already; edit it, or give another name: assess init FILE")
    text = template(url=registry_url, root=registry_root, state_dir=state_dir, development=development)
    atomic_write(file, text.encode())
    then = "assess run" if file == Path(FILE_NAME) else f"assess run --config {shlex.quote(str(file))}"
    click.echo(f"wrote {plain(file)}; read it, then: {plain(then)}", err=True)
