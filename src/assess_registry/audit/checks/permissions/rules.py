"""What the sandbox refuses, by the names under which Python offers it.

A module whose import says it all stands here by its name; of others, their members. Modules of the standard library
that stand neither here nor in `standard` are findings as well. Still this is what an honest author needs to hear of
before the sandbox says it, and the sandbox is the wall for everybody else.
"""

from collections.abc import Iterator, Mapping

from assess_registry.audit.checks.permissions.kinds import (
    CONTROL,
    DYNAMIC,
    ENVIRONMENT,
    FILE,
    NATIVE,
    PROCESS,
    SCRATCH,
    SOCKET,
    TAMPERING,
    Kind,
)
from assess_registry.audit.checks.permissions.resources import RESOURCES
from assess_registry.audit.checks.permissions.standard import others
from assess_registry.audit.code.host import HOST
from assess_registry.audit.code.known import NAMESPACE, PATH

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
        anyio trio twisted gevent eventlet curio tornado uvicorn docker podman kubernetes fastapi flask werkzeug pika
        zmq nats kafka confluent_kafka pyodbc asyncpg aiomysql aioredis elasticsearch opensearchpy scapy ldap
        google.cloud azure impacket smbclient netmiko napalm ncclient pysnmp stem telnetlib3 asyncore asynchat smtpd
        wsgiref.simple_server syslog urllib.robotparser wsgiref socket.getaddrinfo
        """,
    ),
    "processes": (
        PROCESS,
        """
        subprocess _posixsubprocess pty multiprocessing concurrent.futures.ProcessPoolExecutor
        venv ensurepip pip setuptools distutils pipes tkinter turtle idlelib antigravity commands popen2 psutil.Popen
        loky joblib.Parallel billiard ptyprocess delegator envoy
        concurrent.futures.process pexpect plumbum sh invoke fabric webbrowser pdb asyncio.create_subprocess_exec
        asyncio.create_subprocess_shell asyncio.subprocess os.system os.popen os.execl os.execle os.execlp
        os.execlpe os.execv os.execve os.execvp os.execvpe os.spawnl os.spawnle os.spawnlp os.spawnlpe os.spawnv
        os.spawnve os.spawnvp os.spawnvpe os.posix_spawn os.posix_spawnp os.fork os.forkpty os.startfile
        builtins.breakpoint uuid.getnode uuid._get_command_stdout _osx_support test.support.script_helper
        _bootsubprocess _winapi concurrent.futures.process
        """,
    ),
    "files": (
        FILE,
        """
        builtins.open io.open io.FileIO gzip.open gzip.GzipFile bz2.open bz2.BZ2File lzma.open lzma.LZMAFile
        zipfile.ZipFile zipfile.PyZipFile zipfile.Path tarfile.open tarfile.TarFile dbm sqlite3.connect
        sqlite3.Connection configparser.ConfigParser.read configparser.RawConfigParser.read
        configparser.SafeConfigParser.read netrc mailbox py_compile compileall zipapp filecmp nis aiofiles
        xml.etree.ElementTree.parse xml.etree.ElementTree.iterparse xml.sax.parse xml.dom.minidom.parse
        xml.dom.pulldom.parse argparse.FileType tokenize.open http.cookiejar.FileCookieJar
        http.cookiejar.MozillaCookieJar http.cookiejar.LWPCookieJar sqlite3.dbapi2.connect sqlite3.dbapi2.Connection
        gettext.translation gettext.find gettext.install gettext.bindtextdomain mimetypes.read_mime_types
        _posixshmem pwd grp spwd sndhdr imghdr os.pread os.preadv os.pwrite os.pwritev os.read os.readv os.write
        os.writev os.sendfile os.splice os.copy_file_range os.dup os.dup2 os.fdopen os.fstat os.ftruncate os.fchmod
        os.fchown os.posix_fallocate os.posix_fadvise os.lseek os.pipe os.pipe2 os.eventfd os.makedev
        wave.open platform.freedesktop_os_release
        io.open_code codecs.open fileinput linecache glob shutil mmap.mmap os.open
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
    "scratch": (SCRATCH, "tempfile"),
    "code": (
        DYNAMIC,
        """
        builtins.eval builtins.exec builtins.compile builtins.__import__ builtins.getattr importlib.import_module
        pkgutil.resolve_name pkgutil.find_loader pkgutil.get_loader pkgutil.get_importer pkgutil.walk_packages
        pydoc pkg_resources importlib.metadata.entry_points importlib.metadata.EntryPoint
        importlib.metadata.distribution.entry_points importlib_metadata.entry_points stevedore
        logging.config.dictConfig logging.config.fileConfig logging.config.listen logging.config.DictConfigurator
        timeit cProfile profile trace doctest unittest rlcompleter site.addsitedir site.addpackage
        typing.get_type_hints typing.ForwardRef typing._eval_type typing_extensions.get_type_hints annotationlib
        inspect.get_annotations inspect.getmembers inspect.getattr_static yaml.unsafe_load yaml.full_load
        yaml.UnsafeLoader joblib.load pandas.eval numexpr asteval RestrictedPython mako
        importlib.__import__ importlib.reload importlib.util.spec_from_file_location importlib.util.spec_from_loader
        importlib.util.module_from_spec importlib.machinery.SourceFileLoader
        importlib.machinery.SourcelessFileLoader importlib.machinery.ExtensionFileLoader runpy code codeop imp
        gettext.c2py dataclasses._create_fn dataclasses._set_qualname pickle._loads pickle._load pickle._Unpickler
        lib2to3 test _xxsubinterpreters _interpreters _xxinterpchannels concurrent.interpreters _testcapi
        _testinternalcapi _testbuffer _testmultiphase
        zipimport types.CodeType types.FunctionType types.LambdaType marshal.load marshal.loads pickle.load pickle.loads
        pickle.Unpickler shelve dill cloudpickle jsonpickle
        """,
    ),
    "native": (NATIVE, "ctypes cffi sqlite3.connect.load_extension sqlite3.connect.enable_load_extension"),
    "interpreter": (
        TAMPERING,
        """
        sys.settrace sys.setprofile sys._getframe sys._current_frames sys.addaudithook sys.meta_path sys.path_hooks
        sys.path_importer_cache sys.monitoring threading.settrace threading.setprofile
        gc.get_objects gc.get_referrers gc.get_referents builtins.__dict__ os.__dict__ sys.__dict__
        inspect.currentframe inspect.stack inspect.trace inspect.getmodule bdb builtins.__loader__
        sys.path.append sys.path.insert sys.path.extend sys.path.remove sys.path.pop sys.path.clear sys.path.sort
        sys.path.reverse sys.path.__setitem__ sys.path.__iadd__ importlib._bootstrap importlib._bootstrap_external
        _frozen_importlib _frozen_importlib_external _imp importlib.find_loader importlib.util.find_spec.loader
        importlib.machinery.BuiltinImporter importlib.machinery.FrozenImporter importlib.machinery.PathFinder
        importlib.machinery.FileFinder importlib.machinery.ModuleSpec importlib.machinery.NamespaceLoader
        builtins.__spec__.loader
        """,
    ),
    "control": (
        CONTROL,
        """
        os.kill os.killpg os.setuid os.setgid os.seteuid os.setegid os.setreuid os.setregid os.setresuid
        os.setresgid os.setgroups os.initgroups os.setsid os.setpgid os.nice os.setpriority os.sched_setaffinity
        os.sched_setscheduler os.unshare os.setns os.chroot os.memfd_create os.pidfd_open resource.setrlimit
        resource.prlimit os._exit os.umask signal.signal signal.pthread_kill signal.raise_signal signal.setitimer
        signal.alarm fcntl termios tty
        """,
    ),
    "environment": (ENVIRONMENT, "os.environ os.environb os.getenv os.getenvb os.putenv os.unsetenv"),
}

