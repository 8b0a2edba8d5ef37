"""Can plugins be isolated here, and forked? Asked of workers that are started for nothing else, and hold no plugin.

held = await probe(interpreter, config)
"""

import contextlib
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from packaging.specifiers import SpecifierSet

from assess_core.call_record import Held
from assess_core.clock import utc_now
from assess_core.host.config import HostConfig
from assess_core.host.prepared import SPAWNED_FIRST, why_spawned
from assess_core.host.worker import Worker
from assess_core.store import InstalledPlugin, Interpreter
from assess_registry.client import Limits, Manifest, Permissions, ProjectName, Sha256


async def probe(interpreter: Interpreter, config: HostConfig) -> Held:
    """What holds a worker of this interpreter, whatever the configuration would put up with.

    Raises:
        PluginFault: nothing does, or it did not start; the message says why.
    """
    with _environment(interpreter, config) as nothing:
        return await _held(nothing, config)


async def probe_forking(interpreter: Interpreter, config: HostConfig) -> str:
    """Why workers are spawned where the configuration lets them be forked; empty when they can be.

    Raises:
        PluginFault: one did not start.
    """
    with _environment(interpreter, config) as nothing:
        for _ in range(SPAWNED_FIRST + 1):
            await _held(nothing, config)
    return why_spawned()


async def _held(nothing: InstalledPlugin, config: HostConfig) -> Held:
    worker = await Worker.start(nothing, _as_asked(config))
    try:
        await worker.load()
        return worker.held
    finally:
        await worker.stop()


@contextlib.contextmanager
def _environment(interpreter: Interpreter, config: HostConfig) -> Iterator[InstalledPlugin]:
    """Inside, an environment in which nothing is installed is there."""
    environment = Path(tempfile.mkdtemp(prefix="probe-", dir=config.scratch_root))
    try:
        yield _nothing(environment, interpreter)
    finally:
        shutil.rmtree(environment)


def _as_asked(config: HostConfig) -> HostConfig:
    """Isolated whatever was configured; and of an environment that no store has built, no store knows anything."""
    return replace(config, isolation="required", before_start=lambda _: None)


def _nothing(environment: Path, interpreter: Interpreter) -> InstalledPlugin:
    """An environment in which nothing is installed."""
    python = environment / "bin" / "python"
    python.parent.mkdir()
    python.symlink_to(interpreter.path)
    (environment / "pyvenv.cfg").write_text(f"home = {interpreter.path.parent}\nversion = {interpreter.version}\n")
    site_packages = environment / interpreter.site_packages
    site_packages.mkdir(parents=True)
    return InstalledPlugin(
        distribution=ProjectName("no-plugin"),
        version="0",
        sha256=Sha256("0" * 64),
        env_key="0" * 64,
        interpreter=interpreter,
        environment=environment,
        python=python,
        site_packages=site_packages,
        entries=(),
        manifest=Manifest(
            api=SpecifierSet(">=1.0"),
            title="No plugin",
            summary="Started to see whether it can be",
            checks=(),
            settings=(),
            permissions=Permissions(),
            limits=Limits(),
        ),
        lock_sha256=Sha256("0" * 64),
        signer="",
        development=False,
        installed_at=utc_now(),
    )
