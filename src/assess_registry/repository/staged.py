"""A root that waits for signatures: `.staged/root.json`, which no reader looks at.

It is on disk with the signatures it has. Whether they are enough is always counted anew, by the newest published root
and by itself (TUF 5.3.4): a file in `.staged` is a proposal, whoever wrote it.
"""

from dataclasses import dataclass
from pathlib import Path

from assess_registry.errors import TrustError
from assess_registry.files import atomic_write, read_bounded, sync_directory
from assess_registry.repository.keys import check_root, key_id
from assess_registry.repository.roles import bins_of, delegations, metadata_name, serialise
from assess_registry.repository.state import MAX_METADATA_BYTES, METADATA, State, parse_metadata, read_roots
from assess_registry.repository.tuf_api import Metadata, Root, Timestamp

STAGED = ".staged/root.json"
STAGED_TIMESTAMP = ".staged/timestamp.json"
CURRENT_TIMESTAMP = f"{METADATA}/{metadata_name('timestamp', 0)}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Count:
    """How many signatures a root has by the keys of one root, of how many."""

    version: int
    signed: tuple[str, ...]
    unsigned: tuple[str, ...]
    threshold: int

    @property
    def complete(self) -> bool:
        """Whether they suffice."""
        return len(self.signed) >= self.threshold


@dataclass(frozen=True, kw_only=True, slots=True)
class _Timestamp:
    data: bytes
    metadata: Metadata[Timestamp]

    def verified_by(self, root: Root) -> bool:
        """Whether the online keys of this root signed it."""
        return bool(root.get_verification_result("timestamp", self.metadata.signed_bytes, self.metadata.signatures))


def read_staged(place: Path) -> Metadata[Root] | None:
    """The staged root, None if there is none.

    Raises:
        TrustError: it is no root metadata, or its keys are not safe.
    """
    try:
        data = read_bounded(place / STAGED, MAX_METADATA_BYTES)
    except FileNotFoundError:
        return None
    metadata = parse_metadata(data, Root, thing=STAGED)
    check_root(metadata.signed, thing=STAGED)
    return metadata


def write_staged(place: Path, metadata: Metadata[Root]) -> None:
    """This root waits for signatures."""
    (place / STAGED).parent.mkdir(parents=True, exist_ok=True)
    atomic_write(place / STAGED, serialise(metadata))


def discard_staged(place: Path) -> None:
    """No root waits."""
    (place / STAGED_TIMESTAMP).unlink(missing_ok=True)
    (place / STAGED).unlink(missing_ok=True)
    sync_directory((place / STAGED).parent)


def counts(staged: Metadata[Root], roots: tuple[Metadata[Root], ...]) -> tuple[Count, ...]:
    """Signatures by the root that is newest now, if there is one, and by the staged root itself.

    Raises:
        TrustError: the staged root does not follow the newest.
    """
    newest = roots[-1].signed if roots else None
    expected = newest.version + 1 if newest else 1
    if staged.signed.version != expected:
        raise TrustError(
            "not the version that comes next",
            step="root",
            thing=STAGED,
            expected=str(expected),
            got=str(staged.signed.version),
            next_step="propose it again: assess-registry root propose",
        )
    return tuple(_count(root, staged) for root in ((newest,) if newest else ()) + (staged.signed,))


def ready_root(place: Path, roots: tuple[Metadata[Root], ...]) -> Metadata[Root] | None:
    """The staged root if it is fully signed and comes next, else None.

    Raises:
        TrustError: what is staged is no root metadata, or its keys are not safe.
    """
    staged = read_staged(place)
    if staged is None or staged.signed.version != len(roots) + 1:
        return None
    return staged if all(count.complete for count in counts(staged, roots)) else None


def settle(place: Path) -> None:
    """If a staged root is published, everything that was to come with it is, too, and nothing of it is staged.

    A kill can leave its copy there. Where the keys of the root before were lost, the timestamp comes after the root,
    and a kill in between leaves readers without one that they believe: it is staged, too. What is staged counts by its
    signature alone.
    """
    staged, roots = read_staged(place), read_roots(place)
    if staged is None or staged.signed.version > len(roots):
        return
    newest, pending = roots[-1].signed, _timestamp(place, STAGED_TIMESTAMP)
    if pending is not None and pending.verified_by(newest):
        current = _timestamp(place, CURRENT_TIMESTAMP)
        if current is None or not current.verified_by(newest):
            atomic_write(place / CURRENT_TIMESTAMP, pending.data)
    discard_staged(place)


def believed_under(root: Root, state: State) -> bool:
    """Whether everything current is signed as this root asks for, bins included, or nothing is current yet."""
    if state.current is None:
        return True
    targets = state.current.targets.signed
    if targets.delegations != delegations(root, bins_of(targets).number_of_bins):
        return False
    return all(state.signed_for(root, role) for role in ("timestamp", "snapshot", "targets"))


def _timestamp(place: Path, name: str) -> _Timestamp | None:
    try:
        data = read_bounded(place / name, MAX_METADATA_BYTES)
        return _Timestamp(data=data, metadata=parse_metadata(data, Timestamp, thing=name))
    except (FileNotFoundError, TrustError):  # absent, or nothing that counts
        return None


def _count(root: Root, staged: Metadata[Root]) -> Count:
    result = root.get_verification_result("root", staged.signed_bytes, staged.signatures)
    return Count(
        version=root.version,
        signed=tuple(key_id(each) for each in result.signed),
        unsigned=tuple(key_id(each) for each in result.unsigned),
        threshold=result.threshold,
    )
