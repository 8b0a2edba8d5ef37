"""A small real registry on disk: the demo plugin and its closure, submitted, reviewed and published as in earnest.

    tree = make_registry_tree(tmp_path)
    registry = Registry(tree.approved_config(tmp_path / "trust"))
    tree.publish(*demo_plugin_wheel("1.1.0"))

All but one thing is as it is done in earnest: the audit is a report that finds nothing, because a real one takes
seconds. `tree.people` has every key there is, so that a test can be whoever it likes.

For attacks it knows where everything lies, and can put other bytes into it with everything else made to agree:
`tree.forge(filename, data)` is what a publisher with a bad build, or with a stolen key, could do.
"""

import atexit
import functools
import hashlib
import json
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from assess_registry.audit.pipeline import Terms
from assess_registry.audit.values import Examination, Finding, Judged, Report, Verdict
from assess_registry.catalogue import Catalogue
from assess_registry.client.registry import RegistryConfig
from assess_registry.config import CONFIG_NAME, IndexConfig, Publisher, Reviewer, load_config
from assess_registry.index.create import create_index
from assess_registry.index.tree import Tree
from assess_registry.keys import PrivateKey, TimedKey, generate_key
from assess_registry.lock import LOCK_NAME
from assess_registry.names import ProjectName
from assess_registry.publish.approved import PublishedRelease, publish_approved
from assess_registry.publish.transaction import ReleaseKeys
from assess_registry.repository import create_repository
from assess_registry.review.check import check
from assess_registry.review.permissions import PermissionChange
from assess_registry.review.published import catalogue_of, repository_of
from assess_registry.review.rules import rules_of
from assess_registry.review.speak import approve
from assess_registry.review.submissions import load_submission
from assess_registry.review.submit import Submitted, submit
from assess_registry.signatures import sign_detached
from assess_registry.wheel import inspect
from tests.support.wheels import WheelBuilder, demo_plugin_wheel

STAND_INS = (
    WheelBuilder.dependency("assess-plugin", "1.0.0", requires=("pluggy>=1.5,<2",)),
    WheelBuilder.dependency("pluggy", "1.6.0"),
)
"""What the demo plugin runs with, of one module each: the chain looks at bytes and never imports them."""


BEGAN = datetime(2026, 1, 1, tzinfo=UTC)
"""Since when the keys of a test's registry are valid."""

BINS = 16
"""Fewer than in earnest: they are signed one by one when the registry is made."""

DEMO_EACH_SECOND = """
[runtime]
id = "rt"
[registry]
url = "file:registry/simple-index"
root = "registry/simple-index/metadata/1.root.json"
development = true
[[plugins]]
name = "demo-plugin"
[[assessments]]
id = "demo"
plugin = "demo"
provider = "demo-subjects"
schedule = "every 1s"
"""
"""A configuration that lies beside a tree in `registry/`: its one plugin assesses each second."""


@dataclass(frozen=True, kw_only=True, slots=True)
class People:
    """Everybody's keys.

    Attributes:
        roots: 2 of the 3 make a root.
        reviewers: by name; the first of them approves what `RegistryTree.publish` publishes.
    """

    roots: tuple[PrivateKey, ...]
    release: PrivateKey
    online: PrivateKey
    audit: PrivateKey
    reviewers: Mapping[str, PrivateKey]

    @classmethod
    def new(cls, *reviewers: str) -> "People":
        return cls(
            roots=tuple(generate_key() for _ in range(3)),
            release=generate_key(),
            online=generate_key(),
            audit=generate_key(),
            reviewers={name: generate_key() for name in reviewers or ("rita", "ruben")},
        )

    @property
    def release_keys(self) -> ReleaseKeys:
        return ReleaseKeys(release=[self.release], online=self.online)


