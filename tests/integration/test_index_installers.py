"""Strangers read what we write: pip, uv and OpenSSL, unmodified, from the tree alone and by hash."""

import base64
import contextlib
import importlib.metadata
import re
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from assess_registry.config import IndexConfig
from assess_registry.index.create import create_index
from assess_registry.keys import generate_key, write_key_pair
from assess_registry.lock import parse_lock
from assess_registry.publish import publish
from tests.support.closure import closure_wheels
from tests.support.http_registry import serve
from tests.support.programs import installer_environment, require_program
from tests.support.wheels import WheelBuilder, demo_plugin_wheel

PIP = (sys.executable, "-m", "pip", "--isolated", "--disable-pip-version-check", "--no-cache-dir")
LOCK = "files/demo-plugin/1.0.0/pylock.toml"
IMPORT_ALL = "import demo_plugin, assess_plugin, pluggy; print(pluggy.__version__)"


@dataclass(frozen=True)
class Published:
    """A registry with the demo plugin and its closure, and the publisher's public key."""

    root: Path
    wheel: str
    public: Path


@pytest.fixture
def published(tmp_path: Path) -> Published:
    root, filename, data = tmp_path / "registry", *demo_plugin_wheel()
    create_index(root, IndexConfig(name="test", development=True))
    key = generate_key()
    _, public = write_key_pair(tmp_path / "keys", "acme", key)
    (tmp_path / filename).write_bytes(data)
    publish(root, tmp_path / filename, key=key, closure=closure_wheels())
    return Published(root, filename, public)


@contextlib.contextmanager
def where(published: Published, kind: str) -> Iterator[str]:
    """Base of the tree, as a `file:` or a loopback `http:` address."""
    if kind == "file":
        yield published.root.as_uri()
    else:
        with serve(published.root) as server:
            yield server.url.rstrip("/")


