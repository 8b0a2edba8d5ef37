"""Wheels unpacked once, environments linked from them, and which of those serve.

Stage: `installed = install(verified, store=store, interpreter=running_interpreter(), development=False)`.
"""

from assess_core.store.again import prove_again, require_approved
from assess_core.store.check import verify_environment
from assess_core.store.choices import Choices, Failure, Pin
from assess_core.store.consents import Baseline, Consent, Consents, Waiting
from assess_core.store.differences import Difference, EnvironmentReport
from assess_core.store.install import InstallStep, environment_of, install
from assess_core.store.interpreter import Build, running_interpreter
from assess_core.store.interpreters import MEMORY as INTERPRETERS
from assess_core.store.interpreters import Found, Interpreters, platforms_here, target_of
from assess_core.store.kit import Kits, runtime_kits
from assess_core.store.layout import DamagedError
from assess_core.store.leases import Lease
from assess_core.store.prune import Pruned, Removal, prune, uninstall
from assess_core.store.store import Store
from assess_core.store.strays import damaged_records, stray_records
from assess_core.store.trials import Death, Trials
from assess_core.store.values import EntryKind, InstalledPlugin, Interpreter, PluginEntry

__all__ = [
    "INTERPRETERS",
    "Baseline",
    "Build",
    "Choices",
    "Consent",
    "Consents",
    "DamagedError",
    "Death",
    "Difference",
    "EntryKind",
    "EnvironmentReport",
    "Failure",
    "Found",
    "InstallStep",
    "InstalledPlugin",
    "Interpreter",
    "Interpreters",
    "Kits",
    "Lease",
    "Pin",
    "PluginEntry",
    "Pruned",
    "Removal",
    "Store",
    "Trials",
    "Waiting",
    "damaged_records",
    "environment_of",
    "install",
    "platforms_here",
    "prove_again",
    "prune",
    "require_approved",
    "running_interpreter",
    "runtime_kits",
    "stray_records",
    "target_of",
    "uninstall",
    "verify_environment",
]