def found_nothing(
    data: bytes, filename: str, *, closure: Mapping[str, bytes], terms: Terms, evidence: bytes | None
) -> Report:
    """An audit that approves whatever it is given."""
    del closure, evidence
    wheel = inspect(data, filename, kind="plugin")
    return Report(
        filename=filename,
        project=wheel.project,
        version=wheel.version,
        sha256=wheel.sha256,
        size=wheel.size,
        as_of=terms.as_of,
        verdict=Verdict.APPROVED,
        reasons=(),
        judged=(),
        examinations=(Examination(check="structure", facts={"files": len(wheel.entries)}),),
        policy_sha256=terms.policy.digest(),
        advisories="none, as this is a test",
    )


def found(verdict: Verdict) -> Callable[..., Report]:
    """An audit that comes to this verdict whatever it is given."""
    finding = Finding(id="a-finding", severity="medium", entry="", message="something is odd", rule="a test")

    def judge(data: bytes, filename: str, **terms: Any) -> Report:
        judged = Judged(finding=finding, check="structure", verdict=verdict, reason="a test")
        return replace(
            found_nothing(data, filename, **terms), verdict=verdict, judged=(judged,), reasons=("It is odd.",)
        )

    return judge


@dataclass(frozen=True, kw_only=True, slots=True)
class RegistryTree:
    """A registry, and what its people have at home.

    Attributes:
        directory: holds all of it; may be copied.
        key: the publisher's; its public half is in `trusted_keys`.
        people: all others; None for a registry that was made by other means.
    """

    directory: Path
    key: PrivateKey
    people: People | None = None

    @property
    def root(self) -> Path:
        """The registry's root, what a web server would serve."""
        return self.directory / "simple-index"

    @property
    def trusted_keys(self) -> Path:
        return self.directory / "trusted-keys"

    @property
    def closure(self) -> Path:
        """The wheels a publish takes dependencies from."""
        return self.directory / "closure"

    def config(self, url: str | None = None, **changes: Any) -> RegistryConfig:
        """How a client is configured that goes by the publishers' keys; over `file:` unless a URL is given."""
        values: dict[str, Any] = {"url": url or self.root.as_uri(), "trusted_keys": self.trusted_keys, **changes}
        return RegistryConfig(**{"development": True, **values})

    def approved_config(self, state: Path, url: str | None = None, **changes: Any) -> RegistryConfig:
        """How a client is configured that goes by the registry's signed word, remembered in `state`."""
        values: dict[str, Any] = {"url": url or self.root.as_uri(), "root": self.root_metadata, "state": state}
        return RegistryConfig(**{**values, "development": True, **changes})

    def trust(self, name: str, key: PrivateKey) -> None:
        """One more publisher whose signatures count."""
        (self.trusted_keys / f"{name}.pub").write_text(key.public.pem())

    @property
    def root_metadata(self) -> Path:
        """What a client is given to begin with."""
        return self.root / "metadata" / "1.root.json"

    @property
    def everybody(self) -> People:
        """Everybody's keys."""
        assert self.people is not None
        return self.people

    def catalogue(self, project: str = "demo-plugin") -> Catalogue:
        """The signed page of a project."""
        return catalogue_of(repository_of(self.root), ProjectName(project))

    def publish(self, filename: str, data: bytes, *, key: PrivateKey | None = None) -> Path:
        """Submit, approve and publish a wheel; gives its place in the registry.

        Another key than the publisher's becomes another publisher's. A wheel of a version that is there joins it.
        """
        if key is not None and key.public != self.key.public:
            self.add_publisher(key)
        wheel = inspect(data, filename, kind="plugin")
        known = self.catalogue(wheel.project).release(wheel.version)
        there = {each.filename for each in known.wheels} - {filename} if known else set()
        wheels = {filename: data} | {name: self.path(name).read_bytes() for name in there}
        submitted = self.submit(wheels, key=key)
        self.approve(*submitted)
        self.release(*submitted, replace_published=bool(there))
        return self.path(filename)

    def submit(
        self,
        wheels: Mapping[str, bytes],
        *,
        key: PrivateKey | None = None,
        judge: Callable[..., Report] = found_nothing,
        now: datetime | None = None,
    ) -> tuple[Submitted, ...]:
        """Submit wheels of one version by filename."""
        dist = self.directory / "dist"
        dist.mkdir(exist_ok=True)
        for filename, data in wheels.items():
            (dist / filename).write_bytes(data)
        return submit(
            self.root,
            [dist / filename for filename in wheels],
            key=key or self.key,
            audit_key=self.everybody.audit,
            closure=self.closure,
            now=now or datetime.now(UTC),
            judge=judge,
        )

    def approve(self, *submitted: Submitted, reviewer: str = "", now: datetime | None = None) -> None:
        """Approve submissions as a reviewer, the first one unless another is named."""
        rules = rules_of(self.root, now or datetime.now(UTC))
        reviewers = self.everybody.reviewers
        key = reviewers[reviewer or next(iter(reviewers))]
        for each in submitted:
            checked = check(load_submission(each.submission.directory), rules)
            seen = each.submission.statement_sha256 or ""
            change = PermissionChange()
            approve(Tree(self.root), checked, key, rules=rules, seen=seen, change=change, accept_permissions=True)

    def release(
        self, *submitted: Submitted, replace_published: bool = False, now: datetime | None = None
    ) -> PublishedRelease:
        """Publish approved submissions."""
        return publish_approved(
            self.root,
            [each.submission.directory for each in submitted],
            keys=self.everybody.release_keys,
            now=now or datetime.now(UTC),
            accept_registry_changes=True,
            replace_published=replace_published,
        )

    def add_publisher(self, key: PrivateKey) -> None:
        """One more publisher, of every project; nothing changes when the key is one's already."""
        config = load_config(self.root)
        if any(timed.key == key.public for each in config.publishers for timed in each.keys):
            return
        name = f"publisher-{len(config.publishers) + 1}"
        more = Publisher(name=name, projects=("*",), keys=(TimedKey(key=key.public, valid_from=BEGAN),))
        self.configure(replace(config, publishers=(*config.publishers, more)))

    def configure(self, config: IndexConfig) -> None:
        """Another `registry.toml`."""
        (self.root / CONFIG_NAME).write_text(config.text())

    def path(self, filename: str) -> Path:
        """Where a published wheel lies."""
        name, version = filename.split("-")[:2]
        return self.root / "files" / name.replace("_", "-").lower() / version / filename

    def page(self, project: str = "demo-plugin") -> Path:
        """The JSON page of a project."""
        return self.root / "simple" / project / "index.json"

    def edit_page(self, change: Callable[[dict[str, Any]], object], project: str = "demo-plugin") -> None:
        """Let `change` have its way with the parsed page."""
        document = json.loads(self.page(project).read_bytes())
        change(document)
        self.page(project).write_text(json.dumps(document))

    def sign(self, path: Path, *, key: PrivateKey | None = None) -> None:
        """Write the `.sig` beside a file."""
        path.with_name(path.name + ".sig").write_bytes(sign_detached(path.read_bytes(), key or self.key))

    def edit_lock(self, filename: str, change: Callable[[str], str]) -> Path:
        """Let `change` have its way with the lock of a plugin's wheel, without signing it; gives the lock's place."""
        lock = self.path(filename).with_name(LOCK_NAME)
        lock.write_text(change(lock.read_text()))
        return lock

    def forge(self, filename: str, data: bytes, *, plugin: str | None = None) -> None:
        """Other bytes under a published name, with page, lock and signatures made to agree by the publisher's key.

        Args:
            filename: the wheel to exchange.
            data: its new bytes.
            plugin: filename of the plugin whose lock names it, when it is a dependency.
        """
        path = self.path(filename)
        path.write_bytes(data)
        digest = hashlib.sha256(data).hexdigest()

        def change_page(page: dict[str, Any]) -> None:
            entry = next(entry for entry in page["files"] if entry["filename"] == filename)
            entry.update(hashes={"sha256": digest}, size=len(data))

        def change_lock(text: str) -> str:
            head, tail = text.split(f'name = "{filename}"')
            tail = re.sub(r"size = \d+", f"size = {len(data)}", tail, count=1)
            tail = re.sub(r"[0-9a-f]{64}", digest, tail, count=1)
            return f'{head}name = "{filename}"{tail}'

        self.edit_page(change_page, project=path.parent.parent.name)
        self.sign(self.edit_lock(plugin or filename, change_lock))
        if plugin is None:
            self.sign(path)

    def copy(self, directory: Path) -> "RegistryTree":
        """The same, elsewhere: for a test that breaks it."""
        shutil.copytree(self.directory, directory, dirs_exist_ok=True)
        return replace(self, directory=directory)


