"""Files among the store's records that count as not there: nobody's, or damaged."""

from collections.abc import Iterator
from pathlib import Path

from assess_core.store.active import distribution_of
from assess_core.store.layout import DamagedError, Layout, explained
from assess_core.store.store import Store

KINDS = ("active", "consents", "choices", "quarantine")
"""Directories with a file for each distribution."""


def stray_records(layout: Layout) -> tuple[Path, ...]:
    """Every file that lies where a distribution's record would, and has no distribution's name.

    Raises:
        StoreError: the directory may not be read.
    """
    with explained(layout.root):
        return tuple(path for kind in KINDS for path in _records(layout, kind) if distribution_of(path) is None)


def damaged_records(layout: Layout) -> Iterator[DamagedError]:
    """What is wrong with each environment's record that cannot be read.

    Raises:
        StoreError: the directory, or one of them, may not be read.
    """
    store = Store(layout.root)
    with explained(layout.root):
        keys = [path.stem for path in _records(layout, "installed")]
    for key in keys:
        try:
            store.read_record(key)
        except DamagedError as error:
            yield error


def _records(layout: Layout, kind: str) -> list[Path]:
    return sorted(path for path in layout.path(kind).glob("*.json") if not path.name.startswith("."))
