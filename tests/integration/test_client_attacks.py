"""Every way of exchanging what a registry stores is refused by the step that is there to refuse it.

Each attack runs on a copy of a registry that has just been shown to work; it changes one thing.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from assess_registry.client import (
    TrustError,
)
from assess_registry.client.page import MAX_PAGE_BYTES
from tests.support.client_place import (
    DEMO,
    OLDER,
    PLUGGY,
    SECOND,
    STRANGER,
    Place,
    flip,
    reach,
    snapshot,
)
from tests.support.registry_tree import RegistryTree
from tests.support.wheels import WheelBuilder, demo_plugin_wheel


@pytest.fixture(params=["file", "http"])
def place(request: pytest.FixtureRequest, tree: RegistryTree) -> Iterator[Place]:
    with reach(tree, request.param) as place:
        yield place


@dataclass(frozen=True, kw_only=True)
class Attack:
    """`do` changes one thing; then the chain must end in `error` at `step`, about `thing`, saying `said`."""

    do: Callable[[RegistryTree], object]
    step: str
    said: str
    thing: str = DEMO


def on_file(name: str, change: Callable[[bytes], bytes]) -> Callable[[RegistryTree], object]:
    def do(tree: RegistryTree) -> None:
        path = beside(tree, name)
        path.write_bytes(change(path.read_bytes()))

    return do


def beside(tree: RegistryTree, name: str) -> Path:
    """A wheel, or something that lies beside the demo plugin's."""
    return tree.path(name) if name.endswith(".whl") else tree.path(DEMO).with_name(name)


def on_page(change: Callable[[dict[str, Any]], object]) -> Callable[[RegistryTree], object]:
    """Change the entry of the newest wheel on the page."""
    return lambda tree: tree.edit_page(lambda page: change(page["files"][-1]))


def other_release(name: str) -> Callable[[RegistryTree], object]:
    """Put a file of the older, well signed release in the place of the newer one's."""
    return lambda tree: beside(tree, name).write_bytes(
        tree.path(OLDER).with_name(name.replace(DEMO, OLDER)).read_bytes()
    )


def old_lock_moved(tree: RegistryTree) -> None:
    for name in ("pylock.toml", "pylock.toml.sig"):
        other_release(name)(tree)


def dressed_up(tree: RegistryTree) -> None:
    """Other bytes with page and lock made to agree, everything signed - by a key nobody trusts."""
    tree.forge(DEMO, demo_plugin_wheel(source="raise SystemExit")[1])
    tree.sign(tree.path(DEMO), key=STRANGER)


def lock_by_second(tree: RegistryTree) -> None:
    tree.sign(beside(tree, "pylock.toml"), key=SECOND)


def ambush(tree: RegistryTree) -> None:
    """A wheel with a build tag beside the locked one: pip prefers it. Even a well signed one is not the locked one."""
    builder = WheelBuilder(build_tag="99")
    path = tree.path(builder.filename)
    path.write_bytes(builder.build())
    tree.sign(path)
    tree.edit_page(lambda page: page["files"].append(copied(page["files"][-1], builder.filename)))


def copied(entry: dict[str, Any], filename: str) -> dict[str, Any]:
    return {**entry, "filename": filename, "url": entry["url"].rpartition("/")[0] + "/" + filename}


def forged(data: bytes, filename: str = DEMO) -> Callable[[RegistryTree], object]:
    """A wheel with these bytes, and everything around it signed by its rightful publisher."""
    return lambda tree: tree.forge(filename, data, plugin=None if filename == DEMO else DEMO)


def replaced(text: str, new: str) -> Callable[[str], str]:
    def change(whole: str) -> str:
        assert text in whole
        return whole.replace(text, new)

    return change


def locked_as(old: str, new: str) -> Callable[[RegistryTree], object]:
    return lambda tree: tree.sign(tree.edit_lock(DEMO, replaced(old, new)))


PAGE = "simple/demo-plugin/index.json"
LOCK = "files/demo-plugin/1.0.0/pylock.toml"

