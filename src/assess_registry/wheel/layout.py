"""Where a wheel's files go, and which of them have no business in it.

archive                                   site directory
demo_plugin/__init__.py                   demo_plugin/__init__.py
demo_plugin-1.0.0.data/purelib/x.py       x.py
demo_plugin-1.0.0.dist-info/RECORD        (written anew by whoever installs)
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from assess_registry.errors import Issue
from assess_registry.wheel.filename import WheelName
from assess_registry.wheel.names import check_names, printable
from assess_registry.wheel.record import SIGNATURES
from assess_registry.wheel.standard import STANDARD
from assess_registry.wheel.values import EntryPoint, Kind

RULE = "assess: what a wheel may hold"

REQUIRED = ("METADATA", "WHEEL", "RECORD")
MANIFEST_NAME = "assess-plugin.toml"
INSTALLERS_OWN = ("INSTALLER", "REQUESTED", "direct_url.json", "provenance_url.json", "uv_cache.json", *SIGNATURES)
"""Files that say how a wheel was installed or signed: in a wheel they are forged or of no use."""

_SITE_SCHEMES = ("purelib", "platlib")
_STARTUP_SUFFIXES = (".pth", ".start")  # .start: PEP 829
_STARTUP_MODULES = frozenset(("sitecustomize", "usercustomize"))
_BYTECODE_SUFFIXES = (".pyc", ".pyo")
_OURS: Mapping[str, tuple[str, ...]] = {
    "assess_plugin": ("assess-plugin",),
    "_assess_pluggy": (),
    "assess_core": ("assess-runtime",),
    "assess_registry": ("assess-runtime",),
}
"""Top-level names under which a worker finds the runtime's own code -> who may bring them."""

_NEVER_UNPACKED = "startup files, installers' notes and data but purelib and platlib are never unpacked: leave it out"


@dataclass(frozen=True, kw_only=True, slots=True)
class Layout:
    """Archive path -> path in the site directory, for every file that is unpacked, in archive order."""

    dist_info: str
    site: Mapping[str, str]
    left_out: tuple[str, ...]

    def in_dist_info(self, name: str) -> str:
        """The archive path of this file of the dist-info directory."""
        return f"{self.dist_info}/{name}"


def find_dist_info(paths: Sequence[str], issues: list[Issue]) -> str | None:
    """The one dist-info directory; of several the first, and none when there is none: both are issues."""
    tops = {path.partition("/")[0] for path in paths if "/" in path}
    found = sorted(top for top in tops if top.lower().endswith(".dist-info"))
    if len(found) != 1:
        listed = ", ".join(map(printable, found[:5])) or "none"
        issues.append(_issue("dist-info", "", f"expected exactly one dist-info directory, got {listed}"))
    return found[0] if found else None


def read_layout(paths: Sequence[str], dist_info: str) -> Layout:
    """Where each file goes, or that it is left out; whether it may is still to be checked."""
    left_out = tuple(path for path in paths if _is_left_out(_target(path, dist_info), dist_info))
    return Layout(dist_info=dist_info, site=_place(paths, dist_info, left_out), left_out=left_out)


def check_dist_info(layout: Layout, paths: Sequence[str], name: WheelName, *, kind: Kind) -> Iterator[Issue]:
    """The dist-info directory is the filename's, and holds what every wheel has."""
    if not _fits(layout.dist_info, name, kind):
        yield _issue("dist-info", layout.dist_info, f"expected {name.stem}.dist-info, as the filename says")
    for path in map(layout.in_dist_info, REQUIRED):
        if path not in paths:
            yield _issue("missing-file", path, "every wheel has this file")


def check_places(layout: Layout, name: WheelName, *, kind: Kind) -> Iterator[Issue]:
    """No file stands where an interpreter, an installer or the runtime would take it for something else."""
    if kind == "plugin":
        yield from (_issue("not-in-a-plugin", path, _NEVER_UNPACKED) for path in layout.left_out)
    moved = {path: target for path, target in layout.site.items() if path != target}
    if moved:
        # The archive's names were distinct; where files of `.data` come to lie beside the others they need not be.
        yield from check_names([*layout.site.values(), layout.in_dist_info("RECORD")])
    for path, target in moved.items():
        if target.partition("/")[0].lower().endswith(".dist-info"):
            yield _issue("dist-info", path, "data may not be put into a dist-info directory")
    for path, target in layout.site.items():
        yield from _check_file(path, target, layout, name, kind)


def site_paths(paths: Sequence[str], left_out: Sequence[str]) -> Mapping[str, str]:
    """Archive path -> site path of every file that is unpacked from a wheel whose layout was found in order."""
    dist_info = next(top for path in paths if (top := path.partition("/")[0]).lower().endswith(".dist-info"))
    return _place(paths, dist_info, left_out)


