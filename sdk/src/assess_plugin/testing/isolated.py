"""A plugin in the worker that runs it in earnest, from a test: another process, the same isolation, the same pipe.

    with IsolatedPlugin("my_plugin.plugin", name="my-plugin", manifest=manifest) as plugin:
        results = plugin.execute(planted_host)

The host is any of this kit; what the plugin does past it - files, sockets, programs - fails as it will fail at its
users'. A test that passes with `execute(plugin, ...)` and not here has found what to ask the host for.
"""

import os
import secrets
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict
from types import TracebackType
from typing import Any, Literal, Self

from assess_plugin.api import require_found_api
from assess_plugin.models import CheckResult, EvaluateResult, Evidence, Outcome, Subject
from assess_plugin.testing.calls import SUBJECT, complete, judged
from assess_plugin.testing.manifest import PluginManifest
from assess_plugin.testing.process import START_TIMEOUT_S, Message, WorkerProcess
from assess_plugin.testing.recording import RecordingHost
from assess_plugin.testing.serving import REQUESTS, Pieces, answer_of, notice
from assess_plugin.wire import PROTOCOL


class IsolatedPlugin:
    """One entry point in a worker of its own; a context, at whose end the worker is gone.

    Args:
        entry: `module` or `module:attribute`, as in `[project.entry-points]`.
        name: the entry point's name.
        manifest: the plugin's own.
        kind: what it is.
        isolated: as in earnest. False lets the plugin do whatever who runs the tests may do, to find out whether it is
            the isolation that keeps it from something.

    Raises:
        WorkerFailedError: this machine cannot isolate it, or it cannot be loaded.
    """

    def __init__(
        self,
        entry: str,
        *,
        name: str,
        manifest: PluginManifest,
        kind: Literal["plugin", "provider"] = "plugin",
        isolated: bool = True,
    ) -> None:
        self._module, _, self._attribute = entry.partition(":")
        self._name, self._kind, self._manifest = name, kind, manifest
        self._calls = 0
        self.landlock_abi = 0
        """Of the kernel that isolates it."""
        with ExitStack() as closing:
            self._worker = WorkerProcess(self._module, variables=manifest.permissions.env, isolated=isolated)
            closing.callback(self._worker.end)
            self._start(isolated=isolated)
            self._closing = closing.pop_all()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None:
        self._closing.close()

    def execute(
        self,
        host: RecordingHost,
        *,
        checks: Sequence[str] | None = None,
        settings: Mapping[str, Any] | None = None,
        subject: Subject = SUBJECT,
        timeout_s: float = 60.0,
    ) -> dict[str, CheckResult]:
        """The result of each check asked for, as `assess_plugin.testing.execute` gives them.

        Raises:
            WorkerFailedError: the plugin raised, ended its worker or took too long.
            AssertionError, ApiError: as for `assess_plugin.testing.execute`.
        """
        asked = tuple(self._manifest.checks.get(self._name, ()) if checks is None else checks)
        message = {
            "type": "execute",
            "subject": asdict(subject),
            "checks": list(asked),
            "settings": {**self._manifest.defaults, **(settings or {})},
        }
        host.begin_call(asked)
        replied = self._call(message, host, reply=("executed", "results"), timeout_s=timeout_s)
        return judged([_result(each) for each in replied], asked, host.manifest.api)

    def evaluate(
        self,
        host: RecordingHost,
        *,
        selector: Mapping[str, Any] | None = None,
        runtime: str = "planted",
        labels: Mapping[str, str] | None = None,
        timeout_s: float = 60.0,
    ) -> tuple[Subject, ...]:
        """The subjects that the provider finds, all of them.

        Raises:
            WorkerFailedError: as for `execute`.
            AssertionError, ApiError: as for `assess_plugin.testing.evaluate`.
        """
        return complete(self.evaluation(host, selector=selector, runtime=runtime, labels=labels, timeout_s=timeout_s))

    def evaluation(
        self,
        host: RecordingHost,
        *,
        selector: Mapping[str, Any] | None = None,
        runtime: str = "planted",
        labels: Mapping[str, str] | None = None,
        timeout_s: float = 60.0,
    ) -> EvaluateResult:
        """What the provider finds, and what it says it could not find.

        Raises:
            WorkerFailedError: as for `execute`.
            ApiError: as for `assess_plugin.testing.evaluation`.
        """
        message = {
            "type": "evaluate",
            "selector": dict(selector or {}),
            "runtime": runtime,
            "labels": dict(labels or {}),
            "settings": dict(self._manifest.defaults),
        }
        host.begin_call(())
        problems: list[str] = []
        replied = self._call(message, host, reply=("evaluated", "subjects"), timeout_s=timeout_s, problems=problems)
        require_found_api(problems, host.manifest.api)
        return EvaluateResult(subjects=tuple(Subject(**each) for each in replied), problems=tuple(problems))

    def _start(self, *, isolated: bool) -> None:
        worker, deadline, nonce = self._worker, time.monotonic() + START_TIMEOUT_S, secrets.token_hex(16)
        worker.isolate()
        worker.say({"type": "hello", "protocol": PROTOCOL, "api": self._manifest.api, "nonce": nonce})
        if isolated:
            held = worker.hear(deadline)
            if held["type"] != "isolated":
                raise worker.failed(f"the worker cannot be isolated here: {held.get('reason', held)}")
            self.landlock_abi = held["landlock_abi"]
        welcome = worker.hear(deadline)
        if (welcome.get("type"), welcome.get("nonce")) != ("welcome", nonce):
            raise worker.failed(f"the worker answered hello with {welcome}"[:500])
        entry = {"name": self._name, "kind": self._kind, "module": self._module, "attr": self._attribute}
        worker.say({"type": "load", "entries": [entry]})
        loaded = worker.hear(deadline)
        if loaded["type"] != "loaded":
            raise worker.failed(f"{self._name} cannot be loaded: {loaded.get('reason', loaded)}")

    def _call(
        self,
        message: Message,
        host: RecordingHost,
        *,
        reply: tuple[str, str],
        timeout_s: float,
        problems: list[str] | None = None,
    ) -> list[Mapping[str, Any]]:
        self._calls += 1
        deadline = time.monotonic() + timeout_s
        self._worker.say({**message, "call": self._calls, "entry": self._name})
        replied: list[Mapping[str, Any]] = []
        pieces: Pieces = {}
        while True:
            said = self._worker.hear(deadline)
            if said["type"] == reply[0]:
                replied += said[reply[1]]
                if not said["more"]:
                    return replied
            elif said["type"] == "incomplete" and problems is not None:
                problems += said["problems"]
            elif said["type"] in REQUESTS:
                self._answer(said, host, pieces)
            elif said["type"] == "raised":
                raise self._worker.failed(f"{self._name} raised {said['reason']}")
            elif not notice(said, host):
                raise self._worker.failed(f"the worker sent {said['type']} during a call")

    def _answer(self, request: Message, host: RecordingHost, pieces: Pieces) -> None:
        answer, descriptor = answer_of(request, host, pieces)
        with ExitStack() as closing:
            if descriptor is not None:
                closing.callback(os.close, descriptor)
            self._worker.say(answer, descriptor)


def _result(given: Mapping[str, Any]) -> CheckResult:
    evidence = tuple(Evidence(**each) for each in given["evidence"])
    return CheckResult(**{**given, "outcome": Outcome(given["outcome"]), "evidence": evidence})
