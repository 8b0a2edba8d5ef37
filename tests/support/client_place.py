"""A published registry and a client that goes the whole way through it: resolve, fetch, verify.

`Place` is the registry over `file:` or over real http; `chain` either hands out proof or raises.
"""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement

from assess_registry.client import (
    FetchedWheel,
    Registry,
    RegistryConfig,
    Target,
    VerifiedWheel,
    fetch,
    resolve,
    verify,
)
from assess_registry.keys import generate_key
from tests.support.http_registry import HttpRegistry, serve
from tests.support.registry_tree import RegistryTree, copy_registry_tree
from tests.support.wheels import demo_plugin_wheel

DEMO = "demo_plugin-1.0.0-py3-none-any.whl"
OLDER = "demo_plugin-0.9.0-py3-none-any.whl"
PLUGGY = "pluggy-1.6.0-py3-none-any.whl"

SECOND = generate_key()
"""Another publisher, trusted as well."""

STRANGER = generate_key()
"""Nobody we know."""

TARGET = Target.running()


@dataclass(frozen=True, kw_only=True)
class Place:
    """A registry and how a client reaches it."""

    tree: RegistryTree
    http: HttpRegistry | None = None

    def config(self, **changes: Any) -> RegistryConfig:
        return self.tree.config(self.http.url if self.http else None, **changes)

    def chain(self, requirement: str = "demo-plugin", target: Target = TARGET, **changes: Any) -> VerifiedWheel:
        """What every caller does: resolve, fetch, verify. `changes` go to the configuration."""
        with Registry(self.config(**changes)) as registry:
            fetched = fetch(resolve(Requirement(requirement), registry=registry, target=target), registry=registry)
            return verify(fetched, registry=registry, target=target)

    def fetched(self, target: Target = TARGET) -> FetchedWheel:
        with Registry(self.config()) as registry:
            return fetch(resolve(Requirement("demo-plugin"), registry=registry, target=target), registry=registry)

    def verify(self, fetched: FetchedWheel, target: Target = TARGET) -> VerifiedWheel:
        with Registry(self.config()) as registry:
            return verify(fetched, registry=registry, target=target)


def publish_two_releases(directory: Path) -> RegistryTree:
    """The demo plugin 0.9.0 and 1.0.0, and two trusted publishers of whom the first made both."""
    tree = copy_registry_tree(directory, plugins=[demo_plugin_wheel("0.9.0"), demo_plugin_wheel("1.0.0")])
    tree.trust("second", SECOND)
    return tree


@contextlib.contextmanager
def reach(tree: RegistryTree, over: str) -> Iterator[Place]:
    """The registry `over` "file" or "http"."""
    if over == "file":
        yield Place(tree=tree)
    else:
        with serve(tree.root) as http:
            yield Place(tree=tree, http=http)


def snapshot(directory: Path) -> dict[str, bytes]:
    """Every file below a directory and what is in it."""
    return {str(path.relative_to(directory)): path.read_bytes() for path in directory.rglob("*") if path.is_file()}


def flip(data: bytes, at: int = -1) -> bytes:
    """The same length, one bit changed."""
    changed = bytearray(data)
    changed[at] ^= 1
    return bytes(changed)
