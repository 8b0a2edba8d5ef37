"""A registry of up to 100,000 releases, in which a runtime looks for one."""

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from packaging.requirements import Requirement
from tests.support.registry_tree import RegistryTree, make_registry_tree
from tests.support.repositories import Keys
from tests.support.wheels import WheelBuilder, demo_plugin_wheel

from assess_registry.catalogue import catalogue_path
from assess_registry.client import Registry, Target, resolve
from assess_registry.index.flat import FLAT_ROOT, flat_names, flat_root, names_path, shard_of
from assess_registry.index.pages import HTML_NAME, JSON_NAME
from assess_registry.index.root_pages import root_html, root_json
from assess_registry.index.tree import SIMPLE, Tree
from assess_registry.names import ProjectName
from assess_registry.publish.approved import PublishedRelease, publish_approved
from assess_registry.repository import BINS
from assess_registry.repository.roles import bins_of, role_of_target, target_file
from assess_registry.repository.state import read_state
from assess_registry.review.submit import Submitted
from bench.effort import Effort, seconds
from bench.refresh import write_metadata
from bench.rows import Report, Row, paragraphs
from bench.stats import Sample, ratio

TITLE = "Many releases"
NOTES = """
A registry with the demo plugin and generated others, one release each: they are on the signed pages' lists, on the
index's root pages and in the lists of flat names; their own pages are empty, for nobody reads them.

*First look*: a client with an empty memory refreshes and resolves `demo-plugin`, from files, in a process that has
everything imported: signed word, catalogue page, people, revocations, policy. *Next look*: the same after another
version was published. Beside it the same among 100.
"""
VERSION_MARK = 1_000
"""A version of metadata that nothing before has reached."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Filled:
    """A registry among whose releases the demo plugin is one."""

    tree: RegistryTree

    def look(self, memory: Path) -> float:
        """How long refreshing and resolving takes, in seconds."""
        with Registry(self.tree.approved_config(memory)) as registry:
            return seconds(lambda: resolve(Requirement("demo-plugin"), registry=registry, target=Target.running()))

    def approved(self, wheel: WheelBuilder) -> tuple[Submitted, ...]:
        """Submitted and approved, to be published."""
        submitted = self.tree.submit({wheel.filename: wheel.build()})
        self.tree.approve(*submitted)
        return submitted

    def publish(self, submitted: Sequence[Submitted]) -> PublishedRelease:
        """These, as they were approved."""
        places, keys = [each.submission.directory for each in submitted], self.tree.everybody.release_keys
        return publish_approved(self.tree.root, places, keys=keys, now=datetime.now(UTC))


@contextmanager
def filled(releases: int) -> Iterator[Filled]:
    """So many releases, of which all but one are generated."""
    with tempfile.TemporaryDirectory(prefix="assess-bench-") as directory:
        tree = make_registry_tree(Path(directory), plugins=[demo_plugin_wheel()], bins=BINS)
        names = [ProjectName(f"project-{number}") for number in range(releases - 1)]
        _fill_metadata(tree, names)
        _fill_pages(tree, names)
        yield Filled(tree=tree)


def _fill_metadata(tree: RegistryTree, names: Sequence[ProjectName]) -> None:
    state = read_state(tree.root)
    if state.current is None:
        raise RuntimeError("nothing was published")
    bins = bins_of(state.current.targets.signed)
    roles = {name: state.role(name) for name in state.roles()}
    for name in names:
        path = catalogue_path(name)
        roles[role_of_target(path, bins)].targets[path] = target_file(path, b"{}")
    people = tree.everybody
    keys = Keys(root=people.roots, release=(people.release,), online=people.online)
    write_metadata(tree.root, keys, roles, version=VERSION_MARK, now=datetime.now(UTC))


def _fill_pages(tree: RegistryTree, names: Sequence[ProjectName]) -> None:
    files, every = Tree(tree.root), [*Tree(tree.root).projects(), *names]
    files.write(tree.root / SIMPLE / JSON_NAME, root_json(every))
    files.write(tree.root / SIMPLE / HTML_NAME, root_html(every))
    for name in names:
        (tree.root / SIMPLE / name).mkdir()
        for page in (HTML_NAME, JSON_NAME):
            (tree.root / SIMPLE / name / page).touch()
    shards: dict[str, list[ProjectName]] = {}
    for name in (ProjectName("demo-plugin"), *names):
        shards.setdefault(shard_of(name), []).append(name)
    for shard, listed in shards.items():
        files.write(tree.root / names_path(shard), flat_names(listed))
    files.write(tree.root / FLAT_ROOT, flat_root(shards))


def run(effort: Effort) -> Report:
    """Looks by number of releases."""
    rows: list[Row] = []
    sizes = (100, 300) if effort.quick else (100, 10_000, 100_000)
    looks = {size: _looks(size, effort.of(9, 1)) for size in sizes}
    few = looks[sizes[0]]
    for size in sizes:
        for what, ours, among in zip(("first look", "next look"), looks[size], few, strict=True):
            other = size != sizes[0]
            rows.append(
                Row(
                    what=f"{size:,} releases: {what}",
                    ours=ours,
                    peer=f"among {sizes[0]:,}" if other else "",
                    theirs=among if other else None,
                    measured=ratio(ours, among) if other else None,
                )
            )
    return Report(rows=tuple(rows), notes=paragraphs(NOTES))


def _looks(releases: int, rounds: int) -> tuple[Sample, Sample]:
    first, following = [], []
    with filled(releases) as registry:
        for number in range(rounds):
            with tempfile.TemporaryDirectory() as memory:
                first.append(registry.look(Path(memory)))
                registry.publish(registry.approved(WheelBuilder(version=f"1.1.{number}")))
                following.append(registry.look(Path(memory)))
    return _sample(first), _sample(following)


def _sample(values: Sequence[float]) -> Sample:
    return Sample(unit="ms", values=tuple(value * 1000 for value in values))
