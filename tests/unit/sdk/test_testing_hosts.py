"""Hosts of the kit: planted ones behave as a machine would, and both enforce the manifest and record each use."""

import os
import socket
import stat
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

from assess_plugin import CommandResult, Denied, Host, HostError
from assess_plugin.testing import LocalHost, Permissions, PlantedHost, PluginManifest, Use

MANIFEST = PluginManifest(
    checks={"demo": ("one", "two")},
    defaults={},
    permissions=Permissions(
        read=("/etc", "/usr/lib"), stat=("/var", "/root"), commands=(("uname", "-m"), ("sleep", "9"), ("false",))
    ),
)


@pytest.fixture
def host(tmp_path: Path) -> PlantedHost:
    return PlantedHost(tmp_path / "host", {("uname", "-m"): "x86_64\n"}, manifest=MANIFEST)


def read(host: Host, path: str) -> bytes:
    with host.open(path) as file:
        return file.read()


def test_a_planted_file_has_the_content_mode_and_owner_it_was_given(host: PlantedHost) -> None:
    host.plant("/etc/a", "text", mode=0o4640, uid=7, gid=42)
    status = host.stat("/etc/a")
    assert read(host, "/etc/a") == b"text"
    assert (status.mode, status.uid, status.gid, status.size) == (stat.S_IFREG | 0o4640, 7, 42, 4)
    host.own("/etc/a", gid=0)
    assert host.stat("/etc/a").mode == stat.S_IFREG | 0o4640
    assert (host.stat("/etc").uid, host.stat("/etc").mode) == (0, stat.S_IFDIR | 0o755)


def test_planting_again_replaces_and_removing_takes_away(host: PlantedHost) -> None:
    host.plant("/etc/a", "old", mode=0o600)
    host.plant("/etc/a", "new")
    assert (read(host, "/etc/a"), stat.S_IMODE(host.stat("/etc/a").mode)) == (b"new", 0o644)
    host.remove("/etc/a")
    with pytest.raises(FileNotFoundError) as caught:
        host.stat("/etc/a")
    assert caught.value.filename == "/etc/a"


@pytest.mark.parametrize("target", ["../usr/lib/a", "/usr/lib/a", "../../../../usr/lib/a"])
def test_links_lead_inside_the_tree(host: PlantedHost, target: str) -> None:
    host.plant("/usr/lib/a", "here")
    host.plant_link("/etc/a", target)
    assert read(host, "/etc/a") == b"here"
    assert stat.S_ISLNK(host.stat("/etc/a").mode)


def test_a_link_out_of_what_is_permitted_is_denied(host: PlantedHost) -> None:
    host.plant("/var/secret", "secret")
    host.plant_link("/etc/a", "/var/secret")
    host.plant_link("/etc/folder", "/opt")
    host.plant("/opt/b", "")
    for ask, path in ((host.open, "/etc/a"), (host.stat, "/etc/folder/b")):
        with pytest.raises(Denied, match="leads to"):
            ask(path)
    assert host.stat("/etc/a").size  # the link itself may be looked at


def test_a_link_loop_ends(host: PlantedHost) -> None:
    host.plant_link("/etc/a", "b")
    host.plant_link("/etc/b", "a")
    with pytest.raises(OSError, match="symbolic links"):
        host.open("/etc/a")


def test_nothing_is_planted_through_a_link(host: PlantedHost, tmp_path: Path) -> None:
    host.plant_link("/etc/out", str(tmp_path))
    with pytest.raises(ValueError, match="leads through a link"):
        host.plant("/etc/out/file")
    assert not (tmp_path / "file").exists()


@pytest.mark.parametrize(
    ("user", "mode", "readable"),
    [((0, 0), 0o000, True), ((7, 7), 0o400, True), ((8, 42), 0o040, True), ((8, 8), 0o004, True),
     ((7, 7), 0o044, False), ((8, 42), 0o404, False), ((8, 8), 0o440, False)],
)  # fmt: skip
def test_modes_count_for_everybody_but_root(
    host: PlantedHost, user: tuple[int, int], mode: int, readable: bool
) -> None:
    host.plant("/etc/a", "x", mode=mode, uid=7, gid=42)
    host.user = user
    assert host.stat("/etc/a").size == 1
    if readable:
        assert read(host, "/etc/a") == b"x"
    else:
        with pytest.raises(PermissionError) as caught:
            host.open("/etc/a")
        assert caught.value.filename == "/etc/a"


