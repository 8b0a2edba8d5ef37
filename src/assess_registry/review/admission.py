"""What no submission may be, whoever approves it: it could not be published, or every client would refuse it."""

from datetime import datetime

from assess_registry.audit.pipeline import idle_rules
from assess_registry.audit.policy import overlong_acceptances
from assess_registry.config import CONFIG_NAME, IndexConfig
from assess_registry.errors import ConfigError, PublishError, TrustError
from assess_registry.lock import Lock
from assess_registry.names import ProjectName
from assess_registry.repository import Repository
from assess_registry.review.published import catalogue_of, signed_revocations


def require_usable(config: IndexConfig, now: datetime) -> None:
    """The policy accepts nothing that cannot be accepted.

    Raises:
        ConfigError: it does; all of them.
    """
    if problems := (*idle_rules(config.policy), *overlong_acceptances(config.policy, as_of=now.date())):
        raise ConfigError(*(f"{CONFIG_NAME}: {problem}" for problem in problems))


def require_no_confusion(repository: Repository | None, lock: Lock, plugin: ProjectName) -> None:
    """No closure brings a wheel in under the name of somebody's plugin, unless that very wheel is published.

    Pages name what lies in `files/`; a dependency called like a plugin would be its next version to every installer.

    Raises:
        PublishError: it would.
    """
    for project in sorted({each.project for each in lock.wheels} - {plugin}):
        releases = catalogue_of(repository, project).releases
        known = {wheel.sha256 for release in releases for wheel in release.wheels}
        strange = [each for each in lock.wheels if each.project == project and releases and each.sha256 not in known]
        if strange:
            raise PublishError(
                f"{strange[0].filename}: {project} is a plugin of this registry, and this wheel is no release of it; "
                "take the published one into the closure"
            )


def require_not_revoked(repository: Repository | None, lock: Lock) -> None:
    """Nothing in the lock is revoked, neither the plugin nor what it runs with.

    Raises:
        TrustError: step `revoked`; something is, and every client would refuse the release.
    """
    revocations = signed_revocations(repository)
    for wheel in lock.wheels:
        revoked = revocations.of(wheel.sha256)
        if revoked is not None:
            raise TrustError(
                f"it is revoked: {revoked.reason}",
                step="revoked",
                thing=wheel.filename,
                expected="a closure of wheels that everybody may have",
                got=f"sha256 {wheel.sha256}, revoked at {revoked.at:%Y-%m-%d}, severity {revoked.severity}",
                next_step="take another version of it",
            )
