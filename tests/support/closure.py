"""The wheels every plugin needs, `assess-plugin` and pluggy, made on this machine without a network.

`closure_wheels()` is a directory that holds exactly these two. The SDK is built from `sdk/` once per state of its
sources; pluggy is put together again from the installed distribution's RECORD, file by file as it was unpacked.
"""

import functools
import hashlib
import importlib.metadata
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

from tests.support.programs import installer_environment
from tests.support.wheels import record_row

ROOT = Path(__file__).parents[2]
SDK = ROOT / "sdk"
CACHE = ROOT / "build" / "test-closure"

_NOT_OF_THE_WHEEL = ("RECORD", "INSTALLER", "REQUESTED", "direct_url.json")
_DATE = (2020, 1, 1, 0, 0, 0)


@functools.cache
def closure_wheels() -> Path:
    """A directory with the wheels of `assess-plugin` and pluggy; read only, shared by all tests and sessions."""
    final = CACHE / _state()
    if not final.is_dir():
        CACHE.mkdir(parents=True, exist_ok=True)
        made = Path(tempfile.mkdtemp(prefix=".making-", dir=CACHE))
        try:
            _build_sdk(made)
            filename, data = rebuilt_wheel("pluggy")
            (made / filename).write_bytes(data)
            made.rename(final)
        except OSError:
            if not final.is_dir():  # another session was quicker
                raise
        finally:
            shutil.rmtree(made, ignore_errors=True)
    return final


def sdk_wheel() -> Path:
    """The wheel of `assess-plugin`."""
    (found,) = closure_wheels().glob("assess_plugin-*.whl")
    return found


def pluggy_wheel() -> Path:
    """The wheel of pluggy."""
    (found,) = closure_wheels().glob("pluggy-*.whl")
    return found


def rebuilt_wheel(name: str) -> tuple[str, bytes]:
    """Filename and bytes of a wheel with the files of an installed pure distribution."""
    distribution = importlib.metadata.distribution(name)
    tag = next(line[5:] for line in (distribution.read_text("WHEEL") or "").splitlines() if line.startswith("Tag: "))
    contents = dict(_installed_files(distribution))
    record = next(path for path in contents if path.endswith(".dist-info/METADATA")).replace("METADATA", "RECORD")
    rows = [record_row(path, data) for path, data in sorted(contents.items())]
    text = "".join(f"{path},{digest},{size}\n" for path, digest, size in [*rows, (record, "", "")])
    with tempfile.TemporaryFile() as file:
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
            for path, data in [*sorted(contents.items()), (record, text.encode())]:
                info = zipfile.ZipInfo(path, date_time=_DATE)
                info.external_attr = 0o100644 << 16
                info.compress_type = zipfile.ZIP_DEFLATED
                archive.writestr(info, data)
        file.seek(0)
        return f"{name.replace('-', '_')}-{distribution.version}-{tag}.whl", file.read()


def _installed_files(distribution: importlib.metadata.Distribution) -> Iterator[tuple[str, bytes]]:
    for file in distribution.files or ():
        foreign = file.parts[0] == ".." or file.suffix == ".pyc" or file.name in _NOT_OF_THE_WHEEL
        if not foreign:
            yield file.as_posix(), Path(str(file.locate())).read_bytes()


def _build_sdk(directory: Path) -> None:
    command = [sys.executable, "-m", "pip", "--isolated", "wheel", "--quiet", "--no-deps", "--no-build-isolation"]
    subprocess.run(
        [*command, "--no-index", "--wheel-dir", str(directory), str(SDK)],
        check=True,
        timeout=120,
        env=dict(installer_environment()),
        capture_output=True,
    )


def _state() -> str:
    """A digest of everything the two wheels are made from."""
    state = hashlib.sha256(importlib.metadata.version("pluggy").encode())
    for path in sorted(path for path in SDK.rglob("*") if path.is_file() and "__pycache__" not in path.parts):
        state.update(os.fsencode(path.relative_to(SDK)) + b"\0" + hashlib.sha256(path.read_bytes()).digest())
    return state.hexdigest()[:32]
