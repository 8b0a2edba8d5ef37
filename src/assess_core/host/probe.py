"""Can plugins be isolated here? Asked of a worker that is started for nothing else, and holds no plugin.

held = await probe(interpreter, config)
"""

import shutil
import tempfile
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from packaging.specifiers import SpecifierSet

from assess_core.host.config import HostConfig
from assess_core.host.worker import Worker
from assess_core.record import Held
from assess_core.store import InstalledPlugin, Interpreter
from assess_registry.client import Limits, Manifest, Permissions, ProjectName, Sha256


async def probe(interpreter: Interpreter, config: HostConfig) -> Held:
    """What holds a worker of this interpreter, whatever the configuration would put up with.

    Raises:
        PluginFault: nothing does, or it did not start; the message says why.
    """
    environment = Path(tempfile.mkdtemp(prefix="probe-", dir=config.scratch_root))
    try:
        worker = await Worker.start(_nothing(environment, interpreter), _as_asked(config))
        try:
            await worker.load()
            return worker.held
        finally:
            await worker.stop()
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
        installed_at=datetime.now(UTC),
    )
