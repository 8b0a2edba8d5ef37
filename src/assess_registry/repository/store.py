"""The registry's word on disk: read as verified, changed in one transaction with the timestamp last.

    repository = Repository.load(root)
    repository.commit({"catalog/acme-demo.json": page}, release_keys=[key], online_key=online, now=now)

A commit writes, each file whole or not at all, in this order:

1. target files, under their hash;
2. bins that changed;
3. targets, if control files or the keys of bins changed;
4. snapshot;
5. timestamp, which replaces the one before: from this moment readers see the new state, and before it the old.

No file but the timestamp is ever written over once a timestamp named one: where a killed commit left a version behind,
the next one takes the next free number and removes it at last. The same call again therefore finishes the work, and
`collect` removes what nobody names any more.
"""

import contextlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from assess_registry.config import Expiry
from assess_registry.files import atomic_write, file_lock, sync_directory
from assess_registry.keys import PrivateKey, PublicKey
from assess_registry.repository.clock import require_clock
from assess_registry.repository.collect import collect
from assess_registry.repository.draft import Draft
from assess_registry.repository.expiry import RoleExpiry, due, role_expiries
from assess_registry.repository.keys import ONLINE_ROLES, TOP_ROLES, keys_of, tuf_key_id
from assess_registry.repository.offered import Offer, require_next
from assess_registry.repository.roles import BINS, bins_of, role_of_target
from assess_registry.repository.staged import discard_staged, ready_root, settle
from assess_registry.repository.state import State, read_state, read_target
from assess_registry.repository.tuf_api import Metadata, Root

LOCK_NAME = ".metadata.lock"
LOCK_TIMEOUT_S = 30.0


@dataclass(frozen=True, kw_only=True, slots=True)
class CommitReport:
    """What a commit did.

    Attributes:
        written: files, relative to the root, in the order in which they were written; empty if nothing had to change.
        version: of the timestamp that is current now.
    """

    written: tuple[str, ...]
    version: int


