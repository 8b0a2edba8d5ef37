"""One plugin from an index into a folder of plugins, for whoever has nothing but the publishers' keys.

    install("demo-plugin==1.2.0", index="https://plugins.example.org", to=Path("plugins"), trusted_keys=Path("keys"))

1. Resolve, fetch and verify, all in memory: nothing is written of what is refused.
2. Lock the folder; it must be one, and hold nothing else.
3. Never go back behind what is there, unless that version was asked for.
4. Replace nothing but an earlier install.
5. Put wheel, lock, signatures and closure into place, as one directory in one step.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from packaging.requirements import InvalidRequirement, Requirement
from packaging.version import InvalidVersion, Version

from assess_registry.client import Access, Registry, RegistryConfig, Target, VerifiedWheel, fetch, resolve, verify
from assess_registry.client.choose import is_pin
from assess_registry.client.transport import NO_ACCESS
from assess_registry.errors import ConfigError, TrustError
from assess_registry.files import file_lock
from assess_registry.folder import LOCK_FILE, LOCK_SIGNATURE, Kind, opened, projects_of
from assess_registry.keys import KeyId
from assess_registry.lock import LOCK_NAME
from assess_registry.names import ProjectName, Sha256
from assess_registry.signatures import SIGNATURE_SUFFIX
from assess_registry.simple.earlier import check_earlier, sweep
from assess_registry.simple.place import put

LOCK_TIMEOUT_S = 60.0
"""How long one install waits for another; inside, files are written and nothing is fetched."""


@dataclass(frozen=True, kw_only=True, slots=True)
class InstallReport:
    """What is in the folder now.

    Attributes:
        signer: the publisher's key, which made the signatures of wheel and lock.
        directory: where the plugin lies.
        closure: filenames of the wheels it runs with, which lie there too.
        previous: the version that was there; empty when none was.
        changed: whether anything was written.
    """

    project: ProjectName
    version: str
    filename: str
    sha256: Sha256
    lock_sha256: Sha256
    signer: KeyId
    directory: Path
    closure: tuple[str, ...]
    previous: str
    changed: bool


def install(
    requirement: str,
    *,
    index: str | Path,
    to: Path,
    trusted_keys: Path,
    timeout_s: float = 60.0,
    target: Target | None = None,
    access: Access = NO_ACCESS,
) -> InstallReport:
    """The plugin is in the folder `to`, which is made if it is not there; installing the same again changes nothing.

    Args:
        requirement: `NAME`, `NAME==VERSION` or another PEP 440 specifier.
        index: path or URL of the registry's root (`place_url`).
        to: the folder of plugins.
        trusted_keys: directory of the publishers' public keys.
        timeout_s: for resolving, and again for fetching.
        target: the interpreter it is for; the running one if not given.
        access: proxy, authorities and credentials, for https.

    Raises:
        ConfigError: `requirement` is none, `to` is something else than a folder of plugins, or a path is wrong.
        NotPublishedError: no such project, or no version that matches.
        TransportError: the index could not be read in time.
        TrustError: a step of the client's `verify` refused; step `folder` (2, 4) or `rollback` (3). The folder is
            unchanged.
        OSError: the folder cannot be written.
    """
    wanted = parse_requirement(requirement)
    config = RegistryConfig(url=place_url(index), trusted_keys=trusted_keys, timeout_s=timeout_s, access=access)
    verified = _verified(wanted, config, target or Target.running())
    return keep(verified, to=to, may_go_back=is_pin(wanted.specifier))


def keep(verified: VerifiedWheel, *, to: Path, may_go_back: bool) -> InstallReport:
    """What was verified is in the folder; steps 2 to 5 of `install`.

    Args:
        verified: a plugin.
        to: the folder.
        may_go_back: whether a newer version may be replaced.

    Raises:
        ConfigError, TrustError, OSError: as for `install`.
    """
    files = _files(verified)
    to.mkdir(parents=True, exist_ok=True)
    _require_folder(to)
    with file_lock(to / LOCK_FILE, timeout_s=LOCK_TIMEOUT_S):
        _require_folder(to)  # again: another install may have had its turn
        sweep(to)
        place = to / verified.inspected.project
        previous = _version_of(_names_in(place), verified.inspected.project)
        if not may_go_back:
            _require_forward(verified, previous)
        changed = not _holds(place, files)
        if changed:
            check_earlier(place)
            put(place, files)
    return _report(verified, place, previous=previous, changed=changed)


def parse_requirement(text: str) -> Requirement:
    """What a person types to name a plugin.

    Raises:
        ConfigError: it is no requirement.
    """
    try:
        return Requirement(text)
    except InvalidRequirement as error:
        raise ConfigError(f"{text!r}: expected NAME or NAME==VERSION: {str(error).splitlines()[0]}") from error


def place_url(index: str | Path) -> str:
    """The URL of an index given as a URL or as a path on this machine.

    `http://` is for loopback (`parse_base`). A path may be relative to the working directory.
    """
    if isinstance(index, Path) or ":" not in index.partition("/")[0]:
        return Path(index).absolute().as_uri()
    return index


def _verified(wanted: Requirement, config: RegistryConfig, target: Target) -> VerifiedWheel:
    with Registry(config) as registry:
        resolved = resolve(wanted, registry=registry, target=target)
        return verify(fetch(resolved, registry=registry), registry=registry, target=target)


def _files(verified: VerifiedWheel) -> dict[str, bytes]:
    """What lies in a plugin's directory, name by name."""
    if verified.lock is None:
        raise ValueError(f"{verified.inspected.filename} is a dependency")
    own = verified.inspected.filename
    return {
        **{each.inspected.filename: each.data for each in verified.closure},
        LOCK_NAME: verified.lock.data,
        LOCK_SIGNATURE: verified.lock_signature,
        own + SIGNATURE_SUFFIX: verified.signature,
        own: verified.data,
    }


