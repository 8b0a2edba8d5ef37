"""A commit in the making: what has to be signed and in which order it has to be written, with nothing on disk yet.

While keys are exchanged, a draft serves two roots: the one that readers may still have and the one that they will have
next. The top-level metadata it signs carries signatures for both, so that readers believe it before and after the new
root is there. Where keys of the old root are lost that cannot be; then the new root is written directly before the
timestamp, and who reads in between is refused once and tries again. The timestamp is staged before, so that a kill in
between is made good without any key.
"""

import copy
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from assess_registry.config import Expiry
from assess_registry.errors import ConfigError
from assess_registry.keys import PrivateKey
from assess_registry.repository.clock import require_clock
from assess_registry.repository.keys import key_id, tuf_key_id
from assess_registry.repository.offered import Offer
from assess_registry.repository.roles import (
    BINS,
    bins_of,
    delegations,
    metadata_name,
    new_snapshot,
    new_targets,
    new_timestamp,
    role_of_target,
    serialise,
    signed_by,
    target_file,
    target_name,
    until,
)
from assess_registry.repository.staged import CURRENT_TIMESTAMP, STAGED_TIMESTAMP
from assess_registry.repository.state import METADATA, State, read_metadata
from assess_registry.repository.tuf_api import Metadata, Role, Root, TargetFile, Targets

_OPTIONS = {"targets": "--release-key", "timestamp": "--online-key"}


