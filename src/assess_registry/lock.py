"""A plugin's whole closure as `pylock.toml` (PEP 751): every wheel, the plugin's own included, with size and SHA-256.

The lock is signed beside the wheel, so the publisher's word covers what the plugin runs with. It holds wheels only, one
version of each project, and no address: a file's place follows from what it is, so no lock can point anywhere else.

    lock = parse_lock(data)
    lock.select(target)      the wheels for one interpreter and platform; no resolver, no network

`pip install -r pylock.toml` and `uv pip install -r pylock.toml` accept the same file: a second opinion.
"""

import hashlib
import re
import tomllib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, cast

import tomli_w
from packaging.markers import Environment, InvalidMarker, Marker, UndefinedComparison, UndefinedEnvironmentName
from packaging.pylock import Package, PackageWheel, Pylock, PylockSelectError, PylockValidationError
from packaging.specifiers import SpecifierSet
from packaging.tags import Tag
from packaging.utils import parse_wheel_filename

from assess_registry.errors import Issue, TrustError, UnservedError
from assess_registry.names import ProjectName, Sha256, parse_project, parse_sha256, parse_version

LOCK_NAME = "pylock.toml"
CREATED_BY = "assess-registry"

MAX_LOCK_BYTES = 1 << 20
"""About 3000 wheels; the largest closure we measured has 571 for all targets."""

MAX_LOCKED_BYTES = 512 << 20
"""Size a lock may announce; a client bounds its download by what is announced here."""

_RULE = "PEP 751; assess: locks hold hashed wheels of this index only"
_FILENAME = re.compile(r"[A-Za-z0-9._+!]+(-[A-Za-z0-9._+!]+){4,5}\.whl\Z", re.ASCII)
_LOCK_KEYS = frozenset(("lock-version", "requires-python", "environments", "created-by", "packages"))
_PACKAGE_KEYS = frozenset(("name", "version", "requires-python", "marker", "wheels"))
_WHEEL_KEYS = frozenset(("name", "path", "size", "hashes"))


class LockTarget(Protocol):
    """The interpreter and platform that wheels are selected for."""

    @property
    def tags(self) -> Sequence[Tag]:
        """Supported tags, best first."""
        ...

    @property
    def environment(self) -> Mapping[str, str]:
        """All marker variables of PEP 508."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class LockedWheel:
    """One wheel of a closure, and under which conditions it belongs to it."""

    project: ProjectName
    version: str
    filename: str
    sha256: Sha256
    size: int
    requires_python: SpecifierSet | None = None
    marker: Marker | None = None

    @property
    def location(self) -> str:
        """Where it lies, relative to the directory of any lock of the same index."""
        return wheel_location(self.project, self.version, self.filename)

    @property
    def tags(self) -> frozenset[Tag]:
        """The tags its filename claims (PEP 427)."""
        return parse_wheel_filename(self.filename)[3]


@dataclass(frozen=True, kw_only=True, slots=True)
class Lock:
    """A parsed lock; `data` are the very bytes that were signed."""

    wheels: tuple[LockedWheel, ...]
    data: bytes = field(repr=False)
    sha256: Sha256
    _pylock: Pylock = field(repr=False, compare=False)

    @property
    def requires_python(self) -> SpecifierSet | None:
        """Interpreters the closure was locked for; others are refused by `select`."""
        return self._pylock.requires_python

    @property
    def environments(self) -> tuple[Marker, ...]:
        """Markers of which a target must satisfy one; none when it serves every platform."""
        return tuple(self._pylock.environments or ())

    def find(self, filename: str) -> LockedWheel | None:
        """The locked wheel of this name."""
        return next((wheel for wheel in self.wheels if wheel.filename == filename), None)

    def select(self, target: LockTarget) -> tuple[LockedWheel, ...]:
        """The one wheel of each project that belongs to the closure on this target, best tag first (PEP 751).

        Raises:
            UnservedError: step `lock`; the target's Python or platform is not one the lock serves.
        """
        environment = cast("Environment", dict(target.environment))
        try:
            chosen = list(self._pylock.select(environment=environment, tags=target.tags))
        except (PylockSelectError, UndefinedComparison, UndefinedEnvironmentName) as error:
            python = target.environment.get("python_full_version", "?")
            platform = (
                f"{target.environment.get('sys_platform', '?')} {target.environment.get('platform_machine', '?')}"
            )
            raise UnservedError(
                f"it does not serve this interpreter and platform: {error}",
                step="lock",
                thing=LOCK_NAME,
                expected="a wheel for each project of the closure",
                got=f"Python {python} on {platform}",
                next_step="use an interpreter the plugin supports, or ask its publisher for wheels for this one",
            ) from error
        by_name = {wheel.filename: wheel for wheel in self.wheels}
        return tuple(by_name[wheel.filename] for _, wheel in chosen if isinstance(wheel, PackageWheel))


def wheel_location(project: str, version: str, filename: str) -> str:
    """A wheel's place relative to the directory of any lock of the same index (`files/<project>/<version>/`)."""
    return f"../../{project}/{version}/{filename}"


