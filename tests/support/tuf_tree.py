"""A TUF repository on disk, built by `tuf.api` alone, that can be made to lie in every way a test needs.

    tree = make_tuf_tree(tmp_path)
    tree.put({"catalog/demo.json": b"..."})          an honest publish
    tree.write("timestamp", change=..., keys=[...])  anything else

It is independent of the signing side of this project: what it signs is what the specification says.
"""

import copy
import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from securesystemslib.signer import Signature, SSlibKey  # type: ignore[attr-defined]  # in no list of exports
from tuf.api.metadata import (  # type: ignore[attr-defined]  # in no list of exports
    Delegations,
    Metadata,
    MetaFile,
    Role,
    Root,
    Snapshot,
    SuccinctRoles,
    TargetFile,
    Targets,
    Timestamp,
)

from assess_registry.keys import PrivateKey, PublicKey, generate_key
from assess_registry.names import ROLE_MEMBER

BITS, PREFIX = 2, "bin"

EXPIRY = timedelta(days=30)

Change = Callable[[Any], object]
"""Has its way with the signed part of a document."""


def tuf_key(key: PublicKey, *, keyid: str | None = None) -> SSlibKey:
    """The key as metadata names it: by its own digest, unless a test wants a lie."""
    return SSlibKey(keyid or key.hex_id, "ed25519", "ed25519", {"public": key.raw.hex()})


@dataclass(kw_only=True)
class TufTree:
    """A repository's files and the keys of all its roles.

    Attributes:
        root: the directory that would be served.
        keys: role -> private keys; `bins` and `targets` share the release keys, `snapshot` and `timestamp` the online.
        documents: role -> what is signed at present.
    """

    root: Path
    keys: dict[str, list[PrivateKey]]
    documents: dict[str, Metadata[Any]] = field(default_factory=dict)

    @property
    def metadata(self) -> Path:
        return self.root / "metadata"

    @property
    def anchor(self) -> bytes:
        """The first root, which a client is configured with."""
        return (self.metadata / "1.root.json").read_bytes()

    def signed(self, role: str) -> Any:
        return self.documents[role].signed

    def signers(self, role: str) -> list[PrivateKey]:
        return self.keys[role if role in self.keys else "targets"]

    def put(self, targets: Mapping[str, bytes | None], *, expires: datetime | None = None) -> None:
        """An honest publish of these targets: their files, their roles, snapshot, and last the timestamp."""
        changed = set()
        for path, data in targets.items():
            role = "targets" if path.startswith("control/") else bin_of(path)
            listed = self.signed(role).targets
            changed.add(role)
            if data is None:
                listed.pop(path, None)
                continue
            listed[path] = TargetFile.from_data(path, data, ["sha256"])
            file = self.root / stored(path, data)
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(data)
        for role in sorted(changed):
            self.write(role, change=at(expires))
        self.announce(*changed, expires=expires)

    def announce(self, *roles: str, expires: datetime | None = None, step: int = 1) -> None:
        """Snapshot and timestamp that name the present versions of these roles."""

        def name(snapshot: Any) -> None:
            for role in roles:
                snapshot.meta[f"{role}.json"] = MetaFile(self.signed(role).version)
            at(expires)(snapshot)

        self.write("snapshot", change=name, step=step)
        self.write_timestamp(expires=expires, step=step)

    def write_timestamp(self, *, expires: datetime | None = None, **options: Any) -> None:
        def name(timestamp: Any) -> None:
            timestamp.snapshot_meta = MetaFile(self.signed("snapshot").version)
            at(expires)(timestamp)

        self.write("timestamp", change=name, **options)

    def write(
        self,
        role: str,
        *,
        change: Change | None = None,
        keys: Sequence[PrivateKey] | None = None,
        step: int = 1,
        name: str | None = None,
    ) -> Path:
        """The next version of a role, changed, signed and on disk.

        Args:
            keys: who signs; the role's own keys when not given.
            step: how much the version grows.
            name: the file's name, when it is not the one it should have.
        """
        document = self.documents[role]
        document.signed.version += step
        if change is not None:
            change(document.signed)
        sign(document, self.signers(role) if keys is None else keys)
        version = "" if role == "timestamp" else f"{document.signed.version}."
        path = self.metadata / (name or f"{version}{role}.json")
        path.write_bytes(document.to_bytes())
        return path

    def rotate(self, role: str, *, new: Sequence[PrivateKey], **options: Any) -> Path:
        """A new root under which these keys, and no others, sign for a role; signed by old and new root keys."""
        before = list(self.keys["root"])
        self.keys[role] = list(new)

        def change(root: Any) -> None:
            for keyid in list(root.roles[role].keyids):
                root.revoke_key(keyid, role)
            for key in new:
                root.add_key(tuf_key(key.public), role)

        options.setdefault("keys", [*before, *(new if role == "root" else ())])
        return self.write("root", change=change, **options)

    def state(self) -> "TufTree":
        """What there is now, so that it can be compared with or put back."""
        return copy.deepcopy(self)

    def files(self) -> dict[str, bytes]:
        """Every file served, by its path."""
        return {str(p.relative_to(self.root)): p.read_bytes() for p in self.root.rglob("*") if p.is_file()}

    def put_back(self, files: Mapping[str, bytes], *names: str) -> None:
        """Serve these files as they were."""
        for name in names:
            (self.root / name).write_bytes(files[name])