@dataclass(kw_only=True, slots=True)
class Draft:
    """What will be current.

    Attributes:
        state: what is current.
        release_keys, online_keys: who signs; while keys are exchanged, the old ones, too.
        now: from which expiry counts.
        expiry: for how long each role is signed.
        bins: how many, if this is the first commit.
        next_root: the root that becomes current with this commit.
        release_only: whether snapshot and timestamp are left to who has the online key: an offer (`offered.py`).
        overrule_clock: whether roles may end earlier than they do already.
        skipped: files of a killed commit, whose versions `files` passed over; nothing names them.
    """

    state: State
    release_keys: Sequence[PrivateKey]
    online_keys: Sequence[PrivateKey]
    now: datetime
    expiry: Expiry
    bins: int = BINS
    next_root: Metadata[Root] | None = None
    release_only: bool = False
    overrule_clock: bool = False
    skipped: list[str] = field(default_factory=list)
    _known: dict[str, Targets] = field(default_factory=dict)
    _changed: set[str] = field(default_factory=set)
    _target_files: dict[str, bytes] = field(default_factory=dict)
    _renewed: bool = False

    def __post_init__(self) -> None:
        if self.state.current is None:
            expires = until(self.expiry, "targets", self.now)
            first = new_targets("targets", expires=expires, delegations=delegations(self.root, self.bins))
            self._known = {"targets": first}
            self._known |= {name: new_targets(name, expires=expires) for name in bins_of(first).get_roles()}
            self._changed = set(self._known)

    @property
    def root(self) -> Root:
        """The root that will be the newest."""
        return self.next_root.signed if self.next_root else self.state.root

    @property
    def version(self) -> int:
        """Of the timestamp that will be current."""
        before = self.state.current.timestamp.signed.version if self.state.current else 0
        return before + (self.changed and not self.release_only)

    @property
    def changed(self) -> bool:
        """Whether any metadata has to be signed."""
        return bool(self._changed) or self._renewed

    def change(self, targets: Mapping[str, bytes | None]) -> None:
        """Put these in, take those out that are None; what is as it was stays untouched.

        Raises:
            ValueError: a path is no target's.
            TrustError: a role to change is not signed as it has to be.
        """
        bins = bins_of(self._role("targets"))
        for path, data in sorted(targets.items()):
            name = role_of_target(path, bins)
            role = self._role(name)
            wanted = None if data is None else target_file(path, data)
            if wanted is not None and data is not None:
                self._place(wanted, data)
            if role.targets.get(path) == wanted:
                continue
            self._changed.add(name)
            role.targets.pop(path, None)
            if wanted is not None:
                role.targets[path] = wanted

    def renew(self, roles: Sequence[str] = ()) -> None:
        """Sign snapshot and timestamp anew, and these, and whatever the newest root's keys have not signed."""
        self._renewed = True
        self._changed.update(roles)
        targets = self._role("targets")
        wanted = delegations(self.root, bins_of(targets).number_of_bins)
        if targets.delegations != wanted:
            targets.delegations = wanted
            self._changed.update(("targets", *bins_of(targets).get_roles()))
        elif not self.state.signed_for(self.root, "targets"):
            self._changed.add("targets")

    def enough_keys(self) -> bool:
        """Whether the keys suffice for the next root.

        Raises:
            ConfigError: they do not, though one of them is new with it, so that it was meant.
        """
        try:
            self.files()
        except ConfigError:
            if any(self._is_new(key, role) for role in _OPTIONS for key in self._given(role)):
                raise
            return False
        return True

    def files(self) -> dict[str, bytes]:
        """Every file to write, by its path relative to the root, in the order to write them in.

        Raises:
            ConfigError: a key that is needed was not given, or one that was has no part in this.
            TrustError: step `clock`; something would end before what is signed now.
        """
        files = dict(self._target_files)
        if not self.changed:
            return files
        versions = self.state.current.versions() if self.state.current else {}
        self._check_strangers()
        self._require_clock(self._changed)
        targets_data = b""
        # Bins before targets: nothing names a file that is not there yet.
        for name in sorted(self._changed, key=lambda name: (name == "targets", name)):
            role = self._role(name)
            role.version = self._free_version(name, versions.get(name, 0))
            role.expires = until(self.expiry, name, self.now)
            # Bins are believed by what targets say, so the old root has no say in who signs them.
            data = serialise(signed_by(role, self._signers("targets", both=name == "targets")))
            versions[name] = role.version
            files[_path(name, role.version)] = data
            targets_data = data if name == "targets" else targets_data
        if self.release_only:
            return files
        online = self._online_files(versions, targets_data or self._current_targets(versions["targets"]))
        return files | self._last_files(online)

    def files_with(self, offer: Offer) -> dict[str, bytes]:
        """What makes an offer current: its own files, and snapshot and timestamp over them; in the order to write.

        Raises:
            ConfigError: the online key was not given.
            TrustError: step `clock`; snapshot or timestamp would end before what is signed now.
        """
        self._renewed = True
        current = self.state.current
        versions = (current.versions() if current else {}) | dict(offer.versions)
        targets = [(target_file(path, data), data) for path, data in sorted(offer.targets.items())]
        files = {target_name(target): data for target, data in targets}
        files |= {_path(role, offer.versions[role]): data for role, data in offer.roles.items()}
        self._check_strangers()
        self._require_clock(())
        targets_data = offer.roles.get("targets") or self._current_targets(versions["targets"])
        return files | self._online_files(versions, targets_data)

    def _require_clock(self, roles: Iterable[str]) -> None:
        current = self.state.current
        if current is None or self.overrule_clock:
            return
        signed = {} if self.release_only else current.online_ends()
        signed |= {name: self._role(name).expires for name in sorted(roles)}
        require_clock(signed, now=self.now, expiry=self.expiry)

    def _role(self, name: str) -> Targets:
        """The role as it will be."""
        if name not in self._known:
            role = self.state.role(name)
            # A copy of the one that is not read anew: the state's own targets are what its bins are verified by.
            self._known[name] = copy.deepcopy(role) if name == "targets" else role
        return self._known[name]

    def _place(self, target: TargetFile, data: bytes) -> None:
        path = self.state.place / target_name(target)
        # Also where the metadata did not change: a file that got lost or was altered is put back.
        if not path.is_file() or path.stat().st_size != len(data) or path.read_bytes() != data:
            self._target_files[target_name(target)] = data

    def _online_files(self, versions: Mapping[str, int], targets_data: bytes) -> dict[str, bytes]:
        signers = self._signers("timestamp", both=True)
        current = self.state.current
        version = self._free_version("snapshot", current.snapshot.signed.version if current else 0)
        expires = until(self.expiry, "snapshot", self.now)
        snapshot = new_snapshot(versions, targets=targets_data, version=version, expires=expires)
        snapshot_data = serialise(signed_by(snapshot, signers))
        expires = until(self.expiry, "timestamp", self.now)
        timestamp = new_timestamp(snapshot_data, snapshot_version=version, version=self.version, expires=expires)
        return {
            _path("snapshot", version): snapshot_data,
            _path("timestamp", self.version): serialise(signed_by(timestamp, signers)),
        }

    def _last_files(self, online: Mapping[str, bytes]) -> dict[str, bytes]:
        """Snapshot, timestamp and the next root, in the order that readers need."""
        if self.next_root is None:
            return dict(online)
        root = {_path("root", self.next_root.signed.version): serialise(self.next_root)}
        if self._both_satisfied():
            return {**online, **root}
        before = {name: data for name, data in online.items() if name != CURRENT_TIMESTAMP}
        timestamp = online[CURRENT_TIMESTAMP]
        return {**before, STAGED_TIMESTAMP: timestamp, **root, CURRENT_TIMESTAMP: timestamp}

    def _current_targets(self, version: int) -> bytes:
        return read_metadata(self.state.place, "targets", version, Targets)[1]

    def _free_version(self, role: str, before: int) -> int:
        version = before + 1
        if self.state.current is None:
            return version  # a killed first commit is written over: no version of it was ever named
        while (self.state.place / _path(role, version)).exists():
            if self.release_only:
                raise ConfigError(
                    f"{self.state.place / _path(role, version)}: an offer that is not assembled yet: assemble it, or "
                    "begin again on a fresh copy of the registry"
                )
            # A killed commit left it, and nothing names it: whoever has seen it must never see other bytes there.
            self.skipped.append(_path(role, version))
            version += 1
        return version

    def _signers(self, role: str, *, both: bool) -> list[PrivateKey]:
        """The keys that sign for this role, enough for the newest root; with `both` those of the former, too."""
        wanted = self.root.roles[role]
        usable = _of_role(self._given(role), wanted)
        if len(usable) < wanted.threshold:
            names = ", ".join(f"{key_id(each)[:19]}…" for each in wanted.keyids)
            where = metadata_name("root", self.root.version)
            raise ConfigError(f"{_OPTIONS[role]}: {wanted.threshold} of {names} ({where}) have to sign, "
                              f"{len(usable)} of them given")  # fmt: skip
        old = _of_role(self._given(role), self.state.root.roles[role]) if both else {}
        return list((usable | old).values())

    def _both_satisfied(self) -> bool:
        """Whether readers of the former root, too, believe what is signed here."""
        wanted = {role: self.state.root.roles[role] for role in _OPTIONS}
        needed = ["timestamp", *(["targets"] if "targets" in self._changed else [])]
        return all(len(_of_role(self._given(role), wanted[role])) >= wanted[role].threshold for role in needed)

    def _is_new(self, key: PrivateKey, role: str) -> bool:
        keyid = tuf_key_id(key.public)
        return keyid in self.root.roles[role].keyids and keyid not in self.state.root.roles[role].keyids

    def _given(self, role: str) -> Sequence[PrivateKey]:
        return self.release_keys if role == "targets" else self.online_keys

    def _check_strangers(self) -> None:
        problems = []
        for role, option in _OPTIONS.items():
            known = {*self.root.roles[role].keyids, *self.state.root.roles[role].keyids}
            where = f"role {role} in {metadata_name('root', self.root.version)}"
            strange = [key.public.id for key in self._given(role) if tuf_key_id(key.public) not in known]
            problems += [f"{option}: {each} is no key of {where}" for each in strange]
        if problems:
            raise ConfigError(*problems)


def _of_role(keys: Sequence[PrivateKey], role: Role) -> dict[str, PrivateKey]:
    return {tuf_key_id(key.public): key for key in keys if tuf_key_id(key.public) in role.keyids}


def _path(role: str, version: int) -> str:
    return f"{METADATA}/{metadata_name(role, version)}"
