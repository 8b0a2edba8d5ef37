"""What a runtime knows of itself beside its journal: its keys, its machine, and where its chains stood.

It lies in a directory of its own, so that a journal that was put back, cut short or replaced can be told from the one
that this runtime wrote. A key is named by its id and never overwritten; which one signs is what the chain says, so that
no moment of a crash leaves two opinions.

    <state>/identity/<16 digits of its id>.key, .pub    made when something is recorded for the first time
    <state>/identity/head.json                          where each chain stood when it was last written to
    <state>/identity/adopting.json                      while runs that were there before any chain are vouched for
    <state>/identity/machine                            which machine this is, as a digest
"""

import hashlib
import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from assess_core.errors import StoreError, disk_error
from assess_registry.client import (
    ConfigError,
    PrivateKey,
    PublicKey,
    TrustError,
    atomic_write,
    generate_key,
    load_private_key,
    load_public_key,
    plain,
    read_bounded,
    sync_directory,
    write_key_pair,
)

_log = logging.getLogger(__name__)
_always = logging.getLogger("assess_core.always")

IDENTITY = "identity"
"""In the state directory."""

HEAD_BYTES = 32

_NAME_DIGITS = 16
_MAX_BYTES = 1 << 20
_LASTING = (PermissionError, FileNotFoundError, IsADirectoryError)
_MACHINE_ID = Path("/etc/machine-id")


@dataclass(frozen=True, kw_only=True, slots=True)
class Head:
    """Where a chain stands: the number of its last entry, and the digest that vouches for all up to there."""

    seq: int
    digest: bytes


NOWHERE = Head(seq=0, digest=bytes(HEAD_BYTES))
"""Where a chain stands that has no entry."""