_LISTED: Mapping[str, Kind] = {name: kind for kind, names in _MODULES.values() for name in names.split()}

OTHERS: Mapping[str, Kind] = others(_LISTED)
"""Modules of the standard library of which nothing is said here."""

KINDS: Mapping[str, Kind] = {**OTHERS, **_LISTED}
"""Dotted name -> what it is; the longest name that fits counts."""

_HARMLESS = """
    socket.inet_aton socket.inet_ntoa socket.inet_pton socket.inet_ntop socket.ntohs socket.ntohl socket.htons
    socket.htonl socket.AF_INET socket.AF_INET6 socket.gethostname socket.error socket.timeout socket.gaierror
    socket.herror subprocess.CalledProcessError subprocess.TimeoutExpired subprocess.SubprocessError
    subprocess.list2cmdline ssl.SSLError requests.exceptions requests.RequestException httpx.HTTPError
    multiprocessing.cpu_count sqlite3.Error urllib.request.quote urllib.request.pathname2url http.client.responses
    shutil.get_terminal_size linecache.getline sys.modules.keys
    sys.modules.__contains__ platform.system
"""
HARMLESS: frozenset[str] = frozenset(_HARMLESS.split())
"""Members that touch nothing; a file that uses nothing else of their module is not reported for importing it."""

