"""One good host: every check of the plugin passes on it. Tests change one fact and look at what follows."""

import stat

from assess_host_baseline import files, kernel, packages
from assess_host_baseline.formats.search import search_command
from assess_plugin.testing import PlantedHost

NOW_S = 1_800_000_000
SHADOW_GID = 42

SEARCH = search_command(7)
SECURITY_LIST = "deb.example.org_debian-security_dists_bookworm-security_main_binary-amd64_Packages"
SECURITY_RELEASE = "deb.example.org_debian-security_dists_bookworm-security_InRelease"

SYSCTL = {
    "fs/protected_symlinks": 1,
    "fs/protected_hardlinks": 1,
    "fs/protected_fifos": 1,
    "fs/protected_regular": 2,
    "fs/suid_dumpable": 0,
    "kernel/randomize_va_space": 2,
    "kernel/kptr_restrict": 1,
    "kernel/dmesg_restrict": 1,
    "kernel/perf_event_paranoid": 3,
    "kernel/unprivileged_bpf_disabled": 2,
    "kernel/yama/ptrace_scope": 1,
    "net/core/bpf_jit_harden": 2,
    "net/ipv4/tcp_syncookies": 1,
    **{f"net/ipv4/conf/{interface}/rp_filter": 1 for interface in ("all", "default", "eth0")},
    **{f"net/ipv4/conf/{interface}/accept_redirects": 0 for interface in ("all", "default", "eth0")},
    **{f"net/ipv4/conf/{interface}/send_redirects": 0 for interface in ("all", "default", "eth0")},
    **{f"net/ipv4/conf/{interface}/accept_source_route": 0 for interface in ("all", "default", "eth0")},
}

PASSWD = """\
root:x:0:0:root:/root:/bin/bash
daemon:x:1:1:daemon:/usr/sbin:/usr/sbin/nologin
sync:x:4:65534:sync:/bin:/bin/sync
alice:x:1000:1000:Alice,,,:/home/alice:/bin/bash
"""
SHADOW = """\
root:*:19000:0:99999:7:::
daemon:*:19000:0:99999:7:::
sync:*:19000:0:99999:7:::
alice:$y$j9T$salt$hash:19000:0:365:7:::
"""
GROUP = "root:x:0:\nshadow:x:42:\nalice:x:1000:\n"
LOGIN_DEFS = "# comment\nPASS_MAX_DAYS\t365\nPASS_WARN_AGE 7\nUMASK\t\t027\nUID_MIN 1000\nENCRYPT_METHOD YESCRYPT\n"
SSHD_CONFIG = """\
Include /etc/ssh/sshd_config.d/*.conf
PermitRootLogin no
PasswordAuthentication no
X11Forwarding no
MaxAuthTries 4
"""
OS_RELEASE = 'PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\nID=debian\nVERSION_ID="12"\n'
PACKAGES = "ii \topenssl\t3.0.20-1~deb12u2\nii \tadduser\t3.134\nrc \told-thing\t1.0\n"
FOUND = "f:4755:0:0:root:root:/usr/bin/su\0f:2755:0:42:root:shadow:/usr/bin/chage\0"

MODES = {
    "/etc/shadow": 0o640,
    "/etc/gshadow": 0o640,
    "/etc/shadow-": 0o640,
    "/etc/gshadow-": 0o640,
    "/etc/sudoers": 0o440,
    "/etc/ssh/ssh_host_ed25519_key": 0o600,
}


def plant_good_host(host: PlantedHost) -> None:
    """Plant everything that the plugin looks at."""
    for name, value in SYSCTL.items():
        host.plant(f"/proc/sys/{name}", f"{value}\n")
    host.plant("/proc/sys/kernel/hostname", "web-01\n")
    for path, content in {
        "/etc/passwd": PASSWD,
        "/etc/group": GROUP,
        "/etc/shadow": SHADOW,
        "/etc/gshadow": "root:*::\n",
        "/etc/shadow-": SHADOW,
        "/etc/gshadow-": "root:*::\n",
        "/etc/login.defs": LOGIN_DEFS,
        "/etc/sudoers": "root ALL=(ALL:ALL) ALL\n",
        "/etc/crontab": "",
        "/etc/ssh/sshd_config": SSHD_CONFIG,
        "/etc/ssh/ssh_host_ed25519_key": "not a key",
        "/usr/lib/os-release": OS_RELEASE,
        "/var/lib/dpkg/status": "",
    }.items():
        gid = SHADOW_GID if "shadow" in path else 0
        host.plant(path, content, mode=MODES.get(path, 0o644), gid=gid)
    host.plant_link("/etc/os-release", "../usr/lib/os-release")
    for path in ("/etc/sudoers.d", "/etc/ssh/sshd_config.d", "/var/lib/apt/lists", *files_of("file-cron-directories")):
        host.plant_directory(path)
    host.plant_directory("/root", mode=0o700)
    for path in files_of("file-tmp"):
        host.plant_directory(path, mode=0o777 | stat.S_ISVTX)
    host.commands |= {
        kernel.LIST_INTERFACES: names("all", "default", "eth0", "lo"),
        packages.QUERY: PACKAGES,
        packages.NOW: f"{NOW_S}\n",
        packages.LIST_LISTS: names(f"{NOW_S - 3600}.5 {SECURITY_LIST}", f"{NOW_S - 7200} {SECURITY_RELEASE}", "1 lock"),
        packages.UPGRADABLE: "Listing...\nbase-files/stable 12.5 amd64 [upgradable from: 12.4]\n",
        SEARCH: FOUND,
        ("uname", "-m"): "x86_64\n",
    }
    list_ssh(host)


def list_ssh(host: PlantedHost) -> None:
    """Let `find` say what is planted below /etc/ssh now."""
    host.commands[files.LIST_SSH] = names(*host.below("/etc/ssh"))


def names(*entries: str) -> str:
    """What `find -printf ...\\0` prints."""
    return "".join(f"{entry}\0" for entry in entries)


def files_of(check_id: str) -> tuple[str, ...]:
    """The paths that a check of modes looks at."""
    return next(guarded.paths for guarded in files.GUARDED if guarded.check_id == check_id)
