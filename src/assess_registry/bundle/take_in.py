"""A bundle into a site: verified in full in a private directory, then put into place so that readers never see half.

1. Open the bundle; lock the site; remove what killed imports left.
2. Gather from it as from any registry, by the operator's own root: what is verified is copied as it is read.
3. Nothing may be left over: a member that nobody vouches for is not taken along, and the bundle is refused.
4. Say what the site's word will be, the registry's own or one under the site's root.
5. Put the whole site together as it will be, with what earlier bundles brought; pages are made anew.
6. Compare, and look whether everything that differs can be put into its place. Up to here the site is not changed.
7. Write: dependencies, then what lies beside plugins' wheels, then the wheels; the pages; signed pages under their
   digest, bins, targets, the first root, snapshot, later roots, and last the timestamp.
8. Remove pages of what is gone, and what killed imports left.

Killed anywhere, readers of the site see what they saw, and the same import finishes the work. A refused bundle changes
nothing that is served; what its metadata proved to be newer is remembered, so that nothing older gets in afterwards.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from assess_registry.bundle.archive import Bundle, Carried, open_bundle
from assess_registry.bundle.arrange import arrange
from assess_registry.bundle.earlier import Damaged
from assess_registry.bundle.gather import MEMORY, Gathered, Origin, gather
from assess_registry.bundle.staging import private_directory, sweep
from assess_registry.bundle.way import is_directory, is_file, require_writable
from assess_registry.config import CONFIG_NAME, KEEPING, Expiry
from assess_registry.errors import ConfigError, TrustError
from assess_registry.files import file_lock, read_bounded
from assess_registry.index.create import INDEX_LOCK_NAME, LOCK_TIMEOUT_S
from assess_registry.index.tree import FILES, SIMPLE, Tree
from assess_registry.publish.garbage import temporary_files
from assess_registry.repository.roles import metadata_name
from assess_registry.repository.site import SiteKeys, has_own_root, site_word
from assess_registry.repository.site_before import require_not_older, require_same_registry
from assess_registry.repository.state import METADATA, State
from assess_registry.wheel import MAX_WHEEL_BYTES

_DIRECTORIES = (FILES, SIMPLE, "plugins", "catalog", "control", METADATA)
"""Of a site: where a killed import may have left half a file."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Imported:
    """What the site serves now.

    Attributes:
        releases: of this bundle.
        root: name of the root metadata that the site's clients trust, relative to the site.
        own_root: it is the site's own, and not the registry's.
        written: files that changed, relative to the site, in order.
        damaged: what earlier bundles brought, is not what it was, and has to be brought again.
    """

    releases: tuple[Carried, ...]
    root: str
    own_root: bool
    written: tuple[str, ...]
    damaged: tuple[Damaged, ...]


def import_bundle(
    path: Path,
    *,
    site: Path,
    root: Path,
    now: datetime,
    keys: SiteKeys | None = None,
    development: bool = False,
    timeout_s: float = 600.0,
) -> Imported:
    """The site serves what is in the bundle, too; or nothing of what it serves has changed.

    Args:
        path: the bundle.
        site: directory that a web server, or `file:`, serves; made if absent.
        root: the registry's first root metadata, from its maintainer by another way than the bundle.
        now: from which the site's own signatures count.
        keys: the site's, for a site with a root of its own.
        development: it may come from a registry whose keys one person holds.
        timeout_s: for reading and verifying.

    Raises:
        TrustError: step `bundle`, or the step of the client that failed.
        NotPublishedError: the bundle lacks a file.
        ConfigError: the site is a registry of its own, keys do not fit the site, or something lies in it where a file
            or a directory of it has to be: a link above all, which is not followed.
        LockTimeoutError: another import is at it.
        OSError: no more could be written; readers see what they saw.
    """
    if (site / CONFIG_NAME).exists():
        if (site / KEEPING).is_dir():
            raise ConfigError(
                f"{site}: a site, and a registry of its own by its {CONFIG_NAME}; if nobody publishes in it, remove "
                f"{site / CONFIG_NAME}, and import again"
            )
        raise ConfigError(f"{site}: a registry of its own, with a {CONFIG_NAME}; import into another directory")
    with open_bundle(path) as bundle:  # 1
        is_directory(site, KEEPING)
        (site / KEEPING).mkdir(parents=True, exist_ok=True, mode=0o755)
        (site / KEEPING).chmod(0o700)
        with file_lock(site / INDEX_LOCK_NAME, timeout_s=LOCK_TIMEOUT_S):
            sweep(site / KEEPING)
            with private_directory(site / KEEPING) as staging:
                origin = Origin(
                    url=bundle.url,
                    transport=bundle,
                    root=root,
                    memory=site / KEEPING / MEMORY,
                    development=development,
                    timeout_s=timeout_s,
                )
                gathered = gather(origin, lambda *_: bundle.carried, into=staging)  # 2
                _require_nothing_over(bundle, gathered)  # 3
                return _put(site, gathered, bundle.carried, keys, now)


