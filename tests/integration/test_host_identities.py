"""No two workers of a host have one user id: not of one runtime, not of two, not after one was killed."""

import errno
import fcntl
import os
import pwd
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from assess_core.host.identities import UIDS, IdentityError, lease

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root gives workers user ids of their own")

HOLDER = """
import sys
from pathlib import Path
from assess_core.host.identities import lease
held = [lease(place=Path(sys.argv[1]), systemd=Path(sys.argv[2])) for _ in range(int(sys.argv[3]))]
print(*(each.uid for each in held), flush=True)
sys.stdin.read()
"""

FREE = UIDS[-9:]
"""The first of all may have workers of other tests, which run beside these."""

SLEEPER = "import os, sys; os.setgid({uid}); os.setuid({uid}); print('here', flush=True); sys.stdin.read()"


class Holder:
    """Another runtime, with leases of its own."""

    def __init__(self, place: Path, systemd: Path, count: int) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", HOLDER, str(place), str(systemd), str(count)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def uids(self) -> list[int]:
        assert self._process.stdout is not None
        return [int(uid) for uid in self._process.stdout.readline().split()]

    def kill(self) -> None:
        self._process.send_signal(signal.SIGKILL)
        self._process.communicate()


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "run" / "uids"


@pytest.fixture
def systemd(tmp_path: Path) -> Path:
    return tmp_path / "systemd" / "dynamic-uid"


@pytest.fixture
def sleeper() -> Iterator[int]:
    uid = UIDS[0]
    process = subprocess.Popen(
        ["/usr/bin/python3", "-c", SLEEPER.format(uid=uid)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"here\n"
    yield uid
    process.communicate()


@as_root
def test_each_worker_has_one_that_no_other_has_until_it_is_released(place: Path, systemd: Path) -> None:
    first, second = lease(place=place, systemd=systemd, uids=FREE), lease(place=place, systemd=systemd, uids=FREE)
    assert (first.uid, first.gid, first.own) == (65511, 65511, True)
    assert second.uid == 65512
    assert stat.S_IMODE(place.stat().st_mode) == 0o700
    first.release()
    first.release()
    third = lease(place=place, systemd=systemd, uids=FREE)
    assert third.uid == 65511
    for each in (second, third):
        each.release()


@as_root
def test_two_runtimes_at_once_share_none_and_a_killed_one_keeps_none(place: Path, systemd: Path) -> None:
    holders = [Holder(place, systemd, 20) for _ in range(3)]
    try:
        taken = [set(holder.uids()) for holder in holders]
        assert len(set.union(*taken)) == 60
        holders[1].kill()
        with pytest.raises(IdentityError):
            lease(place=place, systemd=systemd, uids=sorted(taken[0]))
        freed = lease(place=place, systemd=systemd, uids=sorted(taken[1]))
        assert freed.uid == min(taken[1]), "the kernel unlocked what the killed runtime held"
        freed.release()
    finally:
        for holder in holders:
            holder.kill()


@as_root
def test_one_that_still_owns_a_process_is_passed_over(place: Path, systemd: Path, sleeper: int) -> None:
    identity = lease(place=place, systemd=systemd, uids=[sleeper, sleeper + 1])
    assert identity.uid == sleeper + 1
    identity.release()
    with pytest.raises(IdentityError, match="no user id is left"):
        lease(place=place, systemd=systemd, uids=[sleeper])


@as_root
def test_each_lease_begins_elsewhere_and_so_gets_no_id_that_was_just_given_back(place: Path, systemd: Path) -> None:
    found = set()
    for _ in range(5):
        identity = lease(place=place, systemd=systemd)
        found.add(identity.uid)
        identity.release()
    assert len(found) > 1
    assert all(uid in UIDS for uid in found)


@as_root
def test_one_that_an_account_has_is_passed_over(place: Path, systemd: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def known(uid: int) -> object:
        if uid == 64999:
            return object()
        raise KeyError(uid)

    monkeypatch.setattr(pwd, "getpwuid", known)
    identity = lease(place=place, systemd=systemd, uids=[64999, 65000])
    assert identity.uid == 65000
    identity.release()


@as_root
def test_a_released_one_is_not_held_by_a_process_that_was_being_forked(place: Path, systemd: Path) -> None:
    identity = lease(place=place, systemd=systemd, uids=[64000])
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:  # has a copy of the lock, as a child has between fork and exec
        os.close(writer)
        os.read(reader, 1)
        os._exit(0)
    identity.release()
    lease(place=place, systemd=systemd, uids=[64000]).release()
    os.close(writer)
    os.close(reader)
    os.waitpid(child, 0)


@as_root
def test_systemd_and_we_take_none_of_each_other(place: Path, systemd: Path) -> None:
    (systemd.parent / "system").mkdir(parents=True)
    systemd.mkdir()
    theirs = os.open(systemd / "65511", os.O_RDWR | os.O_CREAT, 0o600)
    fcntl.flock(theirs, fcntl.LOCK_EX | fcntl.LOCK_NB)
    identity = lease(place=place, systemd=systemd, uids=FREE)
    assert identity.uid == 65512
    ours = os.open(systemd / "65512", os.O_RDWR)
    with pytest.raises(BlockingIOError):
        fcntl.flock(ours, fcntl.LOCK_EX | fcntl.LOCK_NB)
    identity.release()
    assert [each.name for each in systemd.iterdir()] == ["65511"], "systemd takes a name that is left there for a user"
    os.close(ours)
    os.close(theirs)


@as_root
@pytest.mark.parametrize("which", ["uids", "run"])
def test_a_directory_that_others_may_write_to_is_refused(place: Path, systemd: Path, which: str) -> None:
    place.mkdir(parents=True, mode=0o700)
    place.parent.chmod(0o755)
    lease(place=place, systemd=systemd).release()
    (place if which == "uids" else place.parent).chmod(0o777)
    with pytest.raises(IdentityError, match="writable for others than root"):
        lease(place=place, systemd=systemd)


@as_root
def test_a_link_is_followed_neither_to_the_directory_nor_to_a_lock(place: Path, systemd: Path, tmp_path: Path) -> None:
    place.mkdir(parents=True, mode=0o700)
    (place / "65511").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(IdentityError, match="symbolic links"):
        lease(place=place, systemd=systemd, uids=FREE)
    assert not (tmp_path / "elsewhere").exists()
    (place / "65511").unlink()
    place.rename(tmp_path / "moved")
    place.symlink_to(tmp_path / "moved")
    with pytest.raises(IdentityError, match="cannot be used"):
        lease(place=place, systemd=systemd)


@as_root
def test_where_nothing_can_be_written_there_is_no_second_place(
    place: Path, systemd: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(self: Path, *args: object, **kwargs: object) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(self))

    monkeypatch.setattr(Path, "mkdir", refuse)
    with pytest.raises(IdentityError, match=r"Read-only file system.*RuntimeDirectory=run"):
        lease(place=place, systemd=systemd)


def test_a_user_who_is_not_root_has_only_their_own(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setattr(os, "getegid", lambda: 1001)
    identity = lease(place=place)
    assert (identity.uid, identity.gid, identity.own) == (1000, 1001, False)
    identity.release()
    assert not place.exists()
