"""`assess-registry sign export | make | import`: signatures for a root, from keys on other machines."""

from pathlib import Path

import click

from assess_registry.cli.options import index_option, output_option
from assess_registry.cli.signing import load_keys, passphrases_option
from assess_registry.console import VerbGroup, print_json
from assess_registry.errors import ConfigError, RegistryError
from assess_registry.files import atomic_write, read_bounded
from assess_registry.repository.ceremony import (
    MAX_EXPORT_BYTES,
    Proposal,
    add_signature,
    export,
    parse_export,
    publish_root,
    sign_root,
)
from assess_registry.repository.describe import describe_root
from assess_registry.repository.keys import keys_of
from assess_registry.text import plain, table

_path = click.Path(path_type=Path)
_MAX_SIGNATURE_BYTES = 1024


@click.group("sign", cls=VerbGroup)
def command() -> None:
    """Carry a proposed root to the keys that sign it, and their signatures back."""


@command.command("export")
@click.option("--to", "target", type=_path, required=True, help="The file to write; it is all that a signer needs.")
@index_option
def export_bytes(*, target: Path, root: Path) -> None:
    """Write the exact bytes that have to be signed."""
    atomic_write(target, export(root))
    click.echo(
        f"wrote {plain(target)}: have it signed with `assess-registry sign make`, by as many as needed", err=True
    )


@command.command("make")
@click.argument("exported", type=_path)
@click.option("--key", "key_file", type=_path, required=True, help="A root key.")
@passphrases_option
@click.option("--to", "target", type=_path, required=True, help="The signature to write.")
@click.option("--yes", is_flag=True, help="Sign without asking; you have read what it says.")
def make(*, exported: Path, key_file: Path, passphrase_files: tuple[Path, ...], target: Path, yes: bool) -> None:
    """Say what EXPORTED would make true, ask, and sign it. Needs no registry, only the key."""
    data = _read(exported, MAX_EXPORT_BYTES)
    proposed = parse_export(data)
    click.echo(describe_root(proposed), nl=False, err=True)
    (key,) = load_keys([key_file], passphrase_files)
    if key.public not in keys_of(proposed, "root"):
        click.echo(f"{key.public.id} is no root key of version {proposed.version}: it would sign as one of before",
                   err=True)  # fmt: skip
    if not yes and not click.confirm("Is that what you want to be true?", err=True):
        raise RegistryError(f"{target}: not written, because the answer was no: nothing was signed")
    atomic_write(target, sign_root(data, key))
    click.echo(f"wrote {plain(target)}: carry it back, and `assess-registry sign import` it", err=True)


@command.command("import")
@click.argument("signatures", type=_path, nargs=-1, required=True)
@index_option
@output_option
def import_signatures(*, signatures: tuple[Path, ...], root: Path, output: str) -> None:
    """Add SIGNATURES to the root that waits, and publish it once there are enough."""
    signers = []
    for path in signatures:
        signer, _ = add_signature(root, _read(path, _MAX_SIGNATURE_BYTES))
        signers.append(signer)
    proposal = publish_root(root)
    if output == "json":
        print_json({"signers": signers, "version": proposal.root.version, "complete": proposal.complete,
                    "published": proposal.published, "needs_refresh": proposal.needs_refresh})  # fmt: skip
        return
    rows = [(path.name, signer) for path, signer in zip(signatures, signers, strict=True)]
    click.echo(table(("SIGNATURE", "BY"), rows), nl=False)
    click.echo(_outcome(proposal), err=True)


def _outcome(proposal: Proposal) -> str:
    version = proposal.root.version
    if proposal.published and version == 1:
        return "root 1 is published; sign the rest with `assess-registry refresh`: give release and online keys"
    if proposal.published:
        return f"root {version} is published"
    if proposal.needs_refresh:
        return (f"root {version} is fully signed, and changes release or online keys. Publish it, together with what "
                "they sign, with `assess-registry refresh`: give the new keys and the old")  # fmt: skip
    missing = "; ".join(
        f"{len(count.signed)} of {count.threshold} by the keys of root {count.version}" for count in proposal.counts
    )
    return f"root {version} waits for more signatures: {missing}"


def _read(path: Path, max_bytes: int) -> bytes:
    try:
        return read_bounded(path, max_bytes)
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from error
