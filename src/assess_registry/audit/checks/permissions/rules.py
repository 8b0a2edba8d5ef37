"""What the sandbox refuses, by the names under which Python offers it.

A module whose import says it all stands here by its name; of others, their members. What stands nowhere here is no
finding: this is the list of what an honest author needs to hear of before the sandbox says it, and the sandbox is the
wall for everybody else.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from assess_registry.audit.code.resolve import HOST, PATH
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

_PATH_METHODS = """
    open read_text read_bytes write_text write_bytes iterdir glob rglob walk stat lstat exists is_file is_dir is_symlink
    is_mount is_socket is_fifo unlink rename replace mkdir rmdir touch chmod lchmod symlink_to hardlink_to readlink
    resolve samefile owner group
"""

_MODULES: Mapping[str, tuple[Kind, str]] = {
    "sockets": (
        SOCKET,
        """
        socket ssl socketserver select.epoll http.client http.server urllib.request ftplib smtplib poplib imaplib
        telnetlib nntplib xmlrpc requests httpx httpcore aiohttp urllib3 websockets websocket paramiko asyncssh grpc
        boto3 botocore pycurl dns.resolver ldap3 psycopg psycopg2 pymysql redis pymongo nats
        logging.handlers.SocketHandler logging.handlers.SysLogHandler logging.handlers.HTTPHandler
        logging.handlers.SMTPHandler logging.handlers.DatagramHandler asyncio.open_connection asyncio.start_server
        asyncio.open_unix_connection asyncio.start_unix_server multiprocessing.connection
        """,
    ),
    "processes": (
        PROCESS,
        """
        subprocess _posixsubprocess pty multiprocessing concurrent.futures.ProcessPoolExecutor
        concurrent.futures.process pexpect plumbum sh invoke fabric webbrowser pdb asyncio.create_subprocess_exec
        asyncio.create_subprocess_shell asyncio.subprocess os.system os.popen os.execl os.execle os.execlp
        os.execlpe os.execv os.execve os.execvp os.execvpe os.spawnl os.spawnle os.spawnlp os.spawnlpe os.spawnv
        os.spawnve os.spawnvp os.spawnvpe os.posix_spawn os.posix_spawnp os.fork os.forkpty os.startfile
        builtins.breakpoint
        """,
    ),
    "files": (
        FILE,
        """
        builtins.open io.open io.FileIO io.open_code codecs.open fileinput linecache glob shutil mmap.mmap os.open
        os.openpty os.listdir os.scandir os.walk os.fwalk os.stat os.lstat os.statvfs os.access os.remove os.unlink
        os.rename os.renames os.replace os.mkdir os.makedirs os.rmdir os.removedirs os.chmod os.lchmod os.chown
        os.lchown os.link os.symlink os.readlink os.truncate os.utime os.mkfifo os.mknod os.chdir os.fchdir
        os.getxattr os.setxattr os.listxattr os.removexattr os.path.exists os.path.lexists os.path.isfile
        os.path.isdir os.path.islink os.path.ismount os.path.getsize os.path.getmtime os.path.getatime
        os.path.getctime os.path.realpath os.path.samefile logging.FileHandler logging.handlers.RotatingFileHandler
        logging.handlers.TimedRotatingFileHandler logging.handlers.WatchedFileHandler
        """,
    ),
    "methods of paths": (
        FILE,
        " ".join(f"{PATH}.{method}" for method in _PATH_METHODS.split()),
    ),
    "scratch": (SCRATCH, "tempfile sqlite3 dbm"),
    "code": (
        DYNAMIC,
        """
        builtins.eval builtins.exec builtins.compile builtins.__import__ importlib.import_module
        importlib.__import__ importlib.reload importlib.util.spec_from_file_location importlib.util.spec_from_loader
        importlib.util.module_from_spec importlib.machinery.SourceFileLoader
        importlib.machinery.SourcelessFileLoader importlib.machinery.ExtensionFileLoader runpy code codeop imp
        zipimport types.CodeType types.FunctionType marshal.load marshal.loads pickle.load pickle.loads
        pickle.Unpickler shelve dill cloudpickle jsonpickle
        """,
    ),
    "native": (NATIVE, "ctypes cffi"),
    "interpreter": (
        TAMPERING,
        """
        sys.settrace sys.setprofile sys._getframe sys._current_frames sys.addaudithook sys.meta_path sys.path_hooks
        sys.path_importer_cache sys.path sys.modules sys.monitoring threading.settrace threading.setprofile
        gc.get_objects gc.get_referrers gc.get_referents builtins.__dict__ os.__dict__ sys.__dict__
        inspect.currentframe inspect.stack atexit bdb
        """,
    ),
    "control": (
        CONTROL,
        """
        os.kill os.killpg os.setuid os.setgid os.seteuid os.setegid os.setreuid os.setregid os.setresuid
        os.setresgid os.setgroups os.initgroups os.setsid os.setpgid os.nice os.setpriority os.sched_setaffinity
        os.sched_setscheduler os.unshare os.setns os.chroot os.memfd_create os.pidfd_open resource.setrlimit
        resource.prlimit os._exit os.umask signal.signal signal.pthread_kill signal.raise_signal signal.setitimer
        signal.alarm
        """,
    ),
    "environment": (ENVIRONMENT, "os.environ os.environb os.getenv os.getenvb os.putenv os.unsetenv"),
}

KINDS: Mapping[str, Kind] = {name: kind for kind, names in _MODULES.values() for name in names.split()}
"""Dotted name -> what it is; the longest name that fits counts."""

_HARMLESS = """
    socket.inet_aton socket.inet_ntoa socket.inet_pton socket.inet_ntop socket.ntohs socket.ntohl socket.htons
    socket.htonl socket.AF_INET socket.AF_INET6 socket.gethostname socket.error socket.timeout socket.gaierror
    socket.herror subprocess.CalledProcessError subprocess.TimeoutExpired subprocess.SubprocessError
    subprocess.list2cmdline ssl.SSLError requests.exceptions requests.RequestException httpx.HTTPError
    multiprocessing.cpu_count sqlite3.Error urllib.request.quote urllib.request.pathname2url http.client.responses
    shutil.get_terminal_size linecache.getline sys.modules.keys
