"""A plugin that tries everything a plugin must not be able to do. One check for each try: `pass` when it was held.

What it tries upon is planted by the test and named in the setting `planted`. Nothing here cleans up after itself more
than it must: without isolation the tries succeed.
"""

import ctypes
import errno
import fcntl
import os
import platform
import signal
import socket
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from assess_plugin import ActionInput, ActionOutput, CheckResult, Outcome, hookimpl

_libc = ctypes.CDLL(None, use_errno=True)
_libc.syscall.restype = ctypes.c_long

_NUMBERS: Mapping[str, tuple[int, int]] = {
    "add_key": (248, 217),
    "bpf": (321, 280),
    "execveat": (322, 281),
    "io_uring_setup": (425, 425),
    "keyctl": (250, 219),
    "mount": (165, 40),
    "perf_event_open": (298, 241),
    "personality": (135, 92),
    "pidfd_getfd": (438, 438),
    "pidfd_open": (434, 434),
    "pidfd_send_signal": (424, 424),
    "process_vm_readv": (310, 270),
    "ptrace": (101, 117),
    "setns": (308, 268),
    "shmget": (29, 194),
    "unshare": (272, 97),
    "userfaultfd": (323, 282),
}
"""Calls that Python has no function for, on x86_64 and aarch64 (asm/unistd.h)."""


def call(name: str, *arguments: Any) -> int:
    """A system call; `OSError` when it is refused."""
    number = _NUMBERS[name][platform.machine() == "aarch64"]
    padded = [each if isinstance(each, ctypes.Array) else ctypes.c_long(each) for each in arguments]
    result = _libc.syscall(ctypes.c_long(number), *padded)
    if result < 0:
        raise OSError(ctypes.get_errno(), f"{name}: {os.strerror(ctypes.get_errno())}")
    return int(result)


def is_open(number: int) -> bool:
    try:
        os.fstat(number)
    except OSError:
        return False
    return True


def read(path: str) -> bytes:
    with open(path, "rb") as file:
        return file.read(4096)


def write(path: str, mode: str = "wb") -> int:
    with open(path, mode) as file:
        return file.write(b"was here")


def inherited_descriptors(given: Mapping[str, str]) -> object:
    """A file or a directory that was open before, hence the first try. Pipes and sockets are its own."""
    kinds = [stat.S_IFMT(os.fstat(number).st_mode) for number in range(3, 256) if is_open(number)]
    if not {stat.S_IFREG, stat.S_IFDIR} & set(kinds):
        raise PermissionError(errno.EPERM, "nothing was inherited")
    return kinds


def planted_secret(given: Mapping[str, str]) -> object:
    return read(given["secret"])


def link_to_a_secret(given: Mapping[str, str]) -> object:
    os.symlink(given["secret"], "here")
    return read("here")


def hard_link_to_a_secret(given: Mapping[str, str]) -> object:
    os.link(given["secret"], given["writable"] + f"/linked-{os.getpid()}")
    return "linked"


def secret_by_descriptor_of_a_directory(given: Mapping[str, str]) -> object:
    directory = os.open(os.path.dirname(given["secret"]), os.O_PATH | os.O_DIRECTORY)
    return os.read(os.open(os.path.basename(given["secret"]), os.O_RDONLY, dir_fd=directory), 100)


def list_the_directory_of_a_secret(given: Mapping[str, str]) -> object:
    return os.listdir(os.path.dirname(given["secret"]))


def others_environment(given: Mapping[str, str]) -> object:
    return read(f"/proc/{given['bystander']}/environ")


def runtimes_environment(given: Mapping[str, str]) -> object:
    return read(f"/proc/{os.getppid()}/environ")


def own_descriptors_by_proc(given: Mapping[str, str]) -> object:
    return os.listdir("/proc/self/fd")


def journal_of_the_runtime(given: Mapping[str, str]) -> object:
    return read(given["state"] + "/journal.db")


def files_of_another_plugin(given: Mapping[str, str]) -> object:
    own = next(path for path in sys.path if path.endswith("site-packages"))
    others = [f"{given['state']}/envs/{name}" for name in os.listdir(given["state"] + "/envs")]
    return next(os.listdir(path) for path in others if not own.startswith(path))


