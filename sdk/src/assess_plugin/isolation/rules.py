"""Which system calls a plugin's process may make once it is isolated, and with which arguments.

Allowed is what computing needs, files under the rules of Landlock, threads, and talk over descriptors that are open
already. Everything that reaches out is the broker's: no socket is made, connected or bound, nothing is executed, no
process is forked. What is refused is told so (`EPERM`); what nobody has thought of does not exist (`ENOSYS`).

Nothing here leans on what only newer kernels' Landlock knows: signals (ABI 6), TCP (4), device commands (5) and
truncation (3) are refused here as well, so that ABI 1 holds as much as 7 does.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

_THREAD = 0x100 | 0x200 | 0x400 | 0x800 | 0x10000
"""CLONE_VM, CLONE_FS, CLONE_FILES, CLONE_SIGHAND, CLONE_THREAD: a thread, and no process. With the same
descriptors: each table of them has a RLIMIT_NOFILE of its own, and /proc/PID/fd shows the first thread's."""
_NEW_NAMESPACES = 0x7E020080
"""CLONE_NEW* of linux/sched.h, in one mask."""
_TRACED = 0x2000 | 0x4000
"""CLONE_PTRACE, CLONE_VFORK."""

MSG_FASTOPEN = 0x20000000
"""Sending with it connects (tcp(7)); a socket that was granted could so reach somebody else once its peer is gone."""

AF_UNIX, SOCK_STREAM, _SOCK_TYPE_MASK = 1, 1, 0xF


@dataclass(frozen=True, slots=True)
class OneOf:
    """The low 32 bits of the argument, as far as `mask` shows them, are one of these: all there is of a C int."""

    argument: int
    values: tuple[int, ...]
    mask: int = 0xFFFFFFFF


@dataclass(frozen=True, slots=True)
class Zero:
    """All 64 bits of the argument are zero: a null pointer."""

    argument: int


Test = OneOf | Zero
Condition = Sequence[Sequence[Test]]
"""Alternatives, each a list of tests that must all hold."""

_OPENING, _OPEN_FLAGS = 0x203, (0, 1, 2, 0x201, 0x202)
"""O_ACCMODE | O_TRUNC, and what may be there: O_TRUNC together with O_RDONLY cuts a file off that Landlock only let be
read before ABI 3, and with access mode 3, which opens for neither, so does any file."""

_PLAIN = """
read write readv writev pread64 pwrite64 preadv pwritev preadv2 pwritev2 lseek fsync fdatasync ftruncate
fadvise64 readahead flock sendfile copy_file_range sync_file_range
creat stat lstat fstat newfstatat statx access faccessat faccessat2 readlink readlinkat
getdents getdents64 getcwd chdir fchdir mkdir mkdirat rmdir unlink unlinkat rename renameat renameat2 link linkat
symlink symlinkat umask statfs fstatfs close dup dup2 dup3 pipe pipe2
mmap mprotect munmap mremap madvise brk mincore msync munlock membarrier
set_robust_list get_robust_list set_tid_address futex futex_waitv rseq gettid sched_yield sched_getaffinity
sched_getparam sched_getscheduler sched_get_priority_max sched_get_priority_min getpriority getrlimit
rt_sigaction rt_sigprocmask rt_sigreturn rt_sigpending rt_sigtimedwait rt_sigsuspend sigaltstack pause
clock_gettime clock_getres clock_nanosleep nanosleep gettimeofday time times getitimer setitimer alarm
timerfd_create timerfd_settime timerfd_gettime
poll ppoll select pselect6 epoll_create epoll_create1 epoll_ctl epoll_wait epoll_pwait epoll_pwait2
eventfd eventfd2
getpid getppid getuid geteuid getgid getegid getresuid getresgid getgroups getpgid getpgrp getsid uname sysinfo
getrusage getcpu getrandom capget
recvfrom recvmsg recvmmsg getsockopt getsockname getpeername shutdown
exit exit_group wait4 waitid restart_syscall
"""

PLAIN = frozenset(_PLAIN.split())
"""Allowed whatever their arguments."""

