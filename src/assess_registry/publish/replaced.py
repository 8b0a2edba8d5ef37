"""What replacing published bytes takes care of, in a development registry: pages before, locks of others after."""

from collections.abc import Iterator, Sequence

from assess_registry.files import read_bounded
from assess_registry.index.plan import PlannedFile
from assess_registry.index.tree import Tree, digest
from assess_registry.lock import MAX_LOCK_BYTES, parse_lock
from assess_registry.publish.listing import Listing


def take_off_pages(tree: Tree, listing: Listing, changes: Sequence[PlannedFile]) -> None:
    """No page names a wheel of a version whose files are about to change."""
    versions = {(file.project, file.version) for file in changes}
    for project in sorted({project for project, _ in versions}):
        names = {name for other, version in versions if other == project for name in tree.wheels(project, version)}
        listing.write(project, without=names)


def stale_locks(tree: Tree, replaced: Sequence[str]) -> Iterator[str]:
    """Locks that name a replaced wheel with the digest it had."""
    for path in tree.locks():
        entries = parse_lock(read_bounded(path, MAX_LOCK_BYTES)).wheels
        named = [each for each in entries if each.filename in replaced]
        if any(digest(tree.file(each.project, each.version, each.filename))[0] != each.sha256 for each in named):
            yield path.relative_to(tree.root).as_posix()