@pytest.fixture
def environment(tmp_path: Path) -> Path:
    """The interpreter of a new virtual environment without anything in it."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path / "env"], check=True, timeout=60)
    return tmp_path / "env" / "bin" / "python"


Install = Callable[[Path, Sequence[str]], subprocess.CompletedProcess[str]]


def pip(python: Path, arguments: Sequence[str]) -> subprocess.CompletedProcess[str]:
    return run([*PIP, "--python", str(python), "install", *arguments])


def uv(python: Path, arguments: Sequence[str]) -> subprocess.CompletedProcess[str]:
    program = require_program("uv")
    return run([program, "pip", "install", "--no-config", "--python", str(python), *arguments])


def run(command: Sequence[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, capture_output=True, text=True, timeout=100, check=False, env=dict(installer_environment())
    )


def by_name(url: str, _tmp_path: Path) -> list[str]:
    """As a person types it; hashes come from the pages."""
    return ["--index-url", f"{url}/simple/", "demo-plugin==1.0.0"]


def by_lock(url: str, _tmp_path: Path) -> list[str]:
    """From the lock where it lies; hashes and places come from it."""
    return ["--require-hashes", "-r", f"{url.removeprefix('file://')}/{LOCK}"]


def by_hashes(url: str, tmp_path: Path) -> list[str]:
    """From the pages, but only what the lock names."""
    wheels = parse_lock((tmp_path / "registry" / LOCK).read_bytes()).wheels
    lines = [f"{wheel.project}=={wheel.version} --hash=sha256:{wheel.sha256}\n" for wheel in wheels]
    (tmp_path / "requirements.txt").write_text("".join(lines))
    return ["--index-url", f"{url}/simple/", "--require-hashes", "-r", str(tmp_path / "requirements.txt")]


Arguments = Callable[[str, Path], list[str]]

WAYS = [
    pytest.param(install, arguments, kind, id=f"{install.__name__}-{arguments.__name__}-{kind}")
    for install in (pip, uv)
    for arguments in (by_name, by_lock, by_hashes)
    for kind in ("file", "http")
    # uv 0.13 takes the relative paths of a lock it read over http for paths of this machine.
    if (install, arguments, kind) != (uv, by_lock, "http")
]


def imports(python: Path) -> str:
    done = subprocess.run(
        [python, "-I", "-c", IMPORT_ALL], capture_output=True, text=True, timeout=60, check=True
    )  # fmt: skip
    return done.stdout.strip()


@pytest.mark.parametrize(("install", "arguments", "kind"), WAYS)
def test_an_unmodified_installer_installs_from_the_tree_alone(
    install: Install, arguments: Arguments, kind: str, published: Published, environment: Path, tmp_path: Path
) -> None:
    with where(published, kind) as url:
        done = install(environment, arguments(url, tmp_path))
    assert done.returncode == 0, done.stderr
    assert imports(environment) == importlib.metadata.version("pluggy")


@pytest.mark.parametrize("arguments", [by_name, by_lock, by_hashes])
@pytest.mark.parametrize("install", [pip, uv])
def test_an_unmodified_installer_refuses_a_dependency_that_was_exchanged(
    install: Install, arguments: Arguments, published: Published, environment: Path, tmp_path: Path
) -> None:
    command = arguments(published.root.as_uri(), tmp_path)
    (wheel,) = (published.root / "files/pluggy").glob("*/*.whl")
    data = wheel.read_bytes()
    # Itself a correct wheel of that name and version, so that nothing but hash and size can be wrong with it.
    wheel.write_bytes(WheelBuilder.dependency("pluggy", wheel.name.split("-")[1]).build())
    done = install(environment, command)
    assert done.returncode != 0
    assert re.search("hash|size", (done.stdout + done.stderr).lower())
    wheel.write_bytes(data)  # the control: the same bytes again
    assert install(environment, command).returncode == 0


def test_pip_refuses_metadata_that_lies(published: Published, environment: Path) -> None:
    (metadata,) = (published.root / "files/demo-plugin").glob("*/*.metadata")
    metadata.write_bytes(metadata.read_bytes().replace(b"Requires-Dist", b"X-Dropped"))
    with serve(published.root) as server:
        done = pip(environment, by_name(server.url.rstrip("/"), published.root))
    assert done.returncode != 0
    assert "hash" in (done.stdout + done.stderr).lower()


def test_pip_chooses_what_our_own_walk_chose(published: Published, tmp_path: Path) -> None:
    lock = tmp_path / "pylock.toml"
    requirement = str(published.root / "files/demo-plugin/1.0.0" / published.wheel)
    done = run([*PIP, "lock", "--no-index", "--find-links", str(closure_wheels()), "-o", str(lock), requirement])
    assert done.returncode == 0, done.stderr
    ours = (published.root / LOCK).read_text()
    theirs = [line for line in lock.read_text().splitlines() if line.startswith("sha256 =")]
    assert len(theirs) == 3
    assert all(line in ours for line in theirs)


def test_openssl_agrees_with_our_signatures(published: Published, tmp_path: Path) -> None:
    openssl = require_program("openssl")
    home = published.root / "files/demo-plugin/1.0.0"

    def verify(signed: Path, signature: bytes) -> int:
        (tmp_path / "raw.sig").write_bytes(signature)
        command = [openssl, "pkeyutl", "-verify", "-pubin", "-inkey", str(published.public), "-rawin", "-in"]
        return run([*command, str(signed), "-sigfile", str(tmp_path / "raw.sig")]).returncode

    for name in (published.wheel, "pylock.toml"):
        signature = base64.b64decode((home / f"{name}.sig").read_bytes())
        assert verify(home / name, signature) == 0
        assert verify(published.public, signature) != 0
        assert verify(home / name, signature[:-1] + bytes([signature[-1] ^ 1])) != 0


def test_openssl_reads_our_private_key_and_makes_the_same_signature(published: Published, tmp_path: Path) -> None:
    openssl = require_program("openssl")
    private = published.public.with_suffix(".key")
    wheel = published.root / "files/demo-plugin/1.0.0" / published.wheel
    command = [openssl, "pkeyutl", "-sign", "-inkey", str(private), "-rawin", "-in", str(wheel)]
    assert run([*command, "-out", str(tmp_path / "theirs")]).returncode == 0
    ours = base64.b64decode(wheel.with_name(wheel.name + ".sig").read_bytes())
    assert (tmp_path / "theirs").read_bytes() == ours
