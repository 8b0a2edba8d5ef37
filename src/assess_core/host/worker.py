"""One worker process: started, called, ended. Everything it does wrong comes out as a `PluginFault`.

    worker = await Worker.start(installed, config)
    await worker.load()
    report = await worker.execute("host-baseline", input, timeout_s=60)
    await worker.stop()

Life: spawn (`body`) -> isolate, hello, load (`handshake`; one deadline) -> calls, one at a time (`opencall`; a deadline
each) -> end. There is one way to the end, `_end`, for the first of whoever asks for it: it closes the socket, ends the
process group, hunts what left it, keeps the log's tail, removes the scratch directory, gives the user id back, and only
then fails the open call, so that a fault that was told is a worker that is gone.
"""

import asyncio
import logging
import os
import signal
import time
from collections.abc import Callable, Collection, Mapping
from functools import partial
from typing import Any, TypeVar

from assess_core.call_record import CallRecord, Held, Used
from assess_core.clock import utc_now
from assess_core.errors import FaultKind, PluginFault
from assess_core.host import messages as wire
from assess_core.host.aside import aside
from assess_core.host.body import Body, make_body, start_fault
from assess_core.host.broker import Broker
from assess_core.host.call import Call, ReplyError, ViolationError
from assess_core.host.channel import Channel
from assess_core.host.config import HostConfig
from assess_core.host.confinement import UnheldError, look
from assess_core.host.deadline import Deadline
from assess_core.host.death import (
    GONE,
    STOPPED,
    Cause,
    Death,
    beyond,
    overrun,
    overstayed,
    unheld,
    unloadable,
    violation,
)
from assess_core.host.handshake import Handshake, UnloadableError
from assess_core.host.kept import keeps_any
from assess_core.host.limits import Bounds, Finding, Halted, Watch, hint, is_halted
from assess_core.host.opencall import HookRaisedError, OpenCall
from assess_core.host.redaction import Redactor
from assess_core.host.rights import Rights
from assess_core.host.standing import Ended
from assess_core.host.starting import slot_to_leave
from assess_core.host.text import sentence
from assess_core.host.values import CallReport, EvaluateReport, LogLine, OnEvent, Progress
from assess_core.store import InstalledPlugin
from assess_plugin.api import ApiError, served_api
from assess_plugin.models import ActionInput, EvaluateInput

logger = logging.getLogger(__name__)

Report = TypeVar("Report", CallReport, EvaluateReport)

OnEnded = Callable[["Worker"], None]
"""Told on the loop's thread, once, of a worker that has ended: `ended` says how."""

_MIB = 1 << 20

_UNHEARD = {"idle": "idle-worker-ended", "shutdown": "shutdown-overrun"}
"""Phases in which no caller is told of an end, and how the log calls that; any other is `worker-ended`."""


def _nobody(worker: "Worker") -> None:
    """Is told."""


