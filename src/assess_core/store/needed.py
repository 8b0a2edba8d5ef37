"""Which environments somebody may want back, by what is on record: the rules of `prune.py`, without a change."""

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby

from assess_core.store.active import read_pointer
from assess_core.store.layout import DamagedError
from assess_core.store.records import Record
from assess_core.store.store import Store
from assess_registry.client import ProjectName

_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class Known:
    """An environment that has a record; None where that cannot be read."""

    env_key: str
    record: Record | None = None

    @property
    def distribution(self) -> ProjectName | None:
        """Whose it is, if that is known."""
        return None if self.record is None else self.record.plugin.distribution

    @property
    def version(self) -> str:
        """Which version of it, if that is known."""
        return "" if self.record is None else self.record.plugin.version


@dataclass(frozen=True, kw_only=True, slots=True)
class Needed:
    """All environments with a record, and the keys of those that are needed, with a record or without."""

    known: tuple[Known, ...]
    keys: frozenset[str]


def needed(store: Store, *, keep: int) -> Needed:
    """What serves, `keep` older ones of each distribution that serves, what is pinned, and what waits for consent.

    Of a distribution whose pointer, consents or choices are damaged, everything.

    Raises:
        StoreError: the state directory may not be read.
    """
    known = tuple(_known(store))
    named = sorted((each for each in known if each.distribution is not None), key=lambda each: str(each.distribution))
    keys: set[str] = set()
    for distribution in store.distributions():
        pointer = store.pointer(distribution)
        keys |= {pointer.env_key} if pointer is not None else set()
    for distribution, group in groupby(named, key=lambda each: each.distribution):
        if distribution is not None:
            keys |= _of(distribution, list(group), store, keep)
    return Needed(known=known, keys=frozenset(keys))


def _known(store: Store) -> Iterator[Known]:
    for path in sorted(store.layout.path("installed").glob("*.json")):
        if path.name.startswith("."):
            continue
        try:
            yield Known(env_key=path.stem, record=store.read_record(path.stem))
        except DamagedError as error:
            _log.warning("%s", error, extra={"action": "store-damaged"})
            yield Known(env_key=path.stem)


def _of(distribution: ProjectName, mine: list[Known], store: Store, keep: int) -> set[str]:
    try:
        pointer = read_pointer(store.layout, distribution)
        waiting = store.consents(distribution).waiting
        pin = store.choices(distribution).pin
    except DamagedError as error:
        _log.warning("%s", error, extra={"action": "store-damaged", "distribution": distribution})
        return {each.env_key for each in mine}
    found = set()
    for each in mine:
        assert each.record is not None, each  # noqa: S101  it has a distribution
        plugin = each.record.plugin
        if (waiting and waiting.sha256 == plugin.sha256) or (pin and pin.names(plugin.version)):
            found.add(each.env_key)
    if pointer is None:  # nothing of it serves, so nothing can be gone back to
        return found
    # What served before comes first, then the newest: in this order one would go back. Not to one whose Python is gone.
    older = sorted(
        (each for each in mine if each.env_key != pointer.env_key and store.record(each.env_key) is not None),
        key=lambda each: (each.env_key == pointer.previous, each.record.plugin.installed_at if each.record else None),
        reverse=True,
    )
    return found | {pointer.env_key, *(each.env_key for each in older[:keep])}
