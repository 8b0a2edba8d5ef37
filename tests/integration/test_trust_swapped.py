"""Whatever bytes stand where a document of metadata should: a refusal that names it, never a crash.

Nothing here takes a key. The one who can do it is the web server, or whoever wrote into the state directory, or a slip
of the hand that configured the wrong file; each is told what was found, and the same file as it should be is accepted.
"""

import copy
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from assess_registry.client import TrustError
from tests.support.trust_client import CONTROL, DEMO, TrustClient
from tests.support.tuf_tree import TufTree, bin_of, make_tuf_tree

BIN = bin_of(DEMO)
ROLES = ("root", "timestamp", "snapshot", "targets", BIN)
STEPS = {BIN: "targets"}

HOSTILE: dict[str, bytes] = {
    "empty": b"",
    "null": b"null",
    "list": b"[]",
    "text": b'"x"',
    "deep": b"[" * 200_000 + b"]" * 200_000,
    "deep object": b'{"signed":' * 5_000 + b"1" + b"}" * 5_000,
    "long number": b'{"signed": {"_type": "root", "version": ' + b"9" * 6_000 + b"}}",
    "not utf-8": b'{"signed": "\xff\xfe"}',
    "surrogate": b'{"signed": {"_type": "\\ud800"}, "signatures": []}',
    "signed is null": b'{"signed": null, "signatures": []}',
    "signed is a list": b'{"signed": [], "signatures": []}',
    "type is a list": b'{"signed": {"_type": []}, "signatures": []}',
    "type is an object": b'{"signed": {"_type": {"a": {}}}, "signatures": []}',
    "no type": b'{"signed": {}, "signatures": []}',
    "unknown type": b'{"signed": {"_type": "mirrors"}, "signatures": []}',
    "signatures are null": b'{"signed": {"_type": "root"}, "signatures": null}',
}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> TufTree:
    tree = make_tuf_tree(tmp_path_factory.mktemp("tree"))
    tree.put({DEMO: b"demo", CONTROL: b"revoked: none"})
    tree.write("root")
    return tree


@pytest.fixture
def client(made: TufTree, tmp_path: Path) -> Iterator[TrustClient]:
    files = made.files()
    yield TrustClient(tree=made, state=tmp_path / "state")
    made.put_back(files, *files)


def place(tree: TufTree, role: str) -> Path:
    return tree.metadata / ("timestamp.json" if role == "timestamp" else f"{tree.signed(role).version}.{role}.json")


def refused(read: Callable[[], object]) -> TrustError:
    with pytest.raises(TrustError) as caught:
        read()
    assert caught.value.next_step
    assert len(str(caught.value)) < 2_000
    return caught.value


@pytest.mark.parametrize("other", ROLES)
@pytest.mark.parametrize("role", ROLES)
def test_a_document_of_every_other_type_in_its_place_is_refused(client: TrustClient, role: str, other: str) -> None:
    path, other_path = place(client.tree, role), place(client.tree, other)
    path.write_bytes(other_path.read_bytes())
    if role == other:
        assert client.read() == b"demo"
        return
    error = refused(client.read)
    assert (error.step, error.thing) == (STEPS.get(role, role), f"metadata/{path.name}")


@pytest.mark.parametrize("other", ROLES)
def test_a_configured_root_that_is_no_root_is_refused(client: TrustClient, other: str) -> None:
    client.anchor = place(client.tree, other).read_bytes()
    if other == "root":
        assert client.read() == b"demo"
        assert client.remembered() == b"demo"
        return
    assert refused(client.read).step == "root"
    client.anchor = b""
    assert client.read() == b"demo"
    client.anchor = place(client.tree, other).read_bytes()
    assert refused(client.remembered).step == "root"


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("role", ROLES)
def test_hostile_json_in_its_place_is_refused(client: TrustClient, role: str, name: str) -> None:
    path = place(client.tree, role)
    honest = path.read_bytes()
    path.write_bytes(HOSTILE[name])
    assert refused(client.read).step in {STEPS.get(role, role), "length"}
    path.write_bytes(honest)
    assert client.read() == b"demo"


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
@pytest.mark.parametrize("role", ROLES)
def test_a_document_that_was_cut_short_is_refused(client: TrustClient, role: str, share: float) -> None:
    path = place(client.tree, role)
    honest = path.read_bytes()
    path.write_bytes(honest[: int(len(honest) * share)])
    assert refused(client.read).step == STEPS.get(role, role)
    path.write_bytes(honest)
    assert client.read() == b"demo"


KEPT = ("root_history/2.root.json", "timestamp.json", "snapshot.json", "targets.json", f"{BIN}.json")


@pytest.mark.parametrize("number", range(len(HOSTILE)))
def test_hostile_json_as_what_is_remembered_is_refused_and_learned_anew(client: TrustClient, number: int) -> None:
    client.read()
    name, file = list(HOSTILE)[number], KEPT[number % len(KEPT)]
    path = client.state / "last/metadata" / file
    honest = path.read_bytes()
    path.write_bytes(HOSTILE[name])  # one file by two names: what the next refresh works on is damaged, too
    assert refused(client.remembered).step in {"root", "timestamp", "snapshot", "targets", "staleness"}
    path.write_bytes(honest)
    assert client.remembered() == b"demo"
    path.write_bytes(HOSTILE[name])
    assert client.read() == b"demo"
    assert client.remembered() == b"demo"


VALUES: tuple[Any, ...] = (None, True, -1, 10**30, 1.5, "", "x" * 300, "\ud800", [], [[]], {}, {"": None})


def mutations(value: Any) -> Iterator[Any]:
    """The document with every single value in it replaced by each of `VALUES`, or left out."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield {name: other for name, other in value.items() if name != key}
            yield from ({**value, key: changed} for changed in mutations(inner))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from ([*value[:index], changed, *value[index + 1 :]] for changed in mutations(inner))
    yield from (copy.deepcopy(hostile) for hostile in VALUES if hostile != value)


@pytest.mark.parametrize("role", ROLES)
def test_a_document_with_any_one_value_changed_is_refused_or_the_same(client: TrustClient, role: str) -> None:
    path = place(client.tree, role)
    honest, state = path.read_bytes(), client.state
    changed = list(mutations(json.loads(honest)))
    assert len(changed) > 100
    steps: list[str] = []
    for number in range(0, len(changed), 1 + len(changed) // SAMPLE):
        path.write_bytes(json.dumps(changed[number]).encode())
        client.state = state / str(number)  # one that knows nothing to fall back on
        try:
            assert client.read() == b"demo"
        except TrustError as error:
            steps.append(error.step)
    assert len(steps) > 3
    assert set(steps) <= {STEPS.get(role, role), "length"}
    path.write_bytes(honest)
    assert client.read() == b"demo"


SAMPLE = 20
"""Of some hundred mutations of a document."""