"""
HARMLESS: frozenset[str] = frozenset(_HARMLESS.split())
"""Members that touch nothing; a file that uses nothing else of their module is not reported for importing it."""

MODULES_WITH_MEMBERS: frozenset[str] = frozenset(
    ("os", "sys", "builtins", "importlib", "io", "pathlib", "gc", "codecs")
)
"""Modules of which some members are fine: a computed member of them, or the module as a value, cannot be judged."""

_INNER_NAMES = """
    __subclasses__ __globals__ __builtins__ __code__ __loader__ f_globals f_builtins f_locals f_back tb_frame gi_frame
    cr_frame ag_frame
"""
INNER_NAMES: frozenset[str] = frozenset(_INNER_NAMES.split())
"""Attributes of whatever object that lead to frames, code or the import system."""

HOST_CALLS: frozenset[str] = frozenset(f"{HOST}.{name}" for name in ("run", "open", "stat", "connect"))


def known_names() -> frozenset[str]:
    """Every name a resolver has to follow."""
    return frozenset((*KINDS, *HARMLESS, *HOST_CALLS, *_dicts()))


def kind_of(path: str) -> Kind | None:
    """What a known name is; None when it is harmless, or only the beginning of something."""
    while path:
        if path in HARMLESS:
            return None
        if path in KINDS:
            return KINDS[path]
        path = path.rpartition(".")[0]
    return None


def every_kind() -> tuple[Kind, ...]:
    """Each kind once."""
    return (*dict.fromkeys(KINDS.values()), SOCKET_BY_HAND, PASSED_ON)


def _dicts() -> Iterator[str]:
    return (f"{module}.__dict__" for module in MODULES_WITH_MEMBERS)