def parse_lock(data: bytes, *, beside: bool = False) -> Lock:
    """The lock in a `pylock.toml`.

    Args:
        data: the file.
        beside: the wheels lie beside it, as `assess-registry lock` leaves them, and not where a registry has them.

    Raises:
        TrustError: step `lock`; it is too large, no TOML, no lock, or holds anything but hashed wheels in their one
            place. Everything wrong with its entries is listed at once.
    """
    pylock = _parse_pylock(data)
    issues: list[Issue] = []
    wheels = tuple(wheel for package in pylock.packages for wheel in _parse_package(package, issues, beside=beside))
    issues += _repeated("project", (package.name for package in pylock.packages))
    issues += _repeated("file", (wheel.filename for wheel in wheels))
    if not wheels and not issues:
        issues.append(_issue("lock-empty", "packages", "a closure holds at least the plugin's own wheel"))
    if issues:
        raise _refusal("it holds what a lock of ours must not hold", tuple(issues))
    return Lock(wheels=wheels, data=data, sha256=Sha256(hashlib.sha256(data).hexdigest()), _pylock=pylock)


def write_lock(
    wheels: Iterable[LockedWheel],
    *,
    requires_python: SpecifierSet | None,
    environments: Sequence[Marker] = (),
    beside: bool = False,
) -> bytes:
    """The content of `pylock.toml`; the same wheels in any order give the same bytes.

    Args:
        wheels: the closure; wheels of one project share version, marker and `requires_python`.
        requires_python: interpreters the closure was resolved for.
        environments: markers of which a target must satisfy one; empty when it was resolved for every platform.
        beside: the wheels lie beside it, and not where a registry has them.
    """
    packages: dict[str, dict[str, Any]] = {}
    for wheel in sorted(wheels, key=lambda wheel: (wheel.project, wheel.filename)):
        package = packages.setdefault(wheel.project, _package_table(wheel))
        package["wheels"].append(
            {
                "name": wheel.filename,
                "path": wheel.filename if beside else wheel.location,
                "size": wheel.size,
                "hashes": {"sha256": wheel.sha256},
            }
        )
    lock: dict[str, Any] = {"lock-version": "1.0"}
    if environments:
        lock["environments"] = [str(marker) for marker in environments]
    if requires_python:
        lock["requires-python"] = specifier_text(requires_python)
    return tomli_w.dumps(lock | {"created-by": CREATED_BY, "packages": list(packages.values())}).encode()


def specifier_text(specifiers: SpecifierSet) -> str:
    """A specifier set has no order of its own; sorted, the same set is always the same text."""
    return ",".join(sorted(str(specifier) for specifier in specifiers))


def _package_table(wheel: LockedWheel) -> dict[str, Any]:
    table: dict[str, Any] = {"name": wheel.project, "version": wheel.version}
    if wheel.marker is not None:
        table["marker"] = str(wheel.marker)
    if wheel.requires_python:
        table["requires-python"] = specifier_text(wheel.requires_python)
    return table | {"wheels": []}


