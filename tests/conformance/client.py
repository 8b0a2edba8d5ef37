#!/usr/bin/env python3
"""The client under test of the tuf-conformance suite: our set-up of TUF with the interface the suite asks for.

    pytest tuf_conformance --entrypoint "PYTHON /path/to/tests/conformance/client.py"

It is `SignedMetadata` over our http transport, with one thing left out: the rules of this registry about keys and
delegations. The suite's repositories name keys by other digests, use RSA and ECDSA, and delegate in every way that TUF
allows; our rules refuse all of that, and `tests/integration/test_trust_attacks.py` looks at those refusals. Strict
JSON is demanded here as well.
"""

import argparse
import sys
from pathlib import Path
from urllib.parse import quote

from tuf.api.metadata import Metadata, Root, TargetFile  # type: ignore[attr-defined]  # in no list of exports

from assess_registry.client.location import Base, Location
from assess_registry.client.transport import Deadline, Transport, open_transport
from assess_registry.client.trust.fetcher import METADATA_DIRECTORY
from assess_registry.client.trust.metadata import SignedMetadata, check_target, stored_at
from assess_registry.client.trust.rules import check_json
from assess_registry.errors import RegistryError, TrustError
from assess_registry.files import atomic_write, read_bounded

ANCHOR = ".anchor"
"""The root of `init`: ours is always given, what was remembered alone decides nothing."""

TIMEOUT_S = 30.0


class Quoted(Base):
    """A base under which names are asked for as they are given: the suite has roles called `?` and `../x`."""

    def url_of(self, location: Location) -> str:
        return self.url + location


def transport(url: str) -> Transport:
    return open_transport(Quoted(url=url.rstrip("/") + "/", directory=None))


def signed_metadata(arguments: argparse.Namespace) -> SignedMetadata:
    over = transport(arguments.metadata_url)

    def read(location: Location, max_bytes: int, deadline: Deadline) -> bytes:
        name = Location(location.removeprefix(METADATA_DIRECTORY))
        return over.read(name, max_bytes=max_bytes, deadline=deadline)

    directory = Path(arguments.metadata_dir)
    return SignedMetadata(
        directory,
        root=(directory / ANCHOR).read_bytes(),
        read=read,
        deadline=Deadline.after(TIMEOUT_S),
        check=check_json,
    )


def init(arguments: argparse.Namespace) -> None:
    directory = Path(arguments.metadata_dir)
    root = Path(arguments.trusted_root).read_bytes()
    atomic_write(directory / ANCHOR, root)
    atomic_write(directory / "root.json", root)


def refresh(arguments: argparse.Namespace) -> None:
    signed_metadata(arguments).refresh()


def download(arguments: argparse.Namespace) -> None:
    metadata = signed_metadata(arguments)
    metadata.refresh()
    over = transport(arguments.target_base_url)
    for path in arguments.target_name:
        target = metadata.find(path, Deadline.after(TIMEOUT_S))
        if target is None:
            raise TrustError("no role vouches for it", step="targets", thing=path)
        kept = Path(arguments.target_dir) / quote(path, safe="")
        if not is_kept(kept, path, target):
            data = over.read(
                served_at(path, target, arguments), max_bytes=target.length, deadline=Deadline.after(TIMEOUT_S)
            )
            check_target(data, path, target)
            atomic_write(kept, data)


def is_kept(file: Path, path: str, target: TargetFile) -> bool:
    try:
        check_target(read_bounded(file, target.length), path, target)
    except (OSError, RegistryError):
        return False
    return True


def served_at(path: str, target: TargetFile, arguments: argparse.Namespace) -> Location:
    root = Metadata[Root].from_bytes((Path(arguments.metadata_dir) / "root.json").read_bytes()).signed
    # Our registries always have consistent snapshots, our rules see to that; the suite has repositories without.
    return stored_at(path, target) if root.consistent_snapshot else Location(path)


def main() -> int:
    parser = argparse.ArgumentParser()
    for name in ("--metadata-url", "--metadata-dir", "--target-dir", "--target-base-url"):
        parser.add_argument(name)
    parser.add_argument("--target-name", action="append")
    commands = parser.add_subparsers(required=True)
    command = commands.add_parser("init")
    command.add_argument("trusted_root")
    command.set_defaults(run=init)
    for name, run in (("refresh", refresh), ("download", download)):
        commands.add_parser(name).set_defaults(run=run)
    arguments = parser.parse_args()
    try:
        arguments.run(arguments)
    except RegistryError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
