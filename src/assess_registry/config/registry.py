"""Tables `[registry]`, `[targets]` and `[expiry]` become values; every mistake is noted in the readers' issues."""

import ipaddress
import re
from collections.abc import Callable
from dataclasses import asdict
from urllib.parse import unquote, urlsplit

from assess_registry.config.values import Expiry, Targets
from assess_registry.manifest.reader import Reader, show
from assess_registry.names import parse_id

REGISTRY_KEYS = ("name", "development", "base_url")
TARGETS_KEYS = ("pythons", "platforms")
EXPIRY_KEYS = ("root_d", "targets_d", "bins_d", "snapshot_d", "timestamp_d")

MAX_EXPIRY_D = 3650

_MAX_ITEMS = 100
# A URL parser drops control characters, and what it returns would then be about another text than this one.
_URL = re.compile(r"https?://[A-Za-z0-9.:\[\]-]{1,300}/([A-Za-z0-9._~%/-]{0,500}/)?\Z", re.ASCII)
_PYTHON = re.compile(r"3\.(0|[1-9][0-9]?)\Z", re.ASCII)
# PEP 600, PEP 656 and what packaging.tags gives on macOS and Windows. The old names of manylinux are left out: a wheel
# that bears one is found by the new name, and a list with both would look as if it meant two platforms.
_PLATFORM = re.compile(
    r"((many|musl)linux_[1-9][0-9]*_[0-9]+|macosx_[1-9][0-9]+_[0-9]+|linux)_[a-z0-9_]*[a-z0-9]\Z|win(32|_amd64|_arm64)\Z",
    re.ASCII,
)


def read_registry(document: Reader) -> tuple[str, bool, str]:
    """`name`, `development` and `base_url` of `[registry]`, which has to be there."""
    table = document.table.get("registry")
    if not isinstance(table, dict):
        got = "nothing" if table is None else show(table)
        document.refuse("wrong-type", "registry", f"expected a table, got {got}")
        return "", False, ""
    registry = document.table_of("registry")
    registry.only(REGISTRY_KEYS)
    name = _name(registry)
    development = registry.boolean("development", default=False)
    base_url = registry.parsed("base_url", _base_url, "") if "base_url" in registry.table else ""
    return name, development, base_url


def read_targets(document: Reader) -> Targets:
    """`[targets]`, with the default for every key that is absent."""
    table = document.table_of("targets")
    table.only(TARGETS_KEYS)
    standard = Targets()
    return Targets(
        pythons=_listed(table, "pythons", _python, standard.pythons),
        platforms=_listed(table, "platforms", _platform, standard.platforms),
    )


def read_expiry(document: Reader) -> Expiry:
    """`[expiry]`, with the default for every key that is absent."""
    table = document.table_of("expiry")
    table.only(EXPIRY_KEYS)
    standard = asdict(Expiry())
    return Expiry(**{key: table.integer(key, low=1, high=MAX_EXPIRY_D, default=standard[key]) for key in EXPIRY_KEYS})


def _listed(table: Reader, key: str, parse: Callable[[object], str], default: tuple[str, ...]) -> tuple[str, ...]:
    if key not in table.table:
        return default
    if table.table[key] == []:
        table.refuse("bad-value", key, "an empty list would serve nobody; leave the key out for the default")
    return table.items(key, parse, max_items=_MAX_ITEMS)


def _name(registry: Reader) -> str:
    value = registry.table.get("name")
    try:
        if not isinstance(value, str):
            got = "nothing" if value is None else show(value)
            raise ValueError(f"expected a name in quotes, got {got}")
        return parse_id(value)
    except ValueError as error:
        registry.refuse("bad-value", "name", str(error))
        return ""


def _base_url(text: str) -> str:
    if "@" in text:
        raise ValueError("a URL that everybody reads holds no user and no password")
    problem = ValueError(f"expected https://HOST/PATH/ with a slash at its end, got {show(text)}")
    if not _URL.match(text):
        raise problem
    try:
        parts = urlsplit(text)
        host, _ = parts.hostname, parts.port  # `port` raises when it is none
    except ValueError as error:
        raise problem from error
    if not host or any(unquote(segment) in (".", "..") for segment in parts.path.split("/")):
        raise problem
    if parts.scheme == "http" and not _is_loopback(host):
        raise ValueError(f"plain http is for loopback only: write https://{parts.netloc}{parts.path}")
    return text


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _python(value: object) -> str:
    if not isinstance(value, str) or not _PYTHON.match(value):
        raise ValueError(f"expected a version of Python as in '3.12', got {show(value)}")
    return value


def _platform(value: object) -> str:
    if not isinstance(value, str) or not _PLATFORM.match(value):
        raise ValueError(f"expected a platform's tag as in 'manylinux_2_28_x86_64', got {show(value)}")
    return value
