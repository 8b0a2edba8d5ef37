"""`assess-registry lock`: from a folder, from an index on loopback that may lie, and into a folder or not at all."""

import hashlib
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from assess_registry.cli import main
from assess_registry.closure import make_closure
from assess_registry.config import Targets
from assess_registry.errors import ConfigError, PublishError, TransportError, TrustError
from assess_registry.index.folder import WheelFolder
from assess_registry.lock import parse_lock
from assess_registry.locking import IndexSource, Locked, lock_closure, require_index
from assess_registry.wheel import inspect
from tests.support.http_registry import HttpRegistry, redirect, serve, status
from tests.support.installing import count_events, kill_at, run_in_child
from tests.support.programs import installer_environment
from tests.support.wheels import WheelBuilder

PYTHON = f"{sys.version_info[0]}.{sys.version_info[1]}"
X86, ARM = "manylinux_2_17_x86_64", "manylinux_2_17_aarch64"
HERE, ELSEWHERE = (X86, ARM) if os.uname().machine == "x86_64" else (ARM, X86)
TARGETS = Targets(pythons=(PYTHON,), platforms=(HERE, ELSEWHERE))


def lib(name: str, version: str = "1.0", *requires: str, **changes: object) -> WheelBuilder:
    return WheelBuilder.dependency(name, version, requires=requires, **changes)


def native(platform: str) -> WheelBuilder:
    tag = f"cp{PYTHON.replace('.', '')}"
    return lib("n", "1.0", tag=f"{tag}-{tag}-{platform}", purelib=False)


A, B, B2 = lib("a", "1.0", "b", "n", "old; python_version < '3.0'"), lib("b"), lib("b", "2.0")
ALL = (A, B, B2, native(X86), native(ARM), native("win_amd64"))


@pytest.fixture
def plugin(tmp_path: Path) -> Path:
    wheel = WheelBuilder(requires=("a", "b<2"))
    (tmp_path / "dist").mkdir()
    path = tmp_path / "dist" / wheel.filename
    path.write_bytes(wheel.build())
    return path


def fill(directory: Path, *wheels: WheelBuilder) -> Path:
    directory.mkdir(parents=True, exist_ok=True)
    for wheel in wheels:
        (directory / wheel.filename).write_bytes(wheel.build())
    return directory


def lay_out(root: Path, *wheels: WheelBuilder, **hashes: str) -> Path:
    """Simple pages (PEP 503) of these wheels; `hashes` are announced for a project instead of the true ones."""
    links: dict[str, list[str]] = {}
    for wheel in wheels:
        fill(root / "files", wheel)
        digest = hashes.get(wheel.name, hashlib.sha256(wheel.build()).hexdigest())
        line = f'<a href="../../files/{wheel.filename}#sha256={digest}">{wheel.filename}</a><br>'
        links.setdefault(wheel.name, []).append(line)
    for name, lines in links.items():
        page = root / "simple" / name / "index.html"
        page.parent.mkdir(parents=True, exist_ok=True)
        page.write_text("<!DOCTYPE html><html><body>" + "\n".join(lines) + "</body></html>")
    return root


@pytest.fixture
def index(tmp_path: Path) -> Iterator[HttpRegistry]:
    with serve(lay_out(tmp_path / "index", *ALL)) as server:
        yield server


def source(server: HttpRegistry, **changes: Any) -> IndexSource:
    return IndexSource(**{"url": f"{server.url}simple/", "timeout_s": 60.0, **changes})


def lock(plugin: Path, to: Path, *, folder: Path | None = None, index: IndexSource | None = None) -> Locked:
    return lock_closure([plugin], targets=TARGETS, folder=folder, index=index, output=to)


def names(directory: Path) -> set[str]:
    return {path.name for path in directory.iterdir()}


CHOSEN = {A.filename, B.filename, native(X86).filename, native(ARM).filename}


# --- what is made -----------------------------------------------------------------------------------------------------


def test_from_an_index_exactly_the_closure_is_downloaded(plugin: Path, index: HttpRegistry, tmp_path: Path) -> None:
    made = lock(plugin, tmp_path / "to", index=source(index))
    assert names(tmp_path / "to") == {*CHOSEN, plugin.name, "pylock.toml"}
    assert set(made.downloaded) == CHOSEN
    assert not [path for path in index.requests if path.endswith(".whl") and Path(path).name not in CHOSEN]


