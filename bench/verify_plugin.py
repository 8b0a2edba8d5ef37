"""Verifying one plugin, beside inflating and hashing the same wheels and one Ed25519 verification."""

import base64

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from packaging.requirements import Requirement
from tests.support.closure import closure_wheels
from tests.support.registry_tree import make_registry_tree
from tests.support.wheels import WheelBuilder

from assess_registry.client import Registry, Target, fetch, resolve, verify
from assess_registry.wheel import inspect
from bench.effort import Effort, seconds
from bench.inspect_wheels import MIB, inflate_and_hash, wheel_of
from bench.place import bench_plugin, temporary_directory
from bench.rows import Goal, Report, Row, paragraphs
from bench.stats import Sample, ratio

TITLE = "Verifying a plugin"
NOTES = """
Everything that the client does with bytes that have arrived, before it unpacks any: the catalogue's entry, publisher's
scope and revocations; length and SHA-256; the publisher's signatures of wheel and lock; strict inspection; the verdict,
held against the wheel, its permissions, lock and policy, and the reviewer's signature; the lock; and the same for the
wheels that it locks, `assess-plugin` and pluggy. The registry was refreshed before. Beside it Python's `zipfile`, which
reads every member of the same wheels, SHA-256 of each and of the whole files, and one verification by Ed25519.

*Besides inspection* is what is left when strict inspection of the same wheels, measured by itself in the same round,
is taken off.
"""


def run(effort: Effort) -> Report:
    """A plugin as most are, one of 1 MiB and one of 10, each both ways alternately."""
    rows: list[Row] = []
    sizes = ((0, 41), (1, 21)) if effort.quick else ((0, 101), (1, 41), (10, 11))
    for mib, rounds in sizes:
        builder = wheel_of(mib * MIB) if mib else bench_plugin()
        rows += _rows(f"{mib} MiB" if mib else "a small plugin", builder, effort.of(rounds, 2))
    return Report(rows=tuple(rows), notes=paragraphs(NOTES))


def _rows(size: str, builder: WheelBuilder, rounds: int) -> list[Row]:
    closure = {path.name: path.read_bytes() for path in closure_wheels().glob("*.whl")}
    target, taken = Target.running(), {name: list[float]() for name in ("verify", "inspect", "plain")}
    with temporary_directory() as directory:
        wheels = {builder.filename: builder.build()}
        tree = make_registry_tree(directory / "registry", plugins=list(wheels.items()), closure=closure)
        with Registry(tree.approved_config(directory / "trust")) as registry:
            fetched = fetch(resolve(Requirement(builder.name), registry=registry, target=target), registry=registry)
            wheels |= {wheel.filename: data for wheel, data in fetched.dependencies}

            key = Ed25519PublicKey.from_public_bytes(tree.key.public.raw)
            signature = base64.b64decode(fetched.signature)

            def plain() -> None:
                for data in wheels.values():
                    inflate_and_hash(data)
                key.verify(signature, fetched.data)

            def inspected() -> None:
                for filename, data in wheels.items():
                    inspect(data, filename, kind="plugin" if filename == builder.filename else "dependency")

            def verified() -> None:
                if len(verify(fetched, registry=registry, target=target).closure) != len(wheels) - 1:
                    raise RuntimeError("not all wheels were verified")

            for _ in range(rounds):
                for name, work in (("verify", verified), ("plain", plain), ("inspect", inspected)):
                    taken[name].append(seconds(work) * 1000)
    sample = {name: Sample(unit="ms", values=tuple(values)) for name, values in taken.items()}
    kib = sum(map(len, wheels.values())) / 1024
    rest = tuple(max(one - other, 0.0) for one, other in zip(taken["verify"], taken["inspect"], strict=True))
    return [
        Row(
            what=f"verify {size}, {len(wheels)} wheels, {kib:,.0f} KiB",
            ours=sample["verify"],
            peer="zipfile + sha256 + Ed25519",
            theirs=sample["plain"],
            measured=ratio(sample["verify"], sample["plain"]),
            goal=Goal(limit=1.5, unit="x"),
        ),
        Row(what=f"{size}: besides inspection", ours=Sample(unit="ms", values=rest)),
    ]
