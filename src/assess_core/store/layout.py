"""Where things lie in the state directory, and the one lock and the one staging area for building them.

    <root>/layout.json               {"layout": 2}; older ones are upgraded in place (`upgrade.py`)
    <root>/store.lock                held while anything below is built or a pointer is changed
    <root>/staging/<random>/         being built; what is left here belongs to a dead process
    <root>/wheels/<sha256>/          original bytes, signature, verdict, one unpacked copy for each interpreter tag
    <root>/locks/<sha256>/           pylock.toml and pylock.toml.sig
    <root>/envs/<env key>/           environments
    <root>/installed/<env key>.json  what each environment is; written last, so it means "complete"
    <root>/installed/<env key>.contents, .stat   what is in it, to see whether it was touched (`untouched.py`)
    <root>/active/<distribution>.json  which environment serves
    <root>/active/.<distribution>.lock   held while one version of it takes another's place
    <root>/consents/<distribution>.json  what its versions may ask for, and who consented
    <root>/leases/<env key>, kit-<name>  locked, shared, by everybody who uses that environment or kit (`leases.py`)
    <root>/choices/<distribution>.json  which version is pinned, and which failed (`choices.py`)
    <root>/quarantine/<distribution>.json  why nothing of it is started any more
    <root>/trials/<env key>          it took another's place and has not answered one call yet (`trials.py`)
    <root>/kits/<digest>-<tag>/      the runtime's own code for worker processes; .contents, .stat beside it

docs/state.md describes each for operators.
"""

import contextlib
import errno
import json
import os
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from assess_core.errors import StoreError
from assess_core.store.disk import FileWriter, make_directory, remove_tree, sync_file, write_new_file
from assess_core.store.jsontext import json_of
from assess_core.store.ownership import check_ownership
from assess_core.store.untouched import PRIVATE, Built
from assess_core.store.upgrade import LAYOUT, MIGRATIONS, migrate
from assess_registry.client import (
    LOCK_NAME,
    SIGNATURE_SUFFIX,
    VERDICT_SUFFIX,
    ProjectName,
    RegistryError,
    Sha256,
    file_lock,
    read_bounded,
    sync_directory,
)

LOCK_TIMEOUT_S = 120.0
"""For another process to finish building: unpacking and compiling 80 wheels takes some 30 s on a slow disk."""

MAX_RECORD_BYTES = 4 << 20
"""Of any JSON file of the store; a record holds a manifest of at most 256 KiB."""

_NO_ROOM = frozenset((errno.ENOSPC, errno.EDQUOT))
_NO_RIGHT = frozenset((errno.EACCES, errno.EPERM, errno.EROFS))
_SWEPT = (
    ("staging", "*"),
    *((kind, ".tmp-*") for kind in ("installed", "active", "consents", "choices", "kits")),
)  # not of `quarantine`: it is written without the store's lock
_DIRECTORIES = (
    *("staging", "wheels", "locks", "envs", "installed", "active", "consents", "choices", "quarantine", "leases"),
    *("trials", "kits"),
)


