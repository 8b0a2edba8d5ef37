"""The files of an inspected wheel: what was inspected is what is unpacked.

The archive is walked by the same reader that inspected it, each file is inflated within its inspected size and compared
with its inspected digest before it is handed out.
"""

import hashlib
from collections.abc import Iterator

from assess_registry.errors import Issue, WheelError
from assess_registry.wheel.framing import FramingError, inflate, read_archive
from assess_registry.wheel.layout import site_paths
from assess_registry.wheel.values import InspectedWheel, UnpackedFile

RULE = "assess: what was inspected is what is unpacked"


def unpacked_files(data: bytes, inspected: InspectedWheel) -> Iterator[UnpackedFile]:
    """Every file for the site directory, in archive order; RECORD and what is left out are not among them.

    Raises:
        WheelError: `data` is not what was inspected; files handed out before were right, and the rest must not be used.
    """
    if hashlib.sha256(data).hexdigest() != inspected.sha256:
        raise _changed(inspected, "", "these are not the bytes that were inspected")
    archive = read_archive(data, kind="dependency")  # as a dependency's: a plugin's kind was judged by inspection
    if archive.issues:
        raise WheelError(inspected.filename, archive.issues)
    members = {member.name: member for member in archive.members}
    targets = site_paths([entry.path for entry in inspected.entries], inspected.left_out)
    for entry in inspected.entries:
        target = targets.get(entry.path)
        if target is None:
            continue
        member = members.get(entry.path)
        if member is None or member.size != entry.size:
            raise _changed(inspected, entry.path, f"expected a member of {entry.size} bytes")
        try:
            content = inflate(data, member)
        except FramingError as error:
            raise WheelError(inspected.filename, (error.issue,)) from error
        if hashlib.sha256(content).hexdigest() != entry.sha256:
            raise _changed(inspected, entry.path, f"expected content with sha256 {entry.sha256}")
        yield UnpackedFile(path=target, data=content, executable=entry.executable)


def _changed(inspected: InspectedWheel, entry: str, message: str) -> WheelError:
    return WheelError(
        inspected.filename, (Issue(id="changed-since-inspection", entry=entry, message=message, rule=RULE),)
    )
