"""From a process that has just begun to one whose plugins can be called, as far as it is talk.

    start = Handshake(installed, api=..., profile=..., required=True, look=...)
    send(start.opening())
    ... send(start.take(message)) ...   # until start.ready

Nothing of a plugin is loaded before the worker is isolated, says so, and was looked at.
"""

import secrets
from collections.abc import Callable

from assess_core.host import messages as wire
from assess_core.host.call import ViolationError
from assess_core.host.confinement import REMEDY, UnheldError
from assess_core.store import InstalledPlugin
from assess_plugin.isolation.profile import Profile
from assess_plugin.wire import PROTOCOL

MESSAGES = (wire.Isolated, wire.Unisolated, wire.Welcome, wire.Loaded, wire.Unloadable)
"""Of a start, and of nothing else."""


class UnloadableError(Exception):
    """An entry point cannot be served.

    Attributes:
        entry: its name, or what the worker says is its name.
    """

    def __init__(self, entry: str, reason: str) -> None:
        super().__init__(reason)
        self.entry = entry


class Handshake:
    """One worker's start.

    Args:
        profile: how it is to be isolated; None where it is not to be.
        required: it must not go on where the kernel cannot isolate it.
        look: raises `UnheldError` unless the process is held.

    Attributes:
        landlock_abi: of the kernel that isolates it; 0 as long as it is not isolated.
        welcomed: it has understood hello and is loading.
        ready: its plugins can be called.
    """

    def __init__(
        self,
        installed: InstalledPlugin,
        *,
        api: str,
        profile: Profile | None,
        required: bool,
        look: Callable[[Profile], None],
    ) -> None:
        self._installed = installed
        self._api = api
        self._profile = profile
        self._required = required
        self._look = look
        self._nonce = secrets.token_hex(16)
        self._waits_for_isolation = profile is not None
        self.landlock_abi = 0
        self.welcomed = self.ready = False

    def opening(self) -> bytes:
        """What is sent first, at once."""
        hello = wire.encode(wire.Hello(protocol=PROTOCOL, api=self._api, nonce=self._nonce))
        if self._profile is None:
            return hello
        return wire.encode(wire.Isolate(required=self._required, profile=self._profile)) + hello

    def take(self, message: wire.FromWorker) -> bytes:
        """What is to be sent next, mostly nothing.

        Raises:
            ViolationError: the message was not due.
            UnheldError: the worker is not isolated, and must be.
            UnloadableError: it has an entry point that cannot be served, or another Python than it was installed for.
        """
        match message:
            case wire.Isolated() if self._waits_for_isolation and self._profile is not None:
                self._look(self._profile)
                self._waits_for_isolation, self.landlock_abi = False, message.landlock_abi
            case wire.Unisolated() if self._waits_for_isolation:
                if self._required or not message.goes_on:
                    raise UnheldError(f"{message.reason}. {REMEDY}" if self._required else message.reason)
                self._waits_for_isolation = False
            case wire.Welcome() if not (self._waits_for_isolation or self.welcomed):
                if (message.protocol, message.nonce, message.api) != (PROTOCOL, self._nonce, self._api):
                    raise ViolationError("answered hello with another protocol, API version or nonce")
                self._require_python(message.python)
                self.welcomed = True
                return wire.encode(wire.Load(entries=tuple(self._entries())))
            case wire.Loaded() if self.welcomed:
                self.ready = True
            case wire.Unloadable() if self.welcomed:
                raise UnloadableError(message.entry, message.reason)
            case _:
                raise ViolationError(f"sent {type(message).__name__.lower()} while it was being started")
        return b""

    def _require_python(self, version: str) -> None:
        """The interpreter is the one that the environment was made for; its next minor version may have none of it.

        Raises:
            UnloadableError: another one lies in its place by now.
        """
        built_for = self._installed.interpreter
        if version.split(".")[:2] != built_for.version.split(".")[:2]:
            raise UnloadableError(
                "",
                f"its environment is for Python {built_for.version}, and {built_for.path} is {version[:20]} now; "
                "run `assess sync`, which builds another one",
            )

    def _entries(self) -> list[wire.Entry]:
        return [wire.Entry(e.name, e.kind, e.module, e.attr) for e in self._installed.entries]
