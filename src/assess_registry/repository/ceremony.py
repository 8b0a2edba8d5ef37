"""The root ceremony: a root is proposed, its bytes go to those who hold root keys, their signatures come back.

    propose(place, changes, now=now, expiry=expiry)   .staged/root.json, without signatures
    data = export(place)                              the exact bytes to sign; they travel
    signature = sign_root(data, key)                  on the machine of the key, which needs nothing else
    add_signature(place, signature)                   one of several, in any order
    publish_root(place)                               when the old root's threshold and the new one's are reached

The bytes that travel are what Ed25519 signs, and the signature is the `.sig` file that is used everywhere: who does not
want our program near the key can use OpenSSL.
"""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from assess_registry.config import Expiry
from assess_registry.errors import ConfigError, TrustError
from assess_registry.files import atomic_write, file_lock
from assess_registry.keys import KeyId, PrivateKey, PublicKey
from assess_registry.repository.keys import check_root, key_id, keys_of, to_tuf_key
from assess_registry.repository.roles import Signers, metadata_name, new_root, serialise, until
from assess_registry.repository.staged import (
    STAGED,
    Count,
    believed_under,
    counts,
    discard_staged,
    read_staged,
    ready_root,
    settle,
    write_staged,
)
from assess_registry.repository.state import METADATA, parse_metadata, read_roots, read_state
from assess_registry.repository.store import LOCK_NAME, LOCK_TIMEOUT_S
from assess_registry.repository.tuf_api import Metadata, Root, Signature
from assess_registry.signatures import decode_signature, encode_signature

MAX_EXPORT_BYTES = 1 << 20


@dataclass(frozen=True, kw_only=True, slots=True)
class Changes:
    """What is to be different in the next root; None stays as it is. The first root needs all three lists of keys."""

    root_keys: tuple[PublicKey, ...] | None = None
    root_threshold: int | None = None
    release_keys: tuple[PublicKey, ...] | None = None
    release_threshold: int | None = None
    online_keys: tuple[PublicKey, ...] | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Proposal:
    """A staged root and the signatures it has.

    Attributes:
        root: the root.
        counts: signatures by the newest published root, if there is one, and by itself.
        published: it is the newest root now.
        needs_refresh: it is fully signed, but others have to sign by its keys before it may be published.
    """

    root: Root
    counts: tuple[Count, ...]
    published: bool = False
    needs_refresh: bool = False

    @property
    def complete(self) -> bool:
        """Whether every threshold is reached."""
        return all(count.complete for count in self.counts)


def propose(place: Path, changes: Changes, *, now: datetime, expiry: Expiry, replace: bool = False) -> Proposal:
    """The next root waits in `.staged` for signatures; what readers see is as it was.

    Args:
        place: root of the registry; its directory is made if absent.
        changes: what is to be different. Nothing: the same root for another year.
        now: from which expiry counts.
        expiry: for how long a root is signed.
        replace: drop a root that waits already, with the signatures it has.

    Raises:
        ConfigError: another root waits already; the first root lacks keys; a key would be in two roles, or a threshold
            could not be met.
    """
    (place / METADATA).mkdir(parents=True, exist_ok=True)
    with _locked(place):
        settle(place)
        roots = read_roots(place)
        already = read_staged(place)
        if already is not None and not replace:
            raise ConfigError(f"{place / STAGED}: version {already.signed.version} waits for signatures already; "
                              "publish it, or give it up with --replace")  # fmt: skip
        before = roots[-1].signed if roots else None
        signers = _signers(changes, before)
        try:
            root = new_root(signers, version=len(roots) + 1, expires=until(expiry, "root", now))
            check_root(root, thing=f"root {len(roots) + 1}")
        except TrustError as error:
            # Found before anybody signed it: whoever proposes it has made a slip, and nothing is wrong on the disk.
            what = f"{error.thing}: {error.args[0]}: expected {error.expected}, got {error.got}"
            raise ConfigError(f"{what}; nothing was proposed: give other keys or another threshold") from error
        staged = Metadata(root)
        write_staged(place, staged)
        return Proposal(root=root, counts=counts(staged, roots))


def waiting(place: Path) -> Proposal | None:
    """The root that waits for signatures, if one does.

    Raises:
        TrustError: what is staged is no root metadata, its keys are not safe, or it does not come next.
    """
    staged, roots = read_staged(place), read_roots(place)
    if staged is None or staged.signed.version <= len(roots):
        return None
    return Proposal(root=staged.signed, counts=counts(staged, roots))


def export(place: Path) -> bytes:
    """The bytes to sign.

    Raises:
        ConfigError: no root waits.
    """
    return _waiting(place).signed_bytes


def parse_export(data: bytes) -> Root:
    """The root that these bytes say, if they are exactly what TUF signs of a root.

    Raises:
        TrustError: they are something else; a root key signs nothing else.
    """
    thing = "bytes to sign"
    try:
        metadata = parse_metadata(b'{"signatures":[],"signed":' + data + b"}", Root, thing=thing)
        check_root(metadata.signed, thing=thing)
    except TrustError as error:
        raise _not_a_root(thing, f"a root, {error.expected}", f"{error.args[0]}: {error.got}") from error
    # One meaning: no second spelling, no key twice, nothing that a reader would see and the signature not cover.
    if metadata.signed_bytes != data or metadata.signed.unrecognized_fields:
        raise _not_a_root(thing, "canonical JSON of a root, and nothing else", "another spelling, or more")
    return metadata.signed


