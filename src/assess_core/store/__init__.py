"""Wheels unpacked once, environments linked from them, and which of those serve.

Stage: `installed = install(verified, store=store, interpreter=running_interpreter(), development=False)`.
"""

from assess_core.store.again import prove_again, require_approved
from assess_core.store.check import verify_environment
from assess_core.store.consents import Baseline, Consent, Consents, Waiting
from assess_core.store.differences import Difference, EnvironmentReport
from assess_core.store.install import InstallStep, install
from assess_core.store.interpreter import describe_interpreter, running_interpreter
from assess_core.store.kit import Kits, worker_kit
from assess_core.store.layout import DamagedError
from assess_core.store.store import Store
from assess_core.store.values import EntryKind, InstalledPlugin, Interpreter, PluginEntry

__all__ = [
    "Baseline",
    "Consent",
    "Consents",
    "DamagedError",
    "Difference",
    "EntryKind",
    "EnvironmentReport",
    "InstallStep",
    "InstalledPlugin",
    "Interpreter",
    "Kits",
    "PluginEntry",
    "Store",
    "Waiting",
    "describe_interpreter",
    "install",
    "prove_again",
    "require_approved",
    "running_interpreter",
    "verify_environment",
    "worker_kit",
]
