"""The flat pages of an index read strictly: bytes in, what they list out, or the first thing that is wrong with them.

They have no authority, but they are the first thing a stranger can make a simple client read. A link leads to the one
place where its file lies, or the page is refused; keys that nobody knows are refused too: schema 1 has no more.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import quote

from packaging.specifiers import SpecifierSet
from packaging.utils import parse_wheel_filename

from assess_registry.client.location import Base, Location
from assess_registry.client.page import MAX_FILENAME, MAX_FILES, MAX_TAGS
from assess_registry.client.strict_json import parse_json
from assess_registry.errors import TrustError
from assess_registry.index.flat import FLAT_ROOT, FLAT_SCHEMA, PAGE_TEMPLATE, names_path, page_path, shard_of
from assess_registry.lock import LOCK_NAME, MAX_LOCKED_BYTES
from assess_registry.names import ProjectName, Sha256, parse_project, parse_sha256, parse_version
from assess_registry.signatures import SIGNATURE_SUFFIX

Value = TypeVar("Value")

_REQUIRED = frozenset(("name", "version", "artifact", "size", "sha256", "signature", "lock"))
_OPTIONAL = frozenset(("requires_python", "yanked"))


@dataclass(frozen=True, kw_only=True, slots=True)
class RegistryEntry:
    """One wheel of a plugin, as a flat page lists it.

    Attributes:
        artifact, signature, lock: absolute URLs.
        requires_python: PEP 440 specifier; empty for any.
        yanked: why it was withdrawn; None when it was not.
    """

    name: ProjectName
    version: str
    filename: str
    artifact: str
    size: int
    sha256: Sha256
    signature: str
    lock: str
    requires_python: str
    yanked: str | None


def parse_root(data: bytes, base: Base) -> tuple[str, ...]:
    """The lists of names that `plugins.json` names.

    Raises:
        TrustError: step `index`.
    """

    def parse() -> tuple[str, ...]:
        table = _document(data, "page", "names")
        _equal(table["page"], PAGE_TEMPLATE, "page")
        names = _typed(table["names"], dict, "names")
        for shard, link in names.items():
            if len(shard) != 2 or set(shard) - set("0123456789abcdef"):
                raise ValueError(f"names: expected two hexadecimal digits, got {_shown(shard)}")
            _equal(link, names_path(shard), f"names.{shard}")
        return tuple(names)

    return _read(parse, base, FLAT_ROOT)


def parse_names(data: bytes, shard: str, base: Base) -> tuple[ProjectName, ...]:
    """The names in one list.

    Raises:
        TrustError: step `index`.
    """

    def parse() -> tuple[ProjectName, ...]:
        plugins = _typed(_document(data, "plugins")["plugins"], dict, "plugins")
        for name, link in plugins.items():
            if shard_of(parse_project(name)) != shard:
                raise ValueError(f"{name}: does not belong into list {shard}")
            _equal(link, f"../{name}.json", name)
        return tuple(parse_project(name) for name in plugins)

    return _read(parse, base, names_path(shard))


def parse_entries(data: bytes, project: ProjectName, base: Base) -> tuple[RegistryEntry, ...]:
    """The wheels on a project's page.

    Raises:
        TrustError: step `index`.
    """

    def parse() -> tuple[RegistryEntry, ...]:
        table = _document(data, "name", "plugins")
        _equal(table["name"], project, "name")
        plugins = _typed(table["plugins"], list, "plugins")
        if len(plugins) > MAX_FILES:
            raise ValueError(f"plugins: expected at most {MAX_FILES}, got {len(plugins)}")
        entries = tuple(_entry(entry, f"plugins[{at}]", project, base) for at, entry in enumerate(plugins))
        if len({entry.filename for entry in entries}) != len(entries):
            raise ValueError("plugins: a wheel is listed twice")
        return entries

    return _read(parse, base, page_path(project))


def _entry(value: Any, where: str, project: ProjectName, base: Base) -> RegistryEntry:
    table = _typed(value, dict, where)
    if not table.keys() >= _REQUIRED or table.keys() - _REQUIRED - _OPTIONAL:
        raise ValueError(f"{where}: expected {', '.join(sorted(_REQUIRED))}, got {_shown(', '.join(table))}")
    _equal(table["name"], project, f"{where}.name")
    artifact = _typed(table["artifact"], str, f"{where}.artifact")
    location = base.locate(Location(page_path(project)), artifact)
    filename = location.rpartition("/")[2]
    version = _version(filename, project)
    directory = f"../files/{project}/{quote(version)}"
    _equal(table["version"], version, f"{where}.version")
    _equal(artifact, f"{directory}/{quote(filename)}", f"{where}.artifact")
    _equal(table["signature"], artifact + SIGNATURE_SUFFIX, f"{where}.signature")
    _equal(table["lock"], f"{directory}/{LOCK_NAME}", f"{where}.lock")
    size = table["size"]
    if type(size) is not int or not 0 < size <= MAX_LOCKED_BYTES:
        raise ValueError(f"{where}.size: expected a number of bytes, got {_shown(size)}")
    yanked = table.get("yanked")
    return RegistryEntry(
        name=project,
        version=version,
        filename=filename,
        artifact=base.url_of(location),
        size=size,
        sha256=parse_sha256(_typed(table["sha256"], str, f"{where}.sha256")),
        signature=base.url_of(Location(location + SIGNATURE_SUFFIX)),
        lock=base.url_of(Location(f"files/{project}/{version}/{LOCK_NAME}")),
        # An InvalidSpecifier is a ValueError.
        requires_python=str(SpecifierSet(_typed(table.get("requires_python", ""), str, f"{where}.requires_python"))),
        yanked=None if yanked is None else _typed(yanked, str, f"{where}.yanked"),
    )


def _version(filename: str, project: ProjectName) -> str:
    # Before it is parsed: a name may expand to as many tags as the product of its sets, and a page of such to hours.
    sets = [len(part.split(".")) for part in filename.rsplit("-", 3)[1:]]
    if len(filename) > MAX_FILENAME or math.prod(sets) > MAX_TAGS:
        raise ValueError(f"{_shown(filename)} is longer, or has more tags, than any wheel's name")
    parse_wheel_filename(filename)  # InvalidWheelFilename is a ValueError
    name, version = filename.split("-")[:2]
    # As spelled: `Demo_Plugin` or `demo.plugin` normalise alike, and a name with two spellings has a twin.
    _equal(name, project.replace("-", "_"), "filename")
    return str(parse_version(version))


def _document(data: bytes, *keys: str) -> Mapping[str, Any]:
    table: dict[str, Any] = _typed(parse_json(data), dict, "page")
    _equal(table.get("schema"), FLAT_SCHEMA, "schema")
    if table.keys() != {"schema", *keys}:
        raise ValueError(f"expected the keys schema, {', '.join(keys)}, got {_shown(', '.join(table))}")
    return table


def _read(parse: Callable[[], Value], base: Base, path: str) -> Value:
    try:
        return parse()
    except ValueError as error:
        raise TrustError(
            f"this page of the index cannot be believed: {error}",
            step="index",
            thing=base.url_of(Location(path)),
            next_step="do not use this index until its maintainer has explained the page",
        ) from error


def _typed(value: Any, kind: type, what: str) -> Any:
    if not isinstance(value, kind):
        raise ValueError(f"{what}: expected {kind.__name__}, got {_shown(value)}")
    return value


def _equal(value: object, expected: object, what: str) -> None:
    if value != expected or type(value) is not type(expected):
        raise ValueError(f"{what}: expected {_shown(expected)}, got {_shown(value)}")


def _shown(value: object) -> str:
    return ascii(value if isinstance(value, str | int | float | bool | None) else type(value).__name__)[:200]
