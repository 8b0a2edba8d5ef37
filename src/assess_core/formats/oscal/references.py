"""What neither OSCAL's schema nor trestle notices: references into nothing, malformed hashes; and double uuids."""

import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

_SHA256 = re.compile(r"[0-9a-f]{64}\Z", re.ASCII)


def faults(document: Any) -> tuple[str, ...]:
    """One sentence for each fault of a document; empty when there is none."""
    defined: Counter[str] = Counter()
    referred: set[str] = set()
    hashes: list[str] = []
    for key, value in _entries(document):
        if key == "uuid":
            defined[value] += 1
        elif key.endswith("-uuid"):
            referred.add(value)
        elif key == "href" and value.startswith("#"):
            referred.add(value[1:])
        elif key == "sha-256":
            hashes.append(value)
    return (
        *(f"uuid {uuid} is there {count} times" for uuid, count in defined.items() if count > 1),
        *(f"uuid {uuid} is referred to and not there" for uuid in sorted(referred - defined.keys())),
        *(f"{value!r} is no sha256" for value in hashes if not _SHA256.match(value)),
    )


def _entries(value: Any) -> Iterator[tuple[str, str]]:
    """Every key with a text, at any depth."""
    if isinstance(value, dict):
        if value.get("algorithm") == "SHA-256":
            yield "sha-256", value["value"]
        for key, item in value.items():
            if isinstance(item, str):
                yield key, item
            else:
                yield from _entries(item)
    elif isinstance(value, list):
        for item in value:
            yield from _entries(item)
