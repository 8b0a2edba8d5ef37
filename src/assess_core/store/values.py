"""What the store hands to the stages after it: an interpreter, a plugin's entry points, an installed plugin."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal

from assess_registry.client import Manifest, PluginName, ProjectName, Sha256

EntryKind = Literal["plugin", "provider"]
"""`plugin`: group `assess.plugins`, assesses a subject; `provider`: group `assess.providers`, finds subjects."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Interpreter:
    """A base interpreter (never a virtual environment's) that environments are built for.

    Attributes:
        path: the executable, absolute, every link and pyenv shim resolved.
        version: as in `platform.python_version()`, for example `3.11.9`.
        cache_tag: names its bytecode files, for example `cpython-311`.
        soabi: names its extension modules, for example `cpython-311-x86_64-linux-gnu`.
        platform: `sysconfig.get_platform()`, for example `linux-x86_64`.
        site_packages: where an environment of its keeps packages, relative to the environment.
    """

    path: Path
    version: str
    cache_tag: str
    soabi: str
    platform: str
    site_packages: str


@dataclass(frozen=True, kw_only=True, slots=True)
class PluginEntry:
    """One entry point of an installed plugin, read from its verified wheel.

    Attributes:
        module: dotted name to import.
        attr: dotted attribute of that module which carries the hooks; empty when the module itself does.
    """

    name: PluginName
    kind: EntryKind
    module: str
    attr: str


@dataclass(frozen=True, kw_only=True, slots=True)
class InstalledPlugin:
    """A plugin whose environment is complete on this machine; it need not be active.

    Attributes:
        distribution, version, sha256: the plugin's own wheel.
        env_key: digest of everything that decided what is in the environment.
        interpreter: whom the environment was built for.
        environment: the virtual environment; nothing is ever written into it again.
        python: its interpreter, to be started by this very path so that it finds the environment.
        site_packages: its packages, absolute.
        entries: its plugins and providers.
        manifest: as audited.
        lock_sha256: the signed lock that named every wheel in the environment.
        signer: id of the key under whose signature it was accepted.
        development: its registry calls itself a development registry; every result says so.
        installed_at: when its environment was finished, UTC.
    """

    distribution: ProjectName
    version: str
    sha256: Sha256
    env_key: str
    interpreter: Interpreter
    environment: Path
    python: Path
    site_packages: Path
    entries: tuple[PluginEntry, ...]
    manifest: Manifest
    lock_sha256: Sha256
    signer: str
    development: bool
    installed_at: datetime
