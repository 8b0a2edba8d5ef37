"""An installed plugin made from plain source files: no wheel, no signature, no store. For tests of what runs it.

installed = make_installed(tmp_path, {"demo_plugin": DEMO_SOURCE}, plugins={"demo": "demo_plugin:plugin"})
config = host_config(tmp_path)
"""

import atexit
import functools
import shutil
import tempfile
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path

from assess_core.host import HostConfig, Isolation, KitSource
from assess_core.store import InstalledPlugin, Interpreter, PluginEntry, Store, running_interpreter
from assess_registry.client import PluginName, ProjectName, Sha256, parse_manifest
from tests.support.interpreters import worker_kit

PROGRAMS = Path(__file__).parent / "plugins"
"""Checked-in plugins, most of which behave badly."""


def make_installed(
    root: Path,
    modules: Mapping[str, str],
    *,
    plugins: Mapping[str, str],
    providers: Mapping[str, str] | None = None,
    checks: Iterable[str] = (),
    permissions: str = "",
    settings: str = "",
    api: str = ">=1.0,<2",
    distribution: str = "plain-plugin",
    version: str = "1.0.0",
    interpreter: Interpreter | None = None,
) -> InstalledPlugin:
    """A virtual environment below `root` with these modules (dotted name -> source) and the value that describes it.

    Args:
        plugins, providers: entry point name -> `module[:attr]`.
        checks: ids, reported by the first plugin; each plugin gets one check more, so that the manifest is correct.
        permissions: lines of that table. settings: further tables. api: which plugin APIs it admits.
    """
    interpreter = interpreter or running_interpreter()
    environment = root / f"{distribution}-{version}"
    site_packages = environment / interpreter.site_packages
    site_packages.mkdir(parents=True)
    (environment / "bin").mkdir()
    (environment / "bin" / "python").symlink_to(interpreter.path)
    (environment / "pyvenv.cfg").write_text(
        f"home = {interpreter.path.parent}\ninclude-system-site-packages = false\nversion = {interpreter.version}\n"
    )
    for name, source in modules.items():
        path = site_packages / (name.replace(".", "/") + ".py")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(source)
    groups = {"plugin": plugins, "provider": providers or {}}
    return InstalledPlugin(
        distribution=ProjectName(distribution),
        version=version,
        sha256=Sha256("ab" * 32),
        env_key="0" * 64,
        interpreter=interpreter,
        environment=environment,
        python=environment / "bin" / "python",
        site_packages=site_packages,
        entries=tuple(
            PluginEntry(
                name=PluginName(name),
                kind="plugin" if kind == "plugin" else "provider",
                module=value.partition(":")[0],
                attr=value.partition(":")[2],
            )
            for kind, entries in groups.items()
            for name, value in entries.items()
        ),
        manifest=parse_manifest(_manifest(plugins, checks, permissions, settings, api).encode()),
        lock_sha256=Sha256("cd" * 32),
        signer="sha256:" + "ef" * 32,
        development=True,
        installed_at=datetime(2026, 11, 21, tzinfo=UTC),
    )


def make_program(
    root: Path,
    program: str,
    *,
    checks: Iterable[str] = (),
    permissions: str = "",
    settings: str = "",
    name: str = "it",
    api: str = ">=1.0,<2",
) -> InstalledPlugin:
    """One of the checked-in `PROGRAMS` as plugin `it`, and as provider `its-subjects` if it has that hook."""
    source = (PROGRAMS / f"{program}.py").read_text()
    return make_installed(
        root,
        {program: source},
        plugins={name: program},
        providers={f"{name}s-subjects": program} if "assess_evaluate" in source else None,
        checks=checks,
        permissions=permissions,
        settings=settings,
        api=api,
        distribution=f"{program.replace('_', '-')}-plugin",
    )


@functools.cache
def kit() -> Path:
    """The worker kit for this interpreter, made once for all tests of this process."""
    state = Path(tempfile.mkdtemp(prefix="assess-test-kit-"))
    atexit.register(shutil.rmtree, state, ignore_errors=True)
    return worker_kit(Store(state), running_interpreter())


def one_kit(directory: Path) -> KitSource:
    """This kit for every interpreter: for tests that change one, or play an older runtime."""
    return lambda _interpreter: directory


def host_config(
    root: Path,
    *,
    start_timeout_s: float = 15.0,
    stop_timeout_s: float = 5.0,
    kill_after_s: float = 1.0,
    isolation: Isolation = "required",
) -> HostConfig:
    """A configuration whose scratch directories lie in `root/scratch`, which is made."""
    scratch = root / "scratch"
    scratch.mkdir(exist_ok=True)
    return HostConfig(
        kits=one_kit(kit()),
        scratch_root=scratch,
        start_timeout_s=start_timeout_s,
        stop_timeout_s=stop_timeout_s,
        kill_after_s=kill_after_s,
        isolation=isolation,
    )


def _manifest(plugins: Mapping[str, str], checks: Iterable[str], permissions: str, settings: str, api: str) -> str:
    of_plugin = {name: [f"{name}-loads"] for name in plugins}
    next(iter(of_plugin.values()), []).extend(checks)
    tables = "".join(
        f'[[checks]]\nid = "{check}"\nplugin = "{plugin}"\ntitle = "{check}"\nseverity = "low"\n'
        f'controls = ["nist-800-53:cm-6"]\nremediation = "none"\n\n'
        for plugin, ids in of_plugin.items()
        for check in ids
    )
    return (
        f'schema = 1\napi = "{api}"\ntitle = "Plain"\nsummary = "For tests"\n\n{tables}'
        f"{settings}\n[permissions]\n{permissions}\n"
    )
