"""A wheel's bytes become an `InspectedWheel`, or every reason why not. Nothing is imported, executed or written.

inspect(data, "demo_plugin-1.0.0-py3-none-any.whl", kind="plugin").manifest.title
"""

import hashlib
from collections.abc import Callable, Iterable

from assess_registry.errors import Issue, WheelError
from assess_registry.names import Sha256
from assess_registry.wheel import steps
from assess_registry.wheel.layout import find_manifest
from assess_registry.wheel.steps import Inspection
from assess_registry.wheel.values import InspectedWheel, Kind

MAX_WHEEL_BYTES = 256 * 1024 * 1024
"""When the caller has no bound of its own, as the size in a signed lock."""

Step = Callable[[Inspection], Iterable[Issue]]

STAGES: tuple[tuple[Step, ...], ...] = (
    (steps.size,),
    (steps.filename, steps.archive, steps.headers, steps.bombs, steps.names),
    (steps.bodies,),
    (steps.dist_info,),
    (
        steps.required_files,
        steps.places,
        steps.record,
        steps.metadata,
        steps.wheel_file,
        steps.entry_points,
        steps.top_level,
        steps.native_code,
        steps.manifest,
        steps.declared_checks,
    ),
)
"""Every step, in order. A stage is run whole, so that its issues come at once; the next one trusts what it found."""

_READABLE = frozenset(("filename-not-normal",))
"""Issues after which the next stage can still be trusted to read the wheel."""


def inspect(data: bytes, filename: str, *, kind: Kind, max_bytes: int = MAX_WHEEL_BYTES) -> InspectedWheel:
    """What the wheel holds, every rule of its kind kept: `STAGES`, one after another.

    Raises:
        WheelError: anything is not so. A stage that fails hides the later ones, which could not be trusted.
    """
    wheel = Inspection(data=data, filename=filename, kind=kind, max_bytes=max_bytes)
    issues: list[Issue] = []
    for stage in STAGES:
        for step in stage:
            issues += step(wheel)
        if any(issue.id not in _READABLE for issue in issues):
            break
    if issues:
        raise WheelError(filename, tuple(issues))
    return _inspected(wheel)


def _inspected(wheel: Inspection) -> InspectedWheel:
    name = wheel.named
    return InspectedWheel(
        filename=wheel.filename,
        project=name.project,
        version=str(name.version),
        build=name.build,
        tags=name.tags,
        sha256=Sha256(hashlib.sha256(wheel.data).hexdigest()),
        size=len(wheel.data),
        requires_python=wheel.metadata.requires_python,
        requires_dist=wheel.metadata.requires_dist,
        metadata=wheel.text("METADATA")[0],
        entry_points=wheel.entry_points,
        entries=tuple(wheel.entries),
        manifest=wheel.manifest,
        manifest_data=_manifest_data(wheel),
        root_is_purelib=wheel.purelib,
        left_out=wheel.laid_out.left_out,
    )


def _manifest_data(wheel: Inspection) -> bytes:
    path = find_manifest(wheel.laid_out, []) if wheel.manifest is not None else None
    return wheel.kept[path] if path is not None else b""