def test_a_closed_directory_hides_what_is_in_it(host: PlantedHost) -> None:
    host.plant("/root/a")
    host.plant_directory("/root", mode=0o700)
    assert host.stat("/root/a").size == 0
    host.user = (7, 7)
    assert host.stat("/root").size
    with pytest.raises(PermissionError):
        host.stat("/root/a")


def test_only_regular_files_are_opened(host: PlantedHost) -> None:
    os.mkfifo(host.root / "etc-fifo")
    (host.root / "etc").mkdir()
    (host.root / "etc-fifo").rename(host.root / "etc/fifo")
    with pytest.raises(HostError, match="not a regular file"):
        host.open("/etc/fifo")
    with pytest.raises(HostError, match="not a regular file"):
        host.open("/etc")


def test_a_host_on_a_base_keeps_its_changes_to_itself(host: PlantedHost, tmp_path: Path) -> None:
    for name in ("kept", "changed", "removed"):
        host.plant(f"/etc/{name}", name, uid=7)
    top = PlantedHost(tmp_path / "top", manifest=MANIFEST, base=host)
    top.plant("/etc/changed", "anew")
    top.own("/etc/kept", mode=0o600)
    top.remove("/etc/removed")
    top.plant("/etc/new")
    top.commands["uname", "-m"] = "other\n"
    assert top.below("/etc") == ("/etc", "/etc/changed", "/etc/kept", "/etc/new")
    assert (read(top, "/etc/kept"), read(top, "/etc/changed")) == (b"kept", b"anew")
    assert (top.stat("/etc/kept").uid, top.stat("/etc/changed").uid) == (7, 0)
    with pytest.raises(FileNotFoundError):
        top.open("/etc/removed")
    assert host.below("/etc") == ("/etc", "/etc/changed", "/etc/kept", "/etc/removed")
    assert stat.S_IMODE(host.stat("/etc/kept").mode) == 0o644
    assert host.run(["uname", "-m"]).stdout == b"x86_64\n"


def test_a_planted_command_answers_as_planted(host: PlantedHost) -> None:
    failed = CommandResult(argv=("false",), exit_code=1, stdout=b"", stderr=b"no")
    host.commands |= {("false",): failed, ("sleep", "9"): HostError("took too long")}
    assert host.run(["uname", "-m"]).stdout == b"x86_64\n"
    assert host.run(["false"]) is failed
    with pytest.raises(HostError, match="took too long"):
        host.run(["sleep", "9"])
    del host.commands["false",]
    with pytest.raises(HostError, match="plant an answer"):
        host.run(["false"])


@pytest.mark.parametrize(
    ("ask", "line"),
    [
        (lambda host: host.run(["uname", "-a"]), "permissions.commands"),
        (lambda host: host.open("/var/log/syslog"), "permissions.read"),
        (lambda host: host.stat("/srv"), "permissions.stat"),
        (lambda host: host.open("/srv/a"), "permissions.read"),
    ],
)
def test_both_hosts_deny_what_the_manifest_does_not_permit(
    host: PlantedHost, ask: Callable[[Host], object], line: str
) -> None:
    for each in (host, LocalHost(MANIFEST)):
        with pytest.raises(Denied, match=line):
            ask(each)
        assert each.uses == []


def test_uses_are_recorded_with_the_check_and_the_entry_that_permits_them(host: PlantedHost) -> None:
    host.plant("/etc/a")
    with host.attribute("one"):
        host.stat("/etc/a")
        with host.attribute("two"):
            read(host, "/etc/a")
        host.run(["uname", "-m"])
    host.stat("/etc")
    assert host.uses_of("one") == (
        Use(kind="stat", what=("/etc/a",), permitted_by=("/etc",), check="one"),
        Use(kind="run", what=("uname", "-m"), permitted_by=("uname", "-m"), check="one"),
    )
    assert [use.check for use in host.uses] == ["one", "two", "one", None]
    assert host.unused_permissions() == (
        "read: /usr/lib",
        "stat: /var",
        "stat: /root",
        "commands: ['sleep', '9']",
        "commands: ['false']",
    )


def test_reading_is_asked_for_only_to_look_is_too_much(host: PlantedHost) -> None:
    host.plant("/usr/lib/a")
    host.stat("/usr/lib/a")
    assert "read: /usr/lib" in host.unused_permissions()


def test_evidence_names_are_unique(host: PlantedHost) -> None:
    evidence = host.evidence("list", b"a", "text/csv")
    assert (evidence.name, host.taken) == ("list", {"list": ("text/csv", b"a")})
    with pytest.raises(HostError, match="before in this call"):
        host.evidence("list", b"b")


