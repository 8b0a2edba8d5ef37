"""A state directory of an older layout becomes one of this release's, in place, whoever is killed in the middle.

    1 -> 2   leases/, choices/, quarantine/ and trials/ are there; nothing that was there changes

Each migration may be begun again after any part of it: it runs under the store's lock, and the number in `layout.json`
is written after all of them. Until then the directory is of the old layout, which this release reads as it is: a state
directory that may not be written to need not be upgraded to be used. An older release refuses the new number, and so
never removes what a newer one has leased.
"""

from collections.abc import Callable, Mapping
from pathlib import Path

from assess_core.store.disk import make_directory

LAYOUT = 2
"""Version of the state directory's layout."""


def _with_leases_and_choices(root: Path) -> None:
    # By name, although a directory of this release's is made with them: what 2 is does not change with later layouts.
    for name in ("leases", "choices", "quarantine", "trials"):
        make_directory(root / name)


MIGRATIONS: Mapping[int, Callable[[Path], None]] = {1: _with_leases_and_choices}
"""Layout -> what makes the next one of it. Only ever added to: directories of any of them are out there."""


def migrate(root: Path, found: int) -> None:
    """The state directory, which has layout `found`, holds what one of this release's layout does.

    Raises:
        OSError: there is no room or no right; it can be begun again.
    """
    for layout in range(found, LAYOUT):
        MIGRATIONS[layout](root)
