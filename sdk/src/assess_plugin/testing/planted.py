r"""A host made of files that a test has planted: any owner, any mode, any user, and no need to be root.

Paths are those the plugin would use on a real machine. `user` is who asks: with another than root, a mode that keeps
that user out raises `PermissionError`, as it would in earnest.

    host = PlantedHost(tmp_path, manifest=manifest, commands={("uname", "-m"): b"x86_64\n"})
    host.plant("/etc/shadow", "root:*:19000::::::\n", mode=0o640, gid=42)
    host.user = (1000, 1000)
"""

import errno
import io
import os
import socket
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO

from assess_plugin.models import CommandResult, FileStatus, HostError
from assess_plugin.permissions import peer_of
from assess_plugin.testing.manifest import PluginManifest
from assess_plugin.testing.recording import RecordingHost, connected
from assess_plugin.testing.tree import PlantedTree, os_error

Answer = CommandResult | bytes | str | HostError
"""What a planted command says: a whole result, its standard output (exit code 0), or an error to raise."""


class PlantedHost(PlantedTree, RecordingHost):
    """A real `Host` over a planted tree, under a plugin's own manifest.

    Attributes:
        commands: the answer to each argv; one that is permitted and not planted raises `HostError`.
        peers: where the test itself listens for each `host:port`; one that is not planted refuses the connection.
        secrets: the value of each name; one that is permitted and not planted raises `HostError`.
    """

    def __init__(
        self,
        root: Path,
        commands: Mapping[tuple[str, ...], Answer] | None = None,
        *,
        manifest: PluginManifest,
        base: "PlantedHost | None" = None,
    ) -> None:
        PlantedTree.__init__(self, root, base)
        RecordingHost.__init__(self, manifest)
        self.commands: dict[tuple[str, ...], Answer] = {**(base.commands if base else {}), **(commands or {})}
        self.peers: dict[str, tuple[str, int]] = dict(base.peers) if base else {}
        self.secrets: dict[str, str] = dict(base.secrets) if base else {}

    def _run(self, argv: tuple[str, ...], timeout_s: float) -> CommandResult:  # noqa: ARG002  answers take no time
        match self.commands.get(argv):
            case None:
                raise HostError(f"{argv[0]}: no such command on the planted host; plant an answer to {list(argv)}")
            case HostError() as error:
                raise error
            case CommandResult() as result:
                return result
            case str() as text:
                return CommandResult(argv=argv, exit_code=0, stdout=text.encode(), stderr=b"")
            case bytes() as data:
                return CommandResult(argv=argv, exit_code=0, stdout=data, stderr=b"")

    def _open(self, path: str) -> BinaryIO:
        resolved = self.resolve(path, follow=True)
        self.permit_target("open", path, resolved)
        place, found = self.find(resolved, path)
        if not stat.S_ISREG(found.st_mode):
            raise HostError(f"{path} is not a regular file, and nothing else can be opened")
        self.let(resolved, 0o4)
        return io.open(path, "rb", opener=lambda _, flags: os.open(place, flags))  # noqa: UP020

    def _stat(self, path: str) -> FileStatus:
        resolved = self.resolve(path, follow=False)
        self.permit_target("stat", path, resolved)
        return self.status(resolved)

    def _connect(self, host: str, port: int, timeout_s: float) -> socket.socket:
        place = self.peers.get(peer_of(host, port))
        if place is None:
            raise os_error(errno.ECONNREFUSED, peer_of(host, port))
        return connected(place, timeout_s)

    def _secret(self, name: str) -> str:
        if name not in self.secrets:
            raise HostError(f"nobody has planted the secret {name}: host.secrets[{name!r}] = ...")
        return self.secrets[name]
