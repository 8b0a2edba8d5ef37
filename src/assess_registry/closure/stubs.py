"""What uv is shown of a wheel: its requirements in words that uv reads as everybody does, and nothing else.

uv decides by metadata alone. Where a requirement has a marker that it would read otherwise (`plain_markers`), it gets a
wheel, or the metadata beside one, that says the same plainly. What is locked are the wheels themselves, whose own
metadata `walk` follows.
"""

import contextlib
import io
import re
import zipfile
from collections.abc import Iterable

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from assess_registry.closure.plain_markers import plain
from assess_registry.errors import Issue
from assess_registry.wheel.filename import read_filename
from assess_registry.wheel.framing import FramingError, inflate, read_archive
from assess_registry.wheel.metadata import MAX_METADATA_BYTES, CoreMetadata, read_metadata

_EXTRA = re.compile(r'extra == "([^"]*)"')


def stub_wheel(stem: str, metadata: bytes) -> bytes:
    """A wheel that has this METADATA and no files of its own; `stem` is `<name>-<version>` as its filename has it."""
    about = f"{stem}.dist-info"
    files = {
        f"{about}/METADATA": metadata,
        f"{about}/WHEEL": b"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{about}/RECORD": b"",
    }
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for path, data in files.items():
            archive.writestr(path, data)
    return stream.getvalue()


def plain_metadata(name: str, version: str, requires_python: SpecifierSet, requires: Iterable[Requirement]) -> bytes:
    """METADATA that says what a resolver wants to know, plainly."""
    said = [_plainly(each) for each in requires]
    extras = {found for each in said for found in _EXTRA.findall(str(each.marker))}
    lines = ["Metadata-Version: 2.1", f"Name: {name}", f"Version: {version}"]
    lines += [f"Requires-Python: {requires_python}"] if requires_python else []
    lines += [f"Provides-Extra: {extra}" for extra in sorted(extras)]
    lines += [f"Requires-Dist: {each}" for each in said]
    return "\n".join([*lines, ""]).encode()


def stub_for(filename: str, wheel: bytes) -> bytes | None:
    """A wheel to be shown in the place of one that nobody has inspected yet; None where it can be shown itself."""
    read = metadata_in(filename, wheel)
    found, issues = read_core(filename, read) if read is not None else (None, ())
    # What is wrong with it is for the inspection to say, if it is chosen.
    if found is None or issues or all(_plainly(each) is each for each in found.requires_dist):
        return None
    name, version = filename.split("-")[:2]
    said = plain_metadata(name, version, found.requires_python, found.requires_dist)
    return stub_wheel(f"{name}-{version}", said)


def read_core(filename: str, metadata: bytes) -> tuple[CoreMetadata | None, tuple[Issue, ...]]:
    """What a dependency's METADATA says, by the strict reading of inspections, and what is wrong with it."""
    issues: list[Issue] = []
    name = read_filename(filename, kind="dependency", issues=issues)
    found = read_metadata(metadata, "METADATA", name, kind="dependency", issues=issues) if name else None
    return found, tuple(issues)


def metadata_in(filename: str, wheel: bytes) -> bytes | None:
    """The METADATA of a wheel that nobody has inspected yet, as far as its archive can be walked; else None."""
    wanted = "-".join(filename.split("-")[:2]) + ".dist-info/METADATA"
    for member in read_archive(wheel, kind="dependency").members:
        if member.name == wanted and member.size <= MAX_METADATA_BYTES:
            with contextlib.suppress(FramingError):  # for the inspection to say, if it is chosen
                return inflate(wheel, member)
    return None


def _plainly(requirement: Requirement) -> Requirement:
    """The same requirement, plainly; itself where it is plain, or cannot be said so."""
    said = plain(requirement.marker) if requirement.marker else None
    if said is None or said == requirement.marker:
        return requirement
    plainly = Requirement(str(requirement))
    plainly.marker = said
    return plainly
