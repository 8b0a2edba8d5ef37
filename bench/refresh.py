"""What a client fetches to know the registry's word, and what a publisher signs, by the number of hash bins."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from time import perf_counter

from tests.support.repositories import Keys, Reader

from assess_registry.config import Expiry
from assess_registry.files import atomic_write
from assess_registry.repository import BINS, Repository
from assess_registry.repository.roles import (
    Signers,
    bins_of,
    delegations,
    metadata_name,
    new_root,
    new_snapshot,
    new_targets,
    new_timestamp,
    role_of_target,
    serialise,
    signed_by,
    target_file,
    target_name,
    until,
)
from assess_registry.repository.state import parse_metadata
from assess_registry.repository.tuf_api import Targets
from bench.effort import Effort, seconds
from bench.rows import Goal, Report, Row, paragraphs
from bench.stats import Sample, Unit, ratio

TITLE = "Refreshing and publishing metadata"
NOTES = """
Catalogue pages of generated metadata, one a project, read by python-tuf's own client from files. *First look*: an
empty memory, refresh, find one project's page. *Next look*: the same after somebody else published something, as a
runtime does it every day. *Publish*: one new page, verified, signed and on the disk with every fsync. Bytes are those
of the metadata, root aside; the page itself is not among them.

Beside it one flat role that lists every page, as a repository without delegations has it. python-tuf refuses such a
role from some ten thousand projects on, at 5 MB; here that limit is lifted. What is measured is how many times as much
the flat role takes.

