"""Single values of a configuration file: each function returns the value, or says in one sentence what is wrong.

Pure: nothing here reads a file, a clock or the environment, and nothing knows which key it serves.
"""

import ipaddress
import re
from collections.abc import Hashable, Mapping
from datetime import date, datetime
from pathlib import Path
from typing import Any, Literal, TypeVar

from packaging.specifiers import InvalidSpecifier, SpecifierSet

from assess_core.grants import Ceiling
from assess_core.schedule import parse_duration, parse_zone
from assess_core.secrets import SecretSource
from assess_registry.client import (
    Access,
    ConfigError,
    Credentials,
    Issue,
    PluginName,
    ProjectName,
    absolute_url,
    normalize_project,
    parse_base,
    parse_id,
    parse_plugin_name,
    parse_project,
    read_ceiling,
)

MAX_TIMEOUT_S = 86_400.0
"""A day. A longer deadline is a typing error or is meant to be none, and there is no working without one."""

MAX_STALENESS_D = 3650.0
"""Ten years, which is also the client's bound."""

APPROVED = "approved"
"""The grant of all that a plugin's manifest asks for, and reviewers approved."""

MAX_CALLS = 1000
MAX_WORKERS = 64

MAX_RETRIES = 5
MAX_RETRY_AFTER_S = 3600.0

MAX_EVIDENCE_MIB = 1024 * 1024
"""A TiB, in one file of SQLite."""

MAX_LABEL = 200
MAX_SUBJECT = 1000
MAX_PATTERN = 100
MAX_RUNTIME_ID = 100

_RUNTIME_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*\Z", re.ASCII)
_PATTERN = re.compile(r"[a-z0-9*?._-]+\Z", re.ASCII)

Item = TypeVar("Item", bound=Hashable)


def runtime_id(text: str) -> str:
    """The name of a runtime: letters, digits, `.`, `_`, `-`, as host names have."""
    if len(text) > MAX_RUNTIME_ID or not _RUNTIME_ID.match(text):
        raise ValueError(
            f"expected 1 to {MAX_RUNTIME_ID} letters, digits, '.', '_' or '-', beginning with a letter or digit"
        )
    return text


def host_name(name: str) -> str:
    """A runtime id made of what the system calls this machine; never empty."""
    return re.sub(r"[^A-Za-z0-9._-]", "-", name)[:MAX_RUNTIME_ID].lstrip("._-") or "localhost"


def identifier(text: str) -> str:
    """The id of an assessment."""
    return parse_id(text)


def plugin_name(text: str) -> PluginName:
    """The name of a plugin or provider."""
    return parse_plugin_name(text)


def project_name(text: str) -> ProjectName:
    """The name of a distribution, in its normal form; the refusal says what that would be."""
    try:
        return parse_project(text)
    except ValueError as error:
        try:
            normal = normalize_project(text)
        except ValueError:
            raise error from None
        raise ValueError(f"not normalised (PEP 503): write {normal!r}") from error


def version_specifier(text: str) -> str:
    """A set of versions (PEP 440); the empty set of conditions is every version."""
    try:
        return str(SpecifierSet(text))
    except InvalidSpecifier as error:
        raise ValueError(
            "not a version specifier (PEP 440): write for example '~=1.2', '==1.2.0' or '>=1,<2'"
        ) from error


def check_pattern(text: str) -> str:
    """A check id, or a pattern of them: `*` is any text, `?` any one character."""
    if len(text) > MAX_PATTERN or not _PATTERN.match(text):
        raise ValueError(f"expected a check id or a pattern with '*' and '?', of 1 to {MAX_PATTERN} characters")
    return text


def label(text: str) -> str:
    """A key or a value of a label."""
    if not text or len(text) > MAX_LABEL or not text.isprintable():
        raise ValueError(f"expected 1 to {MAX_LABEL} printable characters")
    return text


def seconds(value: float) -> float:
    """A deadline: more than nothing, at most a day, and a number."""
    if not 0 < value <= MAX_TIMEOUT_S:  # false for NaN too
        raise ValueError(f"expected more than 0 and at most {MAX_TIMEOUT_S:g} seconds")
    return value


def days(value: float) -> float:
    """A time: none to ten years, and a number."""
    if not 0 <= value <= MAX_STALENESS_D:  # false for NaN too
        raise ValueError(f"expected 0 to {MAX_STALENESS_D:g} days")
    return value


def lateness(value: float) -> float:
    """How late something may be: a second, which is how often the clock is looked at, to a day."""
    if not 1 <= value <= MAX_TIMEOUT_S:  # false for NaN too
        raise ValueError(f"expected 1 to {MAX_TIMEOUT_S:g} seconds")
    return value


def retries(value: int) -> int:
    """How often something is asked again."""
    if not 0 <= value <= MAX_RETRIES:
        raise ValueError(f"expected 0 to {MAX_RETRIES} retries")
    return value


def retry_after(value: float) -> float:
    """Seconds before something is asked again."""
    if not 0 < value <= MAX_RETRY_AFTER_S:  # false for NaN too
        raise ValueError(f"expected more than 0 and at most {MAX_RETRY_AFTER_S:g} seconds")
    return value


def duration(text: str) -> str:
    """A number and its unit: `90s`, `15m`, `4h`, `1d`; `0s` is none."""
    parse_duration(text)
    return text


def time_zone(name: str) -> str:
    """A time zone that this machine knows."""
    return parse_zone(name)


def moment(value: object) -> object:
    """A TOML date-time that says which moment it means."""
    if not isinstance(value, datetime) or value.tzinfo is None:
        raise ValueError("expected a date-time with its offset, unquoted: 2027-03-28T02:00:00+01:00")
    return value


