"""From a plugin's wheels to a folder that holds its closure and the lock of it, or to nothing.

1. Inspect the plugin's wheels strictly; they are one version and require the same.
2. With an index: uv chooses from what we show it of that, and what some target would take is downloaded, each file
   against its digest.
3. The closure is made of those wheels, or of the folder's, without a network, as `submit` does with the result.
4. Every target that one of the plugin's wheels is for has to be served; the others are named.
5. The folder is put together beside its place.
6. pip says what it would install from it, under every interpreter at hand.
7. The folder gets its name: it is there as a whole or not at all.
"""

import contextlib
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from packaging.pylock import Pylock

from assess_registry.client.transport import Deadline
from assess_registry.closure import Closure, closure_for, locked
from assess_registry.closure.environments import targets_for
from assess_registry.closure.resolve import resolve, wheels_in
from assess_registry.config import Targets
from assess_registry.errors import ConfigError, PublishError, RegistryError
from assess_registry.files import atomic_write, read_bounded, sync_directory
from assess_registry.index.folder import WheelFolder
from assess_registry.lock import LOCK_NAME, MAX_LOCK_BYTES, Lock, parse_lock, write_lock
from assess_registry.locking.download import Download, download, taken_by_targets
from assess_registry.locking.mirror import Mirror, mirror
from assess_registry.locking.second_opinion import Opinion, second_opinions
from assess_registry.locking.upstream import IndexSource, Upstream
from assess_registry.review.locking import require_one_version
from assess_registry.targets import RegistryTarget
from assess_registry.wheel import MAX_WHEEL_BYTES, InspectedWheel, inspect