_REFUSED = """
execve execveat fork vfork
socket connect bind listen accept accept4
chmod fchmod fchmodat chown fchown lchown fchownat utime utimes futimesat utimensat
setxattr lsetxattr fsetxattr removexattr lremovexattr fremovexattr
getxattr lgetxattr fgetxattr listxattr llistxattr flistxattr
mknod mknodat memfd_create memfd_secret truncate
tkill rt_sigqueueinfo rt_tgsigqueueinfo pidfd_open pidfd_send_signal pidfd_getfd
ptrace process_vm_readv process_vm_writev process_madvise process_mrelease kcmp
setuid setgid setreuid setregid setresuid setresgid setfsuid setfsgid setgroups capset
setrlimit setpriority sched_setaffinity sched_setparam sched_setscheduler sched_setattr ioprio_set setpgid setsid
unshare setns mount umount2 move_mount fsopen fsconfig fsmount fspick open_tree mount_setattr pivot_root chroot
bpf perf_event_open userfaultfd keyctl add_key request_key seccomp
landlock_create_ruleset landlock_add_rule landlock_restrict_self
inotify_init inotify_init1 inotify_add_watch fanotify_init fanotify_mark name_to_handle_at open_by_handle_at
shmget shmat shmctl msgget msgsnd msgrcv msgctl semget semop semctl semtimedop mq_open mq_unlink
mlock mlock2 mlockall splice tee vmsplice fallocate
"""

REFUSED = frozenset(_REFUSED.split())
"""Thought of, and refused with EPERM, which says more than that the call does not exist. io_uring is not among them:
libraries take ENOSYS for an old kernel's and do without."""

_NO_DEVICE = 25
"""ENOTTY: what `isatty` expects."""


def conditions(pid: int) -> Mapping[str, Condition]:
    """Calls that are allowed with some arguments only; with others they are refused.

    Args:
        pid: of the process; it may signal itself and nobody else.
    """
    return {
        "open": [[OneOf(1, _OPEN_FLAGS, _OPENING)]],
        "openat": [[OneOf(2, _OPEN_FLAGS, _OPENING)]],
        "clone": [[OneOf(0, (_THREAD,), _THREAD | _NEW_NAMESPACES | _TRACED)]],
        "kill": [[OneOf(0, (pid, 0))]],
        "tgkill": [[OneOf(0, (pid,))]],
        # PR_GET_DUMPABLE, PR_SET_NAME, PR_GET_NAME, PR_GET_SECCOMP, PR_GET_NO_NEW_PRIVS, PR_SET_VMA
        "prctl": [[OneOf(0, (3, 15, 16, 21, 39, 0x53564D41))]],
        # TCGETS, TIOCGWINSZ, FIONREAD, FIONBIO, FIONCLEX, FIOCLEX
        "ioctl": [[OneOf(1, (0x5401, 0x5413, 0x541B, 0x5421, 0x5450, 0x5451))]],
        # F_DUPFD, F_GETFD, F_SETFD, F_GETFL, F_SETFL, F_GETLK, F_SETLK, F_SETLKW, F_OFD_GETLK, F_OFD_SETLK,
        # F_OFD_SETLKW, F_DUPFD_CLOEXEC, F_GETPIPE_SZ. Nobody may say whom a descriptor signals: F_SETOWN and F_SETSIG
        # reach any process of the user.
        "fcntl": [[OneOf(1, (0, 1, 2, 3, 4, 5, 6, 7, 36, 37, 38, 1030, 1032))]],
        "socketpair": [[OneOf(0, (AF_UNIX,)), OneOf(1, (SOCK_STREAM,), _SOCK_TYPE_MASK)]],
        "sendto": [[OneOf(3, (0,), MSG_FASTOPEN), Zero(4)]],
        "sendmsg": [[OneOf(2, (0,), MSG_FASTOPEN)]],
        "sendmmsg": [[OneOf(3, (0,), MSG_FASTOPEN)]],
        # SO_REUSEADDR, SO_SNDBUF, SO_RCVBUF, SO_KEEPALIVE, SO_LINGER, SO_RCVTIMEO, SO_SNDTIMEO; TCP_NODELAY,
        # TCP_KEEPIDLE, TCP_KEEPINTVL, TCP_KEEPCNT, TCP_QUICKACK, TCP_USER_TIMEOUT
        "setsockopt": [
            [OneOf(1, (1,)), OneOf(2, (2, 7, 8, 9, 13, 20, 21))],
            [OneOf(1, (6,)), OneOf(2, (1, 4, 5, 6, 12, 18))],
        ],
        "prlimit64": [[OneOf(0, (0, pid)), Zero(2)]],
        "personality": [[OneOf(0, (0xFFFFFFFF,))]],
    }


def refusal_of(name: str) -> int:
    """The error number of a call with arguments that are not allowed."""
    return _NO_DEVICE if name == "ioctl" else 1
