"""What is served is named by a list; nothing beside it, hidden, linked or spelt otherwise can be had."""

import os
from pathlib import Path

import pytest

from assess_registry.serve.public import is_directory, open_public, public_parts

WHEEL = "/files/demo-plugin/1.0.0/demo_plugin-1.0.0-py3-none-any.whl"


@pytest.mark.parametrize(
    "path",
    [
        WHEEL,
        f"{WHEEL}.sig",
        "/simple/",
        "/simple",
        "/simple/demo-plugin/index.json",
        "/metadata/timestamp.json",
        "/catalog/0f.demo-plugin.json",
        "/control/0f.publishers.json",
        "/plugins.json",
        "/plugins/names/0f.json",
        "/status/index.html",
        "/files/demo/1.0+local.1/demo-1.0+local.1-py3-none-any.whl",
    ],
)
def test_what_is_published(path: str) -> None:
    assert public_parts(path) == tuple(path.strip("/").split("/"))


@pytest.mark.parametrize(
    "path",
    [
        "",
        "/",
        "//",
        "//simple/",
        "simple/",
        "/simple//demo/",
        "/simple/../registry.toml",
        "/simple/..",
        "/simple/./demo/",
        "/../simple/",
        "/simple\\..\\registry.toml",
        "/simple/\0",
        "/simple/a\nb",
        "/simple/\u202egpj.exe",
        "/registry.toml",
        "/README.md",
        "/.lock",
        "/.submissions/0f/statement.json",
        "/.staged/root.json",
        "/simple/.tmp-0f",
        "/files/.git/config",
        "/keys/release/main.key",
        "/files/release.key",
        "/files/release.KEY/x",
        "/Simple/",
        "/plugins.json/x",
        "/simple/" + "a/" * 20,
        "/simple/" + "a" * 3000,
    ],
)
def test_what_is_not(path: str) -> None:
    assert public_parts(path) is None


@pytest.fixture
def root(tmp_path: Path) -> Path:
    top = tmp_path / "registry"
    (top / "files" / "demo").mkdir(parents=True)
    (top / "files" / "demo" / "file").write_bytes(b"published")
    (top / ".submissions").mkdir()
    (top / ".submissions" / "file").write_bytes(b"secret")
    return top


def read(root: Path, *parts: str) -> bytes | None:
    found = open_public(root, parts)
    if found is None:
        return None
    try:
        return b"" if is_directory(found) else os.read(found, 100)
    finally:
        os.close(found)


def test_a_file_and_a_directory_are_opened_and_what_is_missing_is_not(root: Path) -> None:
    assert read(root, "files", "demo", "file") == b"published"
    assert read(root, "files", "demo") == b""
    assert read(root, "files", "demo", "other") is None
    assert read(root, "files", "demo", "file", "below") is None


@pytest.mark.parametrize("target", ["../../.submissions/file", "/etc/passwd", "file", "nowhere"])
def test_a_link_is_not_followed_wherever_it_leads(root: Path, target: str) -> None:
    (root / "files" / "demo" / "link").symlink_to(target)
    assert read(root, "files", "demo", "link") is None


@pytest.mark.parametrize("target", ["../.submissions", "/etc", "demo"])
def test_a_link_on_the_way_is_not_followed(root: Path, target: str) -> None:
    (root / "files" / "link").symlink_to(target)
    for name in ("file", "passwd"):
        assert read(root, "files", "link", name) is None
    assert read(root, "files", "link") is None


def test_a_fifo_keeps_nobody_waiting(root: Path) -> None:
    os.mkfifo(root / "files" / "demo" / "fifo")
    assert read(root, "files", "demo", "fifo") is None


def test_no_descriptor_is_left_open(root: Path) -> None:
    (root / "files" / "link").symlink_to("demo")
    before = len(list(Path("/proc/self/fd").iterdir()))
    for parts in (("files", "demo", "file"), ("files", "link", "file"), ("files", "x", "y"), ("files", "demo")):
        read(root, *parts)
    assert len(list(Path("/proc/self/fd").iterdir())) == before