_NO_MODULES = frozenset(
    ("sys.path", "sys.modules", PATH, "importlib.util.find_spec", "sqlite3.connect", "builtins.__spec__", NAMESPACE)
)


def _beginnings() -> Iterator[str]:
    for name in KINDS:
        while name := name.rpartition(".")[0]:
            yield name


MODULES_WITH_MEMBERS: frozenset[str] = frozenset(
    name for name in _beginnings() if name.rpartition(".")[2][:1].islower()
) - KINDS.keys() - _NO_MODULES | {"builtins"}
"""Modules of which some members are fine: a computed member of them, or the module as a value, cannot be judged."""

PLAIN_MODULES: frozenset[str] = frozenset(
    ("math", "cmath", "time", "itertools", "errno", "binascii", "zlib", "unicodedata", "array")
)
"""Of the standard library, those that have no other module in them; all others do, `random._os` for one."""

_STREAMABLE = """
    gzip.open gzip.GzipFile bz2.open bz2.BZ2File lzma.open lzma.LZMAFile zipfile.ZipFile zipfile.Path tarfile.open
    tarfile.TarFile xml.etree.ElementTree.parse xml.etree.ElementTree.iterparse xml.sax.parse xml.dom.minidom.parse
    xml.dom.pulldom.parse wave.open
    """
STREAMABLE: frozenset[str] = frozenset(_STREAMABLE.split())
"""They open files, or what is in memory already."""

METHODS: Mapping[str, Kind] = {
    name: kind
    for kind, names in (
        (
            PROCESS,
            """
            system popen fork forkpty execl execle execlp execlpe execv execve execvp execvpe spawnl spawnle spawnlp
            spawnlpe spawnv spawnve spawnvp spawnvpe posix_spawn posix_spawnp Popen check_output check_call getoutput
            getstatusoutput subprocess_exec subprocess_shell create_subprocess_exec create_subprocess_shell
            """,
        ),
        (
            SOCKET,
            """
            create_connection create_server open_connection start_server create_datagram_endpoint
            create_unix_connection create_unix_server open_unix_connection start_unix_server sock_connect urlopen
            urlretrieve getaddrinfo getnameinfo gethostbyname gethostbyaddr
            """,
        ),
        (NATIVE, "load_extension enable_load_extension CDLL PyDLL LoadLibrary dlopen"),
        (
            DYNAMIC,
            """
            exec_module load_module import_module resolve_name run_path run_module runcode runsource __import__
            get_type_hints
            """,
        ),
        (TAMPERING, "settrace setprofile addaudithook _getframe _current_frames"),
    )
    for name in names.split()
}
"""What methods of these names do, whatever has them: a loop's, a module's that got there by a way nobody can follow."""

_INNER_NAMES = """
    __subclasses__ __globals__ __builtins__ __code__ __loader__ __self__ f_globals f_builtins f_locals f_back tb_frame
    gi_frame cr_frame ag_frame
"""
INNER_NAMES: frozenset[str] = frozenset(_INNER_NAMES.split())
"""Attributes of whatever object that lead to frames, code or the import system."""

LOGS = "logging.basicConfig"
"""Writes to a file when it is told so by name."""

HOST_CALLS: frozenset[str] = frozenset(f"{HOST}.{name}" for name in ("run", "open", "stat", "connect", "secret"))


def known_names() -> frozenset[str]:
    """Every name a resolver has to follow."""
    return frozenset(
        (*KINDS, *HARMLESS, *HOST_CALLS, *_dicts(), "sys.path", "sys.modules", NAMESPACE, *RESOURCES, LOGS)
    )


def kind_of(path: str) -> Kind | None:
    """What a known name is; None when it is harmless, or only the beginning of something."""
    while path:
        if path in HARMLESS:
            return None
        if path in KINDS:
            return KINDS[path]
        path = path.rpartition(".")[0]
    return None


def _dicts() -> Iterator[str]:
    return (f"{module}.__dict__" for module in MODULES_WITH_MEMBERS)
