"""A registry, locked: its files, its rules and its signed word, and how a change becomes the registry's word."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from assess_registry.catalogue import Catalogue, catalogue_path
from assess_registry.config import load_config
from assess_registry.control import Revocations
from assess_registry.files import file_lock
from assess_registry.index.create import INDEX_LOCK_NAME, LOCK_TIMEOUT_S
from assess_registry.index.tree import Tree
from assess_registry.keys import PrivateKey
from assess_registry.names import ProjectName
from assess_registry.publish.control_files import control_files, require_meant
from assess_registry.publish.listing import Listing
from assess_registry.publish.times import require_after
from assess_registry.repository import Repository
from assess_registry.review.published import catalogue_of, signed_revocations
from assess_registry.review.rules import Rules, rules_of
from assess_registry.status import followed


@dataclass(frozen=True, kw_only=True, slots=True)
class ReleaseKeys:
    """The keys that make something a registry's word.

    Attributes:
        release: as many as the threshold of the targets role asks for.
        online: signs snapshot and timestamp; without it, what is signed is an offer for `assemble`.
        overrule_clock: they sign also what bears an earlier time or end than what is signed; somebody found out why.
    """

    release: Sequence[PrivateKey]
    online: PrivateKey | None
    overrule_clock: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Transaction:
    """A locked registry: its files, its rules, and its signed word as it was before."""

    tree: Tree
    rules: Rules
    repository: Repository
    keys: ReleaseKeys
    accept_registry_changes: bool = False

    def require_meant(self) -> tuple[str, ...]:
        """What `registry.toml` says that is not signed yet.

        Raises:
            TrustError: step `control`; there is such a thing, and nobody said that it is meant.
        """
        return require_meant(
            self.repository,
            self.rules.control,
            accepted=self.accept_registry_changes,
            policy=self.rules.config.policy,
        )

    def require_time(self, catalogue: Catalogue) -> None:
        """Now is after all that is signed of the project, and what would be signed now ends after what is signed.

        It is asked before the first write: a page must not say what nobody will have signed. Times in a catalogue are
        signed once and decide for ever whose keys counted.

        Raises:
            TrustError: step `clock`.
        """
        if self.keys.overrule_clock:
            return
        require_after(catalogue, signed_revocations(self.repository), now=self.rules.now)
        self.repository.require_clock(
            [catalogue_path(catalogue.project)],
            now=self.rules.now,
            expiry=self.rules.config.expiry,
            offer=self.keys.online is None,
        )

    def commit(self, targets: Mapping[str, bytes]) -> tuple[str, ...]:
        """These targets and the control files are the registry's word; gives what changed of people and keys.

        Raises:
            TrustError: step `control`; `registry.toml` says other things than what was signed. Step `keys`; it names a
                key that signs metadata. Step `clock`; something would end before what is signed now.
        """
        config, control = self.rules.config, self.rules.control
        changes = self.require_meant()
        control.check_apart(self.repository.signing_keys())
        with self.followed(targets):
            report = self.repository.commit(
                {**control_files(self.repository, config, control), **targets},
                release_keys=self.keys.release,
                online_key=self.keys.online,
                now=self.rules.now,
                expiry=config.expiry,
                overrule_clock=self.keys.overrule_clock,
            )
            self.tree.written.extend(report.written)
        return changes

    @contextmanager
    def followed(self, targets: Mapping[str, bytes]) -> Iterator[None]:
        """Inside, these targets become current, and then the catalogue for people says so; an offer changes no page."""
        if self.keys.online is None:
            yield
            return
        with followed(self.tree, self.rules.config, self.rules.control, repository=self.repository, targets=targets):
            yield

    def listing(
        self,
        *catalogues: Catalogue,
        projects: Sequence[ProjectName] = (),
        revocations: Revocations | None = None,
    ) -> Listing:
        """What pages are made from; these catalogues as they will be, those of the other projects as they are."""
        known = {project: catalogue_of(self.repository, project) for project in projects}
        return Listing(
            tree=self.tree,
            catalogues=known | {each.project: each for each in catalogues},
            revocations=signed_revocations(self.repository) if revocations is None else revocations,
            approved_only=not self.rules.config.development,
        )


@contextmanager
def transaction(
    root: Path, *, keys: ReleaseKeys, now: datetime, accept_registry_changes: bool = False
) -> Iterator[Transaction]:
    """Inside, nobody else changes the registry.

    Raises:
        ConfigError: there is no registry, or it has no root metadata.
        TrustError: what is on its disk is not signed as it has to be.
        LockTimeoutError: another process keeps changing it.
    """
    load_config(root)  # says what is missing or wrong before anything is locked or made
    with file_lock(root / INDEX_LOCK_NAME, timeout_s=LOCK_TIMEOUT_S):
        repository = Repository.holding(root)
        yield Transaction(
            tree=Tree(root),
            rules=rules_of(root, now, repository=repository),  # under the lock of those who edit it
            repository=repository,
            keys=keys,
            accept_registry_changes=accept_registry_changes,
        )
