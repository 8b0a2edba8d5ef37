"""One worker process: started, called, ended. Everything it does wrong comes out as a `PluginFault`.

    worker = Worker(installed, config)
    await worker.load()
    report = await worker.execute("host-baseline", input, timeout_s=60)
    await worker.stop()

Life: spawn -> hello, load (one deadline) -> calls, one at a time (a deadline each) -> end. There is one way to the end,
`_end`, for the first of whoever asks for it: it closes the socket, ends the process group, hunts what left it, keeps
the log's tail, removes the scratch directory, and only then fails the open call, so that a fault that was told is a
worker that is gone.
"""

import asyncio
import logging
import secrets
from collections.abc import Callable
from typing import Any, TypeVar

from assess_core.errors import FaultKind, PluginFault
from assess_core.host import messages as wire
from assess_core.host.broker import Broker
from assess_core.host.call import Call, ReplyError, ViolationError, utc_now
from assess_core.host.channel import Channel
from assess_core.host.config import HostConfig
from assess_core.host.death import GONE, STOPPED, Cause, Death, overrun, unloadable, violation
from assess_core.host.ending import end_worker
from assess_core.host.launch import launch
from assess_core.host.scratch import make_scratch, remove_scratch
from assess_core.host.surroundings import worker_user
from assess_core.host.text import clean_line
from assess_core.host.values import CallReport, EvaluateReport, LogLine, OnEvent, Progress
from assess_core.record import CallRecord
from assess_core.store import InstalledPlugin
from assess_plugin.api import ApiError, served_api
from assess_plugin.models import ActionInput, EvaluateInput
from assess_plugin.wire import PROTOCOL

logger = logging.getLogger(__name__)

Report = TypeVar("Report", CallReport, EvaluateReport)

_OF_A_START = (wire.Welcome, wire.Loaded, wire.Unloadable)


