"""A plugin's closure: everything it runs with, for every Python and platform of the registry, chosen from wheels alone.

In reading order: `environments` says for whom, `resolve` lets uv choose (the only resolver), `walk` follows the
requirements of what was chosen and is the judge of it, `markers` says when a wheel belongs, `make` puts it together,
`pinned` holds a folder to the lock that lies in it. `plain_markers` and `stubs` have uv read
what everybody reads. `given` is for audits, which choose nothing.
"""

from assess_registry.closure.given import GivenClosure, given_closure
from assess_registry.closure.make import Closure, closure_for, locked, make_closure

__all__ = ["Closure", "GivenClosure", "closure_for", "given_closure", "locked", "make_closure"]
