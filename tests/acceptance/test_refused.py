"""A wheel that is not what it should be: `assess run` and `assess sync` exit 5, say where and why, unpack nothing.

Each attack changes one thing in a copy of a registry. Its control is the same place
with the one thing put right, in the state directory that saw the attack: it must install and run.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from assess_registry.keys import generate_key
from tests.acceptance.sites import Site, make_site, one_document
from tests.integration.test_client_approved_attacks import with_wheel
from tests.support.checkout import Checkout
from tests.support.client_place import DEMO, flip
from tests.support.registry_tree import RegistryTree
from tests.support.wheels import WheelBuilder, demo_manifest

CHECKS = ("demo-greeting", "demo-kernel")
PLUGIN = WheelBuilder(manifest=demo_manifest(CHECKS))


@dataclass(frozen=True, kw_only=True, slots=True)
class Attack:
    """`do` changes one thing, and the refusal names `step` and says `said`; `undo` puts it right."""

    do: Callable[[RegistryTree], object]
    step: str
    said: str
    undo: Callable[[RegistryTree], object] | None = None


def on(name: str, change: Callable[[bytes], bytes]) -> Callable[[RegistryTree], None]:
    """Change the bytes of a file beside the plugin's wheel."""

    def do(tree: RegistryTree) -> None:
        path = tree.path(DEMO).with_name(name)
        path.write_bytes(change(path.read_bytes()))

    return do


def unsign(tree: RegistryTree) -> None:
    tree.path(DEMO).with_name(f"{DEMO}.sig").unlink()


def sign_with_another_key(tree: RegistryTree) -> None:
    tree.sign(tree.path(DEMO), key=generate_key())


def sign_again(tree: RegistryTree) -> None:
    tree.sign(tree.path(DEMO))


def on_dependency(change: Callable[[bytes], bytes]) -> Callable[[RegistryTree], None]:
    def do(tree: RegistryTree) -> None:
        (wheel,) = (tree.root / "files/pluggy").glob("*/*.whl")
        wheel.write_bytes(change(wheel.read_bytes()))

    return do


def forge(data: bytes) -> Callable[[RegistryTree], None]:
    """Other bytes, with everything around them signed by the rightful publisher."""
    return lambda tree: tree.forge(DEMO, data)


def by_all(data: bytes) -> Callable[[RegistryTree], object]:
    """Other bytes, with everything signed by everybody who has a key: nothing but the wheel itself is wrong."""
    return lambda tree: with_wheel(data)(tree, True)


def disapprove(tree: RegistryTree) -> None:
    tree.path(DEMO).with_name(f"{DEMO}.verdict.json").unlink()


def unlock(tree: RegistryTree) -> None:
    tree.path(DEMO).with_name("pylock.toml.sig").unlink()


ATTACKS = {
    "unsigned": Attack(do=unsign, step="signature", said="not signed", undo=sign_again),
    "wrongly signed": Attack(do=sign_with_another_key, step="hash", said="signed page", undo=sign_again),
    "signature cut short": Attack(do=on(f"{DEMO}.sig", lambda data: data[:-2]), step="length", said="shorter"),
    "not approved": Attack(do=disapprove, step="verdict", said="nobody says that it was approved"),
    "altered": Attack(
        do=on(DEMO, lambda data: flip(data, 100)), step="hash", said="not the bytes its signed page names"
    ),
    "truncated": Attack(do=on(DEMO, lambda data: data[:-1]), step="length", said="shorter"),
    "lengthened": Attack(do=on(DEMO, lambda data: data + b"\0"), step="length", said="longer"),
    "lock unsigned": Attack(do=unlock, step="signature", said="not signed"),
    "dependency altered": Attack(do=on_dependency(lambda data: flip(data, 100)), step="hash", said="not the bytes"),
    "other bytes, signed by the publisher": Attack(
        do=forge(PLUGIN.but(files={"demo_plugin/__init__.py": "import evil\n"}).build()),
        step="hash",
        said="signed page",
    ),
    "unlisted file, signed by all": Attack(
        do=by_all(PLUGIN.but(record=lambda rows: rows[1:]).build()),
        step="inspect",
        said="RECORD",
        undo=by_all(PLUGIN.build()),
    ),
    "wrong Python only in the wheel": Attack(
        do=by_all(PLUGIN.but(requires_python=">=3.99").build()),
        step="python",
        said="not for this Python",
        undo=by_all(PLUGIN.build()),
    ),
}