class Worker:
    """A process for one distribution's plugins; it exists from the moment this does.

    Raises:
        PluginFault: it could not be started.
    """

    def __init__(self, installed: InstalledPlugin, config: HostConfig) -> None:
        try:
            self._api = served_api(installed.manifest.api.contains, str(installed.manifest.api))
        except ApiError as error:
            raise _start_fault(installed, str(error)) from error
        self._installed = installed
        self._config = config
        self._loop = loop = asyncio.get_running_loop()
        self._nonce = secrets.token_hex(16)
        self._welcomed = False
        self._calls = 0
        self._call: Call | None = None
        self._plugin, self._phase = str(installed.distribution), "start"
        self._reply: asyncio.Future[None] | None = None
        self._user = worker_user()
        self._started_at = self._deadline_at = 0.0
        self._request: asyncio.Task[None] | None = None
        self._ending: asyncio.Task[Death] | None = None
        self._scratch = make_scratch(config.scratch_root)
        try:
            self._launched = launch(installed, kit=config.kit, scratch=self._scratch, loop=loop, on_exit=self._exited)
        except OSError as error:
            remove_scratch(self._scratch)
            raise _start_fault(installed, f"its process could not be started: {error}") from error
        self._process, self._log = self._launched.process, self._launched.log
        self._channel = Channel(self._launched.socket, loop, on_frame=self._frame, on_end=self._channel_ended)

    async def load(self) -> None:
        """Every entry point is loaded and can be called.

        Raises:
            PluginFault: it was not ready in time, or has an entry point that cannot be served; the worker is gone.
        """
        entries = tuple(wire.Entry(e.name, e.kind, e.module, e.attr) for e in self._installed.entries)
        hello = wire.Hello(protocol=PROTOCOL, api=self._api, nonce=self._nonce)
        await self._converse(wire.encode(hello) + wire.encode(wire.Load(entries=entries)), self._config.start_timeout_s)
        logger.debug("Started a worker of %s, process %d.", self._installed.distribution, self.pid)

    @property
    def pid(self) -> int:
        """Its process id, which is also that of its session and group."""
        return self._process.pid

    @property
    def usable(self) -> bool:
        """Whether it can take a call."""
        return self._ending is None

    async def execute(
        self, name: str, input: ActionInput, *, timeout_s: float, on_event: OnEvent | None = None
    ) -> CallReport:
        """Assess a subject; see `Supervisor.execute`."""
        call = self._open_call(name, "execute", wire.Executed, checks=input.checks, on_event=on_event)
        message = wire.Execute(
            call=call.number,
            entry=name,
            subject=input.subject,
            checks=input.checks,
            settings=input.settings,
        )
        return await self._run(call, message, timeout_s, call.call_report)

    async def evaluate(
        self, name: str, input: EvaluateInput, *, timeout_s: float, on_event: OnEvent | None = None
    ) -> EvaluateReport:
        """Find subjects; see `Supervisor.evaluate`."""
        call = self._open_call(name, "evaluate", wire.Evaluated, checks=(), on_event=on_event)
        message = wire.Evaluate(
            call=call.number,
            entry=name,
            selector=input.selector,
            runtime=input.runtime,
            labels=input.labels,
            settings=input.settings,
        )
        return await self._run(call, message, timeout_s, call.evaluate_report)

    async def stop(self) -> None:
        """Nothing is left of it. An open call fails; an idle worker is asked to go, and killed when it does not."""
        if self._ending is None and self._reply is None:
            self._channel.send(wire.encode(wire.Shutdown()))
            await self._process.wait(self._config.stop_timeout_s)
        await self._ended(STOPPED)

    # --- one exchange at a time: the start, or a call

    def _open_call(
        self, name: str, phase: str, reply: Any, *, checks: tuple[str, ...], on_event: OnEvent | None
    ) -> Call:
        self._calls += 1
        self._plugin, self._phase = name, phase
        relay = self._relay(on_event)
        return Call(self._calls, reply=reply, checks=checks, now=utc_now(), on_event=relay, api=self._api)

    def _relay(self, on_event: OnEvent | None) -> OnEvent | None:
        if on_event is None:
            return None

        def relay(event: Progress | LogLine) -> None:
            self._loop.call_soon(on_event, event)  # what a listener raises is loud there, and breaks nothing here

        return relay

    async def _run(
        self, call: Call, message: wire.Execute | wire.Evaluate, timeout_s: float, report: Callable[..., Report]
    ) -> Report:
        self._started_at = self._loop.time()
        try:
            frame = wire.encode(message)
        except ValueError as error:
            raise self._fault(FaultKind.PROTOCOL, f"its input {error}", call) from error
        self._call = call
        await self._converse(frame, timeout_s)
        try:
            return report(self._duration_ms(), user=self._user)
        except ReplyError as error:
            raise self._fault(FaultKind.REPLY, f"it {clean_line(str(error))}", call) from error

    def _duration_ms(self) -> int:
        return round((self._loop.time() - self._started_at) * 1000)

    def _record(self, call: Call | None) -> CallRecord | None:
        return None if call is None else call.record_so_far(self._duration_ms(), user=self._user)

    async def _converse(self, frame: bytes, timeout_s: float) -> None:
        if self._ending is not None:
            death, call, self._call = await self._ended(STOPPED), self._call, None
            raise death.fault(plugin=self._plugin, phase=self._phase, record=self._record(call))
        self._reply = self._loop.create_future()
        self._deadline_at = self._loop.time() + timeout_s
        deadline = self._loop.call_at(self._deadline_at, self._overrun, timeout_s)
        self._channel.expecting = True
        self._channel.send(frame)
        try:
            await self._reply
        except asyncio.CancelledError:
            await self._ended(STOPPED)
            raise
        finally:
            deadline.cancel()
            self._reply = self._call = None

    def _finish_reply(self, fault: PluginFault | None = None) -> None:
        if self._request is not None:
            raise ViolationError("replied before its request was answered")
        self._channel.expecting = False
        if self._reply is None or self._reply.done():  # cancelled in this very turn of the loop
            return
        if fault is None:
            self._reply.set_result(None)
        else:
            self._reply.set_exception(fault)

    def _fault(self, kind: FaultKind, message: str, call: Call | None) -> PluginFault:
        return PluginFault(
            message,
            plugin=self._plugin,
            phase=self._phase,
            kind=kind,
            log_tail=self._log.text(),
            record=self._record(call),
        )

    # --- what the child says

    def _frame(self, body: memoryview) -> None:
        try:
            message = wire.decode(body)
            if self._call is None:
                self._handle_start(message)
            else:
                self._handle_call(self._call, message, len(body))
        except (wire.MessageError, ViolationError) as error:
            self._end_for(violation(str(error)))

    def _handle_start(self, message: wire.FromWorker) -> None:
        match message:
            case wire.Welcome() if not self._welcomed:
                if (message.protocol, message.nonce, message.api) != (PROTOCOL, self._nonce, self._api):
                    raise ViolationError("answered hello with another protocol, API version or nonce")
                self._welcomed, self._phase = True, "load"
            case wire.Loaded() if self._welcomed:
                self._finish_reply()
            case wire.Unloadable() if self._welcomed:
                names = {entry.name for entry in self._installed.entries}
                self._plugin = message.entry if message.entry in names else self._plugin
                self._end_for(unloadable(message.reason))
            case _:
                raise ViolationError(f"sent {type(message).__name__.lower()} while it was being started")

    def _handle_call(self, call: Call, message: wire.FromWorker, size: int) -> None:
        if isinstance(message, _OF_A_START):
            raise ViolationError(f"sent {type(message).__name__.lower()} during a call")
        call.count(message.call, size)
        match message:
            case wire.Executed() | wire.Evaluated():
                if call.add(message):
                    self._finish_reply()
            case wire.Log() | wire.Progress():
                call.notice(message, size)
            case wire.Raised():
                self._finish_reply(self._fault(FaultKind.RAISED, f"it raised {clean_line(message.reason)}", call))
            case _:
                self._take_request(call, message)

    def _take_request(self, call: Call, message: wire.Request) -> None:
        if self._request is not None:
            raise ViolationError("sent a request before its last one was answered")
        answer = call.request(message)
        if answer is not None:
            self._channel.send(wire.encode(answer))
        elif not isinstance(message, wire.Evidence):
            self._request = self._loop.create_task(self._serve(call, message))
            self._request.add_done_callback(self._served)

    async def _serve(self, call: Call, message: wire.Run | wire.Open | wire.Stat) -> None:
        broker = Broker(self._installed.manifest.permissions, call.record)
        answer, descriptor = await broker.answer(message, time_left_s=self._deadline_at - self._loop.time())
        self._request = None
        self._channel.send(wire.encode(answer), descriptor)

    def _served(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            # Our bug, not the plugin's: the caller gets it as it is, and the worker, left without an answer, goes.
            if self._reply is not None and not self._reply.done():
                self._reply.set_exception(error)
            self._end_for(STOPPED)

    # --- the end

    def _overrun(self, timeout_s: float) -> None:
        self._end_for(overrun(timeout_s))

    def _exited(self) -> None:
        self._channel.drain()
        self._end_for(GONE)

    def _channel_ended(self, why: str) -> None:
        self._end_for(violation(why) if why else GONE)

    def _end_for(self, cause: Cause) -> None:
        if self._ending is None:
            self._channel.close()
            self._ending = self._loop.create_task(self._end(cause))

    async def _ended(self, cause: Cause) -> Death:
        self._end_for(cause)
        assert self._ending is not None  # noqa: S101  for the type checker
        return await asyncio.shield(self._ending)

    async def _end(self, cause: Cause) -> Death:
        if self._request is not None:
            self._request.cancel()
            await asyncio.wait([self._request])
        whose = self._installed.distribution
        death = await end_worker(self._launched, self._scratch, cause, config=self._config, whose=whose)
        if self._reply is not None and not self._reply.done():
            fault = death.fault(plugin=self._plugin, phase=self._phase, record=self._record(self._call))
            self._reply.set_exception(fault)
        return death


def _start_fault(installed: InstalledPlugin, message: str) -> PluginFault:
    return PluginFault(message, plugin=installed.distribution, phase="start", kind=FaultKind.START)
