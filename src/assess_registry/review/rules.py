"""What a registry judges submissions by at one moment: its configuration, and the people in it."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from assess_registry.config import IndexConfig, load_config
from assess_registry.control import Publishers
from assess_registry.errors import TrustError
from assess_registry.keys import KeyId, TimedKey, TrustedKeys
from assess_registry.names import ProjectName
from assess_registry.repository import Repository
from assess_registry.review.published import repository_of, signed_publishers


@dataclass(frozen=True, kw_only=True, slots=True)
class Rules:
    """The rules of a registry, and when they are applied.

    Attributes:
        config: `registry.toml`.
        control: publishers, reviewers and audit keys of it, as clients will read them.
        audit_keys: whose reports are believed: the audit keys that the signed control files name, so that nobody who
            can write to `registry.toml` names their own. Where nothing is signed yet, those of `registry.toml`.
        now: aware; keys are valid at this time or not.
    """

    config: IndexConfig
    control: Publishers
    audit_keys: tuple[TimedKey, ...]
    now: datetime

    def publisher_of(self, signer: KeyId, project: ProjectName) -> str:
        """Whose key this is, who may publish the project now.

        Raises:
            TrustError: step `publisher`; nobody's, not valid now, or another publisher's project. Nothing is published
                yet, so it says what publisher or registry can do.
        """
        try:
            return self.control.publisher_of(signer, project, self.now)
        except TrustError as error:
            raise TrustError(
                str(error.args[0]),
                step=error.step,
                thing=error.thing,
                expected=error.expected,
                got=error.got,
                next_step=self._next_step(signer),
            ) from error

    def publishers_keys(self) -> TrustedKeys:
        """Every publisher's keys, also those that have ended."""
        keys = {timed.key.raw: timed.key for each in self.control.publishers.values() for timed in each.keys}
        return TrustedKeys.of(*keys.values())

    def holder(self, signer: KeyId) -> tuple[str, TimedKey] | None:
        """The publisher who has this key, or had it, and the key."""
        found = ((name, timed) for name, trust in self.control.publishers.items() for timed in trust.keys)
        return next(((name, timed) for name, timed in found if timed.key.id == signer), None)

    def _next_step(self, signer: KeyId) -> str:
        holder = self.holder(signer)
        if holder is None:
            return "who runs the registry names the key of a publisher with: assess-registry keys add"
        name, timed = holder
        if timed.valid_at(self.now):
            return (
                f"submit it under another name; or who runs the registry lets {name} have it: projects, registry.toml"
            )
        if timed.revoked:
            return (
                f"the key was revoked, {timed.revoked}: ask {name} whether the wheel is theirs; if so they submit it "
                f"again with a key of {name} that counts now: assess-registry submit"
            )
        return (
            f"submit it again with a key of {name} that counts now: assess-registry submit; see: keys list --index ROOT"
        )


def rules_of(root: Path, now: datetime, *, repository: Repository | None = None) -> Rules:
    """The rules of the registry at `root`; its signed word is read from `repository`, or from its disk.

    Raises:
        ConfigError: there is no `registry.toml`, or something in it is wrong.
        TrustError: its signed word is not what was signed.
    """
    config = load_config(root)
    control = Publishers.from_config(config)
    signed = signed_publishers(repository or repository_of(root))
    return Rules(config=config, control=control, audit_keys=(signed or control).audit_keys, now=now)