def _parse_pylock(data: bytes) -> Pylock:
    if len(data) > MAX_LOCK_BYTES:
        raise _refusal(f"it has {len(data)} bytes, more than {MAX_LOCK_BYTES}")
    try:
        document = tomllib.loads(data.decode("utf-8"))
        pylock = Pylock.from_dict(document)
    # RecursionError: both TOML values and markers nest, and their parsers recurse.
    except (UnicodeDecodeError, tomllib.TOMLDecodeError, PylockValidationError, InvalidMarker, RecursionError) as error:
        raise _refusal(f"not a lock file: {str(error)[:500]}") from error
    issues = (*_unknown_keys(document), *_aliases(document))
    if issues:
        raise _refusal("it says more than a lock of ours says", issues)
    return pylock


def _unknown_keys(document: Mapping[str, Any]) -> Iterator[Issue]:
    """Sources other than wheels - sdist, vcs, archive, directory, url, index - and whatever else could be meant."""
    keys = [key for key in document if key not in _LOCK_KEYS]
    for at, package in enumerate(_tables(document, "packages")):
        keys += [f"packages[{at}].{key}" for key in package if key not in _PACKAGE_KEYS]
        for index, wheel in enumerate(_tables(package, "wheels")):
            keys += [f"packages[{at}].wheels[{index}].{key}" for key in wheel if key not in _WHEEL_KEYS]
    yield from (_issue("lock-key", key, "not a key of a lock of ours") for key in keys)


def _aliases(document: Mapping[str, Any]) -> Iterator[Issue]:
    """Versions in another spelling; looked for in the text, because a parsed `Version` has forgotten its spelling."""
    if document["lock-version"] != "1.0":
        yield _issue("lock-version", "lock-version", f"expected '1.0', got {document['lock-version']!r}")
    for at, package in enumerate(_tables(document, "packages")):
        try:
            parse_version(package.get("version", ""))
        except ValueError as error:
            yield _issue("lock-version", f"packages[{at}].version", str(error))


def _tables(table: Mapping[str, Any], key: str) -> list[Mapping[str, Any]]:
    """The tables of an array; anything else is left to packaging's own validation, which names it."""
    value = table.get(key)
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _parse_package(package: Package, issues: list[Issue], *, beside: bool) -> Iterator[LockedWheel]:
    try:
        project = parse_project(package.name)
    except ValueError as error:
        issues.append(_issue("lock-name", package.name, str(error)))
        return
    version = str(package.version)
    for wheel in package.wheels or ():
        try:
            yield _parse_wheel(project, version, package, wheel, beside=beside)
        except ValueError as error:
            issues.append(_issue("lock-wheel", f"{project}: {wheel.filename}", str(error)))


def _parse_wheel(
    project: ProjectName, version: str, package: Package, wheel: PackageWheel, *, beside: bool
) -> LockedWheel:
    filename = wheel.filename
    if not _FILENAME.match(filename):
        raise ValueError("not a wheel's filename (PEP 427)")
    expected = filename if beside else wheel_location(project, version, filename)
    if wheel.path != expected:
        raise ValueError(f"path must be {expected!r}, got {wheel.path!r}")
    if wheel.size is None or not 0 < wheel.size <= MAX_LOCKED_BYTES:
        raise ValueError(f"size must be 1 to {MAX_LOCKED_BYTES} bytes, got {wheel.size}")
    if set(wheel.hashes) != {"sha256"}:
        raise ValueError(f"hashes must be sha256 alone, got {', '.join(sorted(wheel.hashes)) or 'none'}")
    return LockedWheel(
        project=project,
        version=version,
        filename=filename,
        sha256=parse_sha256(wheel.hashes["sha256"]),
        size=wheel.size,
        requires_python=package.requires_python,
        marker=package.marker,
    )


def _repeated(what: str, names: Iterable[str]) -> list[Issue]:
    twice = sorted(name for name, times in Counter(names).items() if times > 1)
    return [_issue("lock-duplicate", name, f"the same {what} twice: which one is meant?") for name in twice]


def _issue(id_: str, entry: str, message: str) -> Issue:
    return Issue(id=id_, entry=entry, message=message, rule=_RULE)


def _refusal(message: str, issues: tuple[Issue, ...] = ()) -> TrustError:
    next_step = "do not use it; get the lock from the registry again"
    return TrustError(message, step="lock", thing=LOCK_NAME, next_step=next_step, issues=issues)
