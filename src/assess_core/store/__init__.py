"""Wheels unpacked once, environments linked from them, and which of those serve: `installed = install(verified, ...)`."""

from assess_core.store.values import EntryKind, InstalledPlugin, Interpreter, PluginEntry

__all__ = ["EntryKind", "InstalledPlugin", "Interpreter", "PluginEntry"]