def scratch_of_another_plugin(given: Mapping[str, str]) -> object:
    top = os.path.dirname(os.getcwd())
    return next(os.listdir(f"{top}/{name}") for name in os.listdir(top) if name != os.path.basename(os.getcwd()))


def write_outside(given: Mapping[str, str]) -> object:
    return write(f"{given['writable']}/written-{os.getpid()}")


def write_shared_memory(given: Mapping[str, str]) -> object:
    path = f"/dev/shm/assess-{os.getpid()}"
    wrote = write(path)
    os.unlink(path)
    return wrote


def append_to_what_is_there(given: Mapping[str, str]) -> object:
    return write(given["existing"], "ab")


def truncate_what_is_there(given: Mapping[str, str]) -> object:
    os.truncate(given["existing"], 1)
    return "truncated"


def cut_off_while_reading(given: Mapping[str, str]) -> object:
    os.close(os.open(given["existing"], os.O_RDONLY | os.O_TRUNC))
    return "truncated"


def remove_outside(given: Mapping[str, str]) -> object:
    os.unlink(f"{given['writable']}/removable")
    return "removed"


def make_a_directory_outside(given: Mapping[str, str]) -> object:
    os.mkdir(f"{given['writable']}/made-{os.getpid()}")
    return "made"


def rename_out_of_scratch(given: Mapping[str, str]) -> object:
    write("mine")
    os.rename("mine", f"{given['writable']}/renamed-{os.getpid()}")
    return "renamed"


def rename_into_scratch(given: Mapping[str, str]) -> object:
    os.rename(f"{given['writable']}/movable", "taken")
    return "renamed"


def link_out_of_scratch(given: Mapping[str, str]) -> object:
    write("linked")
    os.link("linked", f"{given['writable']}/hard-{os.getpid()}")
    return "linked"


def symlink_outside(given: Mapping[str, str]) -> object:
    os.symlink("/etc/passwd", f"{given['writable']}/soft-{os.getpid()}")
    return "linked"


def change_a_mode(given: Mapping[str, str]) -> object:
    os.chmod(given["existing"], 0o666)
    return "changed"


def make_a_setuid_program_in_scratch(given: Mapping[str, str]) -> object:
    write("program")
    os.chmod("program", 0o4755)
    return "changed"


def change_an_owner(given: Mapping[str, str]) -> object:
    os.chown(given["existing"], os.getuid(), os.getgid())
    return "changed"


def change_times(given: Mapping[str, str]) -> object:
    os.utime(given["existing"], (0, 0))
    return "changed"


def change_an_attribute(given: Mapping[str, str]) -> object:
    os.setxattr(given["existing"], "user.assess", b"1")
    return "changed"


def make_a_fifo(given: Mapping[str, str]) -> object:
    os.mkfifo(f"{given['writable']}/fifo-{os.getpid()}")
    return "made"


def make_a_device(given: Mapping[str, str]) -> object:
    os.mknod(f"{given['writable']}/device-{os.getpid()}", 0o600 | 0o020000, os.makedev(1, 3))
    return "made"


def tcp(given: Mapping[str, str]) -> object:
    with socket.create_connection(("127.0.0.1", int(given["tcp"])), timeout=5) as made:
        return made.getpeername()


def multipath_tcp(given: Mapping[str, str]) -> object:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM, 262) as made:
        made.connect(("127.0.0.1", int(given["tcp"])))
        return made.getpeername()


def fast_open(given: Mapping[str, str]) -> object:
    with socket.socket() as made:
        return made.sendto(b"x", 0x20000000, ("127.0.0.1", int(given["tcp"])))


def udp(given: Mapping[str, str]) -> object:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as made:
        return made.sendto(b"x", ("127.0.0.1", int(given["udp"])))


def unix(given: Mapping[str, str]) -> object:
    with socket.socket(socket.AF_UNIX) as made:
        made.connect(given["unix"])
        return "connected"


def abstract_unix(given: Mapping[str, str]) -> object:
    with socket.socket(socket.AF_UNIX) as made:
        made.connect("\0" + given["abstract"])
        return "connected"


def datagrams_to_a_unix_socket(given: Mapping[str, str]) -> object:
    left, _ = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    with left:
        return left.sendto(b"x", given["unix_datagrams"])


