"""A wheel's bytes become an `InspectedWheel`, or every reason why not. Nothing is imported, executed or written.

inspect(data, "demo_plugin-1.0.0-py3-none-any.whl", kind="plugin").manifest.title
"""

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from assess_registry.errors import Issue, WheelError
from assess_registry.manifest import Manifest, ManifestError, parse_manifest
from assess_registry.manifest.reader import nearest
from assess_registry.names import PLUGIN_GROUP, Sha256
from assess_registry.wheel.entry_points import GROUPS, read_entry_points
from assess_registry.wheel.filename import WheelName, read_filename
from assess_registry.wheel.framing import FramingError, Member, inflate, read_members
from assess_registry.wheel.layout import MANIFEST_NAME, Layout, check_top_level, find_manifest, read_layout
from assess_registry.wheel.metadata import read_metadata, read_wheel_file
from assess_registry.wheel.names import check_names, printable
from assess_registry.wheel.record import check_record
from assess_registry.wheel.values import EntryPoint, InspectedWheel, Kind, WheelEntry

MAX_WHEEL_BYTES = 256 * 1024 * 1024
"""When the caller has no bound of its own, as the size in a signed lock."""

_KEPT = ("METADATA", "WHEEL", "RECORD", "entry_points.txt")
_NATIVE_SUFFIXES = (".so", ".pyd", ".dll", ".dylib", ".a", ".lib", ".o", ".exe")
_NATIVE_MAGIC = (b"\x7fELF", b"MZ", b"\xfe\xed\xfa\xce", b"\xfe\xed\xfa\xcf", b"\xce\xfa\xed\xfe", b"\xcf\xfa\xed\xfe")


@dataclass(slots=True)
class _Contents:
    """What was seen while every file was inflated once."""

    entries: list[WheelEntry] = field(default_factory=list)
    kept: dict[str, bytes] = field(default_factory=dict)
    native: list[str] = field(default_factory=list)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Wheel:
    """A wheel whose archive is in order, and whose texts are to be read."""

    filename: str
    data: bytes
    kind: Kind
    name: WheelName
    contents: _Contents
    layout: Layout


def inspect(data: bytes, filename: str, *, kind: Kind, max_bytes: int = MAX_WHEEL_BYTES) -> InspectedWheel:
    """What the wheel holds, every rule of its kind kept.

    1. Its name and framing can be read, and its members' names are plain and distinct.
    2. Every member inflates to what both its headers declare.
    3. Every file has its place, and RECORD lists exactly these files.
    4. METADATA, WHEEL and entry points say what the filename says.
    5. A plugin's manifest is complete and speaks of the wheel's own entry points.

    Raises:
        WheelError: anything is not so. Up to step 2 a failure hides the later ones, which could not be trusted.
    """
    issues: list[Issue] = []
    if len(data) > max_bytes:
        too_large = Issue(
            id="too-large", entry="", message=f"expected at most {max_bytes} bytes", rule="assess: bounds"
        )
        raise WheelError(filename, (too_large,))
    name = read_filename(filename, kind=kind, issues=issues)  # 1
    members = read_members(data, kind=kind, issues=issues)
    issues += check_names(member.name for member in members)
    if name is None or any(issue.id != "filename-not-normal" for issue in issues):
        raise WheelError(filename, tuple(issues))
    contents = _read_contents(data, members, issues)  # 2
    if len(contents.entries) + sum(member.is_directory for member in members) != len(members):
        raise WheelError(filename, tuple(issues))
    layout = read_layout([entry.path for entry in contents.entries], name, kind=kind, issues=issues)  # 3
    if layout is None:
        raise WheelError(filename, tuple(issues))
    issues += _check_record(contents, layout, kind)
    wheel = _Wheel(filename=filename, data=data, kind=kind, name=name, contents=contents, layout=layout)
    inspected = _inspect_inside(wheel, issues)  # 4, 5
    if issues:
        raise WheelError(filename, tuple(issues))
    return inspected