def check_top_level(layout: Layout, entry_points: Sequence[EntryPoint], imports: frozenset[str]) -> Iterator[Issue]:
    """A plugin's files all stand below the packages of its entry points, or those its METADATA declares (PEP 794)."""
    declared = imports | {entry.module.partition(".")[0] for entry in entry_points}
    undeclared: dict[str, str] = {}
    for path, target in layout.site.items():
        if top_level(target) not in declared and not target.startswith(f"{layout.dist_info}/"):
            undeclared.setdefault(top_level(target), path)
    for top, path in undeclared.items():
        message = f"{top!r:.80} is neither the package of an entry point nor an Import-Name of METADATA"
        yield _issue("undeclared-top-level", path, message)
    modules = set(layout.site.values())
    for entry in entry_points:
        if not _has_module(entry.module, modules):
            yield _issue(
                "entry-point-module", "", f"{entry.name!r:.80} names module {entry.module!r:.120}, which is not here"
            )


def find_manifest(layout: Layout, issues: list[Issue]) -> str | None:
    """The archive path of the one manifest, which is package data."""
    found = [path for path in layout.site if path.rpartition("/")[2].lower() == MANIFEST_NAME]
    if len(found) != 1:
        message = f"expected exactly one {MANIFEST_NAME} in a package of the wheel, got {len(found)}"
        issues.append(_issue("manifest-count", ", ".join(map(printable, found[:3])), message))
        return None
    target = layout.site[found[0]]
    if "/" not in target or target.startswith(layout.dist_info) or target.rpartition("/")[2] != MANIFEST_NAME:
        issues.append(_issue("manifest-place", found[0], f"expected <package>/{MANIFEST_NAME}, got {target!r:.120}"))
    return found[0]


def top_level(target: str) -> str:
    """The name under which a file in the site directory is imported first."""
    first, slash, _ = target.partition("/")
    return first if slash else first.partition(".")[0]


def _place(paths: Sequence[str], dist_info: str, left_out: Sequence[str]) -> Mapping[str, str]:
    skipped = {f"{dist_info}/RECORD", *left_out}
    return {path: _target(path, dist_info) for path in paths if path not in skipped}


def _fits(directory: str, name: WheelName, kind: Kind) -> bool:
    if directory == f"{name.stem}.dist-info" or kind == "plugin":
        return directory == f"{name.stem}.dist-info"
    project, _, version = directory.removesuffix(".dist-info").rpartition("-")
    try:
        return str(canonicalize_name(project)) == name.project and Version(version) == name.version
    except InvalidVersion:
        return False


def _target(path: str, dist_info: str) -> str:
    """The path in the site directory; of data for elsewhere, the archive path itself."""
    data_directory = dist_info.removesuffix(".dist-info") + ".data/"
    if path.startswith(data_directory):
        scheme, _, rest = path.removeprefix(data_directory).partition("/")
        if scheme in _SITE_SCHEMES and rest:
            return rest
    return path


def _is_left_out(target: str, dist_info: str) -> bool:
    lower = target.lower()
    if target.partition("/")[0].lower() == dist_info.lower().removesuffix(".dist-info") + ".data":
        return True
    if "/" not in target and lower.endswith(_STARTUP_SUFFIXES):
        return True
    return any(lower == f"{dist_info}/{each}".lower() for each in INSTALLERS_OWN)


def _check_file(path: str, target: str, layout: Layout, name: WheelName, kind: Kind) -> Iterator[Issue]:
    lower, top = target.lower(), top_level(target)
    if lower.endswith(_BYTECODE_SUFFIXES) or "__pycache__" in lower.split("/"):
        yield _issue("bytecode", path, "bytecode runs instead of the source that was audited")
    if top.lower() in _STARTUP_MODULES:
        yield _issue("startup-module", path, "the interpreter would import it by itself")
    if top.lower() in _OURS and name.project not in _OURS[top.lower()]:
        yield _issue("reserved-name", path, f"{top!r} is a package of the runtime")
    if kind == "plugin" and not target.startswith(f"{layout.dist_info}/"):
        if lower.endswith(_STARTUP_SUFFIXES):
            yield _issue("startup-file", path, "startup files have no place in a plugin")
        if top in STANDARD:
            yield _issue("shadows-stdlib", path, f"{top!r} is a module of the standard library")


def _has_module(module: str, targets: set[str]) -> bool:
    base = module.replace(".", "/")
    if f"{base}.py" in targets or f"{base}/__init__.py" in targets:
        return True
    return any(target.startswith(f"{base}.") and target.endswith(".so") for target in targets)


def _issue(kind: str, entry: str, message: str) -> Issue:
    return Issue(id=kind, entry=printable(entry), message=message, rule=RULE)
