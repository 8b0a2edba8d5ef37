"""The processes of every distribution that is used, and which of them a new assessment gets.

    made = await fleet.make(callees)            # what is not there yet has been started; nobody was given any of it
    fleet.swap(made)                            # from now on who begins gets these; no await between here ...
    use = fleet.take(callees)                   # ... and there: an assessment begins, and keeps what it gets
    try: ...
    finally: use.release()                      # the last one of a version that was replaced lets its processes end

So an assessment has one version of each plugin from its beginning to its end, whatever is installed, rolled back,
pinned or pruned meanwhile, and a version that does not start is never handed out. Which process serves a distribution
is decided by its environment, by what it is granted, by how many there are to be and by what holds them; settings
travel with each call and replace nothing.

For one event loop. Everything that does not say `async` is done when it returns.
"""

import asyncio
import logging
import resource
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from types import MappingProxyType

from assess_core.assessing.plan import Callee
from assess_core.delivery.admission import rights_of
from assess_core.errors import AssessError, FaultKind, PluginFault
from assess_core.grants import Grant
from assess_core.host import HostConfig, Supervisor, prepared
from assess_core.host.aside import aside
from assess_core.host.quarantine import Quarantines
from assess_core.host.standing import Policy
from assess_core.host.turns import Turns
from assess_core.store import InstalledPlugin, Trials
from assess_core.store.leases import Lease
from assess_registry.client import ProjectName

_log = logging.getLogger(__name__)

_EACH_ITS_OWN = ("kits", "scratch_root", "before_start")
"""Of a `HostConfig`: where things lie and what comes before a start, which is no reason to replace a process."""


