"""TUF's client as this registry sets it up: its own directory, our fetcher, our rules, files written to last.

`tests/conformance` runs the very same set-up against the tuf-conformance suite.
"""

import re
from pathlib import Path

from assess_registry.client.location import Location
from assess_registry.client.transport import Deadline
from assess_registry.client.trust.fetcher import METADATA_DIRECTORY, Check, RegistryFetcher
from assess_registry.client.trust.port import ReadFile
from assess_registry.client.trust.refusals import in_our_words
from assess_registry.client.trust.rules import check_document, check_roles_apart, signing_keys
from assess_registry.client.trust.served import check_served
from assess_registry.client.trust.tuf_api import (
    LengthOrHashMismatchError,
    Metadata,
    RepositoryError,
    Root,
    TargetFile,
    Targets,
    Updater,
    UpdaterConfig,
)
from assess_registry.errors import TrustError
from assess_registry.files import atomic_write
from assess_registry.keys import PublicKey

CONFIG = UpdaterConfig(max_root_rotations=256, max_delegations=32)
"""TUF's own bounds: 512 kB for a root, 16 kB for a timestamp, 2 MB for a snapshot, 5 MB for targets and bins."""


_SHA256 = re.compile(r"[0-9a-f]{64}\Z", re.ASCII)


class SignedMetadata:
    """The metadata of one registry at one moment: asked for once by `refresh`, bins as they are needed.

    Args:
        directory: what is remembered; one process at a time.
        root: bytes of the anchor, always given: the directory alone must not decide what is trusted.
        check: looks at each document before TUF does, in place of this registry's rules.

    Raises:
        TrustError: step `root`; the anchor is not acceptable.
    """

    def __init__(
        self, directory: Path, *, root: bytes, read: ReadFile, deadline: Deadline, check: Check | None = None
    ) -> None:
        self._directory = directory
        self._anchor = root
        self._ours = check is None
        look = self._look if check is None else check
        self._fetcher = RegistryFetcher(read, look, deadline)
        self._fetcher.asked, self._fetcher.got = "root.json", {Root.type: root}
        look(Root.type, root, "the configured root")
        with in_our_words(self._fetcher, directory):
            self._updater = _Updater(
                str(directory), METADATA_DIRECTORY, fetcher=self._fetcher, config=CONFIG, bootstrap=root
            )

    def refresh(self) -> None:
        """Root, timestamp, snapshot and targets are current.

        Raises:
            TransportError: a file could not be had by the deadline.
            TrustError: step `root`, `timestamp`, `snapshot`, `targets`, `length` or `redirect`.
        """
        with in_our_words(self._fetcher, self._directory):
            self._updater.refresh()
        if self._ours:
            self._check_together()

    def find(self, path: str, deadline: Deadline) -> TargetFile | None:
        """Length and hashes of a target, its bin fetched if need be; None when no role vouches for it."""
        self._fetcher.deadline = deadline
        with in_our_words(self._fetcher, self._directory):
            return self._updater.get_targetinfo(path)

    def signing_keys(self) -> tuple[tuple[str, PublicKey], ...]:
        """Role and key of all who sign, after `refresh`."""
        return signing_keys(self._trusted_root(), self._targets("targets"))

    def _look(self, role: str, data: bytes, thing: str) -> None:
        check_document(role, data, thing)
        if role == Root.type and (root := _root(data)) is not None:
            before = self._root_before(root)
            if before is not None or data == self._anchor:  # TUF's client refuses what follows nothing
                check_served(root, before, thing)

    def _check_together(self) -> None:
        newest = root = self._trusted_root()
        while (before := self._root_before(root)) is not None:
            # Also those that were on disk before: TUF's client takes them from there, past `_look`.
            check_served(root, before, f"{METADATA_DIRECTORY}{root.version}.root.json")
            root = before
        check_roles_apart(newest, self._targets("targets"), METADATA_DIRECTORY + "targets.json")

    def _root_before(self, root: Root) -> Root | None:
        """The one that it follows, as TUF's client has believed it; None for the anchor, and where there is none."""
        anchor = _root(self._anchor)
        if anchor is None or root.version <= anchor.version:
            return None
        if root.version == anchor.version + 1:
            return anchor
        try:
            return _root((self._directory / "root_history" / f"{root.version - 1}.root.json").read_bytes())
        except FileNotFoundError:
            return None

    # Both as they were written: the updater shows its trusted documents to nobody.

    def _trusted_root(self) -> Root:
        return Metadata[Root].from_bytes((self._directory / "root.json").read_bytes()).signed

    def _targets(self, role: str) -> Targets:
        return Metadata[Targets].from_bytes((self._directory / f"{role}.json").read_bytes()).signed


def _root(data: bytes) -> Root | None:
    """The root; None for what is none, which TUF's client is about to say better."""
    try:
        return Metadata[Root].from_bytes(data).signed
    except RepositoryError:
        return None


def stored_at(path: str, target: TargetFile) -> Location:
    """Where a mutable target lies, by its digest (TUF 6.2, consistent snapshots).

    Raises:
        TrustError: step `targets`; it is vouched for without a SHA-256.
    """
    sha256 = target.hashes.get("sha256")
    if not isinstance(sha256, str) or not _SHA256.match(sha256):  # it becomes part of a path
        raise TrustError(
            "it is vouched for without a SHA-256",
            step="targets",
            thing=path,
            next_step="do not use this registry until its maintainer has explained the document",
        )
    directory, _, name = path.rpartition("/")
    return Location(f"{directory}/{sha256}.{name}".lstrip("/"))


def check_target(data: bytes, path: str, target: TargetFile) -> None:
    """These bytes are what the registry vouches for.

    Raises:
        TrustError: step `targets`; they are not.
    """
    try:
        target.verify_length_and_hashes(data)
    except LengthOrHashMismatchError as error:
        raise TrustError(
            "these are not the bytes that the registry vouches for",
            step="targets",
            thing=path,
            expected=f"{target.length} bytes, sha256 {target.hashes.get('sha256')}",
            got=f"{len(data)} bytes; {error}",
            next_step="do not use this registry until its maintainer has explained the difference",
        ) from error


class _Updater(Updater):
    """Writes what it remembers the way we write everything.

    Upstream renames without fsync: after a power cut the remembered timestamp could be empty, which reads as "never
    seen", and rollback would be possible again.
    """

    def _persist_file(self, filename: str, data: bytes) -> None:
        path = Path(filename)
        # The anchor is persisted at each start; unchanged files stay the same file, which `kept` tells changes by.
        if not path.is_file() or path.is_symlink() or path.read_bytes() != data:
            atomic_write(path, data, mode=0o600)
