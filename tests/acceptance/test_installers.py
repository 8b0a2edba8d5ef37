"""What `make run-local` published, in the hands of pip and uv; what they made of it, in the hands of `assess`."""

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from assess_registry.lock import parse_lock
from tests.acceptance.sites import one_document
from tests.support.checkout import Checkout
from tests.support.http_registry import serve
from tests.support.programs import installer_environment, require_program

NAME = "assess-host-baseline"
IMPORT_ALL = "import assess_host_baseline.plugin, assess_host_baseline.provider, assess_plugin, pluggy"


@dataclass(frozen=True, kw_only=True, slots=True)
class Published:
    """The index of the checkout, where the sample plugin lies in it, and a file with its closure's names and hashes."""

    index: Path
    release: Path
    version: str
    hashes: Path


@pytest.fixture(scope="module")
def published(ran: Checkout, tmp_path_factory: pytest.TempPathFactory) -> Published:
    index = ran.path / "simple-index"
    (release,) = (index / "files" / NAME).iterdir()
    wheels = parse_lock((release / "pylock.toml").read_bytes()).wheels
    hashes = tmp_path_factory.mktemp("hashes") / "requirements.txt"
    hashes.write_text("".join(f"{one.project}=={one.version} --hash=sha256:{one.sha256}\n" for one in wheels))
    return Published(index=index, release=release, version=release.name, hashes=hashes)


@pytest.fixture(scope="module", params=["file", "http"])
def url(request: pytest.FixtureRequest, published: Published) -> Iterator[str]:
    """Root of the index as strangers reach it."""
    if request.param == "file":
        yield published.index.as_uri()
    else:
        with serve(published.index) as server:
            yield server.url.rstrip("/")


def empty_environment(directory: Path) -> Path:
    command = [sys.executable, "-m", "venv", "--without-pip", str(directory)]
    subprocess.run(command, check=True, timeout=60)
    return directory


def run(command: Sequence[str | Path]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        list(map(str, command)),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env=dict(installer_environment()),
    )


