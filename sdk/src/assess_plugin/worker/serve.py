"""The worker's life: isolation, handshake, load, one call after another, shutdown.

Everything that a plugin raises is caught here, `SystemExit` and `KeyboardInterrupt` too (OpenBLAS out of memory raises
the latter inside a hook): the call fails, the worker lives. `MemoryError` while answering ends the worker, loudly.
"""

import gc
import os
import sys
from _socket import socket
from typing import Any

from assess_plugin.api import require_api, require_found_api
from assess_plugin.models import API_VERSIONS, ActionInput, ActionOutput, EvaluateInput, EvaluateResult, Subject
from assess_plugin.wire import (
    PROTOCOL,
    Channel,
    Message,
    WireError,
    encode,
    incomplete_frames,
    reply_frames,
    result_json,
    subject_json,
)
from assess_plugin.worker.isolate import IsolationError, MissingError, isolate
from assess_plugin.worker.plugins import UnloadableError, describe, load, log_traceback
from assess_plugin.worker.remote import RemoteHost
from assess_plugin.worker.selfcheck import selfcheck

NICER = 5
"""Than the runtime, which is to answer whatever its plugins do: a third of its weight."""


def main(descriptor: int, sites: list[str]) -> int:
    """Serve the runtime at the other end of an inherited socket until it has had enough; the process's exit code.

    Args:
        descriptor: of the socket.
        sites: where the plugin is and what it needs; importable once this process is isolated.
    """
    for stream in (sys.stdout, sys.stderr):
        # whole lines as they come, so that the log's tail shows what a plugin said before it died
        stream.reconfigure(line_buffering=True, errors="backslashreplace")  # type: ignore[union-attr]
    channel = Channel(socket(fileno=descriptor))
    os.nice(NICER)  # for good: isolated it may not say so any more, nor be less nice
    try:
        api, hooks = _start(channel, sites)
        if hooks is None:
            return 1
        _serve(channel, hooks, api)
    except WireError as error:
        sys.stderr.write(f"assess worker: {error}\n")
        return 1
    _shut_down(hooks)
    return 0


def _start(channel: Channel, sites: list[str]) -> tuple[str, dict[str, Any] | None]:
    """The plugin API to serve, and the hooks that are loaded; None where one cannot be."""
    hello = _expect(channel, "isolate", "hello")
    if hello["type"] == "isolate":
        if not _isolate(channel, hello["profile"], required=hello["required"]):
            return "", None
        hello = _expect(channel, "hello")
    if hello["protocol"] != PROTOCOL:
        raise WireError(f"the runtime speaks protocol {hello['protocol']}, this worker {PROTOCOL}")
    if hello["api"] not in API_VERSIONS:
        raise WireError(f"the runtime asks for plugin API {hello['api']}, this worker has {', '.join(API_VERSIONS)}")
    welcome = {
        "type": "welcome",
        "protocol": PROTOCOL,
        "api": hello["api"],
        "nonce": hello["nonce"],
        "python": "{}.{}.{}".format(*sys.version_info[:3]),
    }
    channel.send(encode(welcome))
    entries = _expect(channel, "load")["entries"]
    sys.path += sites
    try:
        hooks = load(entries)
    except UnloadableError as error:
        channel.send(encode({"type": "unloadable", "entry": error.entry, "reason": str(error)}))
        return hello["api"], None
    gc.freeze()  # what is loaded stays: no collection of a call needs to look at it
    gc.enable()  # bootstrap switched it off
    channel.send(encode({"type": "loaded", "entries": list(hooks)}))
    return hello["api"], hooks


def _isolate(channel: Channel, profile: Any, *, required: bool) -> bool:
    """Whether this process may go on: isolated, or as it was where the kernel cannot and that is no condition."""
    try:
        abi = isolate(profile)
        selfcheck(profile)
    except IsolationError as error:
        goes_on = isinstance(error, MissingError) and not required
        channel.send(encode({"type": "unisolated", "reason": str(error), "goes_on": goes_on}))
        return goes_on
    channel.send(encode({"type": "isolated", "landlock_abi": abi}))
    return True


def _expect(channel: Channel, *kinds: str) -> Message:
    message = channel.receive()
    if message is None or message["type"] not in kinds:
        raise WireError(f"expected {' or '.join(kinds)}, got {'the end' if message is None else message['type']}")
    return message


def _serve(channel: Channel, hooks: dict[str, Any], api: str) -> None:
    while (message := channel.receive()) is not None and message["type"] != "shutdown":
        call, checks = message.get("call", 0), message.get("checks", ())
        host = RemoteHost(channel, call, checks, api)
        try:
            if message["type"] == "execute":
                frames = _execute(message, hooks, host, api)
            else:
                frames = _evaluate(message, hooks, host, api)
        except WireError:
            raise
        except BaseException as error:  # the boundary between a plugin and its worker
            log_traceback(error)
            frames = [encode({"type": "raised", "call": call, "reason": describe(error)})]
        channel.send(host.close(), *frames)


def _execute(message: Message, hooks: dict[str, Any], host: RemoteHost, api: str) -> list[bytes]:
    given = ActionInput(
        subject=Subject(**message["subject"]),
        checks=tuple(message["checks"]),
        settings=message["settings"],
        host=host,
    )
    output = hooks[message["entry"]].assess_execute(input=given)
    if not isinstance(output, ActionOutput):
        raise TypeError(f"assess_execute must return an ActionOutput, got {output!r}"[:1000])
    require_api(output.results, api)
    return reply_frames("executed", message["call"], "results", [result_json(result) for result in output.results])


def _evaluate(message: Message, hooks: dict[str, Any], host: RemoteHost, api: str) -> list[bytes]:
    if message["type"] != "evaluate":
        raise WireError(f"expected a call, got {message['type']}")
    given = EvaluateInput(
        selector=message["selector"],
        runtime=message["runtime"],
        labels=message["labels"],
        settings=message["settings"],
        host=host,
    )
    result = hooks[message["entry"]].assess_evaluate(input=given)
    if not isinstance(result, EvaluateResult):
        raise TypeError(f"assess_evaluate must return an EvaluateResult, got {result!r}"[:1000])
    require_found_api(result.problems, api)
    return [
        *incomplete_frames(message["call"], result.problems),
        *reply_frames("evaluated", message["call"], "subjects", [subject_json(found) for found in result.subjects]),
    ]


def _shut_down(hooks: dict[str, Any]) -> None:
    told: list[Any] = []  # one object may stand behind several entry points
    for relay in hooks.values():
        functions = [found.function for found in relay.assess_shutdown.get_hookimpls()]
        if not functions or functions[0] in told:
            continue
        told += functions
        try:
            relay.assess_shutdown()
        except BaseException as error:  # the others are still to be told
            log_traceback(error)
