"""What a key has signed, and where that is still served: the question on the day a key was stolen.

Read from the registry's own disk, and believed as far as it is signed. A publisher's key signs wheels and locks, a
reviewer's or the audit's key verdicts, a root, release or online key metadata.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from assess_registry.catalogue import ATTESTATION_NAME, CatalogueWheel, FileRef, Release
from assess_registry.control import Publishers
from assess_registry.dsse import Envelope, parse_envelope
from assess_registry.errors import RegistryError, TrustError
from assess_registry.files import read_bounded
from assess_registry.index.tree import FILES, SIMPLE, WHEEL_SUFFIX, Tree
from assess_registry.keys import KeyId, TrustedKeys
from assess_registry.lock import LOCK_NAME
from assess_registry.names import ProjectName
from assess_registry.repository import Repository
from assess_registry.repository.state import MAX_METADATA_BYTES, METADATA, read_state
from assess_registry.review.published import (
    catalogues_of,
    published_file,
    releases_of,
    repository_of,
    signed_publishers,
)
from assess_registry.review.rules import rules_of
from assess_registry.review.submissions import REVIEWS, directories
from assess_registry.signatures import SIGNATURE_FILE_BYTES, SIGNATURE_SUFFIX, verify_detached
from assess_registry.verdict import check_approval
from assess_registry.wheel import MAX_WHEEL_BYTES


@dataclass(frozen=True, kw_only=True, slots=True)
class SignedThing:
    """One thing that the key has signed.

    Attributes:
        kind: `wheel`, `lock`, `verdict`, `audit`, `review` or `metadata`.
        path: relative to the registry's root.
        since: when it was published; None where nobody said.
        served: `yes`, `pinned only` when it was yanked, `no: revoked`, `no: quarantined` while its project is,
            `no: refused at step STEP` where clients refuse it since a key was revoked, `submission`, `pages only` when
            no catalogue names it, `old` for metadata that is not current.
    """

    kind: str
    path: str
    since: datetime | None
    served: str


def signed_by(root: Path, key: KeyId, *, now: datetime) -> tuple[SignedThing, ...]:
    """Everything in the registry that this key has signed, by kind and path.

    Raises:
        ConfigError: there is no registry here.
        TrustError: its word is not signed as it has to be.
    """
    rules = rules_of(root, now)
    tree, repository = Tree(root), repository_of(root)
    signed = signed_publishers(repository)
    found: list[SignedThing] = []
    catalogued: set[str] = set()
    published: set[str] = set()
    quarantined = {each.project for each in catalogues_of(repository) if each.status and each.status.is_quarantined}
    for project, release in releases_of(repository):
        directory = f"{FILES}/{project}/{release.version}"
        states: dict[str, str] = {}
        for wheel in release.wheels:
            catalogued.add(f"{directory}/{wheel.filename}")
            published.add(wheel.sha256)
            envelope = parse_envelope(published_file(tree, project, release.version, wheel.verdict))
            served = _served(project, release, wheel, envelope, signed)
            if served in ("yes", "pinned only") and project in quarantined:
                served = "no: quarantined"
            if wheel.signer == key:
                states |= {wheel.filename: served, release.lock.filename: served}
            if key in {each for each, _ in envelope.signatures}:
                states[wheel.verdict.filename] = served
        if release.attestation and key in _signers(tree, project, release, release.attestation):
            states[release.attestation.filename] = "no: revoked" if release.revoked else "yes"
        for name, served in states.items():
            found.append(
                SignedThing(kind=_kind(name), path=f"{directory}/{name}", since=release.published_at, served=served)
            )
    known = {timed.key for each in (rules.control, signed) if each for _, timed in each.uses() if timed.key.id == key}
    trusted = TrustedKeys.of(*known)
    if known:
        found += _uncatalogued(tree, trusted, catalogued)
        found += _submitted(root, trusted, published)
    found += _reviews(root, key)
    found += _metadata(root, key, repository)
    return tuple(sorted(found, key=lambda each: (each.kind, each.path)))


def _kind(name: str) -> str:
    kinds = {LOCK_NAME: "lock", ATTESTATION_NAME: "audit"}
    return kinds.get(name, "wheel" if name.endswith(WHEEL_SUFFIX) else "verdict")


def _signers(tree: Tree, project: ProjectName, release: Release, file: FileRef) -> frozenset[KeyId]:
    """Keys named in an envelope that the signed catalogue names by its digest."""
    envelope = parse_envelope(published_file(tree, project, release.version, file))
    return frozenset(key for key, _ in envelope.signatures)


def _served(
    project: ProjectName, release: Release, wheel: CatalogueWheel, envelope: Envelope, signed: Publishers | None
) -> str:
    """What a client makes of it: by whom it is refused is what a revocation of a key was for."""
    if release.revoked:
        return "no: revoked"
    try:
        if signed is not None:
            publisher = signed.publisher_of(wheel.signer, project, release.published_at)
            check_approval(envelope, control=signed, publisher=publisher, at=release.published_at)
    except TrustError as error:
        return f"no: refused at step {error.step}"
    return "pinned only" if release.yanked else "yes"


def _uncatalogued(tree: Tree, trusted: TrustedKeys, catalogued: set[str]) -> Iterator[SignedThing]:
    """Wheels that were published by a publisher's key alone."""
    for path in sorted((tree.root / FILES).glob(f"*/*/*{WHEEL_SUFFIX}")):
        name = path.relative_to(tree.root).as_posix()
        if name in catalogued or not _is_signed(path, trusted):
            continue
        page = tree.root / SIMPLE / path.parent.parent.name / "index.html"
        served = "pages only" if page.is_file() and f">{path.name}<" in page.read_text() else "no"
        yield SignedThing(kind="wheel", path=name, since=None, served=served)


