"""The steps of inspecting a wheel: each reads its part into the `Inspection` and returns what is wrong with it.

`inspect` alone names them all, in order. A step that cannot read its part leaves it empty and says why; none repairs.
"""

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from packaging.specifiers import SpecifierSet

from assess_registry.errors import Issue
from assess_registry.manifest import Manifest, ManifestError, parse_manifest
from assess_registry.manifest.reader import nearest
from assess_registry.names import PLUGIN_GROUP, Sha256
from assess_registry.wheel.entry_points import GROUPS, read_entry_points
from assess_registry.wheel.filename import WheelName, read_filename
from assess_registry.wheel.framing import Archive, FramingError, check_sizes, inflate, read_archive
from assess_registry.wheel.headers import check_headers
from assess_registry.wheel.layout import (
    MANIFEST_NAME,
    Layout,
    check_dist_info,
    check_places,
    check_top_level,
    find_dist_info,
    find_manifest,
    read_layout,
)
from assess_registry.wheel.metadata import CoreMetadata, read_metadata, read_wheel_file
from assess_registry.wheel.names import check_names, printable
from assess_registry.wheel.native import native_kind
from assess_registry.wheel.record import check_record
from assess_registry.wheel.values import EntryPoint, Kind, WheelEntry

_KEPT = ("METADATA", "WHEEL", "RECORD", "entry_points.txt")


@dataclass(kw_only=True, slots=True)
class Inspection:
    """A wheel and what is known of it so far.

    Attributes:
        entries, kept, native: of every file that could be inflated: what it is, its content where a later step reads
            it, its path if it is native code.
    """

    data: bytes
    filename: str
    kind: Kind
    max_bytes: int
    name: WheelName | None = None
    archive: Archive = field(default_factory=lambda: Archive(members=(), headers=(), issues=()))
    entries: list[WheelEntry] = field(default_factory=list)
    kept: dict[str, bytes] = field(default_factory=dict)
    native: list[str] = field(default_factory=list)
    layout: Layout | None = None
    metadata: CoreMetadata = field(
        default_factory=lambda: CoreMetadata(requires_python=SpecifierSet(), requires_dist=(), imports=frozenset())
    )
    purelib: bool = False
    entry_points: tuple[EntryPoint, ...] = ()
    manifest: Manifest | None = None
    manifest_path: str = ""

    @property
    def named(self) -> WheelName:
        """The parts of the filename, which `filename` has read."""
        if self.name is None:
            raise RuntimeError("the filename was not read")  # a stage ran in spite of the one before it
        return self.name

    @property
    def laid_out(self) -> Layout:
        """Where the files go, which `dist_info` has read."""
        if self.layout is None:
            raise RuntimeError("the layout was not read")
        return self.layout

    @property
    def paths(self) -> list[str]:
        """Every file's archive path."""
        return [entry.path for entry in self.entries]

    def text(self, name: str) -> tuple[bytes, str]:
        """Content (empty when it is missing) and archive path of a file of the dist-info directory."""
        path = self.laid_out.in_dist_info(name)
        return self.kept.get(path, b""), path


def size(wheel: Inspection) -> Iterator[Issue]:
    """It has no more bytes than the caller will bear."""
    if len(wheel.data) > wheel.max_bytes:
        message = f"expected at most {wheel.max_bytes} bytes"
        yield Issue(id="too-large", entry="", message=message, rule="assess: bounds")


def filename(wheel: Inspection) -> list[Issue]:
    """Its name says what it is."""
    issues: list[Issue] = []
    wheel.name = read_filename(wheel.filename, kind=wheel.kind, issues=issues)
    return issues


def archive(wheel: Inspection) -> Iterable[Issue]:
    """It is one sequence of members without gaps, end record last."""
    wheel.archive = read_archive(wheel.data, kind=wheel.kind)
    return wheel.archive.issues


def headers(wheel: Inspection) -> Iterator[Issue]:
    """The two headers of each member agree and ask for nothing that readers treat differently."""
    for directory, local in wheel.archive.headers:
        yield from check_headers(directory, local, kind=wheel.kind)


def bombs(wheel: Inspection) -> Iterator[Issue]:
    """What its headers declare unpacks to a bearable size."""
    return check_sizes(wheel.archive.members, len(wheel.data))


def names(wheel: Inspection) -> Iterator[Issue]:
    """Its members' names are plain and distinct on every file system."""
    return check_names(member.name for member in wheel.archive.members)