The rows by number of bins are what {bins} was chosen by. Every look fetches the snapshot, which lists all bins, at 30
bytes each; a look at something new fetches its bin, which is smaller the more there are. A runtime looks every day and
finds something new seldom. With fewer bins, what a first look fetches and what a publisher signs grows at 100,000
projects; with more, everybody pays, every day, for bins that are all but empty.
"""
PROJECT = "catalog/project-{}.json"
LOOK = PROJECT.format(1)
FLAT_MAX_BYTES = 1 << 28


@dataclass(frozen=True, kw_only=True, slots=True)
class Generated:
    """A registry of so many projects, in bins or, with 0, in one flat role."""

    place: Path
    keys: Keys
    bins: int

    def publish(self, number: int) -> None:
        """A new page of some project that nobody looks at."""
        now, page = datetime.now(UTC), {PROJECT.format(f"new-{number}"): b"{}"}
        if self.bins:
            Repository(self.place).commit(page, release_keys=self.keys.release, online_key=self.keys.online, now=now)
        else:
            self._publish_flat(page, now)

    def look(self, memory: Path) -> tuple[float, int]:
        """How long a look takes, in seconds, and how many bytes of metadata it fetches."""
        reader = Reader(self.place, memory, max_bytes=FLAT_MAX_BYTES)
        started = perf_counter()
        if reader.read(LOOK)[LOOK] is None:
            raise RuntimeError("the page is not there")
        taken = perf_counter() - started
        return taken, sum(size for name, size in reader.fetched if "root" not in name and "project" not in name)

    def _publish_flat(self, page: dict[str, bytes], now: datetime) -> None:
        newest = max((self.place / "metadata").glob("*.targets.json"), key=lambda path: int(path.name.split(".")[0]))
        targets = parse_metadata(newest.read_bytes(), Targets, thing=newest.name).signed
        for path, data in page.items():
            targets.targets[path] = target_file(path, data)
        write_metadata(self.place, self.keys, {"targets": targets}, version=targets.version + 1, now=now)


@contextmanager
def generated(projects: int, bins: int) -> Iterator[Generated]:
    """Metadata as after many commits; only the page that is looked at is there."""
    with tempfile.TemporaryDirectory() as directory:
        place, keys, now = Path(directory), Keys(), datetime.now(UTC)
        signers = Signers(
            root_keys=tuple(key.public for key in keys.root),
            root_threshold=2,
            release_keys=tuple(key.public for key in keys.release),
            online_keys=(keys.online.public,),
        )
        root = new_root(signers, version=1, expires=until(Expiry(), "root", now))
        (place / "metadata").mkdir()
        (place / "metadata" / "1.root.json").write_bytes(serialise(signed_by(root, keys.root)))
        targets = new_targets("targets", expires=now, delegations=delegations(root, bins) if bins else None)
        roles = {"targets": targets}
        if bins:
            roles |= {name: new_targets(name, expires=now) for name in bins_of(targets).get_roles()}
        for number in range(projects):
            path = PROJECT.format(number)
            role = role_of_target(path, bins_of(targets)) if bins else "targets"
            roles[role].targets[path] = target_file(path, b"{}")
        page = place / target_name(target_file(LOOK, b"{}"))
        page.parent.mkdir()
        page.write_bytes(b"{}")
        write_metadata(place, keys, roles, version=1, now=now)
        yield Generated(place=place, keys=keys, bins=bins)


def run(effort: Effort) -> Report:
    """Sizes beside one flat role, then numbers of bins."""
    rows: list[Row] = []
    rounds = effort.of(9, 1)
    sizes = (10, 100) if effort.quick else (10, 1_000, 10_000, 100_000)
    looks: dict[int, Sample] = {}
    for projects in sizes:
        with generated(projects, BINS) as ours, generated(projects, 0) as flat:
            found = [_rounds(each, rounds) for each in (ours, flat)]
            looks[projects] = found[0].next_s
            rows += _beside_flat(projects, *found)
    few, many = sizes[0], sizes[-1]
    rows.append(
        Row(
            what=f"next look at {many:,} projects",
            ours=looks[many],
            peer=f"at {few:,}",
            theirs=looks[few],
            measured=ratio(looks[many], looks[few]),
            goal=Goal(limit=1.5, unit="x", text="flat: <= 1.5x"),
        )
    )
    for projects in sizes[1::2]:
        for bins in (4, 8) if effort.quick else (64, 128, 256, 512, 1024):
            with generated(projects, bins) as each:
                rows += _by_bins(projects, bins, _rounds(each, effort.of(5, 1)))
    return Report(rows=tuple(rows), notes=paragraphs(NOTES, bins=BINS))


@dataclass(frozen=True, kw_only=True, slots=True)
class Looks:
    """One registry, measured."""

    first_s: Sample
    next_s: Sample
    publish_s: Sample
    first_bytes: Sample
    next_bytes: Sample


def _rounds(registry: Generated, rounds: int) -> Looks:
    first, following, publish = [], [], []
    for number in range(rounds):
        with tempfile.TemporaryDirectory() as directory:
            first.append(registry.look(Path(directory)))
            publish.append(seconds(partial(registry.publish, number)))
            following.append(registry.look(Path(directory)))
    return Looks(
        first_s=_sample("ms", [taken * 1000 for taken, _ in first]),
        next_s=_sample("ms", [taken * 1000 for taken, _ in following]),
        publish_s=_sample("ms", [taken * 1000 for taken in publish]),
        first_bytes=_sample("KiB", [size / 1024 for _, size in first]),
        next_bytes=_sample("KiB", [size / 1024 for _, size in following]),
    )


def _beside_flat(projects: int, ours: Looks, flat: Looks) -> list[Row]:
    return [
        Row(what=f"{projects:,} projects: {what}", ours=one, peer="one flat role", theirs=other,
            measured=ratio(other, one))
        for what, one, other in (
            ("first look", ours.first_s, flat.first_s),
            ("first look, fetched", ours.first_bytes, flat.first_bytes),
            ("next look", ours.next_s, flat.next_s),
            ("next look, fetched", ours.next_bytes, flat.next_bytes),
            ("publish", ours.publish_s, flat.publish_s),
        )
    ]  # fmt: skip


def _by_bins(projects: int, bins: int, found: Looks) -> list[Row]:
    where = f"{projects:,} projects in {bins:,} bins"
    return [
        Row(what=f"{where}: fetched at first", ours=found.first_bytes, peer="next", theirs=found.next_bytes),
        Row(what=f"{where}: time of a first look", ours=found.first_s, peer="publish", theirs=found.publish_s),
    ]


def _sample(unit: Unit, values: list[float]) -> Sample:
    return Sample(unit=unit, values=tuple(values))


def write_metadata(place: Path, keys: Keys, roles: dict[str, Targets], *, version: int, now: datetime) -> None:
    """These roles, in this version, and the snapshot and timestamp that name them."""
    written = {}
    for name, role in roles.items():
        role.version, role.expires = version, until(Expiry(), name, now)
        written[name] = serialise(signed_by(role, keys.release))
    versions = dict.fromkeys(roles, version)
    expires = until(Expiry(), "snapshot", now)
    snapshot = new_snapshot(versions, targets=written["targets"], version=version, expires=expires)
    written["snapshot"] = serialise(signed_by(snapshot, [keys.online]))
    expires = until(Expiry(), "timestamp", now)
    timestamp = new_timestamp(written["snapshot"], snapshot_version=version, version=version, expires=expires)
    written["timestamp"] = serialise(signed_by(timestamp, [keys.online]))
    for name, data in written.items():
        atomic_write(place / "metadata" / metadata_name(name, version), data)
