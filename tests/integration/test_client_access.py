"""A registry behind a proxy, under its own authority, for those with credentials: and nobody else sees them."""

import base64
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from assess_registry.client import (
    Access,
    ConfigError,
    Credentials,
    Registry,
    RegistryConfig,
    TransportError,
    TrustError,
)
from assess_registry.client.location import Location, parse_base
from assess_registry.client.transport import Deadline, open_transport
from tests.support.http_registry import HttpRegistry, redirect, serve, status
from tests.support.tls import certificate, proxy, server_context

FILE = Location("files/demo.bin")
DATA = b"data" * 1000
SECRET = "correct-horse-battery-staple"


@pytest.fixture
def https(tmp_path: Path) -> Iterator[HttpRegistry]:
    (tmp_path / "root" / "files").mkdir(parents=True)
    (tmp_path / "root" / FILE).write_bytes(DATA)
    with serve(tmp_path / "root", tls=server_context(certificate(tmp_path))) as server:
        yield server


@pytest.fixture
def authority(https: HttpRegistry, tmp_path: Path) -> Path:
    return tmp_path / "authority.pem"


def read(url: str, access: Access, *, timeout_s: float = 10.0) -> bytes:
    transport = open_transport(parse_base(url), access)
    try:
        return transport.read(FILE, max_bytes=len(DATA), deadline=Deadline.after(timeout_s))
    finally:
        transport.close()


def shown(https: HttpRegistry) -> list[str | None]:
    """What the registry is shown as authorization, from now on; it answers as before."""
    seen: list[str | None] = []

    def answer(handler: BaseHTTPRequestHandler) -> None:
        seen.append(handler.headers["authorization"])
        status(200, DATA)(handler)

    https.answers[f"/{FILE}"] = answer
    return seen


# ---- authorities ----


def test_own_authority_counts_and_no_other(https: HttpRegistry, authority: Path, tmp_path: Path) -> None:
    assert read(https.url, Access(ca_file=authority)) == DATA
    with pytest.raises(TransportError, match="certificate verify failed"):
        read(https.url, Access())
    (tmp_path / "other").mkdir()
    certificate(tmp_path / "other")
    with pytest.raises(TransportError, match="certificate verify failed"):
        read(https.url, Access(ca_file=tmp_path / "other" / "authority.pem"))


@pytest.mark.parametrize("content", [None, b"", b"no certificate"])
def test_file_without_an_authority_is_a_mistake(https: HttpRegistry, tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "ca.pem"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigError, match=r"registry ca_file: .*ca\.pem"):
        read(https.url, Access(ca_file=path))


# ---- proxy ----


def test_proxy_tunnels_and_learns_the_host_only(https: HttpRegistry, authority: Path, tmp_path: Path) -> None:
    seen = shown(https)
    (tmp_path / "token").write_text(SECRET + "\n")
    (tmp_path / "token").chmod(0o600)
    with proxy() as through:
        access = Access(
            proxy=through.url, ca_file=authority, credentials=Credentials(kind="bearer", file=tmp_path / "token")
        )
        assert read(https.url, access) == DATA
        assert seen == [f"Bearer {SECRET}"]
        assert len(through.heads) == 1
        assert through.heads[0].startswith(f"CONNECT {https.url.split('/')[2]} ".encode())
        assert SECRET.encode() not in through.heads[0]
        assert b"uthorization" not in through.heads[0]


def test_proxy_does_not_vouch_for_the_registry(https: HttpRegistry) -> None:
    with proxy() as through, pytest.raises(TransportError, match="certificate verify failed"):
        read(https.url, Access(proxy=through.url))


def test_proxy_that_is_gone_refuses_or_is_silent_is_not_gone_around(https: HttpRegistry, authority: Path) -> None:
    with pytest.raises(TransportError, match="cannot be reached"):
        read(https.url, Access(proxy="http://127.0.0.1:9", ca_file=authority))
    with proxy() as through:
        through.answer = b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n"
        with pytest.raises(TransportError, match="403"):
            read(https.url, Access(proxy=through.url, ca_file=authority))
        through.answer = b""
        with pytest.raises(TransportError, match="not complete within"):
            read(https.url, Access(proxy=through.url, ca_file=authority), timeout_s=0.3)
    assert https.requests == []


@pytest.mark.parametrize(
    "url", ["http://user:secret@proxy:3128", "http://user@proxy", "socks5://proxy", "proxy:3128", "http://proxy/path"]
)
def test_odd_proxy_is_a_mistake_and_is_not_repeated(url: str) -> None:
    with pytest.raises(ConfigError, match="registry proxy: expected") as caught:
        Access(proxy=url)
    assert "secret" not in str(caught.value)


# ---- credentials ----


