"""A repository whose keys are all at hand, made in one go: for development registries and for tests."""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from assess_registry.config import Expiry
from assess_registry.errors import ConfigError
from assess_registry.files import atomic_write
from assess_registry.keys import PrivateKey, PublicKey
from assess_registry.repository.keys import check_root
from assess_registry.repository.roles import BINS, Signers, metadata_name, new_root, serialise, signed_by, until
from assess_registry.repository.state import METADATA, read_roots, read_state
from assess_registry.repository.store import Repository
from assess_registry.repository.tuf_api import Root


def create_repository(
    place: Path,
    *,
    root_keys: Sequence[PrivateKey],
    root_threshold: int,
    release_keys: Sequence[PrivateKey],
    online_key: PrivateKey,
    now: datetime,
    expiry: Expiry | None = None,
    bins: int = BINS,
    release_threshold: int = 1,
) -> Repository:
    """A repository is at `place`, empty and signed.

    Where it was begun before with the same keys, it is finished; a complete one is left as it is.

    Raises:
        ConfigError: another repository is there already.
        TrustError: step `keys`; a key is in two roles, or a threshold cannot be met.
    """
    expiry = expiry or Expiry()
    signers = Signers(
        root_keys=_public(root_keys),
        root_threshold=root_threshold,
        release_keys=_public(release_keys),
        release_threshold=release_threshold,
        online_keys=(online_key.public,),
    )
    root = new_root(signers, version=1, expires=until(expiry, "root", now))
    name = f"{METADATA}/{metadata_name('root', 1)}"
    check_root(root, thing=name)
    repository = Repository(place)
    (place / METADATA).mkdir(parents=True, exist_ok=True)
    with repository.locked():
        existing = read_roots(place)
        if existing and not _same_signers(existing[0].signed, root):
            raise ConfigError(f"{place / name}: another registry is here already; choose another directory")
        if not existing:
            atomic_write(place / name, serialise(signed_by(root, root_keys)))
    if read_state(place).current is None:
        repository.commit({}, release_keys=release_keys, online_key=online_key, now=now, expiry=expiry, bins=bins)
    return repository


def _public(keys: Sequence[PrivateKey]) -> tuple[PublicKey, ...]:
    return tuple(key.public for key in keys)


def _same_signers(one: Root, other: Root) -> bool:
    return one.keys == other.keys and one.roles == other.roles