def netlink(given: Mapping[str, str]) -> object:
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0) as made:
        made.bind((0, 0))
        return "bound"


def raw(given: Mapping[str, str]) -> object:
    with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP):
        return "made"


def packets(given: Mapping[str, str]) -> object:
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW):
        return "made"


def listen_without_bind(given: Mapping[str, str]) -> object:
    with socket.socket() as made:
        made.listen()
        return made.getsockname()


def bind(given: Mapping[str, str]) -> object:
    with socket.socket() as made:
        made.bind(("127.0.0.1", 0))
        return made.getsockname()


def resolve_a_name(given: Mapping[str, str]) -> object:
    """A resolver asks files and sockets of the system; `localhost` is in a file."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM):
        return socket.getaddrinfo("localhost", 80)


def run_a_program(given: Mapping[str, str]) -> object:
    return subprocess.run(["/bin/true"], check=True).returncode


def run_a_program_of_its_own(given: Mapping[str, str]) -> object:
    return os.waitstatus_to_exitcode(os.waitpid(os.posix_spawn("/bin/true", ["true"], {}), 0)[1])


def run_a_program_in_memory(given: Mapping[str, str]) -> object:
    memory = os.memfd_create("program")
    os.write(memory, Path("/bin/true").read_bytes())
    pid = os.fork()
    if pid == 0:
        try:
            os.execve(memory, ["true"], {})
        finally:
            os._exit(1)
    if os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) != 0:
        raise PermissionError(errno.EPERM, "the program did not run")
    return "ran"


def fork(given: Mapping[str, str]) -> object:
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    os.waitpid(pid, 0)
    return "forked"


def daemon(given: Mapping[str, str]) -> object:
    pid = os.fork()
    if pid == 0:
        os.setsid()
        if os.fork() == 0:
            write(f"{given['writable']}/daemon-{os.getpid()}")
        os._exit(0)
    os.waitpid(pid, 0)
    return "a daemon"


def new_session(given: Mapping[str, str]) -> object:
    pid = os.fork()
    if pid == 0:
        os.setsid()
        os._exit(0)
    return os.waitpid(pid, 0)


def trace(given: Mapping[str, str]) -> object:
    attach, detach = 16, 17
    pid = int(given["bystander"])
    done = call("ptrace", attach, pid, 0, 0)
    time.sleep(0.05)
    call("ptrace", detach, pid, 0, 0)
    return done


def read_memory_of_another(given: Mapping[str, str]) -> object:
    address = int(given["address"])
    there = (ctypes.c_uint64 * 2)(address, 8)
    buffer = ctypes.create_string_buffer(8)
    here = (ctypes.c_uint64 * 2)(ctypes.addressof(buffer), 8)
    return call("process_vm_readv", int(given["bystander"]), here, 1, there, 1, 0)


def take_a_descriptor_of_another(given: Mapping[str, str]) -> object:
    return call("pidfd_getfd", call("pidfd_open", int(given["bystander"]), 0), 0, 0)


def io_uring(given: Mapping[str, str]) -> object:
    return call("io_uring_setup", 4, (ctypes.c_char * 120)())


def kernel_programs(given: Mapping[str, str]) -> object:
    """A map of one entry: BPF_MAP_CREATE."""
    return call("bpf", 0, (ctypes.c_uint32 * 18)(2, 4, 8, 1), 72)


def kernel_keys(given: Mapping[str, str]) -> object:
    """KEYCTL_GET_KEYRING_ID of the session's."""
    return call("keyctl", 0, -3, 0, 0, 0)


def performance_events(given: Mapping[str, str]) -> object:
    """PERF_TYPE_SOFTWARE, PERF_COUNT_SW_CPU_CLOCK, user space alone."""
    attributes = (ctypes.c_uint64 * 16)(1 | 128 << 32, 0, 0, 0, 0, 1 << 5 | 1 << 6)
    return call("perf_event_open", attributes, 0, -1, -1, 0)


def page_faults_of_its_own(given: Mapping[str, str]) -> object:
    return call("userfaultfd", 1)


def memory_as_a_file(given: Mapping[str, str]) -> object:
    return os.memfd_create("mine")


def shared_segments(given: Mapping[str, str]) -> object:
    return call("shmget", 0, 4096, 0o1600)