class Identity:
    """The directory at work. One transaction of the journal is the lock for all that is written here."""

    def __init__(self, directory: Path, *, machine_id: Path = _MACHINE_ID) -> None:
        self.directory = directory
        self._machine_id = machine_id
        self._keys: dict[PublicKey, PrivateKey] = {}
        self._told: set[str] = set()

    def key(self, public: PublicKey) -> PrivateKey | None:
        """The private half of this key; None if it is not here, is damaged, or others could have read it.

        The log says why. What a key signed stays what it is; only nothing more is signed with it.

        Raises:
            StoreError: it cannot be read now, or not by this user: that is no reason for another one.
        """
        if public in self._keys:
            return self._keys[public]
        try:
            key = load_private_key(self._path(public))
        except (ConfigError, TrustError) as error:
            if isinstance(error.__cause__, FileNotFoundError):
                return None
            if isinstance(error.__cause__, OSError):
                raise disk_error(f"the runtime's key: {error}", error.__cause__) from error
            _log.error(
                "%s; the runtime signs with another key from now on", error, extra={"action": "chain-key-unusable"}
            )
            return None
        if key.public != public:
            return None  # another's file under its name
        self._keys[public] = key
        return key

    def any_key(self) -> PrivateKey:
        """A key to begin a chain with: one that is here, or else a new one.

        Raises:
            StoreError: none can be made, or one cannot be read.
        """
        usable = (key for public in self.known_keys() if (key := self.key(public)) is not None)
        return next(usable, None) or self.new_key()

    def new_key(self) -> PrivateKey:
        """A new key, on disk for its owner alone.

        Raises:
            StoreError: it cannot be written.
        """
        key = generate_key()
        try:
            self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            sync_directory(self.directory.parent)
            write_key_pair(self.directory, key.public.hex_id[:_NAME_DIGITS], key)
        except (OSError, ConfigError) as error:
            raise disk_error(f"the runtime's key cannot be written: {error}", error) from error
        self._keys[key.public] = key
        return key

    def public_keys(self) -> tuple[PublicKey, ...]:
        """All keys that this runtime ever made here, in the order of their names: for whoever removes what others sign.

        Raises:
            StoreError: one cannot be read.
        """
        if lost := self.lost_keys():
            raise StoreError(f"the runtime's keys: {'; '.join(lost)}")
        return self.known_keys()

    def known_keys(self) -> tuple[PublicKey, ...]:
        """The same, without those that cannot be read, of which the log tells once: to record goes on without them.

        Where the private half lies beside it, it is known by that.

        Raises:
            StoreError: one cannot be read now, as no file can.
        """
        known, damaged = self._public_keys()
        for text, _ in damaged:
            if text not in self._told:
                self._told.add(text)
                _log.error("%s", text, extra={"action": "chain-key-unreadable"})
        return known

    def lost_keys(self) -> tuple[str, ...]:
        """Which keys are not known because they cannot be read, a sentence each; mostly none."""
        return tuple(text for text, is_known in self._public_keys()[1] if not is_known)

    def damaged_keys(self) -> tuple[str, ...]:
        """Which `.pub` files cannot be read, a sentence each, those included whose private half says the same."""
        return tuple(text for text, _ in self._public_keys()[1])

    def _public_keys(self) -> tuple[tuple[PublicKey, ...], tuple[tuple[str, bool], ...]]:
        """Those that are known; and of each file that cannot be read what there is to say, and whether its key is.

        Raises:
            StoreError: it cannot be read now: that is no reason to know its key no more.
        """
        known: list[PublicKey] = []
        damaged: list[tuple[str, bool]] = []
        for path in sorted(self.directory.glob("*.pub")):
            try:
                known.append(load_public_key(path))
            except (OSError, TrustError) as error:
                public = _of_private(path)
                if public is None and isinstance(error, OSError) and not isinstance(error, _LASTING):
                    raise disk_error(f"the runtime's keys: {error}", error) from error
                known += [public] if public is not None else []
                but = "its private half says what it was" if public is not None else "what it signed is of no known key"
                why = error.strerror if isinstance(error, OSError) else "it is no public key"
                damaged.append((f"{path} cannot be read ({why}), and {but}", public is not None))
        return tuple(known), tuple(damaged)

    def heads(self) -> Mapping[str, Head]:
        """Where each chain stood, by its runtime; of which nothing is known, nothing is said."""
        path = self.directory / "head.json"
        try:
            found = json.loads(read_bounded(path, _MAX_BYTES))
            return {
                name: Head(seq=int(seq), digest=bytes.fromhex(digest)) for name, (seq, digest) in found["heads"].items()
            }
        except FileNotFoundError:
            return {}
        except (OSError, ConfigError, ValueError, TypeError, KeyError, AttributeError) as error:
            _log.warning("%s cannot be read: %s", path, error, extra={"action": "chain-head-unreadable"})
            return {}

    def tell_heads(self) -> None:
        """Where each chain stands is in the log, whatever its level: there nobody takes it back who can write here."""
        for runtime, head in self.heads().items():
            text = "the chain of %s stands at %d:%s"
            _always.info(text, plain(runtime), head.seq, head.digest.hex(), extra={"action": "chain-head"})

    def remember(self, runtime: str, head: Head) -> None:
        """The chain of this runtime stands there. What a crash leaves may be behind, which alarms nobody, never ahead.

        Raises:
            OSError: it cannot be written.
        """
        heads = {**self.heads(), runtime: head}
        document = {"schema": 1, "heads": {name: [one.seq, one.digest.hex()] for name, one in heads.items()}}
        self._replace("head.json", json.dumps(document).encode("ascii") + b"\n")

    def adopting(self) -> Mapping[str, int]:
        """Up to which position each chain is to vouch for runs that were there before it, while it does so still."""
        path = self.directory / "adopting.json"
        try:
            return {str(name): int(through) for name, through in json.loads(read_bounded(path, _MAX_BYTES)).items()}
        except FileNotFoundError:
            return {}
        except (OSError, ConfigError, ValueError, TypeError, AttributeError) as error:
            _log.warning("%s cannot be read: %s", path, error, extra={"action": "chain-head-unreadable"})
            return {}

    def adopt(self, runtime: str, through: int | None) -> None:
        """This chain is to vouch for runs up to there that were before it; None when it does.

        Raises:
            OSError: it cannot be written.
        """
        rest = {name: position for name, position in self.adopting().items() if name != runtime}
        rest |= {runtime: through} if through is not None else {}
        if rest:
            self._replace("adopting.json", json.dumps(rest).encode("ascii") + b"\n")
        else:
            (self.directory / "adopting.json").unlink(missing_ok=True)

    def moved(self) -> bool:
        """Whether this directory was brought here from another machine, as far as machines have a name."""
        here = self._machine()
        try:
            known = read_bounded(self.directory / "machine", 200).decode("ascii", "replace").strip()
        except (OSError, ConfigError):
            return False
        return bool(here) and bool(known) and known != here

    def settle(self) -> None:
        """This is the machine of this directory from now on.

        Raises:
            OSError: that cannot be written.
        """
        if here := self._machine():
            self._replace("machine", here.encode("ascii") + b"\n")

    def _machine(self) -> str:
        """A digest, because machine-id(5) asks that the id itself goes nowhere; empty where there is none."""
        try:
            text = read_bounded(self._machine_id, 200).strip()
        except (OSError, ConfigError):
            return ""
        return hashlib.sha256(b"assess-machine-1\0" + text).hexdigest() if text else ""

    def _path(self, public: PublicKey) -> Path:
        return self.directory / f"{public.hex_id[:_NAME_DIGITS]}.key"

    def _replace(self, name: str, data: bytes) -> None:
        """Whole, on the disk, or as before: an empty one after a power cut would look as if somebody had taken it."""
        if not self.directory.is_dir():
            self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            sync_directory(self.directory.parent)
        atomic_write(self.directory / name, data, mode=0o600)


def _of_private(path: Path) -> PublicKey | None:
    """The key whose public half was to lie at this path, by its private half beside it; None if that is of no use."""
    try:
        public = load_private_key(path.with_suffix(".key")).public
    except (ConfigError, TrustError):
        return None
    return public if public.hex_id[:_NAME_DIGITS] == path.stem else None