STORED: dict[str, Attack] = {
    # the wheel's signature
    "unsigned": Attack(do=lambda t: beside(t, DEMO + ".sig").unlink(), step="signature", said="not signed"),
    "empty signature": Attack(do=on_file(DEMO + ".sig", lambda d: d[:0]), step="signature", said="empty"),
    "short signature": Attack(do=on_file(DEMO + ".sig", lambda d: d[:-2]), step="signature", said="malformed"),
    "long signature": Attack(
        do=on_file(DEMO + ".sig", lambda d: d + b"\n"), step="length", said="longer", thing=DEMO + ".sig"
    ),
    "signed by a stranger": Attack(
        do=lambda t: t.sign(t.path(DEMO), key=STRANGER), step="signature", said="no trusted key"
    ),
    "signature of another wheel": Attack(do=other_release(DEMO + ".sig"), step="signature", said="no trusted key"),
    "signature over the lock": Attack(
        do=lambda t: beside(t, DEMO + ".sig").write_bytes(beside(t, "pylock.toml.sig").read_bytes()),
        step="signature",
        said="no trusted key",
    ),
    "everything forged by a stranger": Attack(do=dressed_up, step="signature", said="no trusted key"),
    # the wheel's bytes
    "altered": Attack(do=on_file(DEMO, lambda d: flip(d, 100)), step="hash", said="not the bytes its lock names"),
    "truncated": Attack(do=on_file(DEMO, lambda d: d[:-1]), step="length", said="shorter"),
    "lengthened": Attack(do=on_file(DEMO, lambda d: d + b"\0"), step="length", said="longer"),
    "emptied": Attack(do=on_file(DEMO, lambda d: d[:0]), step="length", said="shorter"),
    "error page saved as a wheel": Attack(
        do=lambda t: t.path(DEMO).write_bytes(b"<html>404 not found</html>"), step="length", said="shorter"
    ),
    "another release's bytes": Attack(do=other_release(DEMO), step="length", said="longer"),
    # what a publisher could sign all the same
    "signed garbage": Attack(do=forged(b"PK no zip"), step="inspect", said="not acceptable as a plugin"),
    "signed trailing bytes": Attack(
        do=forged(demo_plugin_wheel()[1] + b"\0"), step="inspect", said="not acceptable as a plugin"
    ),
    "signed bytes of another version": Attack(
        do=forged(demo_plugin_wheel("0.9.0")[1]), step="inspect", said="not acceptable as a plugin"
    ),
    "signed bytes of another project": Attack(
        do=forged(WheelBuilder(name="other").build()), step="inspect", said="not acceptable as a plugin"
    ),
    "signed wheel that is no plugin": Attack(
        do=forged(WheelBuilder.dependency("demo-plugin").build()), step="inspect", said="not acceptable"
    ),
    "wheel asks for another Python than page and lock": Attack(
        do=forged(demo_plugin_wheel(requires_python=">=3.99")[1]), step="python", said="not for this Python"
    ),
    # the page
    "page lies about the hash": Attack(
        do=on_page(lambda e: e["hashes"].update(sha256="ab" * 32)), step="lock", said="did not lock"
    ),
    "page lies about the size": Attack(do=on_page(lambda e: e.update(size=1)), step="lock", said="did not lock"),
    "link to another host": Attack(
        do=on_page(lambda e: e.update(url="https://evil.example/" + DEMO)),
        step="index",
        said="outside of the",
        thing=PAGE,
    ),
    "link to file:": Attack(
        do=on_page(lambda e: e.update(url="file:///tmp/" + DEMO)), step="index", said="outside of the", thing=PAGE
    ),
    "link to a parent": Attack(
        do=on_page(lambda e: e.update(url="../../../" + DEMO)), step="index", said="outside of the", thing=PAGE
    ),
    "link to an encoded parent": Attack(
        do=on_page(lambda e: e.update(url="../../%2e%2e/" + DEMO)), step="index", said="plain segments", thing=PAGE
    ),
    "page too large": Attack(
        do=lambda t: t.page().write_bytes(t.page().read_bytes() + b" " * MAX_PAGE_BYTES),
        step="length",
        said="longer",
        thing=PAGE,
    ),
    "page with a key twice": Attack(
        do=lambda t: t.page().write_bytes(t.page().read_bytes().replace(b"{", b'{"name": "demo-plugin",', 1)),
        step="index",
        said="occurs twice",
        thing=PAGE,
    ),
    "page with NaN": Attack(
        do=lambda t: t.page().write_bytes(t.page().read_bytes().replace(b"{", b'{"_x": NaN,', 1)),
        step="index",
        said="NaN",
        thing=PAGE,
    ),
    "page nested deeply": Attack(
        do=lambda t: t.page().write_bytes(
            t.page().read_bytes().replace(b"{", b'{"_x": ' + b"[" * 50_000 + b"]" * 50_000 + b",", 1)
        ),
        step="index",
        said="nested deeper",
        thing=PAGE,
    ),
    "page of another project": Attack(
        do=lambda t: t.page().write_bytes(t.page("pluggy").read_bytes()), step="index", said="expected", thing=PAGE
    ),
    "version alias": Attack(
        do=lambda t: t.edit_page(
            lambda page: page["files"].append(copied(page["files"][-1], "demo_plugin-1.0-py3-none-any.whl"))
        ),
        step="index",
        said="two spellings",
        thing=PAGE,
    ),
    "build tag ambush": Attack(
        do=ambush, step="lock", said="did not lock", thing="demo_plugin-1.0.0-99-py3-none-any.whl"
    ),
    # the lock
    "lock altered": Attack(
        do=lambda t: t.edit_lock(DEMO, replaced("created-by", "created-by ")),
        step="signature",
        said="no trusted",
        thing=LOCK,
    ),
    "lock unsigned": Attack(
        do=lambda t: beside(t, "pylock.toml.sig").unlink(), step="signature", said="not signed", thing=LOCK
    ),
    "lock signed by a stranger": Attack(
        do=lambda t: t.sign(beside(t, "pylock.toml"), key=STRANGER), step="signature", said="no trusted", thing=LOCK
    ),
    "lock missing": Attack(
        do=lambda t: beside(t, "pylock.toml").unlink(), step="lock", said="no lock beside", thing=LOCK
    ),
    "lock of another release": Attack(do=old_lock_moved, step="lock", said="did not lock"),
    "lock by the other publisher": Attack(do=lock_by_second, step="signer", said="different publishers"),
    "wheel by the other publisher": Attack(
        do=lambda t: t.sign(t.path(DEMO), key=SECOND), step="signer", said="different publishers"
    ),
    "lock without the wheel": Attack(do=locked_as(DEMO, OLDER), step="lock", said="", thing="pylock"),
    "lock that points elsewhere": Attack(
        do=locked_as(f'"../../pluggy/1.6.0/{PLUGGY}"', f'"../../../{PLUGGY}"'),
        step="lock",
        said="must not hold",
        thing="pylock",
    ),
    # the closure
    "dependency altered": Attack(do=on_file(PLUGGY, lambda d: flip(d, 100)), step="hash", said="not the", thing=PLUGGY),
    "dependency truncated": Attack(do=on_file(PLUGGY, lambda d: d[:-1]), step="length", said="shorter", thing=PLUGGY),
    "dependency lengthened": Attack(do=on_file(PLUGGY, lambda d: d + b"x"), step="length", said="longer", thing=PLUGGY),
    "dependency swapped for another of ours": Attack(
        do=lambda t: t.path(PLUGGY).write_bytes(
            next(t.path("assess_plugin-1.0.0-x.whl").parent.glob("*.whl")).read_bytes()
        ),
        step="length",
        said="er than",
        thing=PLUGGY,
    ),
    "signed dependency that is another": Attack(
        do=forged(WheelBuilder.dependency("evil").build(), PLUGGY),
        step="inspect",
        said="as a dependency",
        thing=PLUGGY,
    ),
    "signed dependency that is no wheel": Attack(
        do=forged(b"no wheel", PLUGGY), step="inspect", said="as a dependency", thing=PLUGGY
    ),
    "signed dependency for another Python": Attack(
        do=forged(WheelBuilder.dependency("pluggy", "1.6.0", requires_python=">=3.99").build(), PLUGGY),
        step="python",
        said="not for this Python",
        thing=PLUGGY,
    ),
}


@pytest.mark.parametrize("name", STORED)
def test_attack_is_refused_by_its_step_and_leaves_nothing_behind(place: Place, name: str, tmp_path: Path) -> None:
    attack = STORED[name]
    assert place.chain().inspected.filename == DEMO
    attack.do(place.tree)
    before = snapshot(tmp_path)
    with pytest.raises(TrustError) as caught:
        place.chain()
    error = caught.value
    assert error.step == attack.step, str(error)
    assert attack.said in str(error)
    assert attack.thing in error.thing
    assert error.next_step
    assert snapshot(tmp_path) == before


@pytest.mark.parametrize("name", ["forge plugin", "forge dependency", "sign again"])
def test_what_the_publisher_signs_rightly_is_accepted(place: Place, name: str) -> None:
    """The control of the forging attacks: the same doing with honest content goes through."""
    if name == "forge plugin":
        place.tree.forge(DEMO, demo_plugin_wheel(source="# rebuilt\n")[1])
    elif name == "forge dependency":
        forged(WheelBuilder.dependency("pluggy", "1.6.0", files={"pluggy/x.py": ""}).build(), PLUGGY)(place.tree)
    else:
        place.tree.sign(place.tree.path(DEMO))
    assert place.chain().inspected.filename == DEMO