def bodies(wheel: Inspection) -> Iterator[Issue]:
    """Every member inflates to what both its headers declare."""
    for member in wheel.archive.members:
        try:
            content = inflate(wheel.data, member)
        except FramingError as error:
            yield error.issue
            continue
        if member.is_directory:
            continue
        digest = Sha256(hashlib.sha256(content).hexdigest())
        entry = WheelEntry(path=member.name, sha256=digest, size=len(content), executable=member.executable)
        wheel.entries.append(entry)
        if native_kind(member.name, content):
            wheel.native.append(member.name)
        if _is_kept(member.name):
            wheel.kept[member.name] = content


def dist_info(wheel: Inspection) -> list[Issue]:
    """It has exactly one dist-info directory."""
    issues: list[Issue] = []
    directory = find_dist_info(wheel.paths, issues)
    if directory is not None:
        wheel.layout = read_layout(wheel.paths, directory)
    return issues


def required_files(wheel: Inspection) -> Iterator[Issue]:
    """That directory is the filename's and holds METADATA, WHEEL and RECORD."""
    return check_dist_info(wheel.laid_out, wheel.paths, wheel.named, kind=wheel.kind)


def places(wheel: Inspection) -> Iterator[Issue]:
    """Every file stands where it is nothing but a file of this wheel."""
    return check_places(wheel.laid_out, wheel.named, kind=wheel.kind)


def record(wheel: Inspection) -> Iterator[Issue]:
    """RECORD lists exactly these files, with their hashes and sizes."""
    path = wheel.laid_out.in_dist_info("RECORD")
    if path in wheel.kept:
        yield from check_record(wheel.kept[path], path, wheel.entries, kind=wheel.kind)


def metadata(wheel: Inspection) -> list[Issue]:
    """METADATA says what the filename says, and can be read in one way only."""
    issues: list[Issue] = []
    wheel.metadata = read_metadata(*wheel.text("METADATA"), wheel.named, kind=wheel.kind, issues=issues)
    return issues


def wheel_file(wheel: Inspection) -> list[Issue]:
    """WHEEL says what the filename says."""
    issues: list[Issue] = []
    wheel.purelib = read_wheel_file(*wheel.text("WHEEL"), wheel.named, kind=wheel.kind, issues=issues)
    return issues


def entry_points(wheel: Inspection) -> list[Issue]:
    """The entry points can be read in one way only, and name plugins and providers."""
    issues: list[Issue] = []
    wheel.entry_points = read_entry_points(*wheel.text("entry_points.txt"), kind=wheel.kind, issues=issues)
    return issues


def top_level(wheel: Inspection) -> Iterator[Issue]:
    """A plugin brings no importable name that it does not declare, and the modules that it declares."""
    if wheel.kind == "plugin":
        ours = [entry for entry in wheel.entry_points if entry.group in GROUPS]
        yield from check_top_level(wheel.laid_out, ours, wheel.metadata.imports)


def native_code(wheel: Inspection) -> Iterator[Issue]:
    """A plugin has native code only if it is for one platform and says so."""
    if wheel.kind != "plugin":
        return
    portable = any(tag.platform == "any" for tag in wheel.named.tags)
    for path in wheel.native:
        if portable or wheel.purelib:
            what = "a wheel for any platform" if portable else "a wheel whose WHEEL says Root-Is-Purelib: true"
            message = f"native code stands in {what}"
            yield Issue(id="native-code-in-pure-wheel", entry=printable(path), message=message, rule="PEP 425 and 427")


def manifest(wheel: Inspection) -> list[Issue]:
    """A plugin has one manifest, complete and valid."""
    issues: list[Issue] = []
    path = find_manifest(wheel.laid_out, issues) if wheel.kind == "plugin" else None
    if path is not None:
        wheel.manifest_path = printable(path)
        try:
            wheel.manifest = parse_manifest(wheel.kept[path])
        except ManifestError as error:
            issues += [
                Issue(id=each.id, entry=f"{wheel.manifest_path}: {each.entry}", message=each.message, rule=each.rule)
                for each in error.issues
            ]
    return issues


def declared_checks(wheel: Inspection) -> Iterator[Issue]:
    """Every check of the manifest is one of a plugin that the wheel has."""
    plugins = sorted(entry.name for entry in wheel.entry_points if entry.group == PLUGIN_GROUP)
    for check in wheel.manifest.checks if wheel.manifest else ():
        if check.plugin not in plugins:
            message = f"there is no entry point {check.plugin!r} in {PLUGIN_GROUP}; {nearest(check.plugin, plugins)}"
            entry = f"{wheel.manifest_path}: checks: {check.id}"
            yield Issue(id="manifest-plugin", entry=entry, message=message, rule="docs/manifest.md")


def _is_kept(path: str) -> bool:
    directory, _, name = path.rpartition("/")
    return (name in _KEPT and directory.endswith(".dist-info")) or name.lower() == MANIFEST_NAME