def sign_root(data: bytes, key: PrivateKey) -> bytes:
    """The `.sig` file over exported bytes.

    Raises:
        TrustError: they are not those of a root.
        ConfigError: the key has another role in it.
    """
    root = parse_export(data)
    for role, whose in (("targets", "a release"), ("snapshot", "an online"), ("timestamp", "an online")):
        if key.public in keys_of(root, role):
            raise ConfigError(f"{key.public.id}: {whose} key of this root; a root is signed by root keys alone")
    return encode_signature(key.sign(data))


def add_signature(place: Path, signature: bytes) -> tuple[KeyId, Proposal]:
    """The waiting root has one signature more; whose it is, and how many there are.

    Raises:
        ConfigError: no root waits.
        TrustError: step `signature`; it is malformed, or no root key, old or new, made it over exactly this root.
    """
    try:
        raw = decode_signature(signature)
    except ValueError as error:
        raise _bad_signature(str(error), "88 characters of base64 and a newline", f"{len(signature)} bytes") from error
    with _locked(place):
        settle(place)
        staged, roots = _waiting(place), read_roots(place)
        candidates = [each.signed for each in (*roots[-1:], staged)]
        signer = _signer(raw, staged, candidates)
        if signer is None:
            names = sorted({key_id(each)[:19] + "…" for root in candidates for each in root.roles["root"].keyids})
            raise _bad_signature("no root key made it over this root", f"one of {', '.join(names)}", "none verifies")
        staged.signatures[signer] = Signature(signer, raw.hex())
        write_staged(place, staged)
        return key_id(signer), Proposal(root=staged.signed, counts=counts(staged, roots))


def publish_root(place: Path) -> Proposal:
    """The waiting root is the newest, if it is fully signed and readers believe current metadata under it, too.

    Where they would not, because release or online keys change, `needs_refresh` is set and nothing is changed: then
    `Repository.refresh` publishes it together with what the new keys sign.

    Raises:
        ConfigError: no root waits.
        TrustError: it is not safe, or does not come next.
    """
    with _locked(place):
        staged, roots = _waiting(place), read_roots(place)
        proposal = Proposal(root=staged.signed, counts=counts(staged, roots))
        if ready_root(place, roots) is None:
            return proposal
        if roots and not believed_under(staged.signed, read_state(place)):
            return Proposal(root=proposal.root, counts=proposal.counts, needs_refresh=True)
        atomic_write(place / METADATA / metadata_name("root", staged.signed.version), serialise(staged))
        discard_staged(place)
        return Proposal(root=proposal.root, counts=proposal.counts, published=True)


def _signers(changes: Changes, before: Root | None) -> Signers:
    def keys(given: Sequence[PublicKey] | None, role: str, option: str) -> tuple[PublicKey, ...]:
        if given is not None:
            return tuple(given)
        if before is None:
            raise ConfigError(f"{option}: the first root needs at least one")
        return keys_of(before, role)

    def threshold(given: int | None, role: str, first: int) -> int:
        if given is not None:
            return given
        return before.roles[role].threshold if before else first

    thresholds = {"--threshold": changes.root_threshold, "--release-threshold": changes.release_threshold}
    if low := [option for option, given in thresholds.items() if given is not None and given < 1]:
        raise ConfigError(*(f"{option}: expected at least 1" for option in low))
    return Signers(
        root_keys=keys(changes.root_keys, "root", "--root-key"),
        root_threshold=threshold(changes.root_threshold, "root", 2),
        release_keys=keys(changes.release_keys, "targets", "--release-key"),
        release_threshold=threshold(changes.release_threshold, "targets", 1),
        online_keys=keys(changes.online_keys, "timestamp", "--online-key"),
    )


def _signer(raw: bytes, staged: Metadata[Root], roots: Sequence[Root]) -> str | None:
    for root in roots:
        for key in keys_of(root, "root"):
            if key.verifies(raw, staged.signed_bytes):
                return to_tuf_key(key).keyid
    return None


def _waiting(place: Path) -> Metadata[Root]:
    staged = read_staged(place)
    if staged is None:
        raise ConfigError(f"{place / STAGED}: no root waits for signatures; begin with: assess-registry root propose")
    return staged


def _locked(place: Path) -> AbstractContextManager[None]:
    return file_lock(place / LOCK_NAME, timeout_s=LOCK_TIMEOUT_S)


def _bad_signature(message: str, expected: str, got: str) -> TrustError:
    return TrustError(
        message,
        step="signature",
        thing=STAGED,
        expected=expected,
        got=got,
        next_step="export the bytes again and have exactly those signed",
    )


def _not_a_root(thing: str, expected: str, got: str) -> TrustError:
    next_step = "do not sign it; ask who sent it for the file that `sign export` wrote"
    return TrustError("not what is signed of a root", step="root", thing=thing, expected=expected, got=got,
                      next_step=next_step)  # fmt: skip
