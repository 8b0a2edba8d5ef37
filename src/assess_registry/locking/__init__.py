"""`assess-registry lock`: a plugin's closure for every target, from a folder or an index, as a folder of its own.

`run` has the plan; `download` fetches what uv chose from an index, `second_opinion` asks pip.
"""

from assess_registry.locking.run import Locked, lock_closure
from assess_registry.locking.second_opinion import Opinion

__all__ = ["Locked", "Opinion", "lock_closure"]