def test_logs_and_progress_are_kept(host: PlantedHost) -> None:
    host.log("hello", "warning")
    host.progress(1, 2, "one")
    assert (host.logged, host.progressed) == ([("warning", "hello")], [(1, 2, "one")])


def test_the_local_host_does_it_for_real(tmp_path: Path) -> None:
    real = tmp_path.resolve()
    (real / "file").write_bytes(b"here")
    (real / "out").symlink_to("/etc/passwd")
    os.mkfifo(real / "fifo")
    permissions = Permissions(read=(str(real),), commands=(("uname", "-m"), ("sleep", "9"), ("no-such-program",)))
    host = LocalHost(PluginManifest(checks={}, defaults={}, permissions=permissions))
    assert read(host, f"{real}/file") == b"here"
    assert host.stat(f"{real}/file").size == 4
    assert host.run(["uname", "-m"]).stdout == f"{os.uname().machine}\n".encode()
    assert stat.S_ISLNK(host.stat(f"{real}/out").mode)
    with pytest.raises(Denied, match="leads to"):
        host.open(f"{real}/out")
    with pytest.raises(HostError, match="not a regular file"):
        host.open(f"{real}/fifo")
    with pytest.raises(FileNotFoundError):
        host.open(f"{real}/absent")
    with pytest.raises(HostError, match="did not end"):
        host.run(["sleep", "9"], timeout_s=0.05)
    with pytest.raises(HostError, match="is not installed"):
        host.run(["no-such-program"])


CONNECTED = PluginManifest(
    checks={"demo": ("one",)},
    defaults={},
    permissions=Permissions(network=("db.example.org:5432", "127.0.0.1:{port}"), secrets=("password", "other")),
    api="1.2",
)


@pytest.fixture
def peer() -> Iterator[tuple[str, int]]:
    """Says who it is to whoever comes."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            with suppress(OSError), server.accept()[0] as found:
                found.sendall(b"peer")

        thread = threading.Thread(target=answer)
        thread.start()
        yield ("127.0.0.1", server.getsockname()[1])
        server.shutdown(socket.SHUT_RDWR)
        thread.join()


def test_a_planted_peer_is_where_the_test_listens(tmp_path: Path, peer: tuple[str, int]) -> None:
    host = PlantedHost(tmp_path, manifest=CONNECTED)
    with pytest.raises(ConnectionRefusedError):
        host.connect("db.example.org", 5432)
    host.peers["db.example.org:5432"] = peer
    with host.connect("DB.example.org.", 5432) as found:
        assert (found.recv(10), found.gettimeout()) == (b"peer", None)
    with pytest.raises(Denied, match=r'add "127.0.0.1:1" to permissions.network'):
        host.connect("127.0.0.1", 1)
    for wrong in ("", "a b", "-", "\u212a", "http://db"):
        with pytest.raises(HostError, match="neither a host's name nor an address"):
            host.connect(wrong, 80)
    with pytest.raises(HostError, match="65536 is not a port"):
        host.connect("db.example.org", 65536)
    assert host.uses[-1].permitted_by == ("db.example.org:5432",)
    assert "network: 127.0.0.1:{port}" in host.unused_permissions()


def test_a_secret_is_what_the_test_says(tmp_path: Path) -> None:
    for host in (PlantedHost(tmp_path, manifest=CONNECTED), LocalHost(CONNECTED)):
        with pytest.raises(HostError, match="secret password"):
            host.secret("password")
        host.secrets["password"] = "correct horse"
        assert host.secret("password") == "correct horse"
        with pytest.raises(Denied, match=r'add "token" to permissions.secrets'):
            host.secret("token")
        assert "secrets: other" in host.unused_permissions()
        assert "secrets: password" not in host.unused_permissions()


def test_this_machine_connects_in_earnest(peer: tuple[str, int]) -> None:
    granted = Permissions(network=(f"127.0.0.1:{peer[1]}",))
    with LocalHost(replace(CONNECTED, permissions=granted)).connect(*peer) as found:
        assert found.recv(10) == b"peer"


@pytest.mark.parametrize("api", ["1.0", "1.1"])
def test_a_host_of_less_has_neither(tmp_path: Path, api: str) -> None:
    host = PlantedHost(tmp_path, manifest=replace(CONNECTED, api=api))
    for ask in (lambda: host.connect("db.example.org", 5432), lambda: host.secret("password")):
        with pytest.raises(HostError, match=f"plugin API {api} has no host"):
            ask()