TakeLease = Callable[[InstalledPlugin], Lease]
"""`Store.lease`: blocking.

Raises:
    StoreError: the environment is gone.
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Wanted:
    """What decides whether processes that run are the ones that are wanted.

    Attributes:
        installed_at: another one when the same environment was built again, because somebody had touched it.
    """

    env_key: str
    installed_at: datetime
    grant: Grant | None
    workers: int
    host: tuple[object, ...]

    @classmethod
    def of(cls, callee: Callee, host: HostConfig) -> "Wanted":
        """Of the processes that this callee wants."""
        return cls(
            env_key=callee.installed.env_key,
            installed_at=callee.installed.installed_at,
            grant=callee.grant,
            workers=callee.workers,
            host=tuple(getattr(host, each.name) for each in fields(host) if each.name not in _EACH_ITS_OWN),
        )


class Served:
    """One distribution at work: one version of it, as one configuration wants it.

    Attributes:
        distrusted: why nothing that it says or said counts, once it was revoked with `kill`; else empty.
        is_kept_ready: its processes wait for calls; else each starts at its first call.
    """

    def __init__(self, callee: Callee, wanted: Wanted, supervisor: Supervisor, lease: Lease) -> None:
        self.installed = callee.installed
        self.wanted = wanted
        self.supervisor = supervisor
        self.distrusted = ""
        self.is_kept_ready = False
        self._lease = lease
        self._users = 0
        self._draining = False

    @property
    def drained(self) -> bool:
        """Nobody has it, and nobody will."""
        return self._draining and not self._users

    def taken(self) -> None:
        """One more assessment has it."""
        self._users += 1

    def left(self) -> None:
        """One fewer has."""
        self._users -= 1

    def drain(self) -> None:
        """No assessment gets it any more; those that have it go on, and with the last of them it ends."""
        self._draining = True

    def recall(self) -> None:
        """It is wanted again before the last one left it: of a version that came back."""
        self._draining = False
        self.supervisor.look_at_trial()

    async def stop(self) -> None:
        """Nothing of it is left."""
        try:
            await self.supervisor.stop()
        finally:
            self._lease.release()


class Use:
    """What one assessment has of the fleet, from its beginning until it is released."""

    def __init__(self, fleet: "Fleet", served: Mapping[ProjectName, Served]) -> None:
        self.hosts: Mapping[ProjectName, Supervisor] = {name: each.supervisor for name, each in served.items()}
        self._fleet = fleet
        self._served = served
        self._released = False
        for each in served.values():
            each.taken()

    @property
    def distrusted(self) -> str:
        """Why nothing counts that these plugins said; empty when it does."""
        return "; ".join(dict.fromkeys(each.distrusted for each in self._served.values() if each.distrusted))

    def release(self) -> None:
        """The assessment is over. Idempotent."""
        if self._released:
            return
        self._released = True
        for each in self._served.values():
            each.left()
        self._fleet.end_drained()


class Fleet:
    """All processes of one runtime.

    Args:
        host: what all of them share; another one counts for what is made from then on.
        lease: keeps an environment for as long as anything of it runs.
        turns: bounds the calls of all of them together.
        quarantines: what is not started any more; another process may have put it there, or lifted it.
        trials: what took another's place and has not answered a call yet.
        policy: how patient one is with processes that die.
    """

    def __init__(
        self,
        host: HostConfig,
        *,
        lease: TakeLease,
        turns: Turns,
        quarantines: Quarantines | None = None,
        trials: Trials | None = None,
        policy: Policy = Policy(),  # noqa: B008  frozen
    ) -> None:
        self.host = host
        self._lease = lease
        self.turns = turns
        self._quarantines = quarantines
        self._trials = trials
        self._policy = policy
        self._serving: dict[ProjectName, Served] = {}
        self._all: list[Served] = []
        self._ending: dict[asyncio.Task[None], Served] = {}
        self._stopped = False

    async def make(self, callees: Iterable[Callee], *, started: bool = True) -> dict[ProjectName, Served | AssessError]:
        """What serves each distribution of these, made where it is not there; what cannot be had is the reason.

        Nobody gets what is new before `swap`; without it, the next one ends it.

        Args:
            callees: an entry point of each distribution suffices.
            started: wait for the processes, so that one that does not start is never handed out. Else each starts at
                its first call, which fails then.
        """
        wanted = {callee.installed.distribution: callee for callee in callees}
        made = await asyncio.gather(*(self._make(callee, started=started) for callee in wanted.values()))
        return dict(zip(wanted, made, strict=True))

    def swap(self, made: Mapping[ProjectName, Served]) -> None:
        """These serve from now on and no others; who has another one keeps it until it is released."""
        self._serving = dict(made)
        current = list(made.values())
        for each in self._all:
            if each not in current:
                each.drain()
        self.end_drained()

    def take(self, callees: Iterable[Callee]) -> Use:
        """What serves these now, for one assessment."""
        served = {}
        for callee in callees:
            name = callee.installed.distribution
            served[name] = self._serving[name]
            if served[name].wanted.env_key != callee.installed.env_key:
                raise ValueError(f"{name}: planned with {callee.installed.version}, and another one serves")
        return Use(self, served)

    @property
    def serving(self) -> Mapping[ProjectName, Served]:
        """What the next assessments get, by distribution."""
        return MappingProxyType(self._serving)

    @property
    def running(self) -> tuple[InstalledPlugin, ...]:
        """Every version that has processes, also one that is only kept for who has it; each once."""
        return tuple({each.wanted.env_key: each.installed for each in self._all}.values())

    @property
    def alive(self) -> tuple[InstalledPlugin, ...]:
        """The same, with what is just ending."""
        everything = (*self._all, *self._ending.values())
        return tuple({each.wanted.env_key: each.installed for each in everything}.values())

    def drop(self, env_key: str) -> None:
        """No assessment gets this environment any more."""
        self.swap({name: each for name, each in self._serving.items() if each.wanted.env_key != env_key})

    async def kill(self, env_key: str, reason: str) -> None:
        """Nothing of this environment runs any more; nothing that it says or said counts for who has it."""
        ended = [each for each in (*self._all, *self._ending.values()) if each.wanted.env_key == env_key]
        for each in ended:
            each.distrusted = reason
        self._serving = {name: each for name, each in self._serving.items() if each not in ended}
        for each in ended:
            each.drain()
        await asyncio.gather(*(each.supervisor.kill(reason, FaultKind.REVOKED) for each in ended))
        self.end_drained()

    @property
    def has_unkept(self) -> bool:
        """Whether there is a quarantine that could not be written yet."""
        return any(each.supervisor.is_unkept for each in self._all)

    async def resume_lifted(self) -> None:
        """What is lifted on disk starts again; what could not be written there is tried again."""
        for each in tuple(self._all):
            await each.supervisor.resume_if_lifted()

    def end_drained(self) -> None:
        """Processes that nobody has and nobody will get begin to end."""
        for each in [each for each in self._all if each.drained]:
            self._all.remove(each)
            task = asyncio.get_running_loop().create_task(self._end(each))
            self._ending[task] = each
            task.add_done_callback(self._ending.pop)

    async def stop(self) -> None:
        """No process is left, and no lease; open calls fail, and nothing is made any more."""
        self._stopped = True
        self._serving = {}
        stopping = [self._end(each) for each in self._all]
        self._all = []
        await asyncio.gather(*stopping, *self._ending)
        await prepared.retire()  # another fleet of this loop has its next one anew

    async def _make(self, callee: Callee, *, started: bool) -> Served | AssessError:
        wanted = Wanted.of(callee, self.host)
        for each in self._all:
            if each.wanted == wanted and not each.distrusted:
                each.recall()
                return await self._ready(each) if started and not each.is_kept_ready else each
        try:
            lease = await aside(self._lease, callee.installed)
        except AssessError as gone:
            return gone
        if self._stopped:
            lease.release()
            return AssessError(f"{callee.installed.distribution}: nothing is started any more: this is being stopped")
        served = Served(callee, wanted, self._supervisor(callee), lease)
        self._all.append(served)
        return await self._ready(served) if started else served

    async def _ready(self, served: Served) -> Served | PluginFault:
        """Its processes wait for calls from now on, or it is given to nobody any more."""
        served.is_kept_ready = True
        try:
            await served.supervisor.start()
        except BaseException as fault:
            served.drain()
            self.end_drained()
            if isinstance(fault, PluginFault):
                return fault
            raise
        return served

    def _supervisor(self, callee: Callee) -> Supervisor:
        return Supervisor(
            callee.installed,
            self.host,
            None if callee.grant is None else rights_of(callee.grant),
            workers=callee.workers,
            turns=self.turns,
            policy=self._policy,
            quarantines=self._quarantines,
            trials=self._trials,
        )

    async def _end(self, served: Served) -> None:
        name = served.installed.distribution
        try:
            await served.stop()
        except (AssessError, OSError) as error:
            _log.error("%s: not all of it ended: %s", name, error, extra={"action": "end-failed", "distribution": name})
        except Exception as error:
            # A bug of ours. Whoever happened to use it last has nothing to do with it, nor has who waits for the others
            # to end; so it goes where what nobody waits for is told: `assess up` counts it and writes it down.
            context = {"message": f"{name}: not all of it ended", "exception": error}
            asyncio.get_running_loop().call_exception_handler(context)


def sorted_out(
    made: Mapping[ProjectName, Served | AssessError],
) -> tuple[dict[ProjectName, Served], dict[ProjectName, str]]:
    """What was made, and why the others were not."""
    served = {name: each for name, each in made.items() if isinstance(each, Served)}
    return served, {name: str(each) for name, each in made.items() if not isinstance(each, Served)}


def raise_descriptor_limit() -> None:
    """As many descriptors as this process may have: a worker takes seven, and 1,024 are enough for some 140."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