@pytest.fixture(scope="module")
def published(ran: Checkout, tmp_path_factory: pytest.TempPathFactory) -> Site:
    site = make_site(ran, tmp_path_factory.mktemp("published") / "site")
    site.publish(PLUGIN)
    site.configure()
    return site


def refused(site: Site, *, step: str, said: str, thing: str = "") -> None:
    """`run` and `sync` refuse, in words and as documents, and nothing was unpacked."""
    done = site.assess("run", "--output", "json")
    assert done.returncode == 5, done.stdout + done.stderr
    error = one_document(done.stdout)["error"]
    assert (error["kind"], error["exit"], error["step"]) == ("trust", 5, step)
    assert said in error["message"]
    assert thing in error["thing"]
    assert error["issues"] or error["expected"] != error["got"]
    assert error["next_step"]
    synced = site.assess("sync", "--output", "json")
    assert synced.returncode == 5
    (line,) = one_document(synced.stdout)["plugins"]
    assert (line["distribution"], line["action"], line["version"]) == ("demo-plugin", "refused", "")
    for words in (done.stderr, line["reason"]):
        assert step in words
        assert said in words
    assert "Traceback" not in done.stderr + synced.stderr
    assert site.unpacked() == []


def accepted(site: Site) -> None:
    """The same commands in the same state directory install it and run it."""
    done = site.assess("run", "--output", "json")
    assert done.returncode == 0, done.stdout + done.stderr
    assert {result["outcome"] for result in one_document(done.stdout)["results"]} == {"pass"}
    assert any(name.startswith("envs/") for name in site.unpacked())


@pytest.mark.parametrize("name", ATTACKS)
def test_what_was_exchanged_is_refused_and_the_right_thing_runs(name: str, published: Site, tmp_path: Path) -> None:
    attack = ATTACKS[name]
    site = published.copy(tmp_path / "site")
    attack.do(site.tree)
    refused(site, step=attack.step, said=attack.said)
    if attack.undo is not None:
        attack.undo(site.tree)
    else:
        published.copy(tmp_path / "site")  # the untouched files again
    accepted(site)


def test_a_person_reads_why(published: Site, tmp_path: Path) -> None:
    site = published.copy(tmp_path / "site")
    unsign(site.tree)
    ran = site.assess("run")
    assert (ran.returncode, ran.stdout) == (5, "")
    assert f"{DEMO}.sig" in ran.stderr or DEMO in ran.stderr
    synced = site.assess("sync")
    assert synced.returncode == 5
    assert "refused" in synced.stdout
    assert "not signed" in " ".join(synced.stdout.split())
    assert site.unpacked() == []


@pytest.mark.parametrize(
    ("wrong", "step", "said"),
    [
        pytest.param({"tag": "py3-none-win_amd64", "purelib": False}, "tags", "win_amd64", id="platform"),
        pytest.param({"tag": "cp27-none-any"}, "tags", "cp27", id="interpreter"),
        pytest.param({"requires_python": ">=3.15"}, "python", ">=3.15", id="python"),
    ],
)
def test_a_wheel_for_another_machine_is_refused_not_replaced_by_an_older(
    wrong: dict[str, object], step: str, said: str, published: Site, tmp_path: Path
) -> None:
    site = published.copy(tmp_path / "site")
    site.publish(PLUGIN.but(version="1.1.0", **wrong))
    refused(site, step=step, said=said, thing="demo-plugin 1.1.0")
    site.configure(plugins=[{"name": "demo-plugin", "version": "==1.0.0"}])
    accepted(site)


def test_a_refused_upgrade_leaves_the_previous_version_serving_when_asked_for_offline(
    published: Site, tmp_path: Path
) -> None:
    site = published.copy(tmp_path / "site")
    accepted(site)
    before = site.unpacked()
    site.publish(PLUGIN.but(version="1.1.0"))
    newer = site.tree.path("demo_plugin-1.1.0-py3-none-any.whl")
    whole = newer.read_bytes()
    newer.write_bytes(flip(whole, 100))
    done = site.assess("run", "--output", "json")
    assert done.returncode == 5
    assert site.unpacked() == before
    offline = site.assess("run", "--offline", "--output", "json")
    assert offline.returncode == 0, offline.stderr
    results = one_document(offline.stdout)["results"]
    assert {result["plugin"]["version"] for result in results} == {"1.0.0"}
    newer.write_bytes(whole)
    upgraded = site.assess("run", "--output", "json")
    assert upgraded.returncode == 0, upgraded.stderr
    assert {result["plugin"]["version"] for result in one_document(upgraded.stdout)["results"]} == {"1.1.0"}