def _require_folder(to: Path) -> None:
    """Whatever else lies there would make `[[plugins]] dir` refuse the folder, so it is said now."""
    try:
        projects_of(to)
    except TrustError as error:
        error.next_step = "name another folder, or an empty one; it may hold nothing but plugins"
        raise


def _names_in(place: Path) -> dict[str, Kind]:
    """What lies in the plugin's directory; nothing when there is none."""
    if not place.exists():
        return {}
    with opened(place, follow=False) as held:
        return held.entries()


def _holds(place: Path, files: Mapping[str, bytes]) -> bool:
    if _names_in(place) != dict.fromkeys(sorted(files), "file"):
        return False
    with opened(place, follow=False) as held:
        try:
            return all(held.read(name, max_bytes=len(data)) == data for name, data in files.items())
        except TrustError:  # longer
            return False


def _version_of(names: Collection[str], project: ProjectName) -> str:
    """Going by the name of its wheel: what is there was proven when it came, and may be about to be replaced."""
    prefix = project.replace("-", "_") + "-"
    own = (name for name in names if name.startswith(prefix) and name + SIGNATURE_SUFFIX in names)
    return next((name.split("-")[1] for name in own), "")


def _require_forward(verified: VerifiedWheel, previous: str) -> None:
    try:
        back = bool(previous) and Version(verified.inspected.version) < Version(previous)
    except InvalidVersion:
        back = False  # somebody's file, not a wheel that was ever installed
    if back:
        raise TrustError(
            "the index offers less than what is in the folder",
            step="rollback",
            thing=f"{verified.inspected.project} {verified.inspected.version}",
            expected=f"{previous} or newer",
            got=verified.inspected.version,
            next_step="find out why the newer one is not offered any more; to go back all the same, "
            f"ask for {verified.inspected.project}=={verified.inspected.version}",
        )


def _report(verified: VerifiedWheel, place: Path, *, previous: str, changed: bool) -> InstallReport:
    inspected, lock = verified.inspected, verified.lock
    if lock is None or verified.signer is None:
        raise ValueError(f"{inspected.filename} is a dependency")
    return InstallReport(
        project=inspected.project,
        version=inspected.version,
        filename=inspected.filename,
        sha256=inspected.sha256,
        lock_sha256=lock.sha256,
        signer=verified.signer,
        directory=place,
        closure=tuple(each.inspected.filename for each in verified.closure),
        previous=previous,
        changed=changed,
    )
