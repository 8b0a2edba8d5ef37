r"""A kit for those who write plugins: hosts to test against, and one call made as the runtime makes it.

    host = PlantedHost(tmp_path, manifest=load_manifest(MANIFEST))
    host.plant("/etc/login.defs", "PASS_MAX_DAYS 365\n")
    results = execute(plugin, "host-baseline", host)

`pytest` finds the fixtures `planted_host` and `local_host` by itself as soon as `assess-plugin` is installed.
Nothing here is ever part of a worker.
"""

from assess_plugin.permissions import Permissions
from assess_plugin.testing.calls import evaluate, execute
from assess_plugin.testing.local import LocalHost
from assess_plugin.testing.manifest import PluginManifest, load_manifest
from assess_plugin.testing.planted import Answer, PlantedHost
from assess_plugin.testing.recording import RecordingHost, Use

__all__ = [
    "Answer",
    "LocalHost",
    "Permissions",
    "PlantedHost",
    "PluginManifest",
    "RecordingHost",
    "Use",
    "evaluate",
    "execute",
    "load_manifest",
]