def make_tuf_tree(directory: Path, *, root_threshold: int = 2) -> TufTree:
    """An honest repository with three root keys, two release keys, one online key, and no targets."""
    online, release = [generate_key()], [generate_key(), generate_key()]
    keys = {
        "root": [generate_key() for _ in range(3)],
        "targets": release,
        "snapshot": online,
        "timestamp": online,
    }
    tree = TufTree(root=directory, keys=keys)
    tree.metadata.mkdir(parents=True)
    expires = datetime.now(UTC).replace(microsecond=0) + EXPIRY
    thresholds = {"root": root_threshold}
    root = Root(
        version=1,
        expires=expires,
        consistent_snapshot=True,
        keys={key.public.hex_id: tuf_key(key.public) for group in keys.values() for key in group},
        roles={
            role: Role([key.public.hex_id for key in group], thresholds.get(role, 1)) for role, group in keys.items()
        },
    )
    succinct = SuccinctRoles([key.public.hex_id for key in release], 1, BITS, PREFIX)
    delegations = Delegations({key.public.hex_id: tuf_key(key.public) for key in release}, succinct_roles=succinct)
    bins = list(succinct.get_roles())
    tree.documents = {
        "root": Metadata(root),
        "targets": Metadata(named("targets", expires, delegations)),
        "snapshot": Metadata(Snapshot(version=1, expires=expires)),
        "timestamp": Metadata(Timestamp(version=1, expires=expires)),
        **{name: Metadata(named(name, expires)) for name in bins},
    }
    for role in ("root", "targets", *bins):
        tree.write(role, step=0)
    tree.announce("targets", *bins, step=0)
    return tree


def named(role: str, expires: datetime, delegations: Delegations | None = None) -> Targets:
    """What the release keys sign says which role it is."""
    members = {ROLE_MEMBER: role}
    return Targets(version=1, expires=expires, delegations=delegations, unrecognized_fields=members)


def sign(document: Metadata[Any], keys: Sequence[PrivateKey]) -> None:
    """The document carries the signatures of these keys and no others."""
    data = document.signed_bytes
    document.signatures.clear()
    for key in keys:
        document.signatures[key.public.hex_id] = Signature(key.public.hex_id, key.sign(data).hex())


def bin_of(path: str) -> str:
    """The bin that vouches for a target path."""
    return str(SuccinctRoles([], 1, BITS, PREFIX).get_role_for_target(path))


def stored(path: str, data: bytes) -> str:
    """Where a target lies: under its digest."""
    directory, _, name = path.rpartition("/")
    return f"{directory}/{hashlib.sha256(data).hexdigest()}.{name}"


def at(expires: datetime | None) -> Change:
    """Expires then; when it did before, if not given."""

    def change(signed: Any) -> None:
        signed.expires = signed.expires if expires is None else expires

    return change