def _require_nothing_over(bundle: Bundle, gathered: Gathered) -> None:
    over = sorted(bundle.names - gathered.names)
    if over:
        raise TrustError(
            "it holds what nothing it carries needs, and nobody vouches for",
            step="bundle",
            thing=f"{bundle.path}: {over[0]}",
            expected="what its releases consist of",
            got=f"{len(over)} more" if len(over) > 1 else "one file more",
            next_step="nothing was taken from it; have it exported again",
        )


def _put(
    site: Path, gathered: Gathered, carried: tuple[Carried, ...], keys: SiteKeys | None, now: datetime
) -> Imported:
    word, root, own = _word(site, gathered.state, keys, now)  # 4
    arranged = arrange(site, gathered)  # 5
    names = dict.fromkeys((*arranged.files, *arranged.pages, *_signed(gathered), *word))
    differing = [name for name in names if not _is_there(site, gathered, name)]  # 6
    for name in (*differing, *arranged.strays):
        require_writable(site, name)
    tree = Tree(site)
    for name in differing:  # 7
        tree.write(site / name, _read(gathered, name))
    for name in arranged.strays:  # 8
        tree.remove(site / name)
    _remove_leftovers(site)
    return Imported(releases=carried, root=root, own_root=own, written=tuple(tree.written), damaged=arranged.damaged)


def _word(site: Path, upstream: State, keys: SiteKeys | None, now: datetime) -> tuple[tuple[str, ...], str, bool]:
    """Names of what is written last, in order; the root that clients trust, and whether it is the site's own.

    What the site signs itself lies beside what was gathered afterwards, in place of the registry's of the same name.
    """
    is_directory(site, METADATA)
    own = has_own_root(site, upstream)
    if own:
        require_same_registry(site, upstream)
    require_not_older(site, upstream, own_root=own)
    first = f"{METADATA}/{metadata_name('root', 1)}"
    timestamp = f"{METADATA}/{metadata_name('timestamp', 0)}"
    if keys is not None:
        if not own and any((site / name).exists() for name in (first, timestamp)):
            raise ConfigError(
                f"{site}: serves the registry's own word, which its clients trust by the registry's root; "
                "for a root of the site's own, import into another directory"
            )
        signed = site_word(site, upstream, keys, now=now, expiry=Expiry()).files
        for name, data in signed.items():
            (upstream.place / name).write_bytes(data)
        return tuple(signed), first, True
    if own:
        raise ConfigError(f"{site}: has a root of its own, which {first} is; give --site-online-key")
    assert upstream.current is not None  # noqa: S101  read_state has read it
    snapshot = f"{METADATA}/{metadata_name('snapshot', upstream.current.snapshot.signed.version)}"
    later = [f"{METADATA}/{metadata_name('root', number)}" for number in range(2, len(upstream.roots) + 1)]
    # The first root is for ever, and says whose word this is, wherever we are killed.
    return (first, snapshot, *later, timestamp), first, False


def _signed(gathered: Gathered) -> Iterator[str]:
    """Signed pages and control files, then bins, then targets; roots, snapshot and timestamp are the word's."""
    state = gathered.state
    assert state.current is not None  # noqa: S101  read_state has read it
    yield from sorted(name for name in gathered.names if name.startswith(("catalog/", "control/")))
    versions = state.current.versions()
    for role in sorted(versions, key=lambda role: (role == "targets", role)):
        yield f"{METADATA}/{metadata_name(role, versions[role])}"


def _is_there(site: Path, gathered: Gathered, name: str) -> bool:
    data = _read(gathered, name)
    there = is_file(site, name) and (site / name).stat().st_size == len(data)
    return there and read_bounded(site / name, len(data)) == data


def _read(gathered: Gathered, name: str) -> bytes:
    return read_bounded(gathered.directory / name, MAX_WHEEL_BYTES)


def _remove_leftovers(site: Path) -> None:
    """No writer is at work: each takes the lock that we hold."""
    below = [path for directory in _DIRECTORIES for path in temporary_files(site / directory)]
    for path in (*temporary_files(site, below=False), *below):
        path.unlink()
