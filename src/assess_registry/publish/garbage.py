"""What nobody names any more is removed, after a time in which whoever still reads it can finish.

Named is what the signed catalogue names, what its locks name, and what the pages name, or would if a project were not
quarantined. What lies in `files/` besides is
left of publishes that were killed, or of releases that were replaced in a development registry. Submissions go when
they are published, or when the audit rejected them; the ones that wait for reviewers stay. Roots stay for ever.

Links are not followed and not removed, wherever they lead: this registry writes none, so they are somebody's.
"""

import os
import re
import shutil
import stat
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from assess_registry.errors import ConfigError, RegistryError
from assess_registry.files import file_lock, read_bounded, sync_directory
from assess_registry.index.create import INDEX_LOCK_NAME, LOCK_TIMEOUT_S
from assess_registry.index.pages import JSON_NAME
from assess_registry.index.tree import FILES, METADATA_SUFFIX, SIMPLE, Tree
from assess_registry.lock import LOCK_NAME, MAX_LOCK_BYTES, parse_lock
from assess_registry.repository import Repository
from assess_registry.review.published import catalogues_of, releases_of, repository_of
from assess_registry.review.submissions import STATEMENT_NAME, directories, load_submission
from assess_registry.signatures import SIGNATURE_SUFFIX
from assess_registry.status import STATUS, remove_strays
from assess_registry.strict_json import parse_json

MAX_PAGE_BYTES = 64 << 20
MAX_PAGE_DEPTH = 16
_TEMPORARY = re.compile(r"\.tmp-[0-9a-f]+\Z")
_SIDECARS = (SIGNATURE_SUFFIX, METADATA_SUFFIX)


def collect_garbage(root: Path, *, keep_s: float, now: datetime) -> tuple[str, ...]:
    """The removed files and directories, relative to the root. Only what is older than `keep_s` seconds is looked at.

    Raises:
        ConfigError: there is no registry here, or a page in it was not written by it.
        TrustError: its word is not signed as it has to be; nothing was removed.
    """
    with file_lock(root / INDEX_LOCK_NAME, timeout_s=LOCK_TIMEOUT_S):
        repository = repository_of(root)
        named = set(_named(Tree(root), repository))
        published = set(_published_digests(repository))
        limit = now.timestamp() - keep_s
        removed = [*(repository.collect(keep_s, now=now) if repository else ())]
        removed += _remove_files(root, named, limit)
        removed += _remove_submissions(root, published, limit)
        removed += remove_strays(Tree(root), {each.project for each in catalogues_of(repository)})
        return tuple(removed)


def _named(tree: Tree, repository: Repository | None) -> Iterator[Path]:
    """Every file below `files/` that somebody may still ask for."""
    for project, version, filename in _catalogued(repository):
        path = tree.file(project, version, filename)
        yield path
        if filename == LOCK_NAME:
            yield from _locked(tree, path)
    for page in (tree.root / SIMPLE).glob(f"*/{JSON_NAME}"):
        yield from _listed(tree, page)
    for catalogue in catalogues_of(repository):
        if catalogue.status and catalogue.status.is_quarantined:  # on no page, and may be again
            yield from (tree.root / FILES / catalogue.project).glob("*/*")


def _listed(tree: Tree, page: Path) -> Iterator[Path]:
    try:
        files = parse_json(read_bounded(page, MAX_PAGE_BYTES), max_depth=MAX_PAGE_DEPTH)["files"]
        wheels = [_plain(page.parent / file["url"]) for file in files]
    except (ValueError, KeyError, TypeError, OSError) as error:
        raise ConfigError(f"{page}: not a page of this registry: {error!r}; nothing was removed") from error
    for wheel in wheels:
        yield wheel
        yield from (wheel.with_name(wheel.name + suffix) for suffix in _SIDECARS)
        lock = wheel.with_name(LOCK_NAME)
        yield from (lock, lock.with_name(LOCK_NAME + SIGNATURE_SUFFIX))
        if lock.is_file():
            yield from _locked(tree, lock)


