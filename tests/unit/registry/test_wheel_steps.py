"""Every step of inspection is necessary: for each there is a wheel that it alone keeps out, or would name.

A step is disabled by dropping what it finds; what it reads for later steps stays. A step that is added to `STAGES`
without an attack in `ATTACKS` fails here.
"""

import importlib
import random
from collections.abc import Iterable
from dataclasses import dataclass

import pytest

from assess_registry.errors import Issue, WheelError
from assess_registry.wheel import Kind, inspect
from assess_registry.wheel.inspect import STAGES, Step
from assess_registry.wheel.steps import Inspection
from tests.support.inspection import on
from tests.support.wheels import WheelBuilder, demo_manifest, record_row
from tests.support.zips import Member, deflate

MODULE_OF_STAGES = importlib.import_module("assess_registry.wheel.inspect")  # its package has a function of that name

PLUGIN = WheelBuilder()
LIBRARY = WheelBuilder.dependency()
MODULE = {"demo_plugin/__init__.py": "plugin = provider = None\n"}
DEVICE = Member("demo_plugin/aux.txt", b"x")
HEAD = "Metadata-Version: 2.4\nName: demo-plugin\nVersion: 1.0.0\n"


@dataclass(frozen=True, kw_only=True, slots=True)
class Attack:
    """A wheel that differs from its control in one thing, and what inspection says of it.

    `left` are the issues that remain when the step is disabled: mostly none, and the wheel is accepted.
    """

    wheel: WheelBuilder
    control: WheelBuilder = PLUGIN
    found: tuple[str, ...]
    left: tuple[str, ...] = ()
    kind: Kind = "plugin"
    max_bytes: int = 1 << 20


def with_files(**changes: str | bytes) -> WheelBuilder:
    return PLUGIN.but(files=MODULE | changes)


ATTACKS: dict[str, Attack] = {
    "size": Attack(
        wheel=with_files(**{"demo_plugin/noise.bin": random.Random(1).randbytes(1 << 20)}), found=("too-large",)
    ),
    "filename": Attack(
        wheel=PLUGIN.but(version="01.0", metadata=HEAD.replace("1.0.0", "1.0")),
        control=PLUGIN.but(version="1.0"),
        found=("filename-not-normal",),
    ),
    "archive": Attack(wheel=PLUGIN.but(zip_options={"middle": b"a second archive"}), found=("framing-gap",)),
    "headers": Attack(
        wheel=PLUGIN.but(member=on("__init__.py", central={"external": 0o120777 << 16})), found=("not-a-regular-file",)
    ),
    "bombs": Attack(
        wheel=with_files(**{"demo_plugin/zeros.bin": bytes(11 << 20)}),
        control=with_files(**{"demo_plugin/zeros.bin": bytes(9 << 20)}),
        found=("bomb",),
    ),
    "names": Attack(
        wheel=PLUGIN.but(extra=(DEVICE,), record=lambda rows: [*rows, record_row(DEVICE.name, DEVICE.data)]),
        control=PLUGIN.but(
            extra=(Member("demo_plugin/plain.txt", b"x"),),
            record=lambda rows: [*rows, record_row("demo_plugin/plain.txt", b"x")],
        ),
        found=("name",),
    ),
    # Without this step the file is not read at all, and RECORD misses it.
    "bodies": Attack(
        wheel=PLUGIN.but(files=MODULE, member=on("__init__.py", body=deflate(b"plugin = provider = evil\n"))),
        found=("body-corrupt",),
        left=("entry-point-module", "record-phantom"),
    ),
    "dist_info": Attack(
        wheel=LIBRARY.but(files={"somelib.py": "", "zzz-1.0.dist-info/METADATA": ""}),
        control=LIBRARY,
        found=("dist-info",),
        kind="dependency",
    ),
    "required_files": Attack(
        wheel=PLUGIN.but(
            member=lambda member: None if member.name.endswith("/RECORD") else member,
        ),
        found=("missing-file",),
    ),
    "places": Attack(wheel=with_files(**{"demo_plugin/__pycache__/x.cpython-311.pyc": b"evil"}), found=("bytecode",)),
    "record": Attack(wheel=PLUGIN.but(extra=(Member("demo_plugin/evil.py"),)), found=("record-unlisted",)),
    "metadata": Attack(wheel=PLUGIN.but(metadata=HEAD.replace("demo-plugin", "other")), found=("metadata",)),
    "wheel_file": Attack(
        wheel=PLUGIN.but(wheel="Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: cp311-cp311-linux_x86_64\n"),
        found=("wheel-file",),
    ),
    "entry_points": Attack(
        wheel=PLUGIN.but(entry_points="[assess.plugins]\ndemo = demo_plugin:plugin\nother : demo_plugin:other\n"),
        found=("entry-points",),
    ),
    "top_level": Attack(wheel=with_files(**{"requests/__init__.py": "evil"}), found=("undeclared-top-level",)),
    "native_code": Attack(
        wheel=with_files(**{"demo_plugin/table.bin": b"\x7fELF\x02\x01"}), found=("native-code-in-pure-wheel",)
    ),
    "manifest": Attack(wheel=PLUGIN.but(manifest=None), found=("manifest-count",)),
    "declared_checks": Attack(wheel=PLUGIN.but(manifest=demo_manifest(plugin="another")), found=("manifest-plugin",)),
}
"""By the name of the step that refuses it."""

STEPS = {step.__name__: step for stage in STAGES for step in stage}


def without(disabled: Step) -> tuple[tuple[Step, ...], ...]:
    """All stages, this step reading as ever and finding nothing."""

    def finds_nothing(wheel: Inspection) -> Iterable[Issue]:
        list(disabled(wheel))
        return ()

    return tuple(tuple(finds_nothing if step is disabled else step for step in stage) for stage in STAGES)


def issues_of(builder: WheelBuilder, attack: Attack) -> tuple[str, ...]:
    """What is wrong with the wheel, by id; nothing when it is accepted."""
    try:
        inspect(builder.build(), builder.filename, kind=attack.kind, max_bytes=attack.max_bytes)
    except WheelError as error:
        return tuple(sorted({issue.id for issue in error.issues}))
    return ()


def test_every_step_has_an_attack() -> None:
    assert list(ATTACKS) == list(STEPS)


@pytest.mark.parametrize("name", STEPS)
def test_with_every_step_the_attack_is_refused_and_its_control_accepted(name: str) -> None:
    attack = ATTACKS[name]
    assert issues_of(attack.wheel, attack) == attack.found
    assert issues_of(attack.control, attack) == ()


@pytest.mark.parametrize("name", STEPS)
def test_without_its_step_the_attack_is_accepted_or_only_noticed_as_something_else(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    attack = ATTACKS[name]
    monkeypatch.setattr(MODULE_OF_STAGES, "STAGES", without(STEPS[name]))
    assert issues_of(attack.wheel, attack) == attack.left
    assert not set(attack.found) & set(attack.left)
