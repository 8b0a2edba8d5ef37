"""The kinds of things that the sandbox refuses: how much each weighs, and what its author can do."""

from dataclasses import dataclass

from assess_registry.manifest import Severity

RULE = "assess: the host is the only way to affect the world"


@dataclass(frozen=True, kw_only=True, slots=True)
class Kind:
    """One kind of thing the sandbox refuses."""

    id: str
    severity: Severity
    what: str
    advice: str


SOCKET = Kind(
    id="undeclared-socket",
    severity="high",
    what="opens connections by itself, and the manifest declares no network",
    advice='declare each peer, `network = ["host:port"]` below [permissions], and use host.connect(host, port)',
)
SOCKET_BY_HAND = Kind(
    id="socket-outside-host",
    severity="medium",
    what="opens connections by itself; the sandbox refuses sockets that did not come from the host",
    advice="connect with host.connect(host, port), which returns a connected socket",
)
SOCKET_BY_SHIM = Kind(
    id="socket-through-shim",
    severity="low",
    what="opens connections, which assess_plugin.shim hands to host.connect while it is installed",
    advice="use it within `with shim(input.host)`; anywhere else the sandbox refuses its sockets",
)
PROCESS = Kind(
    id="process-outside-host",
    severity="high",
    what="starts processes by itself; the sandbox refuses exec and fork",
    advice='declare the command, `commands = [["program", "argument"]]` below [permissions], and use host.run([...])',
)
FILE = Kind(
    id="file-outside-host",
    severity="medium",
    what="reaches for files by itself; the sandbox shows the interpreter, the plugin's own files and its scratch only",
    advice='declare the path, `read = ["/path"]` below [permissions], and use host.open(path) or host.stat(path); '
    "for the plugin's own data, importlib.resources",
)
SCRATCH = Kind(
    id="scratch-file",
    severity="low",
    what="writes temporary files; they live in the worker's scratch directory, which is small and ends with it",
    advice="keep data in memory, or hand it over with host.evidence",
)
DYNAMIC = Kind(
    id="dynamic-code",
    severity="high",
    what="runs or loads code that does not stand in the wheel as such, so it cannot be audited",
    advice="write the code down, and import it by its name",
)
NATIVE = Kind(
    id="native-interface",
    severity="high",
    what="calls native code past the interpreter",
    advice="use the standard library or a compiled package of the closure",
)
TAMPERING = Kind(
    id="interpreter-tampering",
    severity="high",
    what="reaches into the interpreter, its frames or its import system",
    advice="pass what is needed as arguments",
)
CONTROL = Kind(
    id="process-control",
    severity="medium",
    what="changes its process or others; the sandbox refuses it",
    advice="leave it to the runtime: limits, users and deadlines are its own",
)
ENVIRONMENT = Kind(
    id="environment-read",
    severity="low",
    what="reads the environment as a whole, or by computed names; only granted names are there",
    advice='name each variable, os.environ["NAME"], and declare it, `env = ["NAME"]` below [permissions]',
)
PASSED_ON = Kind(
    id="module-passed-on",
    severity="medium",
    what="hands on a module as a value, so that what is used of it cannot be seen",
    advice="use the module's functions where it is imported",
)
PRIVATE = Kind(
    id="private-member",
    severity="medium",
    what="is private to the standard library, or to somebody else, and leads anywhere",
    advice="use what is documented; docs/audit.md says what stands in its place",
)
UNLISTED = Kind(
    id="unlisted-module",
    severity="medium",
    what="is a module of the standard library that is not known to compute and nothing else",
    advice="use one of those that docs/audit.md lists, or ask the host",
)
