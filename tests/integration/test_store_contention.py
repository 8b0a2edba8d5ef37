"""Users, installers and pruners of one store, killed at random: nothing in use is removed, and nothing is left over."""

import os
import random
import signal
import time
from collections.abc import Callable
from pathlib import Path

from assess_core.store import DamagedError, Store, prune
from assess_registry.client import Registry
from tests.support.installing import DemoRegistry, install_here
from tests.support.registry_tree import make_registry_tree
from tests.support.wheels import demo_plugin_wheel

SECONDS = 4.0
USERS, PRUNERS = 4, 2
KITS: frozenset[str] = frozenset()


def started(work: Callable[[], None], report: int) -> int:
    """A process that does this again and again until it is killed, and reports what it may not see."""
    child = os.fork()
    if child == 0:
        try:
            while True:
                work()
        except BaseException as error:
            os.write(report, f"{error!r}\n".encode()[:4000])
        finally:
            os._exit(1)
    return child


def test_nothing_in_use_is_removed_and_nothing_is_left(tmp_path: Path) -> None:
    versions = ("1.0.0", "1.1.0", "1.2.0")
    tree = make_registry_tree(tmp_path / "registry", plugins=tuple(demo_plugin_wheel(each) for each in versions))
    registry = DemoRegistry(tree=tree, registry=Registry(tree.config()))
    wheels = [registry.verified(f"demo-plugin=={version}") for version in versions]
    store, chance = Store(tmp_path / "state"), random.Random(7)
    used = tmp_path / "used"

    def use() -> None:
        wheel = random.choice(wheels)
        installed = install_here(wheel, store)
        try:
            lease = store.lease(installed)
        except DamagedError:  # pruned between the two: said, and nothing was used
            return
        with lease:
            for _ in range(5):
                assert store.check_untouched(installed) == ()
                assert (installed.site_packages / "demo_plugin/__init__.py").read_bytes()
                time.sleep(0.001)
            with used.open("a") as counted:
                counted.write("u")

    def remove() -> None:
        removed = prune(store, kits=KITS, keep=0).removed
        with used.open("a") as counted:
            counted.write("p" * len(removed))

    def enough() -> bool:
        done = used.read_text() if used.exists() else ""
        return done.count("u") > 10 and done.count("p") > 2

    reader, report = os.pipe()
    works = [use] * USERS + [remove] * PRUNERS
    children = [started(work, report) for work in works]
    kills, ends, pause_s = 0, time.monotonic() + SECONDS, 0.05
    try:
        while time.monotonic() < ends or not enough():
            if time.monotonic() >= ends:  # a slow machine, on which hardly anybody comes to an end before that
                ends, pause_s = time.monotonic() + SECONDS, 2 * pause_s
            time.sleep(pause_s)
            index = chance.randrange(len(works))
            os.kill(children[index], signal.SIGKILL)
            os.waitpid(children[index], 0)
            children[index] = started(works[index], report)
            kills += 1
    finally:
        for child in children:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
        os.close(report)
    assert os.read(reader, 10_000) == b""
    os.close(reader)
    done = used.read_text()
    print(f"\nused {done.count('u')}, removed {done.count('p')}, killed {kills}")
    assert enough()

    prune(store, kits=KITS, keep=0)
    for kind in ("envs", "installed", "leases", "staging", "wheels", "locks"):
        assert list(store.layout.path(kind).iterdir()) == [], kind
