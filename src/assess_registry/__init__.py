"""The supply chain: a wheel in, a signed index out, and safely back again.

For programs, without a command line (docs/plugin-folders.md, docs/plugin-authors.md):

    from assess_registry import find_entry, install, load_index, scaffold, verify

The types of these names stand in `__init__.pyi`, for here they are imported when they are used.
"""

from importlib import import_module

__all__ = [
    "InstallReport",
    "RegistryEntry",
    "RegistryIndex",
    "ScaffoldReport",
    "VerifyReport",
    "find_entry",
    "install",
    "load_index",
    "scaffold",
    "verify",
]

_SCAFFOLD = ("ScaffoldReport", "scaffold")


def __getattr__(name: str) -> object:
    """A public name, its module imported now: whoever imports a part of this package must not pay for all of it."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = "assess_registry.scaffolding" if name in _SCAFFOLD else "assess_registry.simple"
    value: object = getattr(import_module(module), name)
    globals()[name] = value  # asked once
    return value


def __dir__() -> list[str]:
    """What there is, imported already or not."""
    return sorted({*globals(), *__all__})
