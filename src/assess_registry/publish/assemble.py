"""What was offered becomes current: bytes that publishers, reviewers and release keys signed, under the online key.

The online key is where a timer can use it, the release keys are not: so whoever publishes, yanks, revokes or marks
signs an offer on a copy of the registry (`--offer`), and here it is put together. Nothing is signed on top of what was
not verified:

1. Lock the root; read its word, verified from the root down.
2. Read the offer as a stranger's: the very next versions, signed by the release keys, with all that they list. What
   was revoked is revoked in it, too.
3. Every file of every release that it names or that is new is there, with the bytes that the catalogue says. A file
   that is published already is never written over.
4. Files, pages, then the offer's metadata, snapshot and, last, the timestamp.

Killed anywhere before the timestamp, clients see what they saw; the same call again finishes the work.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from assess_registry.catalogue import Catalogue, FileRef, Release, parse_catalogue
from assess_registry.config import CONFIG_NAME, load_config
from assess_registry.control import REVOCATIONS_PATH, Revocations, parse_revocations
from assess_registry.errors import ConfigError, TrustError
from assess_registry.files import read_bounded
from assess_registry.index.plan import PlannedFile, changed, require_immutable, wheel_files
from assess_registry.index.tree import Tree
from assess_registry.keys import PrivateKey
from assess_registry.lock import LockedWheel, parse_lock
from assess_registry.names import ProjectName
from assess_registry.publish.transaction import ReleaseKeys, Transaction, transaction
from assess_registry.repository.offered import Offer, read_offer
from assess_registry.repository.state import read_state
from assess_registry.review.published import signed_revocations
from assess_registry.wheel import MAX_WHEEL_BYTES, inspect

_CATALOG = "catalog/"
_MAX_CONFIG_BYTES = 256 * 1024


@dataclass(frozen=True, kw_only=True, slots=True)
class Assembled:
    """What is current now that was not.

    Attributes:
        releases: `PROJECT VERSION` of those that are new.
        targets: paths of catalogue pages and control files that are others than before.
        written: files changed, relative to the root, in order; empty when nothing was offered.
    """

    releases: tuple[str, ...]
    targets: tuple[str, ...]
    written: tuple[str, ...]


def assemble(
    source: Path, root: Path, *, online_key: PrivateKey, now: datetime, overrule_clock: bool = False
) -> Assembled:
    """What was offered in the registry's copy at `source` is current in the registry at `root`.

    Raises:
        TrustError: steps `offer` and `metadata`: it is not signed as this registry asks for, or not on top of what it
            says now, or takes back a revocation; step `file`: a file is missing or not what was signed; step `publish`:
            a published file would change; step `clock`: what would be signed now ends before what is signed.
        ConfigError: not a registry; or its registry.toml and that of the copy differ.
        LockTimeoutError: another process is publishing.
    """
    _require_same_rules(source, root)
    keys = ReleaseKeys(release=(), online=online_key, overrule_clock=overrule_clock)
    with transaction(root, keys=keys, now=now) as work:  # 1
        offer = read_offer(source, read_state(root), now=now)  # 2
        if offer.is_empty:
            return Assembled(releases=(), targets=(), written=())
        return _take(work, offer, source, online_key)


def _take(work: Transaction, offer: Offer, source: Path, online_key: PrivateKey) -> Assembled:
    tree, copy = work.tree, Tree(source)
    pages = [_page(path, data) for path, data in offer.targets.items() if path.startswith(_CATALOG)]
    revocations, about = _revoked(work, offer)
    fresh = [(page, release) for page in pages for release in _fresh(work, page)]
    plan: list[PlannedFile] = []
    for page, release in fresh:  # 3
        plan += _planned(page.project, release, copy)
    require_immutable(tree, changed(tree, plan))
    now, expiry, overrule = work.rules.now, work.rules.config.expiry, work.keys.overrule_clock
    if not overrule:
        work.repository.require_clock((), now=now, expiry=expiry)
    for file in plan:  # 4
        tree.write(tree.file(file.project, file.version, file.filename), file.data)
    # Before it is known why: what is revoked or quarantined is on no page then. What is taken back is on its page a
    # moment early, which no client of the signed word believes; killed in between, the same call again finishes it.
    _write_pages(work, pages, {*about, *(file.project for file in plan)}, revocations)
    with work.followed(offer.targets):
        report = work.repository.take(offer, online_key=online_key, now=now, expiry=expiry, overrule_clock=overrule)
        tree.written.extend(report.written)
    return Assembled(
        releases=tuple(f"{page.project} {release.version}" for page, release in fresh),
        targets=tuple(sorted(offer.targets)),
        written=tuple(tree.written),
    )


def _require_same_rules(source: Path, root: Path) -> None:
    """Whoever made the offer judged it by the rules that hold here.

    Raises:
        ConfigError: the two files differ.
    """
    load_config(root)
    try:
        same = read_bounded(source / CONFIG_NAME, _MAX_CONFIG_BYTES) == read_bounded(
            root / CONFIG_NAME, _MAX_CONFIG_BYTES
        )
    except FileNotFoundError as error:
        raise ConfigError(f"{source}: no copy of the registry: it has no {CONFIG_NAME}") from error
    if not same:
        raise ConfigError(
            f"{source / CONFIG_NAME}: not what {root / CONFIG_NAME} says: bring both to the same, have it signed with "
            "release and online keys, and make the offer again"
        )


def _page(path: str, data: bytes) -> Catalogue:
    project = ProjectName(path.removeprefix(_CATALOG).removesuffix(".json"))
    try:
        return parse_catalogue(data, project)
    except ValueError as error:
        raise _refused("not a catalogue page", path, "a page of this registry", str(error)) from error


def _fresh(work: Transaction, page: Catalogue) -> Iterator[Release]:
    """Releases whose files are others than those of the page before."""
    before = work.repository.read(f"{_CATALOG}{page.project}.json")
    known = parse_catalogue(before, page.project) if before is not None else Catalogue(project=page.project)
    for release in page.releases:
        old = known.release(release.version)
        if old is None or old.files() != release.files():
            yield release


def _planned(project: ProjectName, release: Release, copy: Tree) -> Iterator[PlannedFile]:
    """Every file of the release and of its closure, a wheel after all that belongs to it."""
    lock = parse_lock(_read(copy, project, release.version, release.lock))
    for entry in lock.wheels:
        if entry.project != project:
            yield from _dependency(entry, copy)
    wheels = tuple(each.filename for each in release.wheels)
    for file in sorted(release.files(), key=lambda each: each.filename in wheels):
        yield PlannedFile(
            project=project,
            version=release.version,
            filename=file.filename,
            wheel=next((each for each in wheels if file.filename.startswith(each)), ""),
            data=_read(copy, project, release.version, file),
        )


def _dependency(entry: LockedWheel, copy: Tree) -> Iterator[PlannedFile]:
    wanted = FileRef(filename=entry.filename, size=entry.size, sha256=entry.sha256)
    data = _read(copy, entry.project, entry.version, wanted)
    metadata = inspect(data, entry.filename, kind="dependency").metadata
    yield from wheel_files(entry.project, entry.version, entry.filename, metadata=metadata, data=data)


def _read(copy: Tree, project: ProjectName, version: str, wanted: FileRef) -> bytes:
    path = copy.file(project, version, wanted.filename)
    thing = path.relative_to(copy.root).as_posix()
    try:
        data = read_bounded(path, min(wanted.size, MAX_WHEEL_BYTES))
    except (OSError, ConfigError) as error:
        raise _refused("a signed file is missing, or longer", thing, f"{wanted.size} bytes", str(error)) from error
    if FileRef.of(wanted.filename, data) != wanted:
        got = FileRef.of(wanted.filename, data)
        raise _refused("not the bytes that were signed", thing, f"sha256:{wanted.sha256}", f"sha256:{got.sha256}")
    return data


def _revoked(work: Transaction, offer: Offer) -> tuple[Revocations, frozenset[ProjectName]]:
    """What is revoked if the offer is taken, and of which projects that is more than before.

    Raises:
        TrustError: step `offer`: something would be revoked no more, or otherwise.
    """
    before = signed_revocations(work.repository)
    data = offer.targets.get(REVOCATIONS_PATH)
    if data is None:
        return before, frozenset()
    after = parse_revocations(data)
    for wheel in before.wheels:
        if not wheel.may_become(after.of(wheel.sha256)):
            raise TrustError(
                "it takes back a revocation, and what is revoked stays so",
                step="offer",
                thing=f"{wheel.project} {wheel.version}",
                expected=f"sha256:{wheel.sha256} revoked as it is",
                got="another word of it than that and kill, or none",
                next_step="take no part of it, and ask who made it",
            )
    return after, frozenset(wheel.project for wheel in after.wheels if before.of(wheel.sha256) != wheel)


def _write_pages(
    work: Transaction, pages: Sequence[Catalogue], about: Collection[ProjectName], revocations: Revocations
) -> None:
    own = {page.project for page in pages}
    others = sorted({*about} - own)
    listing = work.listing(*pages, projects=others, revocations=revocations)
    projects = (*others, *sorted(own))
    for project in projects:
        listing.write(project)
    listing.write_root(projects)


def _refused(message: str, thing: str, expected: str, got: str) -> TrustError:
    return TrustError(
        message,
        step="file",
        thing=thing,
        expected=expected,
        got=got,
        next_step="take no part of the offer, and ask who made it",
    )