def make_registry_tree(
    directory: Path,
    *,
    plugins: Sequence[tuple[str, bytes]] | None = None,
    closure: Mapping[str, bytes] | None = None,
    people: People | None = None,
    config: Callable[[IndexConfig], IndexConfig] = lambda config: config,
    bins: int = BINS,
) -> RegistryTree:
    """A registry below `directory` with these plugins published.

    Args:
        plugins: filename and bytes of each; the demo plugin 1.0.0 when not given.
        closure: filename -> bytes of wheels to lock against; `STAND_INS` when not given.
        people: everybody's keys; new ones when not given.
        config: what to make of `registry.toml`.
        bins: into how many hash bins the catalogue goes.
    """
    tree = RegistryTree(directory=directory, key=generate_key(), people=people or People.new())
    for place in (tree.trusted_keys, tree.closure):
        place.mkdir(parents=True)
    tree.trust("publisher", tree.key)
    create_index(tree.root, config(_config(tree)))
    create_repository(
        tree.root,
        root_keys=tree.everybody.roots,
        root_threshold=2,
        release_keys=[tree.everybody.release],
        online_key=tree.everybody.online,
        now=datetime.now(UTC) - timedelta(seconds=1),
        bins=bins,
    )
    for filename, data in (closure or {wheel.filename: wheel.build() for wheel in STAND_INS}).items():
        (tree.closure / filename).write_bytes(data)
    for filename, data in plugins if plugins is not None else [demo_plugin_wheel()]:
        tree.publish(filename, data)
    return tree