def test_from_a_folder_and_from_an_index_the_lock_is_the_same(
    plugin: Path, index: HttpRegistry, tmp_path: Path
) -> None:
    first = lock(plugin, tmp_path / "one", index=source(index))
    asked = len(index.requests)
    second = lock(plugin, tmp_path / "two", folder=fill(tmp_path / "wheels", *ALL))
    assert first.lock.data == second.lock.data
    assert (tmp_path / "one" / "pylock.toml").read_bytes() == (tmp_path / "two" / "pylock.toml").read_bytes()
    assert len(index.requests) == asked


def test_what_is_submitted_with_the_folder_is_what_was_locked(plugin: Path, tmp_path: Path) -> None:
    made = lock(plugin, tmp_path / "to", folder=fill(tmp_path / "wheels", *ALL))
    again = make_closure(
        inspect(plugin.read_bytes(), plugin.name, kind="plugin"), WheelFolder(tmp_path / "to"), targets=TARGETS
    )
    assert again.data == made.lock.data


def test_each_target_says_who_checked_it(plugin: Path, tmp_path: Path) -> None:
    made = lock(plugin, tmp_path / "to", folder=fill(tmp_path / "wheels", *ALL))
    here, there = made.opinions
    assert here.target == f"Python {PYTHON} on {HERE}"
    assert here.checked_by.startswith(f"{PYTHON}.")
    assert set(here.wheels) == {A.filename, B.filename, native(HERE).filename, plugin.name}
    assert there.checked_by == ""
    assert set(there.wheels) == {A.filename, B.filename, native(ELSEWHERE).filename, plugin.name}


def test_pip_installs_from_the_folder_by_its_lock_and_refuses_another_wheel(plugin: Path, tmp_path: Path) -> None:
    lock(plugin, tmp_path / "to", folder=fill(tmp_path / "wheels", *ALL))

    def install(target: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "pip", "install", "--no-index", "--target", str(tmp_path / target)]
        return subprocess.run(
            [*command, "-r", str(tmp_path / "to" / "pylock.toml")],
            env=dict(installer_environment()),
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )

    done = install("site")
    assert done.returncode == 0, done.stderr
    assert {"a", "b", "n", "demo_plugin"} <= names(tmp_path / "site")
    fill(tmp_path / "to", B.but(files={"b.py": "changed = True\n"}))
    assert "THESE PACKAGES DO NOT MATCH THE HASHES" in install("other").stderr


