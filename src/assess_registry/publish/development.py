"""A registry for one machine: all keys made here, and everything between a wheel and its clients in one command.

It is submitted, audited, approved and published as anywhere else, and clients verify all of it; only that one person
holds every key. So `registry.toml` says `development = true`, and whoever uses it says `development registry`.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from assess_registry.audit.pipeline import audit
from assess_registry.audit.values import Verdict
from assess_registry.config import CONFIG_NAME, IndexConfig, Policy, Publisher, Reviewer, load_config
from assess_registry.config.edit import Holder, add_key, find_key
from assess_registry.config.rewrite import rewrite_config
from assess_registry.errors import ConfigError, TrustError
from assess_registry.files import file_lock
from assess_registry.index.create import INDEX_LOCK_NAME, LOCK_TIMEOUT_S, create_index
from assess_registry.index.tree import Tree
from assess_registry.keys import KeyRing, PrivateKey, PublicKey, RingKey, Role, TimedKey, load_private_key
from assess_registry.publish.approved import PublishedRelease, publish_approved
from assess_registry.publish.transaction import ReleaseKeys, transaction
from assess_registry.repository import create_repository
from assess_registry.repository.keys import tuf_key_id
from assess_registry.repository.state import METADATA, read_roots
from assess_registry.review.check import check
from assess_registry.review.rules import Rules, rules_of
from assess_registry.review.speak import approve
from assess_registry.review.submissions import load_submission
from assess_registry.review.submit import Judge, Submitted, submit

PUBLISHER, REVIEWER = "local", "local-reviewer"
"""Two names and two keys, for nobody approves what is their own; that it is one person is what `development` says."""

NAMES: dict[Role, str] = {
    "root": PUBLISHER,
    "release": PUBLISHER,
    "online": PUBLISHER,
    "audit": PUBLISHER,
    "reviewer": REVIEWER,
    "publisher": PUBLISHER,
}


@dataclass(frozen=True, kw_only=True, slots=True)
class PublishedHere:
    """What one command did in a development registry.

    Attributes:
        submitted: the wheels with their audits.
        reviewed: filenames that this machine's own reviewer approved, because the audit alone could not.
    """

    submitted: tuple[Submitted, ...]
    reviewed: tuple[str, ...]
    release: PublishedRelease


def create_development(root: Path, name: str, *, ring: KeyRing, now: datetime) -> tuple[IndexConfig, tuple[str, ...]]:
    """A development registry is at `root`, with all its keys in `ring`; what was there already is kept.

    Returns:
        The configuration that holds, and what was written or made; nothing when nothing was missing.

    Raises:
        ConfigError: there is a registry that is not for development, or one of other keys.
        TrustError: step `keys`; the ring is not usable.
    """
    if (root / CONFIG_NAME).exists() and not (config := load_config(root)).development:
        return config, ()
    made: list[str] = []
    keys = {role: _key(ring, role, made) for role in NAMES}
    held = {role: key.public for role, key in keys.items()}
    config, written = create_index(root, _config(name, held, now))
    added = _add_missing(root, config, held, now)
    new = not (root / METADATA).is_dir()
    create_repository(
        root,
        root_keys=[keys["root"]],
        root_threshold=1,
        release_keys=[keys["release"]],
        online_key=keys["online"],
        now=now,
        expiry=config.expiry,
    )
    return load_config(root), (*made, *written, *added, *((METADATA,) if new else ()))


def publish_here(
    root: Path,
    wheels: Sequence[Path],
    *,
    ring: KeyRing,
    closure: Path,
    now: datetime,
    accept_permissions: bool = False,
    accept_registry_changes: bool = False,
    replace_published: bool = False,
    overrule_clock: bool = False,
    judge: Judge = audit,
) -> PublishedHere:
    """The wheels of one version are submitted, audited, approved and published, by the keys of this machine.

    What the audit approves is approved by policy where `registry.toml` says so; else, and where it was flagged, by this
    machine's own reviewer.

    Raises:
        ConfigError: the registry is not for development, or a key of it is not here.
        TrustError: step `control` when `registry.toml` says other things than were signed and nobody said that this is
            meant, `audit` when it rejects a wheel, `permissions` when they grew and nobody said that this was seen;
            otherwise as for `submit` and `publish_approved`.
    """
    rules = rules_of(root, now)
    if not rules.config.development:
        raise ConfigError(f"{root}: not a development registry: submit the wheel, have it reviewed, publish that")
    keys = _Keys(ring=ring, rules=rules, root=root)
    publisher = keys.publisher()
    release_keys = replace(keys.release(), overrule_clock=overrule_clock)
    # Before anything is audited, so that whoever is refused has not waited for it, and by keys that are signed then.
    with transaction(root, keys=release_keys, now=now, accept_registry_changes=accept_registry_changes) as work:
        control = work.commit({}) if work.require_meant() else ()
    rules = rules_of(root, now)
    submitted = submit(
        root,
        wheels,
        key=publisher,
        audit_key=keys.audit(),
        closure=closure,
        now=now,
        judge=judge,
    )
    for each in submitted:
        if each.report.verdict is Verdict.REJECTED:
            raise _rejected(each)
    reviewed = tuple(each for each in submitted if not each.automatic)
    if reviewed:
        reviewer = keys.reviewer()
        with file_lock(root / INDEX_LOCK_NAME, timeout_s=LOCK_TIMEOUT_S):
            for each in reviewed:
                checked = check(load_submission(each.submission.directory), rules)
                approve(
                    Tree(root),
                    checked,
                    reviewer,
                    rules=rules,
                    seen=each.submission.statement_sha256 or "",
                    change=each.change,
                    accept_permissions=accept_permissions,
                )
    release = publish_approved(
        root,
        [each.submission.directory for each in submitted],
        keys=release_keys,
        now=now,
        replace_published=replace_published,
    )
    return PublishedHere(
        submitted=submitted,
        reviewed=tuple(each.submission.filename for each in reviewed),
        release=replace(release, control=control),
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class _Keys:
    """The private keys in a ring that have a role in this registry."""

    ring: KeyRing
    rules: Rules
    root: Path

    def publisher(self) -> PrivateKey:
        return self._one("publisher", self._timed(each.keys for each in self.rules.control.publishers.values()))

    def reviewer(self) -> PrivateKey:
        return self._one("reviewer", self._timed(each.keys for each in self.rules.control.reviewers.values()))

    def audit(self) -> PrivateKey:
        return self._one("audit", self._timed([self.rules.control.audit_keys]))

    def release(self) -> ReleaseKeys:
        roots = read_roots(self.root)
        if not roots:
            raise ConfigError(f"{self.root}: no root metadata; make it with: assess-registry init --development")
        roles = roots[-1].signed.roles
        release = self._all("release", lambda key: tuf_key_id(key) in roles["targets"].keyids)
        (online, *_) = self._all("online", lambda key: tuf_key_id(key) in roles["timestamp"].keyids)
        return ReleaseKeys(release=release, online=online)

    def _timed(self, holders: Iterable[tuple[TimedKey, ...]]) -> set[PublicKey]:
        return {each.key for timed in holders for each in timed if each.valid_at(self.rules.now)}

    def _one(self, role: Role, wanted: set[PublicKey]) -> PrivateKey:
        return self._all(role, lambda key: key in wanted)[0]

    def _all(self, role: Role, is_wanted: Callable[[PublicKey], bool]) -> list[PrivateKey]:
        found = [each for each in self.ring.of_role(role) if each.private and is_wanted(each.key)]
        if not found:
            raise ConfigError(
                f"{self.ring.directory}: no private key of role {role} that {self.root} knows; name the directory that "
                "was given to: assess-registry init --development"
            )
        return [_load(each) for each in found]


def _load(key: RingKey) -> PrivateKey:
    if key.private is None:
        raise ConfigError(f"{key}: only its public half is here")
    return load_private_key(key.private)


def _key(ring: KeyRing, role: Role, made: list[str]) -> PrivateKey:
    """This machine's key of the role; a new one, protected by its file's mode alone, when there is none."""
    name = NAMES[role]
    known = next((each for each in ring.of_role(role) if each.name == name), None)
    if known is None:
        known = ring.create(role, name, passphrase=None)
        made.append(str(known.private))
    return _load(known)


def _config(name: str, keys: dict[Role, PublicKey], now: datetime) -> IndexConfig:
    timed = {role: (TimedKey(key=key, valid_from=now),) for role, key in keys.items()}
    return IndexConfig(
        name=name,
        development=True,
        publishers=(Publisher(name=PUBLISHER, projects=("*",), keys=timed["publisher"]),),
        reviewers=(Reviewer(name=REVIEWER, keys=timed["reviewer"]),),
        audit_keys=timed["audit"],
        policy=replace(Policy(), automatic_approval=(PUBLISHER,)),
    )


def _add_missing(root: Path, config: IndexConfig, keys: dict[Role, PublicKey], now: datetime) -> tuple[str, ...]:
    """Keys of this machine that a `registry.toml` which was there before does not name are added; its rest stays."""
    holders: dict[Role, Holder] = {
        "publisher": Holder(role="publisher", name=PUBLISHER),
        "reviewer": Holder(role="reviewer", name=REVIEWER),
        "audit": Holder(role="audit"),
    }
    missing = [(holder, keys[role]) for role, holder in holders.items() if find_key(config, keys[role].id) is None]
    if not missing:
        return ()

    def change(text: str) -> str:
        for holder, key in missing:
            is_new = holder.role == "publisher" and all(each.name != PUBLISHER for each in config.publishers)
            projects = ("*",) if is_new else ()
            source = str(root / CONFIG_NAME)
            text = add_key(text, holder, TimedKey(key=key, valid_from=now), source=source, projects=projects)
        return text

    with file_lock(root / INDEX_LOCK_NAME, timeout_s=LOCK_TIMEOUT_S):
        rewrite_config(root, change)
    return (CONFIG_NAME,)


def _rejected(submitted: Submitted) -> TrustError:
    reasons = submitted.report.reasons
    return TrustError(
        "its audit rejects it",
        step="audit",
        thing=submitted.submission.filename,
        expected="approved or flagged",
        got=" ".join(reasons[:5]) or "rejected",
        next_step="the whole report is in its audit.json; correct the plugin, or the policy",
    )
