"""A bundle into a site: verified in full in a private directory, then put into place so that readers never see half.

1. Open the bundle; lock the site; remove what killed imports left.
2. Gather from it as from any registry, by the operator's own root: what is verified is copied as it is read.
3. Nothing may be left over: a member that nobody vouches for is not taken along, and the bundle is refused.
4. Say what the site's word will be, the registry's own or one under the site's root, before anything is written.
5. Dependencies, then what lies beside plugins' wheels, then the wheels; the pages.
6. Signed pages under their digest, bins, targets, snapshot, roots, and last the timestamp.

Killed anywhere, readers of the site see what they saw, and the same import finishes the work. A refused bundle changes
nothing that is served; what its metadata proved to be newer is remembered, so that nothing older gets in afterwards.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from assess_registry.bundle.archive import Bundle, Carried, open_bundle
from assess_registry.bundle.gather import MEMORY, Gathered, Origin, gather
from assess_registry.bundle.staging import private_directory, sweep
from assess_registry.bundle.whole import WholeRelease
from assess_registry.catalogue import catalogue_path, parse_catalogue
from assess_registry.config import CONFIG_NAME, Expiry
from assess_registry.errors import ConfigError, TrustError
from assess_registry.files import file_lock, read_bounded
from assess_registry.index.create import INDEX_LOCK_NAME, LOCK_TIMEOUT_S
from assess_registry.index.plan import wheel_files
from assess_registry.index.tree import FILES, Tree
from assess_registry.names import ProjectName
from assess_registry.publish.listing import Listing
from assess_registry.repository.roles import metadata_name
from assess_registry.repository.site import KEEPING, SiteKeys, has_own_root, site_word
from assess_registry.repository.state import METADATA, State
from assess_registry.wheel import MAX_WHEEL_BYTES


@dataclass(frozen=True, kw_only=True, slots=True)
class Imported:
    """What the site serves now.

    Attributes:
        releases: of this bundle.
        root: name of the root metadata that the site's clients trust, relative to the site.
        own_root: it is the site's own, and not the registry's.
        written: files that changed, relative to the site, in order.
    """

    releases: tuple[Carried, ...]
    root: str
    own_root: bool
    written: tuple[str, ...]


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
        ConfigError: the site is a registry of its own, or keys do not fit the site.
        LockTimeoutError: another import is at it.
        OSError: no more could be written; readers see what they saw.
    """
    if (site / CONFIG_NAME).exists():
        raise ConfigError(f"{site}: a registry of its own, with a {CONFIG_NAME}; import into another directory")
    with open_bundle(path) as bundle:  # 1
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
    tree = Tree(site)
    for name, data in _files(gathered):  # 5
        tree.write(site / name, data)
    _write_pages(tree, gathered)
    for name in _signed(gathered):  # 6
        tree.write(site / name, _read(gathered, name))
    for name, content in word.items():
        tree.write(site / name, content)
    return Imported(releases=carried, root=root, own_root=own, written=tuple(tree.written))


def _word(site: Path, upstream: State, keys: SiteKeys | None, now: datetime) -> tuple[dict[str, bytes], str, bool]:
    """What is written last, in order; the root that clients trust, and whether it is the site's own."""
    own = has_own_root(site, upstream)
    first = f"{METADATA}/{metadata_name('root', 1)}"
    if keys is not None:
        if (site / first).exists() and not own:
            raise ConfigError(
                f"{site}: serves the registry's own word, which its clients trust by the registry's root; "
                "for a root of the site's own, import into another directory"
            )
        return site_word(site, upstream, keys, now=now, expiry=Expiry()).files, first, True
    if own:
        raise ConfigError(f"{site}: has a root of its own, which {first} is; give --site-online-key")
    assert upstream.current is not None  # noqa: S101  read_state has read it
    snapshot = f"{METADATA}/{metadata_name('snapshot', upstream.current.snapshot.signed.version)}"
    roots = [f"{METADATA}/{metadata_name('root', number + 1)}" for number in range(len(upstream.roots))]
    timestamp = f"{METADATA}/{metadata_name('timestamp', 0)}"
    names = [snapshot, *roots, timestamp]
    return {name: read_bounded(upstream.place / name, MAX_WHEEL_BYTES) for name in names}, first, False


def _files(gathered: Gathered) -> Iterator[tuple[str, bytes]]:
    """Dependencies, each after its METADATA; what lies beside plugins' wheels; the wheels."""
    for release in gathered.releases:
        yield from _dependencies(gathered, release)
    for release in gathered.releases:
        wheels = {wheel.filename for wheel in release.release.wheels}
        names = [file.filename for file in release.release.files()]
        for name in sorted(names, key=lambda name: (name in wheels, name)):
            location = f"{FILES}/{release.project}/{release.release.version}/{name}"
            yield location, _read(gathered, location)


def _dependencies(gathered: Gathered, release: WholeRelease) -> Iterator[tuple[str, bytes]]:
    for each in release.closure:
        wheel, directory = each.wheel, f"{FILES}/{each.wheel.project}/{each.wheel.version}"
        data = _read(gathered, f"{directory}/{wheel.filename}")
        for file in wheel_files(wheel.project, wheel.version, wheel.filename, metadata=each.metadata, data=data):
            yield f"{directory}/{file.filename}", file.data


def _write_pages(tree: Tree, gathered: Gathered) -> None:
    """Pages of all plugins that the site serves: another release of one may have been yanked or revoked since."""
    served = [ProjectName(path.name) for path in sorted((tree.root / FILES).iterdir()) if not path.is_symlink()]
    signed = {project: gathered.targets.get(catalogue_path(project)) for project in served}
    catalogues = {project: parse_catalogue(data, project) for project, data in signed.items() if data is not None}
    others = {each.wheel.project for release in gathered.releases for each in release.closure}
    others |= {wheel.project for wheel in gathered.revocations.wheels} & set(served)
    listing = Listing(tree=tree, catalogues=catalogues, revocations=gathered.revocations)
    projects = sorted({*catalogues, *others})
    for project in projects:
        listing.write(project)
    listing.write_root(projects)


def _signed(gathered: Gathered) -> Iterator[str]:
    """Signed pages and control files, then bins, then targets; roots, snapshot and timestamp are the word's."""
    state = gathered.state
    assert state.current is not None  # noqa: S101  read_state has read it
    yield from sorted(name for name in gathered.names if name.startswith(("catalog/", "control/")))
    versions = state.current.versions()
    for role in sorted(versions, key=lambda role: (role == "targets", role)):
        yield f"{METADATA}/{metadata_name(role, versions[role])}"


def _read(gathered: Gathered, name: str) -> bytes:
    return read_bounded(gathered.directory / name, MAX_WHEEL_BYTES)