def test_the_command_says_it_all(plugin: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fill(tmp_path / "wheels", *ALL)
    registry = tmp_path / "registry"
    registry.mkdir()
    targets = f'[targets]\npythons = ["{PYTHON}"]\nplatforms = ["{HERE}", "{ELSEWHERE}"]\n'
    (registry / "registry.toml").write_text('[registry]\nname = "local"\n' + targets)
    arguments = ["lock", str(plugin), "--closure", str(tmp_path / "wheels"), "--index", str(registry)]
    assert main([*arguments, "--to", str(tmp_path / "one")]) == 0
    said = capsys.readouterr().out
    assert f"Python {PYTHON} on {HERE}" in said
    assert "by pip under" in said
    assert "by packaging.pylock only" in said
    assert main([*arguments, "--to", str(tmp_path / "two"), "--output", "json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert {each["filename"] for each in document["wheels"]} == {*CHOSEN, plugin.name}
    assert document["targets"][1]["checked_by_pip_under"] is None
    assert main([*arguments, "--to", str(tmp_path / "two")]) == 2
    assert "is not empty" in capsys.readouterr().err


def test_pip_is_not_asked_for_a_plugin_of_other_machines(tmp_path: Path) -> None:
    tag = f"cp{PYTHON.replace('.', '')}"
    own = WheelBuilder(requires=("a", "b<2"), tag=f"{tag}-{tag}-{ELSEWHERE}", purelib=False)
    path = fill(tmp_path / "dist", own) / own.filename
    made = lock(path, tmp_path / "to", folder=fill(tmp_path / "wheels", *ALL))
    assert {each.target: each.checked_by for each in made.opinions if each.wheels} == {
        f"Python {PYTHON} on {ELSEWHERE}": ""
    }


def test_killed_at_any_point_there_is_the_whole_folder_or_none(plugin: Path, tmp_path: Path) -> None:
    wheels = fill(tmp_path / "wheels", *ALL)
    total = count_events(lambda: lock(plugin, tmp_path / "whole", folder=wheels), "os.rename")
    whole = names(tmp_path / "whole")
    for number in sorted({1, total // 2, total}):
        to = tmp_path / f"killed-{number}"

        def work(number: int = number, to: Path = to) -> None:
            kill_at(number, "os.rename")
            lock(plugin, to, folder=wheels)

        assert run_in_child(work) == -signal.SIGKILL
        assert not to.exists()
        lock(plugin, to, folder=wheels)
        assert names(to) == whole


# --- what is refused, and leaves nothing ------------------------------------------------------------------------------


def refused(kind: type[Exception], match: str, plugin: Path, to: Path, **more: Any) -> None:
    with pytest.raises(kind, match=match):
        lock(plugin, to, **more)
    assert not to.exists()
    assert not [path for path in to.parent.iterdir() if path.name.startswith(f".{to.name}.")]


def test_a_target_without_a_wheel_is_named_with_the_dependency(plugin: Path, tmp_path: Path) -> None:
    some = fill(tmp_path / "wheels", A, B, B2, native(X86))
    message = rf"Python {PYTHON} on {ARM}: (.|\n)*\bn\b"
    refused(PublishError, message, plugin, tmp_path / "to", folder=some)
    fill(some, native(ARM))
    assert lock(plugin, tmp_path / "to", folder=some).opinions


def test_an_index_without_a_wheel_for_a_target_is_named(plugin: Path, tmp_path: Path) -> None:
    with serve(lay_out(tmp_path / "index", A, B, native(X86))) as server:
        refused(PublishError, r"\bn\b.*aarch64", plugin, tmp_path / "to", index=source(server))


def test_a_plugin_for_one_platform_needs_wheels_for_that_alone(tmp_path: Path) -> None:
    tag = f"cp{PYTHON.replace('.', '')}"
    own = WheelBuilder(requires=("a", "b<2"), tag=f"{tag}-{tag}-{HERE}", purelib=False)
    path = fill(tmp_path / "dist", own) / own.filename
    made = lock(path, tmp_path / "to", folder=fill(tmp_path / "wheels", A, B, native(HERE)))
    assert [bool(each.wheels) for each in made.opinions] == [True, False]


def test_an_index_that_serves_other_bytes_is_refused_by_name(plugin: Path, index: HttpRegistry, tmp_path: Path) -> None:
    other = B.but(files={"b.py": "changed = True\n"})
    index.answers[f"/files/{B.filename}"] = once_then(B.build(), status(200, other.build()))
    refused(TrustError, rf"'hash': {B.filename}", plugin, tmp_path / "to", index=source(index))
    index.answers.clear()
    assert lock(plugin, tmp_path / "to", index=source(index)).downloaded


def once_then(first: bytes, then: Callable[[Any], None]) -> Callable[[Any], None]:
    """Honest while requirements are looked at, and not when the wheel is downloaded."""
    answers = iter([status(200, first)])

    def answer(handler: Any) -> None:
        next(answers, then)(handler)

    return answer


def test_an_index_that_sends_elsewhere_is_refused(plugin: Path, index: HttpRegistry, tmp_path: Path) -> None:
    index.answers[f"/files/{B.filename}"] = once_then(B.build(), redirect(f"{index.url}files/{A.filename}"))
    refused(TrustError, "'redirect'", plugin, tmp_path / "to", index=source(index))


def test_an_index_that_links_to_a_file_of_this_machine_is_refused(plugin: Path, tmp_path: Path) -> None:
    here = fill(tmp_path / "here", B)
    root = lay_out(tmp_path / "index", *ALL)
    page = root / "simple" / "b" / "index.html"
    digest = hashlib.sha256(B.build()).hexdigest()
    page.write_text(f'<a href="{(here / B.filename).as_uri()}#sha256={digest}">{B.filename}</a>')
    with serve(root) as server:
        refused(TrustError, f"'index': {B.filename}", plugin, tmp_path / "to", index=source(server))


def test_a_project_that_was_given_is_not_taken_from_the_index(
    plugin: Path, index: HttpRegistry, tmp_path: Path
) -> None:
    """Dependency confusion: the index has a higher version of what the folder holds."""
    mine = lib("a", "0.5", "b")
    made = lock(plugin, tmp_path / "to", folder=fill(tmp_path / "mine", mine), index=source(index))
    assert {each.filename for each in made.lock.wheels if each.project == "a"} == {mine.filename}
    assert made.downloaded == (B.filename,)


@pytest.mark.parametrize("honest", [True, False])
def test_an_index_that_lies_about_requirements_is_found_out(tmp_path: Path, honest: bool) -> None:
    """A resolver believes the metadata beside a wheel (PEP 658); what counts is in the wheel."""
    needs = lib("a", "1.0", "b")
    root = lay_out(tmp_path / "index", needs, B)
    text = "Metadata-Version: 2.1\nName: a\nVersion: 1.0\n" + ("Requires-Dist: b\n" if honest else "")
    (root / "files" / f"{needs.filename}.metadata").write_text(text)
    page = root / "simple" / "a" / "index.html"
    digest = hashlib.sha256(text.encode()).hexdigest()
    page.write_text(page.read_text().replace("<a ", f'<a data-core-metadata="sha256={digest}" '))
    own = WheelBuilder(requires=("a",))
    plugin = fill(tmp_path / "dist", own) / own.filename
    with serve(root) as server:
        if not honest:
            refused(PublishError, "a 1.0 requires b; offered: none", plugin, tmp_path / "to", index=source(server))
            assert f"/files/{needs.filename}.metadata" in server.requests
            return
        assert set(lock(plugin, tmp_path / "to", index=source(server)).downloaded) == {needs.filename, B.filename}


def test_the_plugins_name_on_the_index_means_nothing(plugin: Path, tmp_path: Path) -> None:
    own = WheelBuilder(requires=("evil",))
    evil = lib("evil")
    with serve(lay_out(tmp_path / "index", *ALL, own, own.but(version="9.0"), evil)) as server:
        made = lock(plugin, tmp_path / "to", index=source(server))
    assert made.lock.find(plugin.name) is not None
    assert not [each for each in made.lock.wheels if each.project == "evil"]
    assert (tmp_path / "to" / plugin.name).read_bytes() == plugin.read_bytes()


def test_an_index_that_is_gone_or_never_answers_is_given_up(plugin: Path, index: HttpRegistry, tmp_path: Path) -> None:
    def never(_: Any) -> None:
        index.stopping.wait()

    index.answers["/simple/a/"] = never
    refused(TransportError, "not complete within 1 s", plugin, tmp_path / "to", index=source(index, timeout_s=1.0))
    index.answers.clear()

    index.answers[f"/files/{B.filename}"] = once_then(B.build(), never)
    refused(TransportError, "not complete within", plugin, tmp_path / "to", index=source(index, timeout_s=6.0))


@pytest.mark.parametrize("url", ["http://example.org/simple/", "file:///tmp", "ftp://example.org/", "https://u:p@h/s"])
def test_wheels_are_fetched_over_https_or_from_loopback(url: str) -> None:
    with pytest.raises(ConfigError, match="index to fetch from"):
        require_index(IndexSource(url=url))
    require_index(IndexSource(url="https://example.org/simple/"))
    require_index(IndexSource(url="http://127.0.0.1:8000/simple/"))


@pytest.mark.parametrize(
    "host", ["", "https://example.org", "example.org/files", "u:p@example.org", "Example.org", "*"]
)
def test_a_host_of_files_is_a_host(host: str) -> None:
    with pytest.raises(ConfigError, match="host of files"):
        require_index(IndexSource(url="https://index.example.org/simple/", files_hosts=(host,)))
    require_index(IndexSource(url="https://index.example.org/simple/", files_hosts=("files.example.org:8443",)))


def test_files_of_an_index_over_https_come_over_https() -> None:
    with pytest.raises(ConfigError, match="plain http is for loopback"):
        require_index(IndexSource(url="http://127.0.0.1:8000/simple/", files_hosts=("files.example.org",)))


def test_a_folder_with_something_in_it_is_left_alone(plugin: Path, tmp_path: Path) -> None:
    wheels = fill(tmp_path / "wheels", *ALL)
    (tmp_path / "to").mkdir()
    (tmp_path / "to" / "mine.txt").write_text("mine")
    with pytest.raises(ConfigError, match="is not empty"):
        lock(plugin, tmp_path / "to", folder=wheels)
    assert names(tmp_path / "to") == {"mine.txt"}
    (tmp_path / "to" / "mine.txt").unlink()
    assert lock(plugin, tmp_path / "to", folder=wheels).directory.is_dir()


def test_an_interpreter_of_no_target_is_refused(plugin: Path, tmp_path: Path) -> None:
    wheels = fill(tmp_path / "wheels", *ALL)
    with pytest.raises(ConfigError, match="is no interpreter that works"):
        lock_closure(
            [plugin],
            targets=TARGETS,
            folder=wheels,
            index=None,
            output=tmp_path / "to",
            interpreters=[Path("/bin/true")],
        )
    assert not (tmp_path / "to").exists()


def test_a_lock_beside_wheels_is_no_lock_of_a_registry(plugin: Path, tmp_path: Path) -> None:
    made = lock(plugin, tmp_path / "to", folder=fill(tmp_path / "wheels", *ALL))
    data = (tmp_path / "to" / "pylock.toml").read_bytes()
    with pytest.raises(TrustError, match="path must be"):
        parse_lock(data)
    assert {each.sha256 for each in parse_lock(data, beside=True).wheels} == {each.sha256 for each in made.lock.wheels}
    with pytest.raises(TrustError, match="path must be"):
        parse_lock(made.lock.data, beside=True)


# --- nobody is connected to who was not named -------------------------------------------------------------------------


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    """Somebody else's host: another port of this machine. Whoever connects waits in its queue."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        yield server


def nobody_came(listener: socket.socket) -> bool:
    try:
        listener.accept()[0].close()
    except BlockingIOError:
        return True
    return False


def page_of_b(root: Path, link: str, *, base: str = "", more: str = "") -> Path:
    digest = hashlib.sha256(B.build()).hexdigest()
    page = root / "simple" / "b" / "index.html"
    anchor = f'<a href="{link}#sha256={digest}" {more}>{B.filename}</a>'
    page.write_text(f"<!DOCTYPE html><html><head>{base}</head><body>{anchor}</body></html>")
    return root


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize("how", ["link", "metadata", "base", "json"])
def test_a_page_that_links_to_another_host_connects_nobody_to_it(
    scheme: str, how: str, plugin: Path, listener: socket.socket, tmp_path: Path
) -> None:
    other = f"{scheme}://127.0.0.1:{listener.getsockname()[1]}"
    link = f"{other}/files/{B.filename}"
    root = lay_out(tmp_path / "index", *ALL)
    if how == "base":
        page_of_b(root, f"files/{B.filename}", base=f'<base href="{other}/">')
    elif how == "json":
        entry = {"filename": B.filename, "url": link, "hashes": {"sha256": hashlib.sha256(B.build()).hexdigest()}}
        (root / "simple" / "b" / "index.html").write_text(
            json.dumps({"meta": {"api-version": "1.0"}, "name": "b", "files": [entry]})
        )
    else:
        page_of_b(root, link, more='data-core-metadata="true"' if how == "metadata" else "")
    with serve(root) as server:
        refused(TrustError, rf"(?s)'index': {B.filename}.*--files-host", plugin, tmp_path / "to", index=source(server))
        assert nobody_came(listener)
        page_of_b(root, f"../../files/{B.filename}")
        assert B.filename in lock(plugin, tmp_path / "to", index=source(server)).downloaded
    assert nobody_came(listener)


def test_a_host_that_was_named_is_fetched_from(plugin: Path, tmp_path: Path) -> None:
    with serve(lay_out(tmp_path / "files", *ALL)) as files:
        root = page_of_b(lay_out(tmp_path / "index", *ALL), f"{files.url}files/{B.filename}")
        with serve(root) as server:
            refused(TrustError, "'index'", plugin, tmp_path / "to", index=source(server))
            named = source(server, files_hosts=(urlsplit(files.url).netloc,))
            assert B.filename in lock(plugin, tmp_path / "to", index=named).downloaded
    assert files.requests


@pytest.mark.parametrize("what", ["page", "metadata"])
def test_a_redirect_to_another_host_connects_nobody_to_it(
    what: str, plugin: Path, listener: socket.socket, tmp_path: Path
) -> None:
    other = f"http://127.0.0.1:{listener.getsockname()[1]}/"
    root = page_of_b(lay_out(tmp_path / "index", *ALL), f"../../files/{B.filename}", more='data-core-metadata="true"')
    (root / "files" / f"{B.filename}.metadata").write_text("Metadata-Version: 2.1\nName: b\nVersion: 1.0\n")
    with serve(root) as server:
        asked = "/simple/b/" if what == "page" else f"/files/{B.filename}.metadata"
        server.answers[asked] = redirect(other)
        refused(TrustError, "'redirect'", plugin, tmp_path / "to", index=source(server))
        server.answers.clear()
        assert B.filename in lock(plugin, tmp_path / "to", index=source(server)).downloaded
    assert nobody_came(listener)


@pytest.mark.parametrize("where", ["https://127.0.0.1:{port}/x.whl", "git+https://127.0.0.1:{port}/x"])
def test_a_requirement_from_an_address_connects_nobody_to_it(
    where: str, plugin: Path, listener: socket.socket, tmp_path: Path
) -> None:
    """Of a wheel on the index; an older one without it is taken."""
    older = B.but(version="0.9")
    newer = lib("b", "1.0", f"x @ {where.format(port=listener.getsockname()[1])}")
    with serve(lay_out(tmp_path / "index", A, native(X86), native(ARM), older, newer)) as server:
        made = lock(plugin, tmp_path / "to", index=source(server))
    assert older.filename in made.downloaded
    assert nobody_came(listener)


def test_of_a_project_that_was_given_the_index_is_not_even_asked(
    plugin: Path, index: HttpRegistry, tmp_path: Path
) -> None:
    """Names of one's own projects are nobody's business."""
    lock(plugin, tmp_path / "to", folder=fill(tmp_path / "mine", A), index=source(index))
    asked = {path for path in index.requests if path.startswith("/simple/")}
    assert asked >= {"/simple/b/", "/simple/n/"}
    assert not asked & {"/simple/a/", "/simple/demo-plugin/"}


def test_what_uv_was_not_shown_is_named_with_the_reason(plugin: Path, listener: socket.socket, tmp_path: Path) -> None:
    """No other version is there, so that this is why there is no closure."""
    address = lib("b", "1.0", f"x @ https://127.0.0.1:{listener.getsockname()[1]}/x.whl")
    root = lay_out(tmp_path / "index", A, native(X86), native(ARM), address)
    with serve(root) as server:
        refused(PublishError, f"(?s){address.filename}: 'x' is required from an address", plugin, tmp_path / "to",
                index=source(server))  # fmt: skip
        (root / "simple" / "b" / "index.html").write_text(f'<a href="../../files/{B.filename}">b</a>')
        refused(PublishError, f"(?s){B.filename}: the index announces no sha256", plugin, tmp_path / "to",
                index=source(server))  # fmt: skip
        lay_out(root, B)
        assert B.filename in lock(plugin, tmp_path / "to", index=source(server)).downloaded
    assert nobody_came(listener)


@pytest.mark.parametrize("is_true", [True, False])
def test_metadata_beside_a_wheel_is_held_to_its_digest(is_true: bool, plugin: Path, tmp_path: Path) -> None:
    text = b"Metadata-Version: 2.1\nName: b\nVersion: 1.0\n"
    digest = hashlib.sha256(text if is_true else b"another").hexdigest()
    root = page_of_b(
        lay_out(tmp_path / "index", *ALL), f"../../files/{B.filename}", more=f'data-core-metadata="sha256={digest}"'
    )
    (root / "files" / f"{B.filename}.metadata").write_bytes(text)
    with serve(root) as server:
        if is_true:
            lock(plugin, tmp_path / "to", index=source(server))
            assert server.requests.count(f"/files/{B.filename}") == 1, "the wheel is fetched once, when it is chosen"
        else:
            refused(TrustError, rf"'hash': {B.filename}\.metadata", plugin, tmp_path / "to", index=source(server))


@pytest.mark.parametrize("where", ["https://127.0.0.1:{port}/x.whl", "git+https://127.0.0.1:{port}/x"])
def test_a_given_wheel_that_requires_an_address_connects_nobody_to_it(
    where: str, plugin: Path, index: HttpRegistry, listener: socket.socket, tmp_path: Path
) -> None:
    """With an index uv is not offline; the wheel is one that somebody has downloaded."""
    needs = lib("b", "1.0", f"x @ {where.format(port=listener.getsockname()[1])}")
    mine = fill(tmp_path / "mine", needs)
    refused(PublishError, "`x` was included as a URL", plugin, tmp_path / "to", folder=mine, index=source(index))
    assert nobody_came(listener)
    fill(mine, B)
    assert lock(plugin, tmp_path / "to", folder=mine, index=source(index)).downloaded
    assert nobody_came(listener)
