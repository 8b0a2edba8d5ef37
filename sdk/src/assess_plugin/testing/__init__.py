r"""A kit for those who write plugins: hosts to test against, and one call made as the runtime makes it.

    host = PlantedHost(tmp_path, manifest=load_manifest(MANIFEST))
    host.plant("/etc/login.defs", "PASS_MAX_DAYS 365\n")
    results = execute(plugin, "host-baseline", host)

    with IsolatedPlugin("my_plugin.plugin", name="host-baseline", manifest=manifest) as isolated:
        results = isolated.execute(host)            # in another process, held as it will be at its users'

`pytest` finds the fixtures `planted_host`, `local_host` and `isolated_plugin` by itself as soon as `assess-plugin` is
installed. Nothing here is ever part of a worker.
"""

from assess_plugin.permissions import Permissions
from assess_plugin.testing.calls import evaluate, evaluation, execute
from assess_plugin.testing.isolated import IsolatedPlugin
from assess_plugin.testing.local import LocalHost
from assess_plugin.testing.manifest import PluginManifest, load_manifest
from assess_plugin.testing.planted import Answer, PlantedHost
from assess_plugin.testing.process import WorkerFailedError
from assess_plugin.testing.recorded import Recorder, Replay
from assess_plugin.testing.recording import RecordingHost, Use

__all__ = [
    "Answer",
    "IsolatedPlugin",
    "LocalHost",
    "Permissions",
    "PlantedHost",
    "PluginManifest",
    "Recorder",
    "RecordingHost",
    "Replay",
    "Use",
    "WorkerFailedError",
    "evaluate",
    "evaluation",
    "execute",
    "load_manifest",
]