def _submitted(root: Path, trusted: TrustedKeys, published: set[str]) -> Iterator[SignedThing]:
    """What waits for reviewers, or for `publish`, which is all that separates it from being served."""
    for directory in directories(root):
        if directory.name in published or not directory.is_dir():
            continue
        for path in sorted(directory.iterdir()):
            if (path.suffix == WHEEL_SUFFIX or path.name == LOCK_NAME) and _is_signed(path, trusted):
                name = path.relative_to(root).as_posix()
                yield SignedThing(kind=_kind(path.name), path=name, since=None, served="submission")


def _is_signed(path: Path, trusted: TrustedKeys) -> bool:
    signature = path.with_name(path.name + SIGNATURE_SUFFIX)
    try:
        verify_detached(read_bounded(path, MAX_WHEEL_BYTES), read_bounded(signature, SIGNATURE_FILE_BYTES), trusted)
    except (RegistryError, OSError):  # not there, not readable, or somebody else's: nothing that this key signed
        return False
    return True


def _reviews(root: Path, key: KeyId) -> Iterator[SignedThing]:
    for directory in directories(root):
        for path in sorted((directory / REVIEWS).glob(f"{key.removeprefix('sha256:')}*.json")):
            yield SignedThing(kind="review", path=path.relative_to(root).as_posix(), since=None, served="submission")


def _metadata(root: Path, key: KeyId, repository: Repository | None) -> Iterator[SignedThing]:
    if repository is None:
        return
    current = {"timestamp.json"}
    if state := read_state(root).current:
        current.add(f"{state.snapshot.signed.version}.snapshot.json")
        current |= {f"{version}.{role}.json" for role, version in state.versions().items()}
    for path in sorted((root / METADATA).glob("*.json")):
        try:
            signatures = json.loads(read_bounded(path, MAX_METADATA_BYTES))["signatures"]
            signers = {f"sha256:{each['keyid']}" for each in signatures}
        except (ValueError, KeyError, TypeError, RegistryError):
            continue
        if key in signers:
            name = path.relative_to(root).as_posix()
            is_current = path.name in current or path.name.endswith(".root.json")
            yield SignedThing(kind="metadata", path=name, since=None, served="yes" if is_current else "old")
