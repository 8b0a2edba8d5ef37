"""A registry's word and some of its releases, verified whole and put together in a directory: what travels.

1. Every root that the registry ever had, from the first: who stayed away for long follows them one by one.
2. Its current word, by TUF from the operator's own root, through nothing that was remembered: so all of it is read.
3. The releases asked for, each verified with all its files, for every platform.
4. Every bin, and the signed page of every project: a site that serves more than this bundle holds needs them.
5. The whole once more as the signing side reads it: roots from the first on, bins, every signed page by its digest.
6. The same word against what is remembered of this registry, so that nothing older than was seen before goes on.

What the files come from, a web server or a bundle, is the caller's; nothing it says is believed.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from assess_registry.bundle.archive import Carried
from assess_registry.bundle.staging import Recording, private_directory
from assess_registry.bundle.whole import WholeRelease, verify_whole
from assess_registry.client import Registry, RegistryConfig
from assess_registry.client.location import Location
from assess_registry.client.registry import MAX_ROOT_BYTES
from assess_registry.client.transport import NO_ACCESS, Deadline, Transport
from assess_registry.control import REVOCATIONS_PATH, Revocations, parse_revocations
from assess_registry.errors import NotPublishedError, TrustError
from assess_registry.files import read_bounded
from assess_registry.repository.roles import metadata_name, target_name
from assess_registry.repository.state import MAX_METADATA_BYTES, MAX_ROOTS, State, read_state, read_target

MEMORY = "trust"
"""Directory of what is remembered of a registry, beside whatever else its holder keeps."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Origin:
    """The registry that files are taken from, and what its reader trusts.

    Attributes:
        url: of its root, for messages and links.
        transport: reads its files.
        root: the operator's own first root metadata.
        memory: directory of what is remembered of this registry.
        development: one person may hold all its keys.
        timeout_s: for everything together.
    """

    url: str
    transport: Transport
    root: Path
    memory: Path
    development: bool
    timeout_s: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Gathered:
    """What is in the directory now.

    Attributes:
        directory: a registry's files, exactly those that were verified.
        names: of all of them.
        releases: those that were asked for.
        state: the metadata, verified from the first root on.
        targets: every signed page and control file, by its path.
        revocations: of the registry.
    """

    directory: Path
    names: frozenset[str]
    releases: tuple[WholeRelease, ...]
    state: State
    targets: Mapping[str, bytes] = field(repr=False)
    revocations: Revocations


def gather(origin: Origin, choose: Callable[[Registry, Deadline], tuple[Carried, ...]], *, into: Path) -> Gathered:
    """The releases chosen are in `into`, with all that vouches for them.

    Args:
        origin: where they come from.
        choose: says which, given the registry and a deadline.
        into: an empty, private directory.

    Raises:
        NotPublishedError: a project, a version or a file is not there.
        TransportError: it could not be had in time.
        TrustError: the step that failed.
    """
    deadline = Deadline.after(origin.timeout_s)
    recording = Recording(origin.transport, into)
    _read_roots(recording, deadline)  # 1
    with private_directory(into.parent) as scratch, _registry(origin, recording, scratch) as registry:
        registry.current_word(deadline)  # 2
        releases = tuple(
            verify_whole(each.project, each.version, registry=registry, deadline=deadline)  # 3
            for each in choose(registry, deadline)
        )
        _read_bins(recording, scratch, deadline)  # 4
    state = read_state(into)  # 5
    _check_anchored(origin, into)
    targets = _targets(state, recording, deadline)
    with _registry(origin, recording, origin.memory) as registry:  # 6
        registry.current_word(deadline)
    return Gathered(
        directory=into,
        names=frozenset(recording.names),
        releases=releases,
        state=state,
        targets=targets,
        revocations=parse_revocations(_required(targets, REVOCATIONS_PATH)),
    )


def _registry(origin: Origin, transport: Transport, memory: Path) -> Registry:
    config = RegistryConfig(
        url=origin.url,
        root=origin.root,
        state=memory,
        development=origin.development,
        timeout_s=origin.timeout_s,
        access=NO_ACCESS,  # the transport is open already
    )
    return Registry(config, transport=transport)


def _read_roots(recording: Recording, deadline: Deadline) -> None:
    for version in range(1, MAX_ROOTS + 1):
        location = Location(f"metadata/{metadata_name('root', version)}")
        try:
            recording.read(location, max_bytes=MAX_ROOT_BYTES, deadline=deadline)
        except NotPublishedError:
            if version == 1:
                raise
            return


def _check_anchored(origin: Origin, into: Path) -> None:
    """The operator's root is one of the chain that travels: a client behind the gap may begin with the first."""
    anchor = read_bounded(origin.root, MAX_ROOT_BYTES)
    version = json.loads(anchor)["signed"]["version"]  # TUF's client has parsed it by now
    name = f"metadata/{metadata_name('root', version)}"
    if not (into / name).is_file() or (into / name).read_bytes() != anchor:
        raise TrustError(
            "its roots are others than the one that is trusted",
            step="root",
            thing=name,
            expected=f"the bytes of {origin.root}",
            got="others, or none",
            next_step="do not use it; ask the registry's maintainer which of the two is theirs",
        )


def _read_bins(recording: Recording, memory: Path, deadline: Deadline) -> None:
    """What the verified snapshot names, read as it is; `read_state` looks at every bin of it."""
    snapshot = json.loads((memory / "metadata" / "snapshot.json").read_bytes())
    for name, meta in sorted(snapshot["signed"]["meta"].items()):
        location = Location(f"metadata/{metadata_name(name.removesuffix('.json'), meta['version'])}")
        recording.read(location, max_bytes=MAX_METADATA_BYTES, deadline=deadline)


def _targets(state: State, recording: Recording, deadline: Deadline) -> dict[str, bytes]:
    """Every signed page and control file, read and held against its digest."""
    found = {}
    for role in state.roles():
        for path, target in sorted(state.role(role).targets.items()):
            recording.read(Location(target_name(target)), max_bytes=target.length, deadline=deadline)
            found[path] = read_target(state.place, target)
    return found


def _required(targets: Mapping[str, bytes], path: str) -> bytes:
    if path not in targets:
        raise TrustError(
            "the registry's signed word is not complete",
            step="control",
            thing=path,
            expected="the file among its targets",
            got="nothing",
            next_step="ask the registry's maintainer to publish again",
        )
    return targets[path]