def pip(environment: Path, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return run([sys.executable, "-m", "pip", "--isolated", "--python", environment, "install", "-q", *arguments])


def uv(environment: Path, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    python = environment / "bin/python"
    return run([require_program("uv"), "pip", "install", "-q", "--no-config", "--python", python, *arguments])


Install = Callable[..., subprocess.CompletedProcess[str]]


@pytest.mark.parametrize("way", ["lock", "hashes"])
@pytest.mark.parametrize("install", [pip, uv])
def test_they_install_it_with_its_dependencies_by_hash(
    install: Install, way: str, url: str, published: Published, tmp_path: Path
) -> None:
    environment = empty_environment(tmp_path / "env")
    if way == "lock":
        lock = f"{url}/files/{NAME}/{published.version}/pylock.toml"
        if install is uv and url.startswith("http"):
            # uv 0.13 takes the relative paths of a lock it read over http for paths of this machine.
            lock = str(published.release / "pylock.toml")
        done = install(environment, "--require-hashes", "-r", lock.removeprefix("file://"))
    else:
        done = install(environment, "--index-url", f"{url}/simple/", "--require-hashes", "-r", published.hashes)
    assert done.returncode == 0, done.stderr
    imported = subprocess.run([environment / "bin/python", "-I", "-c", IMPORT_ALL], check=False, timeout=60)
    assert imported.returncode == 0


@pytest.mark.parametrize("install", [pip, uv])
def test_they_refuse_another_hash(install: Install, published: Published, tmp_path: Path) -> None:
    environment = empty_environment(tmp_path / "env")
    text = published.hashes.read_text()
    (tmp_path / "wrong.txt").write_text(re.sub(r"sha256:[0-9a-f]{8}", "sha256:00000000", text, count=1))
    arguments = ["--index-url", f"{published.index.as_uri()}/simple/", "--require-hashes", "-r"]
    done = install(environment, *arguments, tmp_path / "wrong.txt")
    assert done.returncode != 0
    assert "hash" in (done.stdout + done.stderr).lower()
    assert install(environment, *arguments, published.hashes).returncode == 0


@pytest.fixture(scope="module")
def filled(ran: Checkout, published: Published, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fresh virtual environment, filled from this index alone by its own pip, as somebody types it."""
    environment = tmp_path_factory.mktemp("filled") / "env"
    made = ran.run("python3", "-m", "venv", environment)
    assert made.returncode == 0, made.stderr
    simple = f"{published.index.as_uri()}/simple"
    done = ran.run(
        environment / "bin/pip", "install", "--index-url", simple, f"{NAME}=={published.version}",
        environment={"PIP_CONFIG_FILE": "/dev/null"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return environment


def verify(ran: Checkout, environment: Path) -> subprocess.CompletedProcess[str]:
    return ran.run(ran.bin / "assess", "plugins", "verify", environment, "--output", "json")


def site_packages(environment: Path) -> Path:
    (found,) = environment.glob("lib/python*/site-packages")
    return found


def test_assess_accepts_what_pip_filled(ran: Checkout, filled: Path) -> None:
    done = verify(ran, filled)
    assert done.returncode == 0, done.stdout + done.stderr
    (report,) = one_document(done.stdout)["environments"]
    assert report["accepted"] is True
    assert {line.split()[0] for line in report["verified"]} == {NAME, "assess-plugin", "pluggy"}
    in_words = ran.run(ran.bin / "assess", "plugins", "verify", filled)
    assert in_words.returncode == 0
    assert NAME in in_words.stdout


@pytest.mark.parametrize(
    "name",
    [
        "assess_host_baseline/kernel.py",
        "assess_host_baseline/assess-plugin.toml",
        "assess_plugin/models.py",
        "pluggy/_hooks.py",
        f"pluggy/__pycache__/_hooks.{sys.implementation.cache_tag}.pyc",
    ],
)
def test_assess_refuses_it_after_one_byte_of_one_file_changed(name: str, ran: Checkout, filled: Path) -> None:
    file = site_packages(filled) / name
    data = file.read_bytes()
    at = len(data) // 2
    file.write_bytes(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])
    try:
        done = verify(ran, filled)
        assert done.returncode == 5, done.stdout + done.stderr
        (report,) = one_document(done.stdout)["environments"]
        assert report["accepted"] is False
        assert name in json.dumps(report["differences"])
        in_words = ran.run(ran.bin / "assess", "plugins", "verify", filled)
        assert in_words.returncode == 5
        assert name in in_words.stdout
    finally:
        file.write_bytes(data)
    assert verify(ran, filled).returncode == 0


def test_assess_refuses_a_file_that_no_wheel_brought(ran: Checkout, filled: Path) -> None:
    extra = site_packages(filled) / "sitecustomize.py"
    extra.write_text("import os\n")
    try:
        done = verify(ran, filled)
        assert done.returncode == 5
        assert extra.name in done.stdout
    finally:
        extra.unlink()
    assert verify(ran, filled).returncode == 0


GENERATED = ("RECORD", "INSTALLER", "REQUESTED", "direct_url.json")
"""Written by each installer itself; with bytecode and the scripts in bin, all that may differ."""


def wheel_files(environment: Path) -> Mapping[str, bytes]:
    """What wheels brought, by its path below site-packages."""
    top = site_packages(environment)
    return {
        path.relative_to(top).as_posix(): path.read_bytes()
        for path in top.rglob("*")
        if path.is_file()
        and path.suffix != ".pyc"
        and not (".dist-info" in path.parent.name and path.name in GENERATED)
    }


def test_for_the_same_lock_pip_gives_the_files_that_the_runtime_gives(
    ran: Checkout, published: Published, tmp_path: Path
) -> None:
    listed = one_document(ran.run(ran.bin / "assess", "plugins", "list", "--output", "json").stdout)
    (active,) = listed["plugins"]
    theirs = empty_environment(tmp_path / "env")
    done = pip(theirs, "--no-deps", "--require-hashes", "-r", published.release / "pylock.toml")
    assert done.returncode == 0, done.stderr
    assert wheel_files(Path(active["environment"])) == wheel_files(theirs)
    assert len(wheel_files(theirs)) > 40


def test_the_runtimes_environment_is_an_ordinary_one(ran: Checkout, tmp_path: Path) -> None:
    """Its interpreter runs, pip lists it from outside, and it has no pip inside."""
    listed = one_document(ran.run(ran.bin / "assess", "plugins", "list", "--output", "json").stdout)
    environment = Path(listed["plugins"][0]["environment"])
    inside = run([environment / "bin/python", "-I", "-c", f"{IMPORT_ALL}, sys; print(sys.prefix)"])
    assert (inside.returncode, inside.stdout.strip()) == (0, str(environment)), inside.stderr
    packages = run([sys.executable, "-m", "pip", "--isolated", "--python", environment, "list", "--format", "json"])
    assert {package["name"] for package in json.loads(packages.stdout)} == {NAME, "assess-plugin", "pluggy"}
    checked = run([sys.executable, "-m", "pip", "--isolated", "--python", environment, "check"])
    assert checked.returncode == 0, checked.stdout
    assert shutil.which("pip", path=str(environment / "bin")) is None