MAX_FOLDER_BYTES = 4 << 30
"""Of all wheels that one closure may bring from an index."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Locked:
    """A closure in its folder.

    Attributes:
        directory: holds the wheels, the plugin's own included, and the lock.
        lock: as it is signed when the plugin is submitted; the folder's differs in where the wheels lie.
        downloaded: filenames that came from the index.
        opinions: one for each target, in their order.
    """

    directory: Path
    lock: Lock
    downloaded: tuple[str, ...]
    opinions: tuple[Opinion, ...]


class Files(Mapping[str, bytes]):
    """Wheels by filename, wherever they lie; read when asked for. No lock beside them counts: one is being made."""

    def __init__(self, paths: Mapping[str, Path]) -> None:
        self._paths = dict(sorted(paths.items()))

    def path(self, filename: str) -> Path:
        """Where a wheel lies."""
        return self._paths[filename]

    def __getitem__(self, filename: str) -> bytes:
        return read_bounded(self._paths[filename], MAX_WHEEL_BYTES)

    def __iter__(self) -> Iterator[str]:
        return iter(self._paths)

    def __len__(self) -> int:
        return len(self._paths)


def lock_closure(
    wheels: Sequence[Path],
    *,
    targets: Targets,
    folder: Path | None,
    index: IndexSource | None,
    output: Path,
    interpreters: Sequence[Path] = (),
) -> Locked:
    """The closure of a plugin's wheels is in `output`, with its lock, or nothing is.

    Args:
        wheels: all wheels of one version.
        targets: where it has to run.
        folder: wheels to choose from. Projects that it has are not looked for on the index.
        index: where other projects come from; None: from nowhere, and nothing uses a network.
        output: a directory that does not exist, or is empty.
        interpreters: for pip's opinion, besides those on the path.

    Raises:
        PublishError: the closure cannot be resolved, or a target is not served: all of them, each with the reason.
        WheelError: a wheel is not acceptable.
        TrustError: the index served other bytes than it announced, or sends elsewhere.
        TransportError: the index cannot be reached, or not in time.
        ConfigError: a path is wrong, or the wheels do not belong together.
    """
    if folder is None and index is None:
        raise ConfigError("where do the wheels come from? Name a folder, an index, or both")
    _require_free(output)
    inspected = _inspected(wheels)  # 1
    given = WheelFolder(folder) if folder else None
    paths = {name: given.path(name) for name in given} if given else {}
    place = Path(tempfile.mkdtemp(prefix=f".{output.name}.", dir=output.absolute().parent))
    try:
        downloaded = _fetched(inspected[0], paths, targets, index, place) if index else ()  # 2
        paths |= {each.filename: place / each.filename for each in downloaded}
        closure = closure_for(inspected[0], Files(paths), targets=targets)  # 3
        _require_served(inspected, closure)  # 4
        lock = _with_all(closure.lock, inspected)
        _fill(place, lock, paths | {path.name: path for path in wheels})  # 5
        beside = parse_lock(read_bounded(place / LOCK_NAME, MAX_LOCK_BYTES), beside=True)
        opinions = second_opinions(place, beside, inspected[0], closure.meant, interpreters=interpreters)  # 6
        place.chmod(0o755)  # 7
        sync_directory(place)
        place.rename(output)
        sync_directory(output.absolute().parent)
    finally:
        shutil.rmtree(place, ignore_errors=True)
    names = tuple(sorted(each.filename for each in downloaded if lock.find(each.filename)))
    return Locked(directory=output, lock=lock, downloaded=names, opinions=opinions)


def _require_free(output: Path) -> None:
    try:
        if any(output.iterdir()):
            raise ConfigError(
                f"{output}: is not empty; a closure gets a directory of its own: remove it, or name another"
            )
    except FileNotFoundError:
        if not output.absolute().parent.is_dir():
            raise ConfigError(f"{output.absolute().parent}: there is no such directory") from None
    except NotADirectoryError as error:
        raise ConfigError(f"{output}: is no directory") from error


def _inspected(wheels: Sequence[Path]) -> tuple[InspectedWheel, ...]:
    inspected = []
    for path in wheels:
        try:
            data = read_bounded(path, MAX_WHEEL_BYTES)
        except OSError as error:
            raise ConfigError(f"{path}: cannot be read: {error.strerror}") from error
        inspected.append(inspect(data, path.name, kind="plugin"))
    require_one_version(inspected)
    return tuple(inspected)


def _fetched(
    wheel: InspectedWheel, paths: Mapping[str, Path], targets: Targets, index: IndexSource, place: Path
) -> tuple[Download, ...]:
    """What uv chose from the index for some target, downloaded into `place`."""
    meant = targets_for(wheel, targets)
    # Of a project that was given, the index has no say: not its bytes, and not another version of it.
    given = {wheel.project} | {project for _, project, _ in wheels_in(Files(paths))}
    with (
        contextlib.closing(Upstream(index, Deadline.after(index.timeout_s))) as upstream,
        mirror(upstream, given=given) as ours,
    ):
        chosen = _resolved(wheel, paths, meant, ours, timeout_s=index.timeout_s)
        wanted = tuple(each for each in taken_by_targets(chosen, meant) if each.project not in given)
        download(wanted, place, ours=ours, upstream=upstream, max_bytes=MAX_FOLDER_BYTES)
    return wanted


def _resolved(
    wheel: InspectedWheel, paths: Mapping[str, Path], meant: Sequence[RegistryTarget], ours: Mirror, *, timeout_s: float
) -> Pylock:
    """What uv chose, unless the index did or said what nobody should go on after."""
    try:
        chosen = resolve(wheel, Files(paths), meant, index=ours.url, timeout_s=timeout_s)
    except RegistryError as error:
        if ours.problem is not None:
            raise ours.problem from error
        if isinstance(error, PublishError) and ours.notes:
            lines = "\n".join(f"    {note}" for note in ours.notes)
            raise PublishError(f"{error}\n  left out of what the index has:\n{lines}") from error
        raise
    if ours.problem is not None:
        raise ours.problem
    return chosen


def _require_served(wheels: Sequence[InspectedWheel], closure: Closure) -> None:
    """Refuse a closure that keeps the plugin from a target that one of its wheels is for."""
    lines = [
        f"  {target.name}: {closure.unserved[target.name]}"
        for target in closure.meant
        if target.name in closure.unserved and any(target.admits(wheel) for wheel in wheels)
    ]
    if lines:
        raise PublishError(
            f"{wheels[0].filename}: its closure does not serve every target of the registry:\n"
            + "\n".join(lines)
            + "\n  next: require a version that has wheels for it, or take the target out of [targets]"
        )


def _with_all(lock: Lock, wheels: Sequence[InspectedWheel]) -> Lock:
    if len(wheels) == 1:
        return lock
    entries = [*lock.wheels, *(locked(wheel) for wheel in wheels[1:])]
    return parse_lock(write_lock(entries, requires_python=lock.requires_python, environments=lock.environments))


def _fill(place: Path, lock: Lock, paths: Mapping[str, Path]) -> None:
    """Exactly the wheels of the lock, each as it was locked, and the lock itself."""
    for each in lock.wheels:
        atomic_write(place / each.filename, read_bounded(paths[each.filename], MAX_WHEEL_BYTES))
    for path in place.iterdir():
        if lock.find(path.name) is None:
            path.unlink()
    data = write_lock(lock.wheels, requires_python=lock.requires_python, environments=lock.environments, beside=True)
    atomic_write(place / LOCK_NAME, data)
