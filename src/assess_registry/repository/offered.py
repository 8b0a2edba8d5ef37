"""What release keys have signed on top of a registry's word, and its online key has not: an offer, found and verified.

Whoever publishes makes it on a copy of the registry, with release keys and without the online one: target files under
their hash, and the next version of targets or of a bin. Nothing of it counts before a snapshot names it. It is read
here as a stranger's: each version has to be the very next one, signed by whom the registry's root asks for, with all
that it lists there, whole.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from assess_registry.errors import TrustError
from assess_registry.repository.roles import bins_of, metadata_name, role_of_target
from assess_registry.repository.state import METADATA, State, check_says_role, read_metadata, read_target, verify_role
from assess_registry.repository.tuf_api import Targets

TARGETS = "targets"


@dataclass(frozen=True, kw_only=True, slots=True)
class Offer:
    """Signed, and not current.

    Attributes:
        roles: role -> its next version's bytes, bins before targets.
        targets: path -> bytes, of every target that is new or another than before.
        versions: role -> that version.
    """

    roles: Mapping[str, bytes]
    targets: Mapping[str, bytes]
    versions: Mapping[str, int]

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to take."""
        return not self.roles


def read_offer(source: Path, state: State, *, now: datetime) -> Offer:
    """What lies at `source` on top of this state.

    Raises:
        TrustError: step `offer`: it is not signed as this registry's root asks for, takes something away, or lists what
            no target can be called; step `metadata`: it is no metadata, or a file that it lists is not there.
        ValueError: the registry has no word yet.
    """
    if state.current is None:
        raise ValueError("a registry without a word")
    roles: dict[str, bytes] = {}
    targets: dict[str, bytes] = {}
    versions: dict[str, int] = {}
    for name in sorted(state.roles(), key=lambda name: (name == TARGETS, name)):
        version = state.current.versions()[name] + 1
        _require_same_ground(source, state, name, version - 1)
        if not (source / METADATA / metadata_name(name, version)).exists():
            continue
        signed, roles[name] = _role(source, state, name, version)
        if signed.expires <= now:
            raise _refused("it has expired", metadata_name(name, version), "to be signed for longer than until now",
                           f"until {signed.expires.isoformat()}", _AGAIN)  # fmt: skip
        targets |= _changes(source, state, name, signed)
        versions[name] = version
    return Offer(roles=roles, targets=targets, versions=versions)


def _require_same_ground(source: Path, state: State, name: str, version: int) -> None:
    """What lies there under the current version is what is current, so that whoever made the offer knew it.

    Raises:
        TrustError: step `offer`; it was made on something else, or there is no copy of this registry.
    """
    (_, there), (_, here) = (read_metadata(place, name, version, Targets) for place in (source, state.place))
    if there != here:
        thing = metadata_name(name, version)
        raise _refused("not what is published under this version", thing, "the same bytes", "others", _AGAIN)


def require_next(offer: Offer, state: State) -> None:
    """The offer follows this very state.

    Raises:
        TrustError: step `offer`; somebody has published meanwhile.
    """
    versions = state.current.versions() if state.current else {}
    for role, version in sorted(offer.versions.items()):
        if versions.get(role, 0) + 1 != version:
            thing = metadata_name(role, version)
            raise _refused(
                "not the version that comes next", thing, str(versions.get(role, 0) + 1), str(version), _AGAIN
            )


def _role(source: Path, state: State, name: str, version: int) -> tuple[Targets, bytes]:
    metadata, data = read_metadata(source, name, version, Targets)
    before = state.role(TARGETS)
    # Bins are believed by what targets say now: an offer that changes who signs them is a matter of keys, not of this.
    verify_role(state.root if name == TARGETS else before, name, metadata)
    check_says_role(metadata.signed, name)
    if name == TARGETS and metadata.signed.delegations != before.delegations:
        thing = metadata_name(name, version)
        raise _refused("it changes who signs the bins", thing, "delegations as they are", "others", _REFRESH)
    return metadata.signed, data


def _changes(source: Path, state: State, name: str, signed: Targets) -> dict[str, bytes]:
    thing, before = metadata_name(name, signed.version), state.role(name).targets
    if gone := sorted(before.keys() - signed.targets.keys()):
        raise _refused("it takes away what is published", thing, gone[0], "nothing", _REFRESH)
    changed = {}
    for path, target in signed.targets.items():
        try:
            role = role_of_target(path, bins_of(state.role(TARGETS)))
        except ValueError as error:
            raise _refused("it lists what is no target", thing, "control/NAME.json, catalog/PROJECT.json",
                           path[:120]) from error  # fmt: skip
        if role != name:
            raise _refused("it lists what belongs into another role", thing, role, path)
        if before.get(path) != target:
            changed[path] = read_target(source, target)
    return changed


_AGAIN = "make the offer again, on the registry as it is now"
_REFRESH = "who has release and online keys does this with `assess-registry refresh`, on one machine"


def _refused(message: str, thing: str, expected: str, got: str, next_step: str = "") -> TrustError:
    return TrustError(
        message,
        step="offer",
        thing=thing,
        expected=expected,
        got=got,
        next_step=next_step or "take no part of it, and ask who made it",
    )