def network_namespace(given: Mapping[str, str]) -> object:
    return in_a_thread(lambda: call("unshare", 0x40000000))


def namespace_of_another(given: Mapping[str, str]) -> object:
    handle = call("pidfd_open", int(given["bystander"]), 0)
    return in_a_thread(lambda: call("setns", handle, 0x40000000))


def mount(given: Mapping[str, str]) -> object:
    def private() -> int:
        call("unshare", 0x00020000)
        return call("mount", *(ctypes.create_string_buffer(each) for each in (b"none", b"/mnt", b"tmpfs")), 0, 0)

    return in_a_thread(private)


def signal_another(given: Mapping[str, str]) -> object:
    os.kill(int(given["bystander"]), signal.SIGWINCH)
    return "signalled"


def signal_the_runtime(given: Mapping[str, str]) -> object:
    os.kill(os.getppid(), 0)
    return "could"


def signal_by_handle(given: Mapping[str, str]) -> object:
    return call("pidfd_send_signal", call("pidfd_open", int(given["bystander"]), 0), signal.SIGWINCH, 0, 0)


def signal_by_a_descriptor(given: Mapping[str, str]) -> object:
    """The kernel signals whoever owns a descriptor, when something happens to it."""
    reads, _ = os.pipe()
    return fcntl.fcntl(reads, fcntl.F_SETOWN, int(given["bystander"])) or "owned"


def become_root(given: Mapping[str, str]) -> object:
    os.setresuid(0, 0, 0)
    return "root"


def raise_a_limit(given: Mapping[str, str]) -> object:
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    except ValueError as error:  # what Python makes of EPERM here
        raise PermissionError(errno.EPERM, str(error)) from error
    return "set"


def other_priority(given: Mapping[str, str]) -> object:
    os.setpriority(os.PRIO_PROCESS, 0, os.getpriority(os.PRIO_PROCESS, 0))
    return "set"


def look_inside_with_core_dumps(given: Mapping[str, str]) -> object:
    set_dumpable = 4
    if _libc.prctl(set_dumpable, ctypes.c_ulong(1), 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl")
    return "set"


def outlive_the_runtime(given: Mapping[str, str]) -> object:
    set_death_signal = 1
    if _libc.prctl(set_death_signal, ctypes.c_ulong(0), 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl")
    return "set"


def inherited_environment(given: Mapping[str, str]) -> object:
    if given["variable"] not in os.environ:
        raise PermissionError(errno.EPERM, "it is not there")
    return os.environ[given["variable"]]


def read_a_secret_in_a_thread(given: Mapping[str, str]) -> object:
    return in_a_thread(lambda: read(given["secret"]))


def in_a_thread(work: Callable[[], object]) -> object:
    """The same by another thread: what holds one thread must hold all. Its namespaces go with it."""
    outcome: list[object] = []

    def run() -> None:
        try:
            outcome.append(work())
        except OSError as error:
            outcome.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join(10)
    if isinstance(outcome[0], OSError):
        raise outcome[0]
    return outcome[0]


def user_namespace(given: Mapping[str, str]) -> object:
    """The last one, since nothing is as it was in a new namespace, which a process with threads gets none of."""
    time.sleep(0.2)  # a thread that was joined may be on its way out still
    return call("unshare", 0x10000000)


TRIES: Mapping[str, Callable[[Mapping[str, str]], object]] = {
    name.replace("_", "-"): function
    for name, function in list(globals().items())
    if callable(function)
    and getattr(function, "__module__", None) == __name__
    and name not in ("call", "is_open", "read", "write", "in_a_thread")
    and not isinstance(function, type)
}


class Plugin:
    @hookimpl
    def assess_execute(self, input: ActionInput) -> ActionOutput:
        return ActionOutput(results=tuple(self._try(check, input.settings["planted"]) for check in input.checks))

    def _try(self, check: str, planted: Mapping[str, str]) -> CheckResult:
        try:
            got = TRIES[check](planted)
        except OSError as error:
            said = f"{type(error).__name__}: {error}"
            return CheckResult(check_id=check, outcome=Outcome.PASS, expected="held", actual=said[:500])
        return CheckResult(check_id=check, outcome=Outcome.FAIL, expected="held", actual=repr(got)[:500])


plugin = Plugin()
