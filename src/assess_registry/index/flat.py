"""Flat pages for simple clients: `plugins.json` and what it leads to; pure: the same files give the same bytes.

    plugins.json                  where the pages are, and which lists of names there are; under 20 kB for ever
    plugins/<project>.json        a flat list: for each of its wheels the digest, and where its signature and lock are
    plugins/names/<xx>.json       name -> page, of the plugins whose name's SHA-256 begins with <xx>

Who knows a plugin's name reads one file of a few kB, among a hundred thousand plugins as among ten. Who wants them all
reads up to 256 lists. A publish writes the project's page, and the first of a project one list besides (20 kB at
100,000 projects): the cost of one more does not grow with what is there.

The pages have no authority, and dependencies are not in them. Links are relative to the page they stand on.
"""

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator
from typing import Any
from urllib.parse import quote

from assess_registry.errors import ConfigError
from assess_registry.index.pages import PageFile, in_order
from assess_registry.lock import LOCK_NAME, specifier_text
from assess_registry.names import ProjectName, parse_project
from assess_registry.signatures import SIGNATURE_SUFFIX

FLAT_SCHEMA = 1
FLAT_ROOT = "plugins.json"
PAGE_TEMPLATE = "plugins/{name}.json"
NAMES_TEMPLATE = "plugins/names/{shard}.json"
SHARD_DIGITS = 2

Read = Callable[[str], bytes | None]
"""The content of a file by its path below the registry's root; None when there is none."""


def page_path(project: str) -> str:
    """Where a project's flat page lies, below the registry's root."""
    return PAGE_TEMPLATE.format(name=project)


def names_path(shard: str) -> str:
    """Where a list of names lies, below the registry's root."""
    return NAMES_TEMPLATE.format(shard=shard)


def shard_of(project: str) -> str:
    """In which list of names a project is: spread evenly, whatever projects are called."""
    return hashlib.sha256(project.encode()).hexdigest()[:SHARD_DIGITS]


def changed_flat_files(
    project: ProjectName, files: Iterable[PageFile], *, read: Read
) -> Iterator[tuple[str, bytes | None]]:
    """What a publish has to write for one project, in this order: path below the root, and content; None to remove it.

    Each page comes before the list that names it, and that before the root; a list goes after the root has ceased to
    name it. Written again, nothing changes.

    Args:
        project: a plugin's.
        files: its wheels, plugins only, revoked ones left out; without any, it is in no list any more.
        read: gives what is published now.

    Raises:
        ConfigError: a published list is not what was written there.
    """
    ordered = tuple(files)
    yield page_path(project), flat_page(project, ordered)
    shard = shard_of(project)
    names = _published_names(names_path(shard), read)
    names = names | {project} if ordered else names - {project}
    if names:
        yield names_path(shard), flat_names(names)
        yield FLAT_ROOT, flat_root({*_published_shards(read), shard})
    else:
        yield FLAT_ROOT, flat_root(_published_shards(read) - {shard})
        yield names_path(shard), None


def all_flat_files(projects: Iterable[tuple[ProjectName, Iterable[PageFile]]]) -> Iterator[tuple[str, bytes]]:
    """All flat pages of a registry, made from nothing but its files: for a new or a repaired one.

    A plugin without any has a page, which says so, and is in no list.
    """
    shards: dict[str, set[ProjectName]] = {}
    for project, files in projects:
        ordered = tuple(files)
        yield page_path(project), flat_page(project, ordered)
        if ordered:
            shards.setdefault(shard_of(project), set()).add(project)
    for shard, names in sorted(shards.items()):
        yield names_path(shard), flat_names(names)
    yield FLAT_ROOT, flat_root(shards)


def flat_page(project: ProjectName, files: Iterable[PageFile]) -> bytes:
    """`plugins/<project>.json`."""
    return _json({"schema": FLAT_SCHEMA, "name": project, "plugins": [_entry(file) for file in in_order(files)]})


def flat_names(names: Iterable[ProjectName]) -> bytes:
    """`plugins/names/<xx>.json`."""
    return _json({"schema": FLAT_SCHEMA, "plugins": {name: f"../{name}.json" for name in sorted(names)}})


def flat_root(shards: Iterable[str]) -> bytes:
    """`plugins.json`."""
    return _json(
        {
            "schema": FLAT_SCHEMA,
            "page": PAGE_TEMPLATE,
            "names": {shard: names_path(shard) for shard in sorted(set(shards))},
        }
    )


def _entry(file: PageFile) -> dict[str, Any]:
    directory = f"../files/{file.project}/{quote(file.version)}"
    artifact = f"{directory}/{quote(file.filename)}"
    entry: dict[str, Any] = {
        "name": file.project,
        "version": file.version,
        "artifact": artifact,
        "size": file.size,
        "sha256": file.sha256,
        "signature": artifact + SIGNATURE_SUFFIX,
        "lock": f"{directory}/{LOCK_NAME}",
    }
    if file.requires_python:
        entry["requires_python"] = specifier_text(file.requires_python)
    if file.yanked is not None:
        entry["yanked"] = file.yanked
    return entry


def _published_names(path: str, read: Read) -> frozenset[ProjectName]:
    table = _published(path, "plugins", read)
    try:
        return frozenset(parse_project(name) for name in table)
    except ValueError as error:
        raise _damaged(path, str(error)) from error


def _published_shards(read: Read) -> frozenset[str]:
    shards = frozenset(_published(FLAT_ROOT, "names", read))
    if any(len(shard) != SHARD_DIGITS or set(shard) - set("0123456789abcdef") for shard in shards):
        raise _damaged(FLAT_ROOT, "names: expected two hexadecimal digits each")
    return shards


def _published(path: str, key: str, read: Read) -> dict[str, Any]:
    data = read(path)
    if data is None:
        return {}
    try:
        table = json.loads(data)[key]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise _damaged(path, repr(error)) from error
    if not isinstance(table, dict):
        raise _damaged(path, f"{key}: expected an object")
    return table


def _damaged(path: str, why: str) -> ConfigError:
    return ConfigError(f"{path}: not what was written here ({why[:200]}); put it back from a copy of the registry")


def _json(value: dict[str, Any]) -> bytes:
    return (json.dumps(value, indent=1, ensure_ascii=True, allow_nan=False) + "\n").encode()
