"""Why a version is not brought up, or nothing of it is started: one rule for all who say so.

    against = against_release(project, sha256=..., lock_sha256=..., interpreter=..., store=store, ...)
    against.words       a sentence for each: it failed here, it is quarantined

A sync, its dry run, `compat` and `pin` say it by this; a list and the doctor by the same two records, which are
`Choices.held` and the quarantine of an environment.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from assess_core.clock import timestamp
from assess_core.host.quarantine import Quarantine, Quarantines
from assess_core.store import Failure, Interpreter, Store, environment_of
from assess_registry.client import ProjectName, Sha256, VerifiedWheel

KitOf = Callable[[Interpreter], str]
"""The name of the runtime's own modules for an interpreter."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Against:
    """What is held against one release; nothing when both are None."""

    project: ProjectName
    failure: Failure | None
    quarantine: Quarantine | None

    @property
    def words(self) -> tuple[str, ...]:
        """As sentences."""
        failed = () if self.failure is None else (words_of_failure(self.failure),)
        return failed if self.quarantine is None else (*failed, words_of_quarantine(self.quarantine, self.project))


def against_release(
    project: ProjectName,
    *,
    sha256: Sha256,
    lock_sha256: Sha256,
    interpreter: Interpreter,
    store: Store,
    kit_of: KitOf,
    now: datetime,
    verified: VerifiedWheel | None = None,
) -> Against:
    """What is held against bringing up this wheel with this lock under this interpreter.

    No failure of what serves already, which is not brought up.

    Args:
        project: its distribution.
        sha256: of the wheel.
        lock_sha256: of its lock.
        interpreter: whom it is for.
        store: where it is installed, or would be.
        kit_of: names the runtime's own modules.
        now: the time.
        verified: the wheel, where that is at hand. A quarantine is an environment's, and without it nobody knows how
            one is called that is not installed: it may have been pruned.

    Raises:
        StoreError: a record is damaged, or may not be read.
    """
    failure = store.choices(project).held(sha256, interpreter, kit_of=kit_of, now=now)
    quarantine, pointer = Quarantines(store.layout.path("quarantine")).of(project), store.pointer(project)
    env_key = environment_of(verified, interpreter) if verified is not None else ""
    if not env_key and (quarantine or failure):
        installed = store.installed(lock_sha256, sha256, interpreter)
        env_key = installed.env_key if installed is not None else ""
    serves = pointer is not None and pointer.env_key == env_key
    bound = quarantine is not None and quarantine.env_key == env_key
    return Against(project=project, failure=None if serves else failure, quarantine=quarantine if bound else None)


def words_of_failure(failure: Failure) -> str:
    """When it failed, and when it is tried again."""
    times = "once" if failure.tries == 1 else f"{failure.tries} times"
    again = f"after {timestamp(failure.not_before)}" if failure.not_before else "only when somebody asks for it"
    return (
        f"{failure.version} failed {times} under Python {failure.interpreter}, last at {timestamp(failure.at)}, "
        f"and is brought up again {again} (at once: assess sync --retry): {failure.reason}"
    )


def words_of_quarantine(quarantine: Quarantine, project: ProjectName) -> str:
    """Since when, and how it is tried again."""
    return (
        f"{quarantine.version} is quarantined since {timestamp(quarantine.since)}, because its workers kept dying, and "
        f"is brought up again only when somebody asks for it (assess plugins resume {project})"
    )
