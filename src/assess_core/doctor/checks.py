"""Check ids: what the configuration asks two plugins for under one name."""

from collections.abc import Iterator

from assess_core.assessing.colliding import collisions
from assess_core.doctor.values import Line
from assess_core.runtime import Runtime


def lines(runtime: Runtime) -> Iterator[Line]:
    """A line for each two assessments that may not be carried out together; none where there are none."""
    for said in collisions(runtime.config, runtime.installed()):
        yield Line(
            topic="checks", state="fail", text=said, fix=f"edit {runtime.config.source}; nothing is assessed before"
        )