def day(value: object) -> object:
    """A TOML date."""
    if not isinstance(value, date) or isinstance(value, datetime):
        raise ValueError("expected a date, unquoted: 2027-03-31")
    return value


def subject_id(text: str) -> str:
    """A subject, exactly as results name it."""
    if not text or len(text) > MAX_SUBJECT or not text.isprintable():
        raise ValueError(f"expected 1 to {MAX_SUBJECT} printable characters")
    return text


def reason(text: str) -> str:
    """A sentence by somebody for somebody else."""
    if not text.strip() or len(text) > MAX_SUBJECT or not text.isprintable():
        raise ValueError(f"expected 1 to {MAX_SUBJECT} printable characters, and not only spaces")
    return text


def kept_days(value: int) -> int:
    """How long results are kept; at least a day."""
    if not 1 <= value <= MAX_STALENESS_D:
        raise ValueError(f"expected 1 to {MAX_STALENESS_D:g} days")
    return value


def notice_days(value: int) -> int:
    """How long before something happens it is said."""
    if not 0 <= value <= 366:
        raise ValueError("expected 0 to 366 days")
    return value


def mebibytes(value: int) -> int:
    """How much room something may take."""
    if not 1 <= value <= MAX_EVIDENCE_MIB:
        raise ValueError(f"expected 1 to {MAX_EVIDENCE_MIB} MiB")
    return value


def loopback(text: str) -> str:
    """`ADDRESS:PORT` that this machine alone can reach; an empty text is none."""
    host, _, port = text.rpartition(":")
    inner = host[1:-1] if host.startswith("[") and host.endswith("]") else host
    try:
        address = ipaddress.ip_address(inner)
    except ValueError:
        address = None
    number = int(port) if port.isascii() and port.isdecimal() and len(port) <= 5 else 65536
    right = (
        address is not None and "%" not in text and address.is_loopback and (host != inner) == (address.version == 6)
    )
    if text and not (right and number <= 65535):
        raise ValueError("expected a loopback address and a port: '127.0.0.1:9464' or '[::1]:9464'")
    return text


def calls(value: int) -> int:
    """How many calls at a time; 0 leaves it to the number of processors."""
    if not 0 <= value <= MAX_CALLS:
        raise ValueError(f"expected 0 to {MAX_CALLS} calls")
    return value


def workers(value: int) -> int:
    """How many processes of one distribution."""
    if not 1 <= value <= MAX_WORKERS:
        raise ValueError(f"expected 1 to {MAX_WORKERS} processes")
    return value


def proxy_url(text: str) -> str:
    """`http://HOST:PORT`, as the client accepts it."""
    try:
        return Access(proxy=text).proxy
    except ConfigError as error:
        raise ValueError(str(error).removeprefix("registry proxy: ")) from error


def credentials(table: Mapping[str, str], directory: Path) -> Credentials:
    """Who asks, and where the secret is; a relative `file` is taken from `directory`."""
    kind: Literal["basic", "bearer"]
    match table.get("kind"):
        case "basic":
            kind = "basic"
        case "bearer":
            kind = "bearer"
        case _:
            raise ValueError('expected kind = "basic" or kind = "bearer"')
    if unknown := sorted(table.keys() - {"kind", "user", "file", "env"}):
        raise ValueError(f"expected kind, user, file and env, got also {', '.join(map(repr, unknown))}")
    file = absolute_path(table["file"], directory) if "file" in table else None
    try:
        return Credentials(kind=kind, user=table.get("user", ""), file=file, env=table.get("env", ""))
    except ConfigError as error:
        raise ValueError(str(error).removeprefix("registry credentials: ")) from error


def grant_of_all_or_table(value: object) -> object:
    """`"approved"`, or a table; what stands in the table is for `ceiling_of` to say."""
    if value != APPROVED and not isinstance(value, Mapping):
        raise ValueError(f'expected "{APPROVED}", or a table of what is granted at most')
    return value


def ceiling_of(table: Mapping[str, Any]) -> tuple[Ceiling, tuple[Issue, ...]]:
    """What is granted at most, and what is wrong with it; only without an issue may it be used."""
    permissions, issues = read_ceiling(table)
    return Ceiling(permissions=permissions, keys=frozenset(table)), issues


def secret_source(text: str) -> str:
    """Where a secret is: `env:VARIABLE`, `file:/PATH` or `credential:NAME`. Never the secret."""
    SecretSource.parse(text)
    return text


def absolute_path(text: str, directory: Path) -> Path:
    """The path, taken from `directory` if it is relative. `~` is not a directory here: no shell reads this file."""
    if not text or not text.isprintable():
        raise ValueError("expected a path, of printable characters")
    if text.startswith("~"):
        raise ValueError("'~' is not expanded: write the whole path, or one relative to this file")
    return directory / text


def registry_url(text: str, directory: Path) -> str:
    """The root of a registry, absolute; a relative `file:` path is taken from `directory`.

    What the client would refuse when it connects is refused here, with all other problems of the file.
    """
    url = absolute_url(text, directory=directory)
    parse_base(url)
    return url


def something(items: tuple[Item, ...]) -> tuple[Item, ...]:
    """At least one item."""
    if not items:
        raise ValueError("expected at least one; leave the key out for the default")
    return items


def nothing_twice(items: tuple[Item, ...]) -> tuple[Item, ...]:
    """Each item once."""
    twice = sorted({repr(item) for item in items if items.count(item) > 1})
    if twice:
        raise ValueError(f"given twice: {', '.join(twice)}")
    return items
