"""Calls of `host.run`, `open`, `stat`, `connect` and `secret`, held against the manifest as far as they are known.

host.run(["rpm", "-q", name])      is admitted by  ["rpm", "-q", "*"]  and by  ["rpm", "-q", "bash"]
host.open(f"/etc/ssh/{name}")      is admitted by  "/etc/ssh"  and by  "/etc/ssh/sshd_config"
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from assess_registry.audit.code import Argument
from assess_registry.manifest import Permissions, Severity

SEVERITY: Severity = "high"
UNDECLARED_COMMAND = "undeclared-command"
UNDECLARED_PATH = "undeclared-path"
UNDECLARED_SOCKET = "undeclared-socket"
UNDECLARED_SECRET = "undeclared-secret"  # noqa: S105  a finding, not a password


@dataclass(frozen=True, kw_only=True, slots=True)
class Refused:
    """A call that the manifest can never admit, and the line that would declare it."""

    id: str
    message: str
    advice: str


@dataclass(frozen=True, slots=True)
class Unknown:
    """A call whose arguments are computed: nobody can tell beforehand."""


PARAMETERS: Mapping[str, tuple[str, ...]] = {
    "run": ("argv",),
    "open": ("path",),
    "stat": ("path",),
    "connect": ("host", "port"),
    "secret": ("name",),
}
"""Method of a host -> the names of the parameters that permissions are about."""


def judge_call(method: str, call: Sequence[Argument], permissions: Permissions) -> Refused | Unknown | None:
    """What is wrong with this call of the host; None when it may be admitted.

    Args:
        method: one of `PARAMETERS`.
        call: the arguments for its parameters, in their order.
        permissions: the manifest's.
    """
    if method == "run":
        return _run(call[0], permissions)
    if method == "connect":
        return _connect(call, permissions)
    if method == "secret":
        return _secret(call[0], permissions)
    return _path(method, call[0], permissions)


def looks_like_host(method: str, call: Sequence[Argument]) -> bool:
    """Whether these arguments make it likely that it is a host's method, whatever has it."""
    first = call[0]
    if method == "run":
        return first.items is not None and first.items[:1] != (None,) and bool(first.items)
    if method == "connect":
        return first.text is not None and call[1].number is not None
    if method == "secret":
        return first.text is not None and not first.is_prefix
    return first.text is not None and first.text.startswith("/")


def missing(method: str, permissions: Permissions) -> str:
    """The line that any use of this method needs; empty where the manifest has one of its kind."""
    if method == "run":
        return "" if permissions.commands else 'commands = [["program", "argument"]]'
    if method == "open":
        return "" if permissions.read else 'read = ["/path"]'
    if method == "stat":
        return "" if permissions.read or permissions.stat else 'stat = ["/path"]'
    return ""  # `connect` and `secret` are refused by then


def _run(argv: Argument, permissions: Permissions) -> Refused | Unknown | None:
    if not argv.items or argv.items[0] is None:
        return Unknown()
    if any(_may_match(pattern, argv) for pattern in permissions.commands):
        return None
    shown = ["*" if word is None else word for word in argv.items] + (["*"] if argv.is_open_ended else [])
    line = json.dumps(shown, ensure_ascii=False)
    return Refused(
        id=UNDECLARED_COMMAND,
        message=f"runs {line[:400]}, which no pattern of permissions.commands admits",
        advice=f"[permissions] commands = [{line}]",
    )


def _may_match(pattern: Sequence[str], argv: Argument) -> bool:
    items = argv.items or ()
    if not (len(pattern) >= len(items) if argv.is_open_ended else len(pattern) == len(items)):
        return False
    if pattern[0] != items[0]:
        return False
    return all(want == "*" or got is None or want == got for want, got in zip(pattern, items, strict=False))


def _path(method: str, path: Argument, permissions: Permissions) -> Refused | Unknown | None:
    if path.text is None or (path.is_prefix and not path.text.startswith("/")):
        return Unknown()
    allowed = permissions.read if method == "open" else permissions.read + permissions.stat
    key = "read" if method == "open" else "stat"
    if path.is_prefix:
        if any(entry.startswith(path.text) or path.text.startswith(entry.rstrip("/") + "/") for entry in allowed):
            return None
        if any(path.text.startswith(entry.partition("*")[0]) for entry in allowed if "*" in entry):
            return None
        # The entry itself, with something computed right behind it, can still be below it: `f"/etc{rest}"`.
        if any(entry == path.text or (entry + "/").startswith(path.text) for entry in allowed):
            return None
    elif (permissions.allows_read if method == "open" else permissions.allows_stat)(path.text):
        return None
    declared = path.text.rpartition("/")[0] or "/" if path.is_prefix else path.text
    return Refused(
        id=UNDECLARED_PATH,
        message=f"host.{method} of {json.dumps(path.text, ensure_ascii=False)[:400]}"
        f"{' and what follows' if path.is_prefix else ''}, which permissions.{key} does not permit",
        advice=f"[permissions] {key} = [{json.dumps(declared, ensure_ascii=False)}]",
    )


def _connect(arguments: Sequence[Argument], permissions: Permissions) -> Refused | Unknown | None:
    host = arguments[0].text
    if host is None or arguments[0].is_prefix:
        return Unknown() if permissions.network else _no_network()
    port = arguments[1].number if len(arguments) > 1 else None
    shown = f"[{host}]" if ":" in host else host.lower()
    peers = [entry for entry in permissions.network if entry.rpartition(":")[0] == shown]
    if peers and (port is None or f"{shown}:{port}" in peers):
        return None
    peer = json.dumps(f"{shown}:{'PORT' if port is None else port}", ensure_ascii=False)
    return Refused(
        id=UNDECLARED_SOCKET,
        message=f"host.connect to {peer[:300]}, which permissions.network does not permit",
        advice=f"[permissions] network = [{peer}]",
    )


def _no_network() -> Refused:
    return Refused(
        id=UNDECLARED_SOCKET,
        message="host.connect, and permissions.network is empty",
        advice='[permissions] network = ["host:port"]',
    )


def _secret(name: Argument, permissions: Permissions) -> Refused | Unknown | None:
    if name.text is None or name.is_prefix:
        return Unknown() if permissions.secrets else _refused_secret("a computed name", '"NAME"')
    shown = json.dumps(name.text, ensure_ascii=False)[:300]
    return None if name.text in permissions.secrets else _refused_secret(shown, shown)


def _refused_secret(shown: str, name: str) -> Refused:
    return Refused(
        id=UNDECLARED_SECRET,
        message=f"host.secret of {shown}, which permissions.secrets does not permit",
        advice=f"[permissions] secrets = [{name}]",
    )
