"""`assess-registry lock`: a plugin's closure for every target, from a folder or an index, as a folder of its own.

`run` has the plan. Of an index, `upstream` is who connects to it, `index_page` reads its pages, `mirror` shows them to
uv, and `download` fetches what uv chose. `second_opinion` asks pip.
"""

from assess_registry.locking.run import Locked, lock_closure
from assess_registry.locking.second_opinion import Opinion
from assess_registry.locking.upstream import IndexSource, require_index

__all__ = ["IndexSource", "Locked", "Opinion", "lock_closure", "require_index"]