@dataclass(frozen=True, slots=True)
class Repository:
    """The signing side of a registry. Every call reads and verifies what is on disk.

    Attributes:
        place: the registry's root.
        held: metadata as it was verified once, for reading; None to read it anew each time. Who signs never uses it.
    """

    place: Path
    held: State | None = field(default=None, repr=False, compare=False)

    @classmethod
    def load(cls, place: Path) -> "Repository":
        """The repository at this root.

        Raises:
            ConfigError: it has no root metadata.
            TrustError: it is not signed as it has to be.
        """
        read_state(place)
        return cls(place)

    @classmethod
    def holding(cls, place: Path) -> "Repository":
        """The same, its metadata verified once: for who has locked out everybody else, until they commit.

        Raises:
            ConfigError: it has no root metadata.
            TrustError: it is not signed as it has to be.
        """
        return cls(place, read_state(place))

    def _state(self) -> State:
        return self.held or read_state(self.place)

    def read(self, path: str) -> bytes | None:
        """The current bytes of a target, verified from the root down; None if there is no such target.

        Raises:
            ValueError: neither `control/NAME.json` nor `catalog/PROJECT.json`.
            TrustError: not what was signed.
        """
        listed = self._state().listed(path)
        return None if listed is None else read_target(self.place, listed)

    def signing_keys(self) -> tuple[tuple[str, PublicKey], ...]:
        """Use and key of all whom the newest root lets sign metadata: `root`, `release`, `online`."""
        root = self._state().root
        uses = {"root": "root", "targets": "release"} | dict.fromkeys(ONLINE_ROLES, "online")
        found = {(uses[role], key) for role in TOP_ROLES for key in keys_of(root, role)}
        return tuple(sorted(found, key=lambda each: (each[0], each[1].raw)))

    def paths(self) -> tuple[str, ...]:
        """Every target, in order."""
        state = self._state()
        return tuple(sorted(path for role in state.roles() for path in state.role(role).targets))

    def items(self) -> Iterator[tuple[str, bytes]]:
        """Every target with its bytes, each verified, by role; metadata is read once, so this is for all of them.

        Raises:
            TrustError: not what was signed.
        """
        state = self._state()
        for role in state.roles():
            for path, target in sorted(state.role(role).targets.items()):
                yield path, read_target(self.place, target)

    def expiries(self, *, now: datetime, expiry: Expiry, own_terms: bool = True) -> tuple[RoleExpiry, ...]:
        """When each role ends, and whether that is soon, or later than these terms allow if it was signed by them."""
        return role_expiries(read_state(self.place), now=now, expiry=expiry, own_terms=own_terms)

    def require_clock(self, paths: Iterable[str], *, now: datetime, expiry: Expiry, offer: bool = False) -> None:
        """A commit of these targets is not refused for its time, whatever else is; before anything is written.

        Args:
            paths: of the targets that will change.
            now: from which expiry will count.
            expiry: for how long each role will be signed.
            offer: whether snapshot and timestamp are left to who has the online key.

        Raises:
            TrustError: step `clock`; something would end before what is signed now.
        """
        state = self._state()
        if state.current is None:
            return
        signed = {} if offer else state.current.online_ends()
        bins = bins_of(state.current.targets.signed)
        signed |= {role: state.role(role).expires for role in sorted({role_of_target(path, bins) for path in paths})}
        require_clock(signed, now=now, expiry=expiry)

    def commit(
        self,
        targets: Mapping[str, bytes | None],
        *,
        release_keys: Sequence[PrivateKey],
        online_key: PrivateKey | None,
        now: datetime,
        expiry: Expiry | None = None,
        bins: int = BINS,
        overrule_clock: bool = False,
    ) -> CommitReport:
        """These targets are current, all at once; readers see the state before or the one after, whatever kills us.

        Args:
            targets: path -> its new bytes, or None to take it out. What is not named stays.
            release_keys: as many as the threshold of targets asks for.
            online_key: signs snapshot and timestamp. Without one nothing becomes current: it is an offer, for `take`.
            now: from which expiry counts.
            expiry: for how long each role is signed.
            bins: into how many hash bins catalogue pages go; decided by the first commit, not looked at afterwards.
            overrule_clock: sign also what ends before what is signed now; somebody has found out why it does.

        Raises:
            ConfigError: a key has no role here, or too few were given; there is no root metadata.
            TrustError: what is on disk is not signed as it has to be; nothing was signed on top of it. Step `clock`;
                what is signed now ends later than what would be.
            ValueError: a path is no target's.
            OSError: nothing more could be written; the old state is still current.
        """
        with self.locked():
            settle(self.place)
            draft = Draft(
                state=read_state(self.place),
                release_keys=release_keys,
                online_keys=[online_key] if online_key else [],
                now=now,
                expiry=expiry or Expiry(),
                bins=bins,
                release_only=online_key is None,
                overrule_clock=overrule_clock,
            )
            draft.change(targets)
            return self._write(draft, draft.files())

    def take(
        self,
        offer: Offer,
        *,
        online_key: PrivateKey,
        now: datetime,
        expiry: Expiry | None = None,
        overrule_clock: bool = False,
    ) -> CommitReport:
        """What was offered is current; see `read_offer`, which verified it against this repository's state.

        Raises:
            ConfigError: the key has no role here.
            TrustError: what is on disk is not signed as it has to be; or step `offer`: it is not what the offer was
                made on any more. Step `clock`, as for `commit`.
        """
        with self.locked():
            settle(self.place)
            state = read_state(self.place)
            require_next(offer, state)
            draft = Draft(
                state=state,
                release_keys=[],
                online_keys=[online_key],
                now=now,
                expiry=expiry or Expiry(),
                overrule_clock=overrule_clock,
            )
            return self._write(draft, draft.files_with(offer))

    def refresh(
        self,
        *,
        online_keys: Sequence[PrivateKey],
        release_keys: Sequence[PrivateKey] = (),
        now: datetime,
        expiry: Expiry | None = None,
        bins: int = BINS,
        targets: Mapping[str, bytes | None] | None = None,
        overrule_clock: bool = False,
    ) -> CommitReport:
        """Snapshot and timestamp are signed anew; with release keys also what of theirs is past half of its time.

        A staged root that is fully signed becomes the newest if its keys are given, and everything is signed by them.
        While readers have the old root they want the old keys' signatures, too: give both.

        Args:
            online_keys: of the newest root; while keys are exchanged, also of the root before.
            release_keys: the same. Needed for the first commit, and when the release keys change.
            now: from which expiry counts.
            expiry: for how long each role is signed.
            bins: as for `commit`.
            targets: changed with it, as by `commit`; takes release keys.
            overrule_clock: as for `commit`.

        Raises:
            ConfigError: a key has no role here, or too few were given; there is no root metadata.
            TrustError: what is on disk is not signed as it has to be; nothing was signed on top of it. Step `clock`, as
                for `commit`.
            OSError: nothing more could be written; the same call again finishes.
        """
        expiry = expiry or Expiry()
        with self.locked():
            settle(self.place)
            state = read_state(self.place)
            # Who repeats a call that had finished gives keys that have had their day since.
            online_keys, release_keys = (
                [key for key in keys if not _retired(key, state.roots, role)]
                for keys, role in ((online_keys, "timestamp"), (release_keys, "targets"))
            )
            renewed = due(state, now=now, expiry=expiry) if release_keys else ()

            def draft(next_root: Metadata[Root] | None) -> Draft:
                made = Draft(
                    state=state,
                    release_keys=release_keys,
                    online_keys=online_keys,
                    now=now,
                    expiry=expiry,
                    bins=bins,
                    next_root=next_root,
                    overrule_clock=overrule_clock,
                )
                made.change(targets or {})
                made.renew(renewed)
                return made

            next_root = ready_root(self.place, state.roots)
            if next_root is not None and not draft(next_root).enough_keys():
                # The timer that refreshes every day goes on with the keys that it has.
                next_root = None
            written = draft(next_root)
            report = self._write(written, written.files())
            if next_root is not None:
                discard_staged(self.place)
            return report

    def collect(self, keep_s: float, *, now: datetime) -> tuple[str, ...]:
        """What no snapshot of the last `keep_s` seconds names is gone; the removed files, relative to the root.

        Raises:
            TrustError: the metadata is not signed as it has to be; nothing was removed.
        """
        with self.locked():
            return collect(read_state(self.place), keep_s=keep_s, now=now)

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Inside, nobody else changes the metadata."""
        with file_lock(self.place / LOCK_NAME, timeout_s=LOCK_TIMEOUT_S):
            yield

    def _write(self, draft: Draft, files: Mapping[str, bytes]) -> CommitReport:
        for directory in sorted({(self.place / name).parent for name in files}):
            if not directory.is_dir():
                directory.mkdir(parents=True, exist_ok=True)
                sync_directory(directory.parent)
        for name, data in files.items():
            atomic_write(self.place / name, data)
        for name in draft.skipped:
            (self.place / name).unlink(missing_ok=True)
        return CommitReport(written=tuple(files), version=draft.version)


def _retired(key: PrivateKey, roots: Sequence[Metadata[Root]], role: str) -> bool:
    """Whether the root before the newest names this key for the role, and the newest does not."""
    before, newest = (found[-1].signed.roles[role].keyids if found else () for found in (roots[-2:-1], roots[-1:]))
    keyid = tuf_key_id(key.public)
    return keyid in before and keyid not in newest