class Worker:
    """A process for one distribution's plugins, which exists as long as this does; made by `start`.

    Attributes:
        made_at: by the loop's clock.
        held: by what; by nothing until it has isolated itself.
        ended: how it ended; None before, and when it was simply stopped.
    """

    @classmethod
    async def start(
        cls,
        installed: InstalledPlugin,
        config: HostConfig,
        rights: Rights | None = None,
        *,
        on_ended: OnEnded = _nobody,
        spawned: bool = False,
    ) -> "Worker":
        """Its process exists and has been told nothing.

        One that is to be `spawned` is not forked from a prepared parent, whatever the configuration says: after one
        that died by a signal, which may have been a guess at the layout of the memory that they would share.

        Raises:
            PluginFault: it could not be started; nothing is left.
        """
        try:
            api = served_api(installed.manifest.api.contains, str(installed.manifest.api))
        except ApiError as error:
            raise start_fault(installed, str(error)) from error
        rights = rights or Rights(permissions=installed.manifest.permissions)
        rights = rights.without(config.scratch_root, *config.private)
        return cls(config, rights, api, await make_body(installed, config, rights, spawned=spawned), on_ended)

    def __init__(self, config: HostConfig, rights: Rights, api: str, body: Body, on_ended: OnEnded) -> None:
        self._api = api
        self._installed = installed = body.installed
        self._config = config
        self._loop = loop = asyncio.get_running_loop()
        self._calls = 0
        self._open: OpenCall | None = None
        self._plugin, self._phase = str(installed.distribution), "start"
        self._reply: asyncio.Future[None] | None = None
        self.made_at = loop.time()
        self._began_at, self._started_at = utc_now(), self.made_at
        self._deadline = Deadline(loop, self._overrun)
        self._rights = rights
        self._redactor = Redactor()
        self._ending: asyncio.Task[Death] | None = None
        self._on_ended = on_ended
        self.ended: Ended | None = None
        self._leaving = False
        self._cpu_from_ns = 0
        self._used: Used | None = None
        self._body = body
        self._process, self._log = self._body.launched.process, self._body.launched.log
        self._log.redactor = self._redactor
        self._watch: Watch | None = None
        self._channel = Channel(self._body.launched.socket, loop, on_frame=self._frame, on_end=self._channel_ended)
        self._handshake = Handshake(
            installed,
            api=self._api,
            profile=self._body.profile,
            required=config.isolation == "required",
            look=partial(look, self.pid),
        )
        self._cpu_clock = (~self.pid << 3) | 2  # clock_getcpuclockid(3)
        self.held = self._held_now()
        self._process.on_exit(self._exited)

    async def load(self) -> None:
        """Every entry point is loaded and can be called.

        Raises:
            PluginFault: it was not ready in time, or has an entry point that cannot be served; the worker is gone.
        """
        await self._converse(self._handshake.opening(), self._config.start_timeout_s)
        self._body.slot.over()
        logger.debug("Started a worker of %s, process %d: %s.", self._installed.distribution, self.pid, self.held)

    @property
    def pid(self) -> int:
        """Its process id, which is also that of its session and group."""
        return self._body.pid

    @property
    def usable(self) -> bool:
        """Whether it can take a call."""
        return self._ending is None

    async def execute(
        self, name: str, input: ActionInput, *, timeout_s: float, on_event: OnEvent | None = None
    ) -> CallReport:
        """Assess a subject; see `Supervisor.execute`."""
        self._mark(input.settings)
        opened = self._open_call(name, "execute", wire.Executed, checks=input.checks, on_event=on_event)
        message = wire.Execute(
            call=opened.call.number,
            entry=name,
            subject=input.subject,
            checks=input.checks,
            settings=input.settings,
        )
        return await self._run(opened, message, timeout_s, opened.call.call_report)

    async def evaluate(
        self, name: str, input: EvaluateInput, *, timeout_s: float, on_event: OnEvent | None = None
    ) -> EvaluateReport:
        """Find subjects; see `Supervisor.evaluate`."""
        self._mark(input.settings)
        opened = self._open_call(name, "evaluate", wire.Evaluated, checks=(), on_event=on_event)
        message = wire.Evaluate(
            call=opened.call.number,
            entry=name,
            selector=input.selector,
            runtime=input.runtime,
            labels=input.labels,
            settings=input.settings,
        )
        return await self._run(opened, message, timeout_s, opened.call.evaluate_report)

    async def stop(self, cause: Cause = STOPPED) -> None:
        """Nothing is left of it. An open call fails; an idle worker is asked to go, and killed when it does not."""
        if cause is STOPPED and self._ending is None and self._reply is None:
            try:
                cause = await self._asked_to_go()
            except asyncio.CancelledError:  # nobody waits for it any more, and it goes all the same
                self._end_for(STOPPED)
                raise
        await self._ended(cause)

    def _held_now(self) -> Held:
        abi = self._handshake.landlock_abi
        uid = self._body.identity.uid if abi else os.geteuid()
        return Held(isolation="full" if abi else "none", user=f"uid:{uid}", landlock_abi=abi)

    async def _asked_to_go(self) -> Cause:
        slot = await slot_to_leave()
        try:
            if self._ending is not None or self._reply is not None:
                return STOPPED
            self._leaving = True
            self._channel.send(wire.encode(wire.Shutdown()))
            await self._process.wait(self._config.stop_timeout_s)
        finally:
            slot.over()
        if self._process.exited.is_set():
            return GONE
        if self._stands_still():
            self._found(Halted())
            return STOPPED
        return overstayed(self._config.stop_timeout_s)

    # --- one exchange at a time: the start, or a call

    def _open_call(
        self, name: str, phase: str, reply: Any, *, checks: tuple[str, ...], on_event: OnEvent | None
    ) -> OpenCall:
        self._calls += 1
        self._plugin, self._phase = name, phase
        call = Call(
            self._calls,
            reply=reply,
            checks=checks,
            now=utc_now(),
            on_event=self._relay(on_event),
            api=self._api,
            redactor=self._redactor,
        )
        return OpenCall(
            call,
            Broker(self._rights, call.record, redactor=self._redactor, api=self._api),
            send=self._channel.send,
            time_left_s=self._time_left_s,
            on_bug=self._raise_bug,
        )

    def _time_left_s(self) -> float:
        return self._deadline.left_s

    def _mark(self, settings: Mapping[str, Any]) -> None:
        for setting in self._installed.manifest.settings:
            if setting.secret:
                self._redactor.mark_within(setting.name, settings.get(setting.name))

    def _relay(self, on_event: OnEvent | None) -> OnEvent | None:
        if on_event is None:
            return None

        def relay(event: Progress | LogLine) -> None:
            self._loop.call_soon(on_event, event)  # what a listener raises is loud there, and breaks nothing here

        return relay

    async def _run(
        self, opened: OpenCall, message: wire.Execute | wire.Evaluate, timeout_s: float, report: Callable[..., Report]
    ) -> Report:
        self._started_at = self._loop.time()
        try:
            frame = wire.encode(message)
        except ValueError as error:
            raise self._fault(FaultKind.PROTOCOL, f"its input {error}", opened) from error
        self._open = opened
        try:
            await self._converse(frame, timeout_s)
        finally:
            if opened.sockets:
                await self._keep_no_connection(opened.sockets)
        duration_ms, used = self._duration_ms(), self._measured()
        try:
            if not self._redactor.knows_any:
                return report(duration_ms, held=self.held, used=used)
            # All of it is searched for secrets that are known, and it may be megabytes.
            return await aside(partial(report, duration_ms, held=self.held, used=used))
        except ReplyError as error:
            raise self._fault(FaultKind.REPLY, f"it {self._line(str(error))}", opened) from error

    async def _keep_no_connection(self, sockets: Collection[int]) -> None:
        """What was connected for a call, and is on record there, is used in no other: its process goes with it."""
        if self._ending is None and await aside(keeps_any, self.pid, sockets):
            logger.debug("A worker of %s has kept a connection and is replaced.", self._installed.distribution)
            await self._ended(STOPPED)

    def _duration_ms(self) -> int:
        return round((self._loop.time() - self._started_at) * 1000)

    def _record(self, opened: OpenCall | None) -> CallRecord:
        if opened is not None:
            return opened.call.record_so_far(self._duration_ms(), held=self.held, used=self._measured())
        return CallRecord(
            provenance=(),
            evidence={},
            started_at=self._began_at,
            duration_ms=self._duration_ms(),
            held=self.held,
            used=self._measured(),
        )

    def _measured(self) -> Used | None:
        """What has been used since the call, or the start, began; of a worker that ends, until it was ended."""
        if self._ending is None and self._watch is not None:
            cpu_ns = self._cpu_ns()
            cpu_ms, peak_bytes = (cpu_ns - self._cpu_from_ns) / 1_000_000, self._watch.peak_bytes(cpu_ns=cpu_ns)
            self._used = Used(cpu_ms=round(cpu_ms, 3), memory_mib=-(-peak_bytes // _MIB))
        return self._used

    def _cpu_ns(self) -> int:
        """Processor time of the process, whose number is its own until it is reaped."""
        try:
            return time.clock_gettime_ns(self._cpu_clock)
        except OSError:  # somebody else in this process has waited for it
            return self._cpu_from_ns

    async def _converse(self, frame: bytes, timeout_s: float) -> None:
        self._used = None
        if self._ending is not None:
            death, opened, self._open = await self._ended(STOPPED), self._open, None
            raise death.fault(plugin=self._plugin, phase=self._phase, record=self._record(opened))
        self._reply = self._loop.create_future()
        self._deadline.begin(timeout_s)
        if self._watch is not None:
            self._cpu_from_ns = self._cpu_ns()
            self._watch.begin(cpu_limit_s=self._cpu_limit_s(timeout_s), cpu_from_s=self._cpu_from_ns / 1e9)
        self._channel.expecting = True
        self._channel.send(frame)
        try:
            await self._reply
        except asyncio.CancelledError:
            await self._ended(STOPPED)
            raise
        finally:
            self._deadline.over()
            if self._watch is not None:
                self._watch.rest()
            self._reply = self._open = None

    def _cpu_limit_s(self, timeout_s: float) -> float:
        given = self._installed.manifest.limits.cpu_s
        return timeout_s if given is None or self._open is None else given

    def _finish_reply(self, fault: PluginFault | None = None) -> None:
        self._channel.expecting = False
        if self._reply is None or self._reply.done():  # cancelled in this very turn of the loop
            return
        self._deadline.over()  # not when the caller goes on, a turn of the loop later: it may be due in this one
        if fault is None:
            self._reply.set_result(None)
        else:
            self._reply.set_exception(fault)

    def _line(self, text: str) -> str:
        return self._redactor.line(text)

    def _fault(self, kind: FaultKind, message: str, opened: OpenCall) -> PluginFault:
        return PluginFault(
            message,
            plugin=self._plugin,
            phase=self._phase,
            kind=kind,
            log_tail=self._log.text(),
            record=self._record(opened),
        )

    # --- what the child says

    def _frame(self, body: memoryview) -> None:
        try:
            message = wire.decode(body)
            if self._open is None:
                self._handle_start(message)
            else:
                self._handle_call(self._open, message, len(body))
        except (wire.MessageError, ViolationError) as error:
            self._end_for(violation(self._redactor.line(str(error))))

    def _handle_start(self, message: wire.FromWorker) -> None:
        try:
            answer = self._handshake.take(message)
        except UnheldError as error:
            self._end_for(unheld(str(error)))
        except UnloadableError as error:
            names = {entry.name for entry in self._installed.entries}
            self._plugin = error.entry if error.entry in names else self._plugin
            where = self._hint(str(error))
            self._end_for(unloadable(str(error), where))
        else:
            self.held = self._held_now()
            if answer:
                self._phase = "load"
                self._begin_to_watch()
                self._channel.send(answer)
            if self._handshake.ready:
                self._finish_reply()

    def _begin_to_watch(self) -> None:
        """From before anything of the plugin runs on; earlier, what is on its way to it may be ours."""
        self._process.arm()
        self._watch = Watch(
            self.pid,
            bounds=Bounds(limits=self._installed.manifest.limits),
            scratch=self._body.scratch,
            loop=self._loop,
            on_finding=self._found,
        )
        self._watch.begin(cpu_limit_s=self._config.start_timeout_s)

    def _handle_call(self, opened: OpenCall, message: wire.FromWorker, size: int) -> None:
        try:
            if opened.take(message, size):
                self._finish_reply()
        except HookRaisedError as error:
            self._take_raised(str(error), opened)

    def _take_raised(self, reason: str, opened: OpenCall) -> None:
        where = self._hint(reason)
        words = f"it raised {self._line(reason)}"
        if not where:
            self._finish_reply(self._fault(FaultKind.RAISED, words, opened))
            return
        self._finish_reply(self._fault(FaultKind.LIMIT, f"{words}; {where}", opened))
        # It may still hold all that it could get, at the cost of its next call.
        self._end_for(Cause(kind=FaultKind.LIMIT, message=f"{words}; {where}"))

    def _hint(self, reason: str) -> str:
        return hint(reason, self._installed.manifest.limits, self._installed.distribution)

    def _raise_bug(self, error: BaseException) -> None:
        # Ours, not the plugin's: the caller gets it as it is, and the worker, left without an answer, goes.
        if self._reply is not None and not self._reply.done():
            self._reply.set_exception(error)
        self._end_for(STOPPED)

    # --- the end

    @property
    def _phase_now(self) -> str:
        if self._leaving:
            return "shutdown"
        return "idle" if self._reply is None and self._handshake.ready else self._phase

    def _overrun(self, timeout_s: float) -> None:
        if self._stands_still():
            self._found(Halted())
        else:
            self._end_for(overrun(timeout_s))

    def _stands_still(self) -> bool:
        if self._watch is not None:
            return self._watch.is_halted()
        return not self._process.exited.is_set() and is_halted(self.pid)

    def _found(self, finding: Finding) -> None:
        if self._ending is not None:
            return
        # Not asked first: it would go on taking, or does not hear it.
        self._end_for(beyond(finding, self._installed.distribution))
        self._process.signal_group(signal.SIGKILL)

    def _exited(self) -> None:
        self._channel.drain()
        self._end_for(GONE)

    def _channel_ended(self, why: str) -> None:
        if why:
            self._end_for(violation(why))
        elif not self._leaving:  # else it has been given time
            self._end_for(Cause(kind=None, cut_off=self._channel.cut_off))

    def _end_for(self, cause: Cause) -> None:
        if self._ending is None:
            self._measured()
            if self._watch is not None:
                self._watch.close()
            self._channel.close()
            self._deadline.close()
            self._ending = self._loop.create_task(self._end(cause, self._phase_now))

    async def _ended(self, cause: Cause) -> Death:
        self._end_for(cause)
        assert self._ending is not None  # noqa: S101  for the type checker
        return await asyncio.shield(self._ending)

    async def _end(self, cause: Cause, phase: str) -> Death:
        if self._open is not None:
            await self._open.cut_short()
        death = await self._body.end(cause, self._config)
        self.ended = death.ended(phase=phase, at=utc_now())
        if self.ended is not None:
            self._say(self.ended)
        self._on_ended(self)
        if self._reply is not None and not self._reply.done():
            fault = death.fault(plugin=self._plugin, phase=self._phase, record=self._record(self._open))
            self._reply.set_exception(fault)
        return death

    def _say(self, ended: Ended) -> None:
        """In the log, with what to do and its last words: of an end in a call, or a start, its caller hears, too."""
        action = _UNHEARD.get(ended.phase, "worker-ended")
        if ended.kind is FaultKind.LIMIT and ended.phase == "idle":
            action = "idle-worker-beyond-limits"
        last_line = ended.log_tail.strip().rpartition("\n")[2]
        logger.log(
            logging.WARNING if ended.counts or ended.phase in _UNHEARD else logging.INFO,
            "A worker of %s ended in %s (%s): %s What to do: %s%s",
            self._installed.distribution,
            ended.phase,
            ended.kind.value,
            sentence(ended.message),
            ended.hint,
            f". Its last line of output: {last_line}" if last_line else "",
            extra={"action": action},
        )
