"""A virtual environment as `python -m venv --without-pip` makes it, whose packages are links to the store.

Other tools find in it what they look for: `pyvenv.cfg`, `bin/python`, `RECORD` and `INSTALLER` of each distribution.
Those are private files of the environment, because they describe it; everything else is a link (PEP 405, PEP 376).
"""

import base64
import csv
import hashlib
import io
import json
import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from assess_core.errors import StoreError
from assess_core.store.disk import (
    PRIVATE_DIRECTORY,
    FileWriter,
    link_or_copy,
    make_directory,
    parents_of,
    sync_directories,
    sync_files,
)
from assess_core.store.values import Interpreter
from assess_core.store.wheels import StoredFile, UnpackedWheel
from assess_registry.client import Sha256

INSTALLER = b"assess\n"

FORM = 1
"""Of what is built here; a part of every environment's key, which another form would change."""

PRIVATE_MODE = 0o644

WRITTEN_BY_INSTALLERS = frozenset(("RECORD", "INSTALLER", "REQUESTED", "direct_url.json"))
"""Files of a dist-info directory that say how it was installed (PEP 376, PEP 610): never taken from a wheel."""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Link:
    file: StoredFile
    wheel: UnpackedWheel


def environment_key(lock_sha256: Sha256, wheels: Iterable[Sha256], interpreter: Interpreter) -> str:
    """Names an environment by everything that decides what is in it: 64 hexadecimal digits."""
    decides = {
        "layout": FORM,  # as it was called when it was the version of the state directory, too
        "lock": lock_sha256,
        "wheels": sorted(wheels),
        "interpreter": [str(interpreter.path), interpreter.version, interpreter.cache_tag, interpreter.soabi],
        "platform": interpreter.platform,
        "site_packages": interpreter.site_packages,
    }
    return hashlib.sha256(json.dumps(decides, sort_keys=True).encode()).hexdigest()


def build_environment(
    top: Path, wheels: Sequence[UnpackedWheel], interpreter: Interpreter, write_file: FileWriter
) -> dict[str, Sha256]:
    """`top`, which did not exist, is a complete environment, on disk.

    Returns:
        Path in it -> sha256 that it has to have, of every file that is a link to a wheel's.

    Raises:
        StoreError: two wheels bring different files of one path.
        OSError: there is no room or no right; what was made is the caller's to remove.
    """
    links = _plan(wheels)
    private = _private_files(wheels, links)
    _make_directories(top, [*links, *private], interpreter)
    _link_python(top, interpreter)
    site = str(top / interpreter.site_packages)
    for path, link in links.items():
        link_or_copy(f"{link.wheel.top}/{path}", f"{site}/{path}")
    for path, data in private.items():
        write_file(Path(site, path), data, PRIVATE_MODE)
    write_file(top / "pyvenv.cfg", _pyvenv_cfg(interpreter), PRIVATE_MODE)
    sync_files([*(f"{site}/{path}" for path in private), top / "pyvenv.cfg"])
    sync_directories(top)
    return {f"{interpreter.site_packages}/{path}": link.file.sha256 for path, link in links.items()}


def _plan(wheels: Sequence[UnpackedWheel]) -> dict[str, _Link]:
    """Which file comes from which wheel. Equal files of two wheels (namespace packages) are one."""
    links: dict[str, _Link] = {}
    problems = []
    for wheel in wheels:
        for file in wheel.files:
            parent, _, name = file.path.rpartition("/")
            if name in WRITTEN_BY_INSTALLERS and parent.endswith(".dist-info"):
                continue
            other = links.setdefault(file.path, _Link(file=file, wheel=wheel))
            # Bytecode of equal sources may differ in its bytes, and follows its source in any case.
            if other.file.sha256 != file.sha256 and not file.generated:
                problems.append(f"{file.path} of {wheel.project} differs from that of {other.wheel.project}")
    directories = parents_of(links)
    problems += [
        f"{path} is a file in one wheel and a directory in another" for path in sorted(links.keys() & directories)
    ]
    if problems:
        raise StoreError(
            "wheels that cannot share an environment: "
            + "; ".join(problems)
            + "; the publisher has to lock other versions"
        )
    return links


def _private_files(wheels: Sequence[UnpackedWheel], links: Mapping[str, _Link]) -> dict[str, bytes]:
    private = {}
    for wheel in wheels:
        info = _dist_info(wheel)
        files = [links[file.path].file for file in wheel.files if file.path in links]
        private[f"{info}/INSTALLER"] = INSTALLER
        private[f"{info}/RECORD"] = _record(info, files)
    return private


def _dist_info(wheel: UnpackedWheel) -> str:
    for file in wheel.files:
        head, _, tail = file.path.partition("/")
        if tail == "METADATA" and head.endswith(".dist-info"):
            return head
    raise StoreError(f"wheel {wheel.project} {wheel.version} has no METADATA; remove {wheel.top} and install again")


def _record(info: str, files: Iterable[StoredFile]) -> bytes:
    """What is installed, one row a file (PEP 376); its own row has neither hash nor size."""
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerows((file.path, f"sha256={_record_hash(bytes.fromhex(file.sha256))}", file.size) for file in files)
    digest = _record_hash(hashlib.sha256(INSTALLER).digest())
    rows.writerow((f"{info}/INSTALLER", f"sha256={digest}", len(INSTALLER)))
    rows.writerow((f"{info}/RECORD", "", ""))
    return text.getvalue().encode()


def _record_hash(digest: bytes) -> str:
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def _make_directories(top: Path, paths: Iterable[str], interpreter: Interpreter) -> None:
    make_directory(top / interpreter.site_packages)
    make_directory(top / "bin")
    site = str(top / interpreter.site_packages)
    for directory in sorted(parents_of(paths)):  # sorted: a directory comes before what it contains
        os.mkdir(f"{site}/{directory}", PRIVATE_DIRECTORY)  # noqa: PTH102  with strings, for each directory of each package


def _link_python(top: Path, interpreter: Interpreter) -> None:
    """The interpreter under the names that `venv` gives it, and the link it adds where libraries may be in lib64."""
    (top / "bin" / "python").symlink_to(interpreter.path)
    major, minor, *_ = interpreter.version.split(".")
    for name in ("python3", f"python{major}.{minor}"):
        (top / "bin" / name).symlink_to("python")
    if not interpreter.platform.startswith("macosx") and sys.maxsize > 1 << 32:
        (top / "lib64").symlink_to("lib")


def _pyvenv_cfg(interpreter: Interpreter) -> bytes:
    return (
        f"home = {interpreter.path.parent}\n"
        "include-system-site-packages = false\n"
        f"version = {interpreter.version}\n"
        f"executable = {interpreter.path}\n"
    ).encode()
