"""`assess-registry serve`."""

from pathlib import Path

import click

from assess_registry.cli.options import index_option
from assess_registry.errors import ConfigError

_EXTRA = ("starlette", "uvicorn", "anyio", "h11")


@click.command("serve")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen at.")
@click.option(
    "--port", type=click.IntRange(0, 65535), default=0, show_default=True, help="Port to listen at; 0 for any free one."
)
@click.option(
    "--serve-unauthenticated-to-the-network",
    is_flag=True,
    help="Let --host be an address that other machines reach, without TLS and for anybody.",
)
@index_option
def command(*, host: str, port: int, serve_unauthenticated_to_the_network: bool, root: Path) -> None:
    """Serve a registry, or a site, over http to this machine, for development, until interrupted.

    Prints its URL. Simple-index pages come in the form that a client asks for, files in ranges. What is not published -
    submissions, proposed roots, keys, hidden files - is not served.
    """
    try:
        from assess_registry.serve.server import serve_registry
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in _EXTRA:
            raise
        raise ConfigError("serve needs more than is installed: pip install 'assess-runtime[serve]'") from error
    serve_registry(
        root,
        host=host,
        port=port,
        beyond_this_machine=serve_unauthenticated_to_the_network,
        on_ready=click.echo,
    )
