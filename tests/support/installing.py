"""Verified wheels to install, from a small real registry, and processes that die in the middle of installing.

registry = demo_registry(directory)                       demo-plugin, the real `assess-plugin` and pluggy
installed = install(registry.verified(), store=Store(state), ...)
"""

import os
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement

from assess_core.store import InstalledPlugin, Store, install, running_interpreter
from assess_registry.client import Registry, Target, VerifiedWheel, fetch, resolve, verify
from tests.support.closure import closure_wheels
from tests.support.registry_tree import RegistryTree, make_registry_tree
from tests.support.wheels import demo_plugin_wheel


@dataclass(frozen=True, kw_only=True, slots=True)
class DemoRegistry:
    """A registry and its tree on disk."""

    tree: RegistryTree
    registry: Registry

    def verified(self, requirement: str = "demo-plugin==1.0.0") -> VerifiedWheel:
        """This plugin with its closure, through all steps of the client."""
        target = Target.running()
        resolved = resolve(Requirement(requirement), registry=self.registry, target=target)
        return verify(fetch(resolved, registry=self.registry), registry=self.registry, target=target)


def demo_registry(directory: Path, *plugins: tuple[str, bytes], **more: bytes) -> DemoRegistry:
    """A registry with these plugins (default: demo-plugin 1.0.0 and 1.1.0), locked to the real closure and `more`."""
    wheels = {path.name: path.read_bytes() for path in closure_wheels().glob("*.whl")}
    tree = make_registry_tree(
        directory,
        plugins=plugins or (demo_plugin_wheel("1.0.0"), demo_plugin_wheel("1.1.0")),
        closure=wheels | more,
    )
    return DemoRegistry(tree=tree, registry=Registry(tree.approved_config(directory / "trust")))


def install_here(wheel: VerifiedWheel, store: Store, **changes: Any) -> InstalledPlugin:
    """Installed for the running interpreter, as from the registry that it came from."""
    values: dict[str, Any] = {"interpreter": running_interpreter(), "development": True, **changes}
    return install(wheel, store=store, **values)


def tree_of(top: Path) -> dict[str, tuple[str, bytes]]:
    """Everything below a directory: relative path -> what it is and what it holds."""
    found = {}
    for path in sorted(top.rglob("*")):
        name = path.relative_to(top).as_posix()
        if path.is_symlink():
            found[name] = ("link", os.fsencode(path.readlink()))
        elif path.is_dir():
            found[name] = ("directory", b"")
        else:
            found[name] = ("file", path.read_bytes())
    return found


def run_in_child(work: Callable[[], object]) -> int:
    """Do this in a child process; gives its exit code, negative for the signal that ended it."""
    pid = os.fork()
    if pid == 0:
        try:
            work()
        except BaseException as error:  # reported by the exit code; nothing may return from a fork
            os.write(2, f"{error!r}\n".encode())
            os._exit(1)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def kill_at(number: int, *events: str) -> None:
    """This process is killed, as by a power cut, just before its `number`-th (from 1) of these audited operations."""
    left = number

    def hook(event: str, _: tuple[Any, ...]) -> None:
        nonlocal left
        if event in events:
            left -= 1
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(hook)


def count_events(work: Callable[[], object], *events: str) -> int:
    """How many of these audited operations this work does, in a child process."""
    reader, writer = os.pipe()

    def counted() -> None:
        total = 0

        def hook(event: str, _: tuple[Any, ...]) -> None:
            nonlocal total
            total += event in events

        sys.addaudithook(hook)
        work()
        os.write(writer, str(total).encode())

    try:
        assert run_in_child(counted) == 0
        return int(os.read(reader, 20))
    finally:
        os.close(reader)
        os.close(writer)
