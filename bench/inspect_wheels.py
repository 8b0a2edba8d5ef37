"""Strict inspection of a small and of a large wheel, beside inflating and hashing the same bytes."""

import hashlib
import io
import random
import zipfile

from tests.support.wheels import WheelBuilder

from assess_registry.wheel import inspect, unpacked_files
from bench.effort import Effort, seconds
from bench.rows import Goal, Report, Row, paragraphs
from bench.stats import Sample, ratio

TITLE = "Inspecting a wheel"
NOTES = """
A plugin's own wheel, held to every rule: framing, headers, names, sizes, every body inflated, its CRC and SHA-256,
RECORD in both directions, METADATA, WHEEL, entry points, manifest. Beside it Python's `zipfile`, which reads every
member (and checks its CRC), and SHA-256 of each and of the whole file; nothing of it is compared with anything.

Files of {file} KiB, text that shrinks to about half. The goal is the one for verifying a plugin, of which inspection is
nearly all. Unpacking is what an installation does afterwards: every file inflated and hashed once more.
"""
FILE_KIB = 64
MIB = 1 << 20


def wheel_of(packed_bytes: int) -> WheelBuilder:
    """A plugin of about this size."""
    texts = random.Random(packed_bytes)
    files: dict[str, str | bytes] = {"demo_plugin/__init__.py": "plugin = provider = None\n"}
    for number in range(max(packed_bytes // (FILE_KIB * 1024 // 2), 1)):
        files[f"demo_plugin/data/{number // 100}/{number}.txt"] = texts.randbytes(FILE_KIB * 1024 // 2).hex()
    return WheelBuilder(files=files)


def inflate_and_hash(data: bytes) -> int:
    """What anybody has to do who wants to know the content; returns how many files there are."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        digests = [hashlib.sha256(archive.read(info)).digest() for info in archive.infolist()]
    hashlib.sha256(data).digest()
    return len(digests)


def run(effort: Effort) -> Report:
    """Both sizes, both ways alternately."""
    rows: list[Row] = []
    for mib, rounds in ((1, effort.of(41, 2)), (effort.of(50, 2), effort.of(7, 1))):
        rows += _rows(f"{mib} MiB", wheel_of(mib * MIB), rounds)
    return Report(rows=tuple(rows), notes=paragraphs(NOTES, file=FILE_KIB))


def _rows(size: str, builder: WheelBuilder, rounds: int) -> list[Row]:
    data, filename = builder.build(), builder.filename
    taken: dict[str, list[float]] = {"inspect": [], "plain": [], "unpack": []}
    inspected = inspect(data, filename, kind="plugin")
    if inflate_and_hash(data) != len(inspected.entries):
        raise RuntimeError("the two ways do not see the same files")
    for _ in range(rounds):
        taken["inspect"].append(seconds(lambda: inspect(data, filename, kind="plugin")) * 1000)
        taken["plain"].append(seconds(lambda: inflate_and_hash(data)) * 1000)
        taken["unpack"].append(seconds(lambda: sum(1 for _ in unpacked_files(data, inspected))) * 1000)
    sample = {name: Sample(unit="ms", values=tuple(values)) for name, values in taken.items()}
    peer = "zipfile + sha256"
    return [
        Row(
            what=f"inspect {size}, {len(inspected.entries)} files",
            ours=sample["inspect"],
            peer=peer,
            theirs=sample["plain"],
            measured=ratio(sample["inspect"], sample["plain"]),
            goal=Goal(limit=1.5, unit="x"),
        ),
        Row(
            what=f"unpack {size}, file by file",
            ours=sample["unpack"],
            peer=peer,
            theirs=sample["plain"],
            measured=ratio(sample["unpack"], sample["plain"]),
        ),
    ]
