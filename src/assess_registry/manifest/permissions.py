"""What a plugin asks for, each entry in one normal spelling, so that comparing texts is comparing rights.

read_permissions(Reader({"read": ["/etc/ssh"]}, "permissions", issues)).read    ->    ("/etc/ssh",)
"""

import re
from collections.abc import Iterator
from ipaddress import ip_address
from typing import Any

from assess_plugin.asking import MAX_SECRET_NAME
from assess_plugin.permissions import ANY_ARGUMENT, ANY_CHARACTERS, Permissions, is_normal_path
from assess_registry.manifest.reader import Reader, show

PERMISSION_KEYS = ("read", "stat", "commands", "network", "env", "secrets")

LATER_KEYS = ("secrets",)
"""Not in the signed tables of before there were any; a table that has none of it leaves the key out, then as now."""

MAX_ENTRIES = 200
MAX_ARGUMENTS = 64
MAX_PATH = 1024

_ENV = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}\Z")
ENV_RESERVED_PREFIXES = ("PYTHON", "LD_", "DYLD_", "GLIBC_", "MALLOC_", "ASSESS_")
_OF_A_WORKER = ("PATH", "HOME", "TMPDIR", "TEMP", "TMP", "USER", "LOGNAME", "LANG", "TZ", "OPENBLAS_NUM_THREADS")
_OF_LIBRARIES = ("BASH_ENV", "ENV", "GCONV_PATH", "IFS", "LOCPATH", "NLSPATH", "SHELL")
ENV_RESERVED = frozenset((*_OF_A_WORKER, *_OF_LIBRARIES))
"""Variables that would steer the interpreter, the loader, a shell or ourselves, and those that every worker gets."""

_SECRET = re.compile(rf"[a-z][a-z0-9_-]{{0,{MAX_SECRET_NAME - 1}}}\Z")
_LABEL = r"[a-z0-9_]([a-z0-9_-]*[a-z0-9])?"
_HOST_PORT = re.compile(rf"(?P<host>{_LABEL}(\.{_LABEL})*|\[[0-9a-f:.]+\]):(?P<port>[1-9][0-9]{{0,4}})\Z")


def read_permissions(reader: Reader) -> Permissions:
    """The permissions in this table, each in its one normal spelling."""
    reader.only(PERMISSION_KEYS)
    return Permissions(
        read=reader.items("read", _path, max_items=MAX_ENTRIES),
        stat=reader.items("stat", _path, max_items=MAX_ENTRIES),
        commands=reader.items("commands", _command, max_items=MAX_ENTRIES),
        network=reader.items("network", _host_port, max_items=MAX_ENTRIES),
        env=reader.items("env", _env, max_items=MAX_ENTRIES),
        secrets=reader.items("secrets", _secret, max_items=MAX_ENTRIES),
    )


def needs_connect_api(permissions: Permissions) -> Iterator[tuple[str, str]]:
    """Keys, and what in them only plugin API 1.2 knows: what came before would refuse it, or take a `*` for a `*`."""
    for key, entries in (("read", permissions.read), ("stat", permissions.stat)):
        for number, entry in enumerate(entries):
            if ANY_CHARACTERS in entry:
                yield f"{key}[{number}]", "'*' in a path"
    if permissions.secrets:
        yield "secrets", "a secret"


def _path(value: Any) -> str:
    if isinstance(value, str) and len(value) <= MAX_PATH and is_normal_path(value):
        if ANY_CHARACTERS * 2 in value:
            raise ValueError(f"expected '*' within one component only, there is no '**', got {show(value)}")
        return value
    raise ValueError(f"expected an absolute path without '.', '..', '//' or trailing '/', got {show(value)}")


def _command(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list) or not 1 <= len(value) <= MAX_ARGUMENTS:
        raise ValueError(f"expected an array of 1 to {MAX_ARGUMENTS} arguments, got {show(value)}")
    for argument in value:
        if not isinstance(argument, str) or len(argument) > MAX_PATH or "\0" in argument:
            raise ValueError(f"expected arguments of at most {MAX_PATH} characters, got {show(argument)}")
    program = value[0]
    bare = "/" not in program and program not in ("", ".", "..") and program.isprintable() and program[0] != "-"
    if ANY_ARGUMENT in program or not (bare or (is_normal_path(program) and program != "/")):
        raise ValueError(f"expected a program by its bare name or absolute path, never '*', got {show(program)}")
    return tuple(value)


def _host_port(value: Any) -> str:
    match = _HOST_PORT.match(value) if isinstance(value, str) and len(value) <= 260 else None
    if match is None or int(match["port"]) > 65535:
        raise ValueError(f"expected 'host:port', the host in lower case, got {show(value)}")
    if _is_nobody(match["host"]):
        raise ValueError(f"expected a peer's address, 127.0.0.1 or [::1] for this machine, got {show(value)}")
    return str(value)


def _is_nobody(host: str) -> bool:
    """Whether it is an address that no peer has, and that the kernel takes for loopback."""
    try:
        return ip_address(host.strip("[]")).is_unspecified
    except ValueError:
        return False


def _secret(value: Any) -> str:
    if isinstance(value, str) and _SECRET.match(value):
        return value
    raise ValueError(f"expected a secret's name of lower-case letters, digits, '_' and '-', got {show(value)}")


def _env(value: Any) -> str:
    if not isinstance(value, str) or not _ENV.match(value):
        raise ValueError(f"expected the name of an environment variable, got {show(value)}")
    if value.startswith(ENV_RESERVED_PREFIXES) or value in ENV_RESERVED:
        raise ValueError(f"{value} may not be asked for: it belongs to the interpreter, the loader or the runtime")
    return value
