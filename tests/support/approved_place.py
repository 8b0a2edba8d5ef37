"""A client that goes by a registry's signed word, and an insider who can sign anything that one stolen key can.

place = ApprovedPlace(tree=tree, state=tmp_path / "state")
place.chain()                      resolve, fetch, verify; or the refusal
relist(tree, lambda release: ...)  what the release and online keys together could say
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement

from assess_registry.catalogue import VERDICT_SUFFIX, CatalogueWheel, FileRef, Release, catalogue_path
from assess_registry.client import (
    FetchedWheel,
    KeptWheel,
    Registry,
    RegistryConfig,
    Target,
    VerifiedWheel,
    fetch,
    reopen,
    resolve,
    verify,
)
from assess_registry.control import PUBLISHERS_PATH, Publishers, parse_publishers
from assess_registry.dsse import Envelope, parse_envelope, sign_envelope
from assess_registry.keys import PrivateKey
from assess_registry.names import ProjectName
from assess_registry.repository import Repository
from assess_registry.verdict import PAYLOAD_TYPE, Verdict, parse_verdict
from tests.support.client_place import DEMO, TARGET
from tests.support.registry_tree import RegistryTree

PROJECT = ProjectName("demo-plugin")


@dataclass(frozen=True, kw_only=True)
class ApprovedPlace:
    """A registry and how a client reaches it; every call is a process of its own, with the same state."""

    tree: RegistryTree
    state: Path
    url: str = ""

    def config(self, **changes: Any) -> RegistryConfig:
        values = {
            "url": self.url or self.tree.root.as_uri(),
            "root": self.tree.root_metadata,
            "state": self.state,
            "timeout_s": 30.0,
            "development": True,
        }
        return RegistryConfig(**{**values, **changes})

    def chain(self, requirement: str = "demo-plugin", target: Target = TARGET, **changes: Any) -> VerifiedWheel:
        with Registry(self.config(**changes)) as registry:
            fetched = fetch(resolve(Requirement(requirement), registry=registry, target=target), registry=registry)
            return verify(fetched, registry=registry, target=target)

    def fetched(self, requirement: str = "demo-plugin") -> FetchedWheel:
        with Registry(self.config()) as registry:
            return fetch(resolve(Requirement(requirement), registry=registry, target=TARGET), registry=registry)

    def verify(self, fetched: FetchedWheel, **changes: Any) -> VerifiedWheel:
        """As a process does that has not asked the registry: by what is remembered of it."""
        with Registry(self.config(**changes)) as registry:
            return verify(fetched, registry=registry, target=TARGET)

    def reopened(self, kept: KeptWheel, **changes: Any) -> VerifiedWheel:
        with Registry(self.config(**changes)) as registry:
            return verify(reopen(kept, registry=registry, target=TARGET), registry=registry, target=TARGET)


def kept_of(verified: VerifiedWheel) -> KeptWheel:
    """What a store would keep."""
    assert verified.lock is not None
    return KeptWheel(
        filename=verified.inspected.filename,
        data=verified.data,
        signature=verified.signature,
        lock=verified.lock.data,
        lock_signature=verified.lock_signature,
        dependencies={wheel.inspected.filename: wheel.data for wheel in verified.closure},
        verdict=verified.verdict,
    )


def commit(tree: RegistryTree, targets: dict[str, bytes | None]) -> None:
    """Sign these targets with the release and the online key."""
    people = tree.everybody
    Repository.load(tree.root).commit(
        targets, release_keys=[people.release], online_key=people.online, now=datetime.now(UTC)
    )


def relist(tree: RegistryTree, change: Callable[[Release], Release], version: str = "1.0.0") -> None:
    """Let the signed page say something else of a release."""
    catalogue = tree.catalogue()
    release = catalogue.release(version)
    assert release is not None
    commit(tree, {catalogue_path(PROJECT): catalogue.with_release(change(release)).data()})


def relist_wheel(tree: RegistryTree, **changes: Any) -> None:
    """Let the signed page say something else of the demo plugin's wheel."""

    def change(release: Release) -> Release:
        return replace(release, wheels=(replace(release.wheels[0], **changes),))

    relist(tree, change)


def recontrol(tree: RegistryTree, change: Callable[[Publishers], Publishers]) -> None:
    """Let the signed list of publishers and reviewers be another."""
    data = Repository.load(tree.root).read(PUBLISHERS_PATH)
    assert data is not None
    commit(tree, {PUBLISHERS_PATH: change(parse_publishers(data)).data()})


def replace_file(tree: RegistryTree, name: str, data: bytes) -> FileRef:
    """Put a file beside the demo plugin's wheel; gives what a page would say of it."""
    tree.path(DEMO).with_name(name).write_bytes(data)
    return FileRef.of(name, data)


def envelope_of(tree: RegistryTree, filename: str = DEMO) -> Envelope:
    """The published verdict of a wheel."""
    return parse_envelope(tree.path(filename).with_name(filename + VERDICT_SUFFIX).read_bytes())


def verdict_of(tree: RegistryTree, filename: str = DEMO) -> Verdict:
    return parse_verdict(envelope_of(tree, filename).payload)


def reapprove(tree: RegistryTree, envelope: Envelope) -> None:
    """Put another envelope in the verdict's place, on the signed page as well."""
    relist_wheel(tree, verdict=replace_file(tree, DEMO + VERDICT_SUFFIX, envelope.data()))


def approved(tree: RegistryTree, keys: Iterable[PrivateKey], **changes: Any) -> Envelope:
    """The published verdict with these fields changed, signed by these keys."""
    return sign_envelope(replace(verdict_of(tree), **changes).statement(), PAYLOAD_TYPE, keys)


def wheel_of(tree: RegistryTree) -> CatalogueWheel:
    release = tree.catalogue().release("1.0.0")
    assert release is not None
    return release.wheels[0]
