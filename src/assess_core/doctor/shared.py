"""The shared store: whether it is there, and what it holds."""

from collections.abc import Iterator

from assess_core.doctor.values import Line
from assess_core.runtime import Runtime
from assess_core.store import Store, damaged_records


def lines(runtime: Runtime) -> Iterator[Line]:
    """Nothing where none is configured. One that somebody else can change ends every command before this is asked."""
    for layout in runtime.store.layouts[1:]:
        root = layout.root
        if not root.is_dir():
            text = f"{root} is not there: what it held is installed here instead"
            fix = "mount it, fill it with `assess sync --state-dir`, or take runtime.shared_store out"
            yield Line(topic="shared", state="warn", text=text, fix=fix)
            return
        for error in damaged_records(layout):
            fix = f"what it was of is installed here instead; run as its owner: assess plugins prune --state-dir {root}"
            yield Line(topic="shared", state="warn", text=str(error), fix=fix)
        plugins = [record.plugin for record in Store(root).records()]
        names = {plugin.distribution for plugin in plugins}
        text = f"{root}: layout {layout.check()}, {len(plugins)} environments of {len(names)} plugins"
        yield Line(topic="shared", state="ok", text=text)
