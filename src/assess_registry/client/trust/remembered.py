"""The registry's last word, verified again from what is on disk: signatures, versions, digests, from the anchor down.

Expiry is the one thing not asked: everything was current when it was refreshed, and how long ago that may be is the
operator's decision (`max_staleness_s`). The anchor and the signatures are asked, for the directory may have been in
other hands.
"""

from datetime import datetime
from typing import TypeVar
from urllib.parse import quote

from assess_registry.client.transport import Deadline
from assess_registry.client.trust.kept import METADATA, TARGETS, KeptWord
from assess_registry.client.trust.metadata import check_target
from assess_registry.client.trust.refusals import refusal
from assess_registry.client.trust.rules import check_document, check_roles_apart, signing_keys, step_of
from assess_registry.client.trust.served import check_served
from assess_registry.client.trust.tuf_api import (
    Metadata,
    MetaFile,
    RepositoryError,
    Root,
    Snapshot,
    TargetFile,
    Targets,
    Timestamp,
)
from assess_registry.errors import TrustError
from assess_registry.keys import PublicKey

_Signed = TypeVar("_Signed", Timestamp, Snapshot, Targets)

_AGAIN = "connect to the registry once, so that it is learned anew; find out who wrote into the state directory"


class RememberedWord:
    """A `Word` without the registry; reading verifies.

    Raises:
        TrustError: steps `root`, `timestamp`, `snapshot`, `targets`; what is kept was not signed like this.
    """

    stale = True

    def __init__(self, kept: KeptWord, *, root: bytes) -> None:
        self.refreshed_at: datetime = kept.refreshed_at
        self._kept = kept
        self._root = self._chain(root)
        timestamp = self._load(Timestamp, "timestamp", self._root, None)
        self._snapshot = self._load(Snapshot, "snapshot", self._root, timestamp.snapshot_meta)
        self._targets = self._load(Targets, "targets", self._root, self._snapshot.meta.get("targets.json"))
        check_roles_apart(self._root, self._targets, "targets.json")

    def read(self, path: str, deadline: Deadline) -> bytes | None:  # noqa: ARG002  a disk needs no deadline
        """The signed file at this target path; see `Word.read`."""
        target = self._find(path)
        if target is None:
            return None
        data = self._kept.files.get(f"{TARGETS}/{target_file(path)}")
        if data is None:
            raise _unknown(path)
        check_target(data, path, target)
        return data

    def signing_keys(self) -> tuple[tuple[str, PublicKey], ...]:
        """See `Word`."""
        return signing_keys(self._root, self._targets)

    def _find(self, path: str) -> TargetFile | None:
        if path in self._targets.targets or self._targets.delegations is None:
            return self._targets.targets.get(path)
        for role, _ in self._targets.delegations.get_roles_for_target(path):
            bins = self._load(Targets, role, self._targets, self._snapshot.meta.get(f"{role}.json"))
            return bins.targets.get(path)
        return None

    def _chain(self, anchor: bytes) -> Root:
        """The newest root that the anchor leads to, each signed by the one before and by itself (TUF 5.3)."""
        check_document("root", anchor, "the configured root")
        try:
            document = Metadata[Root].from_bytes(anchor)
            root = document.signed
            root.verify_delegate("root", document.signed_bytes, document.signatures)
            check_served(root, None, "the configured root")
            while (data := self._kept.files.get(name := _history(root.version + 1))) is not None:
                check_document("root", data, name)
                document = Metadata[Root].from_bytes(data)
                for voucher in (root, document.signed):
                    voucher.verify_delegate("root", document.signed_bytes, document.signatures)
                if document.signed.version != root.version + 1:
                    raise _altered("root", name)
                check_served(document.signed, root, name)
                root = document.signed
        except RepositoryError as error:
            raise refusal(error, asked="root.json", got={"root": anchor}, before={}) from error
        return root

    def _load(self, kind: type[_Signed], role: str, delegator: Root | Targets, expected: MetaFile | None) -> _Signed:
        name = f"{METADATA}/{quote(role, safe='')}.json"
        data = self._kept.files.get(name)
        if data is None or (expected is None and role != "timestamp"):
            raise _unknown(name) if data is None else _altered(role, name)
        check_document(role, data, name)
        try:
            document = Metadata[kind].from_bytes(data)  # type: ignore[valid-type]  # tuf's class_getitem takes a class
            delegator.verify_delegate(role, document.signed_bytes, document.signatures)
            if expected is not None:
                expected.verify_length_and_hashes(data)
        except RepositoryError as error:
            raise refusal(error, asked=name, got={role: data}, before={}) from error
        signed = document.signed
        if not isinstance(signed, kind) or (expected is not None and signed.version != expected.version):
            raise _altered(role, name)
        return signed


def target_file(path: str) -> str:
    """The name under which a target is kept: one segment, whatever the path."""
    return quote(path, safe="")


def _history(version: int) -> str:
    return f"{METADATA}/root_history/{version}.root.json"


def _altered(role: str, name: str) -> TrustError:
    return TrustError(
        "what was remembered of the registry does not fit together", step=step_of(role), thing=name, next_step=_AGAIN
    )


def _unknown(name: str) -> TrustError:
    return TrustError(
        "it was never asked for while the registry could be reached",
        step="staleness",
        thing=name,
        next_step="connect to the registry once",
    )