def _read_contents(data: bytes, members: Iterable[Member], issues: list[Issue]) -> _Contents:
    contents = _Contents()
    for member in members:
        try:
            content = inflate(data, member)
        except FramingError as error:
            issues.append(error.issue)
            continue
        if member.is_directory:
            continue
        digest = Sha256(hashlib.sha256(content).hexdigest())
        entry = WheelEntry(path=member.name, sha256=digest, size=len(content), executable=member.executable)
        contents.entries.append(entry)
        if content.startswith(_NATIVE_MAGIC) or member.name.lower().endswith(_NATIVE_SUFFIXES):
            contents.native.append(member.name)
        if _is_kept(member.name):
            contents.kept[member.name] = content
    return contents


def _is_kept(path: str) -> bool:
    directory, _, name = path.rpartition("/")
    return (name in _KEPT and directory.endswith(".dist-info")) or name.lower() == MANIFEST_NAME


def _check_record(contents: _Contents, layout: Layout, kind: Kind) -> Iterator[Issue]:
    path = layout.in_dist_info("RECORD")
    if path in contents.kept:
        yield from check_record(contents.kept[path], path, contents.entries, kind=kind)


def _inspect_inside(wheel: _Wheel, issues: list[Issue]) -> InspectedWheel:
    name, kind, layout, contents = wheel.name, wheel.kind, wheel.layout, wheel.contents
    paths = {each: layout.in_dist_info(each) for each in _KEPT}
    texts = {each: contents.kept.get(path, b"") for each, path in paths.items()}
    metadata = read_metadata(texts["METADATA"], paths["METADATA"], name, kind=kind, issues=issues)
    purelib = read_wheel_file(texts["WHEEL"], paths["WHEEL"], name, kind=kind, issues=issues)
    entry_points = read_entry_points(texts["entry_points.txt"], paths["entry_points.txt"], kind=kind, issues=issues)
    manifest = None
    if kind == "plugin":
        ours = [entry for entry in entry_points if entry.group in GROUPS]
        issues += check_top_level(layout, ours, metadata.imports)
        issues += _check_native(contents.native, name, purelib=purelib)
        manifest = _read_manifest(contents, layout, entry_points, issues)
    return InspectedWheel(
        filename=wheel.filename,
        project=name.project,
        version=str(name.version),
        build=name.build,
        tags=name.tags,
        sha256=Sha256(hashlib.sha256(wheel.data).hexdigest()),
        size=len(wheel.data),
        requires_python=metadata.requires_python,
        requires_dist=metadata.requires_dist,
        metadata=texts["METADATA"],
        entry_points=entry_points,
        entries=tuple(contents.entries),
        manifest=manifest,
        root_is_purelib=purelib,
        left_out=layout.left_out,
    )


def _check_native(native: Iterable[str], name: WheelName, *, purelib: bool) -> Iterator[Issue]:
    portable = any(tag.platform == "any" for tag in name.tags)
    for path in native:
        if portable or purelib:
            what = "a wheel for any platform" if portable else "a wheel whose WHEEL says Root-Is-Purelib: true"
            message = f"native code stands in {what}"
            yield Issue(id="native-code", entry=printable(path), message=message, rule="PEP 425 and 427")


def _read_manifest(
    contents: _Contents, layout: Layout, entry_points: Iterable[EntryPoint], issues: list[Issue]
) -> Manifest | None:
    path = find_manifest(layout, issues)
    if path is None:
        return None
    try:
        manifest = parse_manifest(contents.kept[path])
    except ManifestError as error:
        issues += [
            Issue(id=each.id, entry=f"{printable(path)}: {each.entry}", message=each.message, rule=each.rule)
            for each in error.issues
        ]
        return None
    plugins = sorted(entry.name for entry in entry_points if entry.group == PLUGIN_GROUP)
    for check in manifest.checks:
        if check.plugin not in plugins:
            message = f"there is no entry point {check.plugin!r} in {PLUGIN_GROUP}; {nearest(check.plugin, plugins)}"
            entry = f"{printable(path)}: checks: {check.id}"
            issues.append(Issue(id="manifest-plugin", entry=entry, message=message, rule="docs/manifest.md"))
    return manifest