def copy_registry_tree(
    directory: Path,
    *,
    plugins: Sequence[tuple[str, bytes]] | None = None,
    closure: Mapping[str, bytes] | None = None,
) -> RegistryTree:
    """As `make_registry_tree`, copied from one that was made before, with the same keys: in a tenth of the time.

    For a test that has one registry and does with it what it likes; two of them would be one and the same registry.
    """
    given = None if closure is None else tuple(sorted(closure.items()))
    return _made_once(None if plugins is None else tuple(plugins), given).copy(directory)


@functools.cache
def _made_once(
    plugins: tuple[tuple[str, bytes], ...] | None, closure: tuple[tuple[str, bytes], ...] | None
) -> RegistryTree:
    directory = Path(tempfile.mkdtemp(prefix="registry-tree-", dir=os.environ.get("ASSESS_TEST_TMP")))
    atexit.register(shutil.rmtree, directory, ignore_errors=True)
    return make_registry_tree(directory, plugins=plugins, closure=None if closure is None else dict(closure))


def _config(tree: RegistryTree) -> IndexConfig:
    def keys(key: PrivateKey) -> tuple[TimedKey, ...]:
        return (TimedKey(key=key.public, valid_from=BEGAN),)

    return IndexConfig(
        name="tests",
        development=True,
        publishers=(Publisher(name="publisher", projects=("*",), keys=keys(tree.key)),),
        reviewers=tuple(Reviewer(name=name, keys=keys(key)) for name, key in tree.everybody.reviewers.items()),
        audit_keys=keys(tree.everybody.audit),
    )
