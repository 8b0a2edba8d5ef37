"""What a server, or somebody on the way, can do to a client: nothing but keep it from its wheel, and not for long."""

from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler

import pytest

from assess_registry.client import (
    NotPublishedError,
    TransportError,
    TrustError,
)
from tests.support.client_place import (
    DEMO,
    PLUGGY,
    Place,
)
from tests.support.http_registry import Answer, HttpRegistry, drip, redirect, serve, status
from tests.support.registry_tree import RegistryTree


@pytest.fixture
def http(tree: RegistryTree) -> Iterator[HttpRegistry]:
    with serve(tree.root) as server:
        yield server


@pytest.fixture
def place(tree: RegistryTree, http: HttpRegistry) -> Place:
    return Place(tree=tree, http=http)


PATHS = {
    "page": "/simple/demo-plugin/index.json",
    "lock": "/files/demo-plugin/1.0.0/pylock.toml",
    "wheel": f"/files/demo-plugin/1.0.0/{DEMO}",
    "signature": f"/files/demo-plugin/1.0.0/{DEMO}.sig",
    "dependency": f"/files/pluggy/1.6.0/{PLUGGY}",
}


@pytest.mark.parametrize("which", PATHS)
def test_redirect_is_refused_for_every_file(place: Place, http: HttpRegistry, which: str) -> None:
    assert place.chain().inspected.filename == DEMO
    http.answers[PATHS[which]] = redirect("http://127.0.0.1:9/evil")
    with pytest.raises(TrustError, match="lie below its own URL") as caught:
        place.chain()
    assert caught.value.step == "redirect"
    assert caught.value.thing.endswith(PATHS[which])


@pytest.mark.parametrize("which", PATHS)
def test_slow_file_ends_the_operation(place: Place, http: HttpRegistry, which: str) -> None:
    http.answers[PATHS[which]] = drip(b"HTTP/1.1 200 OK\r\n\r\n", http.stopping)
    with pytest.raises(TransportError, match=r"not complete within 0\.3 s for the whole operation"):
        place.chain(timeout_s=0.3)
    del http.answers[PATHS[which]]
    assert place.chain().inspected.filename == DEMO


def test_many_files_share_one_deadline(place: Place, http: HttpRegistry) -> None:
    """Each answer is late, none is too late; together they are."""

    def late(path: str) -> Answer:
        def answer(handler: BaseHTTPRequestHandler) -> None:
            http.stopping.wait(0.1)
            data = (place.tree.root / path.lstrip("/")).read_bytes()
            status(200, data)(handler)

        return answer

    for path in (*PATHS.values(), PATHS["lock"] + ".sig"):
        http.answers[path] = late(path)
    with pytest.raises(TransportError, match="whole operation"):
        place.chain(timeout_s=0.3)
    assert place.chain(timeout_s=10).inspected.filename == DEMO


@pytest.mark.parametrize(("code", "kind"), [(404, NotPublishedError), (500, TransportError)])
def test_wheels_bytes_under_an_error_status_are_no_wheel(
    place: Place, http: HttpRegistry, code: int, kind: type[TransportError]
) -> None:
    data = place.tree.path(DEMO).read_bytes()
    http.answers[PATHS["wheel"]] = status(code, data)
    with pytest.raises(kind, match=str(code)):
        place.chain()
    http.answers[PATHS["wheel"]] = status(200, data)
    assert place.chain().data == data


def test_a_connection_closed_after_an_answer_is_no_failure_of_the_next(place: Place, http: HttpRegistry) -> None:
    data = place.tree.path(DEMO).read_bytes()
    http.answers[PATHS["wheel"]] = status(200, data)  # such an answer ends the connection without announcing it
    for _ in range(20):
        assert place.chain().data == data


def test_registry_that_is_gone_is_unreachable(tree: RegistryTree) -> None:
    with serve(tree.root) as http:
        place = Place(tree=tree, http=http)
        assert place.chain().inspected.filename == DEMO
    with pytest.raises(TransportError, match="cannot be reached") as caught:
        place.chain()
    assert not isinstance(caught.value, NotPublishedError)


def test_directory_that_is_gone_is_unreachable(tree: RegistryTree) -> None:
    place = Place(tree=tree)
    assert place.chain().inspected.filename == DEMO
    tree.root.rename(tree.directory / "moved")
    with pytest.raises(TransportError, match="there is no registry here") as caught:
        place.chain()
    assert not isinstance(caught.value, NotPublishedError)