def _locked(tree: Tree, lock: Path) -> Iterator[Path]:
    try:
        wheels = parse_lock(read_bounded(lock, MAX_LOCK_BYTES)).wheels
    except (OSError, RegistryError) as error:
        raise ConfigError(f"{lock}: is named and cannot be read: {error}; nothing was removed") from error
    for wheel in wheels:
        path = tree.file(wheel.project, wheel.version, wheel.filename)
        yield from (path, path.with_name(path.name + METADATA_SUFFIX))


def _catalogued(repository: Repository | None) -> Iterator[tuple[str, str, str]]:
    for project, release in releases_of(repository):
        yield from ((project, release.version, file.filename) for file in release.files())


def _published_digests(repository: Repository | None) -> Iterator[str]:
    for _, release in releases_of(repository):
        yield from (wheel.sha256 for wheel in release.wheels)


def _remove_files(root: Path, named: set[Path], limit: float) -> Iterator[str]:
    whole = {_plain(path) for path in named}
    for path in _published_files(root):
        if _plain(path) in whole or path.lstat().st_mtime > limit:
            continue
        path.unlink()
        sync_directory(path.parent)
        yield path.relative_to(root).as_posix()
        _remove_empty(path.parent, root / FILES)
    for directory in ("", FILES, SIMPLE, "plugins", STATUS):
        for path in temporary_files(root / directory, below=bool(directory)):
            if path.lstat().st_mtime <= limit:
                path.unlink()
                yield path.relative_to(root).as_posix()


def _published_files(root: Path) -> list[Path]:
    """Regular files at `files/<project>/<version>/<name>`, and no link on the way to them."""
    versions = [each for project in _directories(root / FILES) for each in _directories(project)]
    return [path for version in versions for path in sorted(version.iterdir()) if _is_regular(path)]


def temporary_files(directory: Path, *, below: bool = True) -> list[Path]:
    """What killed writers left in this directory, and `below` it; in a directory that is a link there is none."""
    if directory.is_symlink() or not directory.is_dir():
        return []
    found = [path for path in sorted(directory.iterdir()) if _is_regular(path) and _TEMPORARY.match(path.name)]
    deeper = _directories(directory) if below else []
    return found + [path for each in deeper for path in temporary_files(each)]


def _directories(directory: Path) -> list[Path]:
    if directory.is_symlink() or not directory.is_dir():
        return []
    return [path for path in sorted(directory.iterdir()) if stat.S_ISDIR(path.lstat().st_mode)]


def _is_regular(path: Path) -> bool:
    return stat.S_ISREG(path.lstat().st_mode)


def _plain(path: Path) -> Path:
    """The path without `..`, by its text alone: what a link leads to is nobody's to name."""
    return Path(os.path.normpath(path))


def _remove_empty(directory: Path, top: Path) -> None:
    while directory != top and not any(directory.iterdir()):
        directory.rmdir()
        directory = directory.parent


def _remove_submissions(root: Path, published: set[str], limit: float) -> Iterator[str]:
    for directory in list(directories(root)):
        if directory.is_symlink() or not directory.is_dir():
            continue
        if max((path.lstat().st_mtime for path in directory.rglob("*")), default=0.0) > limit:
            continue
        if directory.name in published or _is_rejected(directory):
            # The statement first: what is left of it when we are killed is no submission.
            if _is_removable(directory / STATEMENT_NAME):
                (directory / STATEMENT_NAME).unlink()
            shutil.rmtree(directory)
            yield directory.relative_to(root).as_posix()


def _is_removable(path: Path) -> bool:
    return path.is_symlink() or path.is_file()


def _is_rejected(directory: Path) -> bool:
    try:
        return load_submission(directory).statement is None
    except RegistryError:
        return True  # its writer was killed, or it was tampered with
