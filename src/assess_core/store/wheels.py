"""A verified wheel is kept as it came, and unpacked once for each interpreter tag.

    wheels/<sha256>/<filename>                     the original bytes: what everything else can be checked against
    wheels/<sha256>/<filename>.sig                 a plugin's publisher signature
    wheels/<sha256>/<filename>.verdict.json        who approved it; absent where nobody has to
    wheels/<sha256>/<cache tag>/site-packages/     its files, read-only, with bytecode
    wheels/<sha256>/<cache tag>/files.json         path, sha256 and size of each

Environments are hard links to these files, so an edit in one environment is an edit in all. They are read-only; and
before an unpacked copy is linked, each file of it is hashed (40 us a file): one that somebody edited all the same is
unpacked again.
"""

import hashlib
import json
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from assess_core.store.disk import EXECUTABLE, READ_ONLY, make_directory, sync_directories, sync_files
from assess_core.store.interpreter import compile_for
from assess_core.store.jsontext import json_of
from assess_core.store.layout import Layout, signature_of, verdict_of
from assess_core.store.ownership import read_own
from assess_core.store.untouched import Contents, compare, directory_entries, file_entry
from assess_core.store.values import Interpreter
from assess_registry.client import (
    ProjectName,
    RegistryError,
    Sha256,
    VerifiedWheel,
    parse_sha256,
    read_bounded,
    sync_directory,
)

SCHEMA = 1

MAX_FILES_BYTES = 64 << 20
"""Of files.json: some 150 bytes for each file of a wheel."""


@dataclass(frozen=True, kw_only=True, slots=True)
class StoredFile:
    """One file of an unpacked wheel, by its path in site-packages; `generated` marks our bytecode."""

    path: str
    sha256: Sha256
    size: int
    executable: bool
    generated: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class UnpackedWheel:
    """A wheel whose files can be linked from `top`."""

    project: ProjectName
    version: str
    sha256: Sha256
    top: Path
    files: tuple[StoredFile, ...]


def keep_original(wheel: VerifiedWheel, layout: Layout) -> None:
    """The wheel's bytes, signature and verdict are in the store. Under the store's lock only."""
    path = layout.wheel(wheel.inspected.sha256) / wheel.inspected.filename
    _keep(path, wheel.data, layout)
    if wheel.signature:
        _keep(signature_of(path), wheel.signature, layout)
    if wheel.verdict:
        _keep(verdict_of(path), wheel.verdict, layout)


def keep_lock(sha256: Sha256, data: bytes, signature: bytes, layout: Layout) -> None:
    """The lock's bytes and signature are in the store. Under the store's lock only."""
    path = layout.lock_file(sha256)
    _keep(path, data, layout)
    _keep(signature_of(path), signature, layout)


def unpack(wheel: VerifiedWheel, *, layout: Layout, interpreter: Interpreter) -> UnpackedWheel:
    """The wheel is unpacked for this interpreter, at most once ever. Under the store's lock only.

    Raises:
        StoreError: it brings bytecode, or the interpreter cannot compile it.
        OSError: there is no room; nothing was left behind.
    """
    target = layout.wheel(wheel.inspected.sha256) / interpreter.cache_tag
    unpacked = load_unpacked(wheel, target)
    if unpacked is not None and not _touched(unpacked):
        return unpacked
    with layout.staging() as staging, layout.staging() as discarded:
        _fill(staging, wheel, layout, interpreter)
        if os.path.lexists(target):
            target.rename(discarded)
        make_directory(target.parent)
        staging.rename(target)
    sync_directory(target.parent)
    unpacked = load_unpacked(wheel, target)
    assert unpacked is not None, target  # noqa: S101  written a moment ago, under the lock
    return unpacked


def load_unpacked(wheel: VerifiedWheel, target: Path) -> UnpackedWheel | None:
    """The unpacked wheel at `target`; None when it is not there or its list of files is damaged."""
    try:
        files = decode_files(read_own(target / "files.json", MAX_FILES_BYTES))
    except (OSError, RegistryError, ValueError, TypeError):
        return None
    inspected = wheel.inspected
    return UnpackedWheel(
        project=inspected.project,
        version=inspected.version,
        sha256=inspected.sha256,
        top=target / "site-packages",
        files=files,
    )


def encode_files(files: Iterable[StoredFile]) -> bytes:
    """The list of files as JSON, one row a file."""
    rows = [[file.path, file.sha256, file.size, file.executable, file.generated] for file in files]
    return json.dumps({"schema": SCHEMA, "files": rows}, indent=0).encode()


def decode_files(data: bytes) -> tuple[StoredFile, ...]:
    """The files in this list.

    Raises:
        ValueError, TypeError: it is not a list of this schema.
    """
    fields = json_of(data)
    if not isinstance(fields, dict) or fields.keys() != {"schema", "files"} or fields["schema"] != SCHEMA:
        raise ValueError(f"expected schema {SCHEMA} with files")
    return tuple(
        StoredFile(
            path=str(path), sha256=parse_sha256(digest), size=_size(size), executable=executable, generated=generated
        )
        for path, digest, size, executable, generated in fields["files"]
    )


def _size(value: Any) -> int:
    if type(value) is not int or value < 0:
        raise ValueError(f"size: expected how many bytes it has, got {value!r}")
    return value


def _keep(path: Path, data: bytes, layout: Layout) -> None:
    try:
        if read_bounded(path, len(data)) == data:
            return
    except (OSError, RegistryError):  # absent, or another file than ours: it is replaced
        pass
    with layout.staging() as staging:
        layout.write_file(staging, data, READ_ONLY)
        sync_files([staging])
        make_directory(path.parent)
        staging.rename(path)
    sync_directory(path.parent)
    sync_directory(path.parent.parent)


def _fill(staging: Path, wheel: VerifiedWheel, layout: Layout, interpreter: Interpreter) -> None:
    top = staging / "site-packages"
    make_directory(top)
    made = {top}
    files = []
    for file in wheel.files():
        path = top / file.path
        if path.parent not in made:
            make_directory(path.parent)
            made.add(path.parent)
        layout.write_file(path, file.data, EXECUTABLE if file.executable else READ_ONLY)
        files.append(_stored(file.path, file.data, executable=file.executable, generated=False))
    files += [
        _stored(relative, (top / relative).read_bytes(), executable=False, generated=True)
        for relative in compile_for(interpreter, top)
    ]
    layout.write_file(staging / "files.json", encode_files(files), READ_ONLY)
    sync_files([*(top / stored.path for stored in files), staging / "files.json"])
    sync_directories(staging)


def _stored(path: str, data: bytes, *, executable: bool, generated: bool) -> StoredFile:
    sha256 = parse_sha256(hashlib.sha256(data).hexdigest())
    return StoredFile(path=path, sha256=sha256, size=len(data), executable=executable, generated=generated)


def _touched(unpacked: UnpackedWheel) -> bool:
    """Whether it is not what its list says, or somebody else may write to it."""
    files = {file.path: file_entry(file.size, file.sha256, executable=file.executable) for file in unpacked.files}
    contents: Contents = directory_entries(files) | files
    try:
        return bool(compare(unpacked.top, contents))
    except OSError:
        return True