def test_user_and_password_are_shown_to_the_registry(
    https: HttpRegistry, authority: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = shown(https)
    monkeypatch.setenv("REGISTRY_PASSWORD", SECRET)
    credentials = Credentials(kind="basic", user="web-01", env="REGISTRY_PASSWORD")
    assert read(https.url, Access(ca_file=authority, credentials=credentials)) == DATA
    assert seen == ["Basic " + base64.b64encode(f"web-01:{SECRET}".encode()).decode()]
    assert read(https.url, Access(ca_file=authority)) == DATA
    assert seen[1:] == [None]


def test_refused_credentials_are_said_and_not_shown(
    https: HttpRegistry, authority: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOKEN", SECRET)
    access = Access(ca_file=authority, credentials=Credentials(kind="bearer", env="TOKEN"))
    for code in (401, 403):
        https.answers[f"/{FILE}"] = status(code)
        with pytest.raises(TransportError, match=f"{code}.*; check the credentials") as caught:
            read(https.url, access)
        assert SECRET not in str(caught.value) + repr(access)


def test_credentials_do_not_follow_a_redirect(
    https: HttpRegistry, authority: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOKEN", SECRET)
    with serve(tmp_path / "root", tls=server_context(tmp_path / "server.pem")) as elsewhere:
        https.answers[f"/{FILE}"] = redirect(elsewhere.url + FILE)
        with pytest.raises(TrustError, match="redirects"):
            read(https.url, Access(ca_file=authority, credentials=Credentials(kind="bearer", env="TOKEN")))
        assert elsewhere.requests == []


@pytest.mark.parametrize("url", ["http://127.0.0.1:9/", "file:///srv/registry"])
def test_credentials_and_proxies_are_for_https_alone(url: str) -> None:
    for access in (Access(proxy="http://proxy:3128"), Access(credentials=Credentials(kind="bearer", env="TOKEN"))):
        with pytest.raises(ConfigError, match="are for https"):
            open_transport(parse_base(url), access)
    open_transport(parse_base("file:///srv/registry")).close()


MISTAKES: dict[str, Callable[[Path], object]] = {
    "neither": lambda _: Credentials(kind="bearer"),
    "both": lambda path: Credentials(kind="bearer", file=path, env="TOKEN"),
    "no user": lambda path: Credentials(kind="basic", file=path),
    "user of a token": lambda path: Credentials(kind="bearer", user="a", file=path),
    "colon in user": lambda path: Credentials(kind="basic", user="a:b", file=path),
    "no file": lambda path: Credentials(kind="bearer", file=path.with_name("gone")).header(),
    "no variable": lambda _: Credentials(kind="bearer", env="NOT_SET_ANYWHERE").header(),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_credentials_that_cannot_be_are_a_mistake(tmp_path: Path, name: str) -> None:
    path = tmp_path / "token"
    path.write_text(SECRET)
    path.chmod(0o600)
    assert Credentials(kind="bearer", file=path).header() == f"Bearer {SECRET}"
    with pytest.raises(ConfigError, match="registry credentials"):
        MISTAKES[name](path)


@pytest.mark.parametrize(
    ("content", "mode"),
    [(b"", 0o600), (b"\n", 0o600), (b"two\nlines\n", 0o600), (b"with blank", 0o600), (b"\xff", 0o600), (b"ok", 0o640)],
)
def test_secret_file_has_one_line_for_its_owner(tmp_path: Path, content: bytes, mode: int) -> None:
    path = tmp_path / "token"
    path.write_bytes(content)
    path.chmod(mode)
    with pytest.raises(ConfigError) as caught:
        Credentials(kind="bearer", file=path).header()
    assert str(path) in str(caught.value)


def test_password_may_hold_what_a_token_may_not(tmp_path: Path) -> None:
    path = tmp_path / "password"
    path.write_text("pass phrase: ü\n")
    path.chmod(0o600)
    header = Credentials(kind="basic", user="a", file=path).header()
    assert base64.b64decode(header.removeprefix("Basic ")).decode() == "a:pass phrase: ü"


# ---- configuration ----


def test_registry_is_trusted_in_exactly_one_way(tmp_path: Path) -> None:
    url = tmp_path.as_uri()
    RegistryConfig(url=url, trusted_keys=tmp_path)
    RegistryConfig(url=url, root=tmp_path / "1.root.json", state=tmp_path)
    with pytest.raises(ConfigError, match="either root"):
        RegistryConfig(url=url)
    with pytest.raises(ConfigError, match="either root"):
        RegistryConfig(url=url, root=tmp_path / "1.root.json", state=tmp_path, trusted_keys=tmp_path)
    with pytest.raises(ConfigError, match="state: with root"):
        RegistryConfig(url=url, root=tmp_path / "1.root.json")
    with pytest.raises(ConfigError, match="max_staleness_s"):
        RegistryConfig(url=url, trusted_keys=tmp_path, max_staleness_s=-1)


def test_root_that_others_can_replace_is_not_believed(tmp_path: Path) -> None:
    anchor = tmp_path / "1.root.json"
    config = RegistryConfig(url=tmp_path.as_uri(), root=anchor, state=tmp_path / "state")
    with Registry(config) as registry, pytest.raises(ConfigError, match=r"registry root: .*1\.root\.json"):
        registry.known_word()
    anchor.write_bytes(b"{}")
    anchor.chmod(0o666)
    with Registry(config) as registry, pytest.raises(TrustError, match="others can change"):
        registry.known_word()
    anchor.chmod(0o644)
    with Registry(config) as registry, pytest.raises(TrustError, match="never reached"):
        registry.known_word()