class DamagedError(StoreError):
    """Something in the state directory is gone or is not what was written there; installing again replaces it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Layout:
    """Paths below one state directory. Making this value touches nothing; `locked` does.

    Attributes:
        write_file: creates each file that is built; a parameter so that a full disk can be played.
        ours: False of a shared store, to which nothing is written.
    """

    root: Path
    write_file: FileWriter = write_new_file
    ours: bool = True

    def path(self, kind: str) -> Path:
        """The directory for one kind of thing, for example `wheels`: one of those above."""
        return self.root / kind

    def wheel(self, sha256: Sha256) -> Path:
        """The directory of one wheel."""
        return self.root / "wheels" / sha256

    def lock_file(self, sha256: Sha256) -> Path:
        """The stored lock with this digest."""
        return self.root / "locks" / sha256 / LOCK_NAME

    def environment(self, env_key: str) -> Path:
        """The environment with this key."""
        return self.root / "envs" / env_key

    def record(self, env_key: str) -> Path:
        """The record of the environment with this key."""
        return self.root / "installed" / f"{env_key}.json"

    def built_environment(self, env_key: str) -> Built:
        """The environment with this key, and what is remembered of its contents."""
        return self._built(self.environment(env_key), self.record(env_key).with_suffix(""))

    def built_kit(self, name: str) -> Built:
        """The worker's kit with this name, and what is remembered of its contents."""
        return self._built(self.root / "kits" / name, self.root / "kits" / name)

    def pointer(self, distribution: ProjectName) -> Path:
        """The file that says which environment serves for this distribution."""
        return self.root / "active" / f"{distribution}.json"

    def activation_lock(self, distribution: ProjectName) -> Path:
        """The file that is locked by whoever brings up a version of this distribution."""
        return self.root / "active" / f".{distribution}.lock"

    def consents(self, distribution: ProjectName) -> Path:
        """The file that says what was consented to for this distribution."""
        return self.root / "consents" / f"{distribution}.json"

    def choices(self, distribution: ProjectName) -> Path:
        """The file that says which version of this distribution is pinned, and which failed."""
        return self.root / "choices" / f"{distribution}.json"

    def quarantine(self, distribution: ProjectName) -> Path:
        """The file that says why nothing of this distribution is started any more."""
        return self.root / "quarantine" / f"{distribution}.json"

    def lease(self, name: str) -> Path:
        """The file that is locked by whoever uses the environment with this key, or the kit `kit-<name>`."""
        return self.root / "leases" / name

    def check(self) -> int:
        """The state directory, if it exists, is this user's own; returns its layout, which this release can read.

        Raises:
            TrustError: step `state`; it is somebody else's, or others may write to it.
            StoreError: it has a newer layout, or may not be read.
        """
        path = self.root / "layout.json"
        with explained(self.root):
            check_ownership(self.root)
            try:
                found = json_of(read_bounded(path, MAX_RECORD_BYTES))["layout"]
            except FileNotFoundError:
                return LAYOUT
            except NotADirectoryError as error:
                raise StoreError(f"{self.root}: this is no directory; name another") from error
            except (RegistryError, ValueError, KeyError, TypeError) as error:
                raise StoreError(f'{path}: expected {{"layout": {LAYOUT}}}; restore it from a backup') from error
        if type(found) is not int or not min(MIGRATIONS) <= found <= LAYOUT:
            raise StoreError(
                f"{self.root} has layout {found}, this release reads layouts {min(MIGRATIONS)} to {LAYOUT}; "
                "use the release that wrote it, or another --state-dir"
            )
        return found

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Inside, nobody else builds or changes a pointer in this state directory, and staging is empty.

        The state directory is made if it is not there.

        Raises:
            TrustError: step `state`; it is somebody else's, or others may write to it.
            StoreError: it cannot be used, or a newer release wrote it.
            LockTimeoutError: one other process kept it for two minutes.
        """
        with explained(self.root):
            self.check()
            make_directory(self.root)
            with file_lock(self.root / "store.lock", timeout_s=LOCK_TIMEOUT_S, patient=True):
                found = self.check()  # another release may have made it while this one waited
                for name in _DIRECTORIES:
                    make_directory(self.path(name))
                self._sweep()
                self._mark(found)
                yield

    @contextlib.contextmanager
    def staging(self) -> Iterator[Path]:
        """A path in staging that does not exist yet, and does not exist any more afterwards. Under `locked` only."""
        path = self.path("staging") / secrets.token_hex(8)
        try:
            yield path
        finally:
            remove_tree(path)

    def _built(self, top: Path, beside: Path) -> Built:
        contents, stat = (beside.with_name(f"{beside.name}.{what}") for what in ("contents", "stat"))
        return Built(top=top, contents=contents, stat=stat, lock=self.root / "store.lock" if self.ours else None)

    def _sweep(self) -> None:
        # Staging is used under the lock only, and so is `atomic_write` in these directories: whoever left something
        # there is dead.
        for kind, pattern in _SWEPT:
            for left in self.path(kind).glob(pattern):
                remove_tree(left)

    def _mark(self, found: int) -> None:
        path = self.root / "layout.json"
        if found == LAYOUT and path.exists():
            return
        migrate(self.root, found)
        with self.staging() as staging:
            self.write_file(staging, json.dumps({"layout": LAYOUT}).encode() + b"\n", PRIVATE)
            sync_file(staging)
            staging.rename(path)
        sync_directory(self.root)


def signature_of(path: Path) -> Path:
    """Where the signature of a stored wheel or lock lies: beside it."""
    return path.with_name(path.name + SIGNATURE_SUFFIX)


def verdict_of(path: Path) -> Path:
    """Where the verdict about a stored wheel lies: beside it."""
    return path.with_name(path.name + VERDICT_SUFFIX)


@contextlib.contextmanager
def explained(root: Path) -> Iterator[None]:
    """Turn the operating system's refusals inside into errors that say what to do.

    Raises:
        StoreError: no room, or no right.
    """
    try:
        yield
    except OSError as error:
        if error.errno in _NO_ROOM:
            raise StoreError(
                f"no room left for {error.filename or root}: {error.strerror}; free some space, or choose another "
                "--state-dir. Nothing half-written was kept"
            ) from error
        if error.errno in _NO_RIGHT:
            raise StoreError(
                f"{error.filename or root} may not be used by this user (uid {os.getuid()}): {error.strerror}; "
                "give it to this user, or choose another --state-dir"
            ) from error
        raise
