"""`assess-registry keys` as a user types it: what is made, what is believed, and what is refused how."""

import errno
import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import click
import pytest

from assess_registry.cli import main
from assess_registry.config import load_config
from assess_registry.control import Publishers
from assess_registry.errors import TrustError
from assess_registry.files import file_lock
from assess_registry.keys import ROLES, KeyId, KeyRing, generate_key, load_private_key
from assess_registry.names import ProjectName
from assess_registry.repository import create_repository
from tests.support.ended import Ended

PROJECT = ProjectName("acme-x")
WEAK = """\
-----BEGIN PUBLIC KEY-----
MCowBQYDK2VwAyEAAQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=
-----END PUBLIC KEY-----
"""


Run = Callable[..., Ended]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Run:
    """Run one command line in this process, in a directory of its own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ASSESS_KEYS_DIR", "keys")
    monkeypatch.setenv("ASSESS_INDEX", "reg")

    def command(*argv: object) -> Ended:
        code = main([str(word) for word in argv])
        return Ended(code, *capsys.readouterr())

    return command


@pytest.fixture
def ready(run: Run) -> Run:
    """In a registry with the keys of acme and alice, and two more of each role at hand."""
    assert run("init", "reg").code == 0
    for role in ROLES:
        for name in ("one", "two"):
            assert run("keys", "new", name, "--role", role, "--unencrypted").code == 0
    assert add(run, "publisher", "one", "acme", "--project", "acme-*", "--approvals", "2").code == 0
    assert add(run, "reviewer", "one", "alice").code == 0
    return run


def add(run: Run, role: str, key: str, name: str, *more: str) -> Ended:
    return run("keys", "add", f"keys/{role}/{key}.pub", "--role", role, "--name", name, *more)


def key_id(role: str, name: str) -> KeyId:
    return next(each.key.id for each in KeyRing(Path("keys")).entries() if (each.role, each.name) == (role, name))


def people() -> Publishers:
    return Publishers.from_config(load_config(Path("reg")))


def listed(run: Run) -> dict[str, dict[str, Any]]:
    document = run("keys", "list", "--index", "reg", "--output", "json").document
    return {key["id"]: key for key in document["keys"]}


# --- new ----------------------------------------------------------------------------------------------------------


def test_a_new_key_is_locked_unless_somebody_says_otherwise(run: Run, tmp_path: Path) -> None:
    refused = run("keys", "new", "alice", "--role", "reviewer")
    assert (refused.code, refused.stdout) == (2, "")
    assert "--passphrase-file FILE, or --unencrypted" in refused.stderr
    assert not Path("keys").exists()
    Path("phrase").write_text("correct horse\n")
    both = run("keys", "new", "alice", "--role", "reviewer", "--unencrypted", "--passphrase-file", "phrase")
    assert (both.code, both.stdout) == (2, "")
    assert run("keys", "new", "alice", "--role", "reviewer", "--passphrase-file", "phrase").code == 0
    assert "ENCRYPTED" in Path("keys/reviewer/alice.key").read_text()
    assert run("keys", "new", "bob", "--role", "reviewer", "--unencrypted").code == 0
    assert "ENCRYPTED" not in Path("keys/reviewer/bob.key").read_text()
    assert Path("keys/reviewer/bob.key").stat().st_mode & 0o777 == 0o600


def test_a_person_at_a_terminal_is_asked_twice(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    typed = ["correct horse", "corect horse", "correct horse", "correct horse"]
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr(click.termui, "hidden_prompt_func", lambda _: typed.pop(0))
    done = run("keys", "new", "alice", "--role", "root")
    assert (done.code, typed) == (0, [])
    assert done.stdout.strip() == key_id("root", "alice")
    key = load_private_key(Path("keys/root/alice.key"), passphrase=b"correct horse")
    assert key.public.id == key_id("root", "alice")


def test_nothing_is_made_among_keys_of_which_one_has_two_roles(ready: Run) -> None:
    Path("keys/reviewer/copy.pub").write_bytes(Path("keys/root/one.pub").read_bytes())
    for argv in (("keys", "new", "three", "--unencrypted"), ("keys", "list")):
        done = ready(*argv, "--output", "json") if argv[1] == "list" else ready(*argv)
        assert (done.code, "reviewer/copy.pub: the same key as root/one" in done.stderr + done.stdout) == (5, True)
    Path("keys/reviewer/copy.pub").unlink()
    assert ready("keys", "new", "three", "--unencrypted").code == 0


def test_keys_outside_the_roles_folders_are_mentioned(ready: Run) -> None:
    Path("keys/publisher/two.pub").replace("keys/two.pub")
    done = ready("keys", "list")
    assert "1 keys lie in no role's folder" in done.stderr
    assert len(done.stdout.splitlines()) == 1 + 2 * len(ROLES) - 1


# --- add ----------------------------------------------------------------------------------------------------------


def test_a_key_that_is_added_counts_from_then_on(ready: Run) -> None:
    publisher = people().publishers["acme"]
    assert (publisher.projects, publisher.approvals) == (("acme-*",), 2)
    now = datetime.now(UTC)
    assert people().publisher_of(key_id("publisher", "one"), PROJECT, now) == "acme"
    with pytest.raises(TrustError, match="not valid before"):
        people().publisher_of(key_id("publisher", "one"), PROJECT, now - timedelta(hours=1))
    assert add(ready, "audit", "one", "").code == 0
    assert [timed.key.id for timed in people().audit_keys] == [key_id("audit", "one")]
    assert listed(ready)[key_id("audit", "one")]["valid"] is True


def test_the_file_stays_its_authors(ready: Run) -> None:
    path = Path("reg/registry.toml")
    text = "# ours\n" + path.read_text().replace("[publishers.acme]", "[publishers.acme]   # them")
    path.write_text(text)
    path.chmod(0o640)
    assert add(ready, "reviewer", "two", "bob").code == 0
    assert path.read_text().startswith("# ours\n")
    assert "[publishers.acme]   # them\n" in path.read_text()
    assert path.stat().st_mode & 0o777 == 0o640


@pytest.mark.parametrize(
    ("argv", "code", "says"),
    [
        (("keys/publisher/one.pub", "--role", "reviewer", "--name", "bob"), 2, "is a key of publisher acme already"),
        (("keys/reviewer/one.pub", "--role", "audit"), 2, "is a key of reviewer alice already"),
        (("keys/publisher/two.pub", "--role", "publisher", "--name", "new"), 2, "say with --project"),
        (("keys/publisher/two.pub", "--role", "publisher"), 2, "--name"),
        (("keys/audit/two.pub", "--role", "audit", "--name", "x"), 2, "--name"),
        (("keys/root/two.pub", "--role", "root", "--name", "x"), 2, "--role"),
        (("absent.pub", "--role", "reviewer", "--name", "bob"), 2, "cannot be read"),
        (("weak.pub", "--role", "reviewer", "--name", "bob"), 5, "small order"),
        (("keys/reviewer/two.key", "--role", "reviewer", "--name", "bob"), 5, "not a usable public key"),
    ],
)
def test_what_must_not_count_is_not_written(ready: Run, argv: tuple[str, ...], code: int, says: str) -> None:
    Path("weak.pub").write_text(WEAK)
    before = Path("reg/registry.toml").read_bytes()
    done = ready("keys", "add", *argv)
    assert (done.code, done.stdout) == (code, "")
    assert says in done.stderr
    assert Path("reg/registry.toml").read_bytes() == before
    assert add(ready, "reviewer", "two", "bob").code == 0


@pytest.mark.parametrize("role", ["root", "release", "online"])
@pytest.mark.parametrize("verb", ["add", "rotate"])
def test_a_key_of_the_root_is_nobodys_else(ready: Run, role: str, verb: str) -> None:
    keys = {each: load_private_key(Path(f"keys/{each}/two.key")) for each in ("root", "release", "online")}
    create_repository(
        Path("reg"),
        root_keys=[keys["root"]],
        root_threshold=1,
        release_keys=[keys["release"]],
        online_key=keys["online"],
        now=datetime.now(UTC),
    )
    before = Path("reg/registry.toml").read_bytes()
    words = {"add": ("add", "FILE", "--role", "reviewer", "--name", "alice"),
             "rotate": ("rotate", "alice", "FILE", "--role", "reviewer")}[verb]  # fmt: skip
    done = ready("keys", *(word.replace("FILE", f"keys/{role}/two.pub") for word in words))
    assert (done.code, done.stdout) == (5, "")
    assert f"reviewer alice and {role} are one key" in done.stderr
    assert Path("reg/registry.toml").read_bytes() == before
    assert {key["role"] for key in listed(ready).values()} == {"publisher", "reviewer", "root", "release", "online"}
    assert ready("keys", *(word.replace("FILE", "keys/reviewer/two.pub") for word in words)).code == 0


# --- rotate -------------------------------------------------------------------------------------------------------


def test_after_a_rotation_the_old_key_counts_for_what_it_did_and_the_new_one_from_now_on(ready: Run) -> None:
    old, new = key_id("publisher", "one"), key_id("publisher", "two")
    before = datetime.now(UTC)
    assert ready("keys", "rotate", "acme", "keys/publisher/two.pub", "--role", "publisher").code == 0
    after = datetime.now(UTC)
    assert [people().publisher_of(*each) for each in ((old, PROJECT, before), (new, PROJECT, after))] == [
        "acme",
        "acme",
    ]
    for key, time, says in ((old, after, "expired"), (new, before, "not valid before")):
        with pytest.raises(TrustError, match=says):
            people().publisher_of(key, PROJECT, time)
    ended, begun = (next(each for each in people().publishers["acme"].keys if each.key.id == key) for key in (old, new))
    assert ended.valid_until == begun.valid_from, "without a gap and without both"


def test_of_two_valid_keys_it_is_said_which_is_replaced(ready: Run) -> None:
    assert add(ready, "publisher", "two", "acme").code == 0
    assert ready("keys", "new", "three", "--unencrypted").code == 0
    argv = ("keys", "rotate", "acme", "keys/publisher/three.pub", "--role", "publisher")
    refused = ready(*argv)
    assert (refused.code, "say which with --old" in refused.stderr) == (2, True)
    assert ready(*argv, "--old", key_id("publisher", "two")).code == 0
    valid = {key["id"] for key in listed(ready).values() if key["role"] == "publisher" and key["valid"]}
    assert valid == {key_id("publisher", "one"), key_id("publisher", "three")}


@pytest.mark.parametrize(
    ("name", "role", "file"),
    [
        ("acme", "publisher", "publisher/one"),  # by itself
        ("acme", "publisher", "reviewer/one"),  # by somebody else's
        ("zoe", "publisher", "publisher/two"),  # who is not there
        ("alice", "publisher", "publisher/two"),  # who is something else
        ("audit", "audit", "audit/one"),  # where there is none
    ],
)
def test_nothing_rotates_into_or_out_of_what_it_is_not(ready: Run, name: str, role: str, file: str) -> None:
    before = Path("reg/registry.toml").read_bytes()
    assert ready("keys", "rotate", name, f"keys/{file}.pub", "--role", role).code == 2
    assert Path("reg/registry.toml").read_bytes() == before
    assert ready("keys", "rotate", "acme", "keys/publisher/two.pub", "--role", "publisher").code == 0


def test_the_audits_key_is_rotated_by_its_role(ready: Run) -> None:
    assert add(ready, "audit", "one", "").code == 0
    assert ready("keys", "rotate", "audit", "keys/audit/two.pub", "--role", "audit").code == 0
    now = datetime.now(UTC)
    assert [timed.valid_at(now) for timed in people().audit_keys] == [False, True]


# --- revoke -------------------------------------------------------------------------------------------------------


def test_a_revoked_key_counts_for_what_it_did_before_and_no_more(ready: Run) -> None:
    old = key_id("publisher", "one")
    before = datetime.now(UTC)
    done = ready("keys", "revoke", old, "--reason", "laptop stolen")
    assert (done.code, "is revoked as of" in done.stderr) == (0, True)
    assert people().publisher_of(old, PROJECT, before) == "acme"
    with pytest.raises(TrustError, match=r"revoked as of .*: laptop stolen"):
        people().publisher_of(old, PROJECT, datetime.now(UTC))
    assert listed(ready)[old]["revoked"] == "laptop stolen"
    assert "laptop stolen" in ready("keys", "list", "--index", "reg").stdout


def test_a_revocation_can_reach_back(ready: Run) -> None:
    old = key_id("publisher", "one")
    published = datetime.now(UTC)
    assert people().publisher_of(old, PROJECT, published) == "acme"
    since = published.isoformat().replace("+00:00", "Z")
    assert ready("keys", "revoke", old, "--reason", "laptop stolen", "--since", since).code == 0
    with pytest.raises(TrustError, match="revoked as of"):
        people().publisher_of(old, PROJECT, published)
    assert people().publisher_of(old, PROJECT, published - timedelta(microseconds=1)) == "acme"
    again = ready("keys", "revoke", old, "--reason", "once more")
    assert (again.code, "is revoked already" in again.stderr) == (2, True)


@pytest.mark.parametrize(
    ("argv", "says"),
    [
        (("--reason", ""), "--reason"),
        (("--reason", "a\u202eb"), "--reason"),
        (("--reason", "r", "--since", "yesterday"), "--since"),
        (("--reason", "r", "--since", "2026-01-01"), "--since"),
        (("--reason", "r", "--since", "2999-01-01T00:00:00Z"), "is in the future"),
    ],
)
def test_a_revocation_says_why_and_when(ready: Run, argv: tuple[str, ...], says: str) -> None:
    before = Path("reg/registry.toml").read_bytes()
    done = ready("keys", "revoke", key_id("reviewer", "one"), *argv)
    assert (done.code, says in done.stderr) == (2, True)
    assert Path("reg/registry.toml").read_bytes() == before
    assert ready("keys", "revoke", key_id("reviewer", "one"), "--reason", "r").code == 0


def test_a_key_that_is_not_there_is_not_revoked(ready: Run) -> None:
    done = ready("keys", "revoke", key_id("root", "one"), "--reason", "r")
    assert (done.code, "root propose" in done.stderr) == (2, True)
    assert ready("keys", "revoke", "acme", "--reason", "r").code == 2


def test_nobody_edits_while_somebody_publishes(ready: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("assess_registry.cli.key_holders.LOCK_TIMEOUT_S", 0.0)
    before = Path("reg/registry.toml").read_bytes()
    with file_lock(Path("reg/.lock"), timeout_s=0):
        assert add(ready, "reviewer", "two", "bob").code == 1
    assert Path("reg/registry.toml").read_bytes() == before
    assert add(ready, "reviewer", "two", "bob").code == 0


def test_where_there_is_no_registry_nothing_is_made(run: Run, tmp_path: Path) -> None:
    assert run("keys", "new", "one", "--unencrypted").code == 0
    done = add(run, "publisher", "one", "acme", "--project", "a")
    assert (done.code, "no registry here" in done.stderr) == (2, True)
    assert not Path("reg").exists()


# ---- symbolic links --------------------------------------------------------------------------------------------------


def linked_registry(run: Run, tmp_path: Path) -> Path:
    """`reg` is a link, and so is `registry.toml` in it, which lies in a repository of its own; gives that file."""
    assert run("init", "served/reg").code == 0
    Path("reg").symlink_to("served/reg")
    kept = tmp_path / "kept-in-git"
    kept.mkdir()
    (tmp_path / "served/reg/registry.toml").rename(kept / "registry.toml")
    Path("served/reg/registry.toml").symlink_to(kept / "registry.toml")
    (kept / "registry.toml").chmod(0o640)
    return kept / "registry.toml"


def test_a_linked_registry_toml_is_edited_where_it_is_kept(run: Run, tmp_path: Path) -> None:
    """Else the next deploy of the file that it led to takes a revocation back, without a word."""
    kept = linked_registry(run, tmp_path)
    for name in ("acme", "acme-2"):
        assert run("keys", "new", name, "--role", "publisher", "--unencrypted").code == 0
    add = ("keys", "add", "keys/publisher/acme.pub", "--role", "publisher", "--name", "acme", "--project", "acme-*")
    assert run(*add).code == 0
    assert run("keys", "rotate", "acme", "keys/publisher/acme-2.pub", "--role", "publisher").code == 0
    second = KeyRing(Path("keys")).of_role("publisher")[1].key.id
    assert run("keys", "revoke", second, "--reason", "stolen").code == 0
    assert Path("served/reg/registry.toml").is_symlink()
    assert Path("reg").is_symlink()
    assert 'revoked = "stolen"' in kept.read_text()
    assert kept.stat().st_mode & 0o777 == 0o640
    assert [path.name for path in kept.parent.iterdir()] == ["registry.toml"], "written whole, and nothing left"
    assert [each.revoked for each in load_config(Path("reg")).publishers[0].keys if each.key.id == second] == ["stolen"]


def test_a_link_that_leads_nowhere_is_refused_and_kept(run: Run, tmp_path: Path) -> None:
    kept = linked_registry(run, tmp_path)
    kept.unlink()
    key = ("keys", "revoke", "sha256:" + "0" * 64, "--reason", "stolen")
    for argv in (("init", "reg"), key):
        ended = run(*argv)
        assert ended.code == 2, ended.stderr
        assert str(kept) in ended.stderr
    assert Path("reg/registry.toml").is_symlink()


def test_public_keys_are_read_through_links_and_never_written_over_one(run: Run, tmp_path: Path) -> None:
    run("init", "reg")
    run("keys", "new", "acme", "--role", "publisher", "--unencrypted")
    Path("acme.pub").symlink_to("keys/publisher/acme.pub")
    add = ("keys", "add", "acme.pub", "--role", "publisher", "--name", "acme", "--project", "acme-*")
    assert run(*add).code == 0
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_text(generate_key().public.pem())
    before = elsewhere.read_text()
    Path("keys/publisher/beta.pub").symlink_to(elsewhere)
    new = ("keys", "new", "beta", "--role", "publisher", "--unencrypted")
    assert run(*new).code == 2
    assert elsewhere.read_text() == before
    Path("keys/publisher/beta.pub").unlink()
    assert run(*new).code == 0  # the control


# ---- what lies in the lock's place -----------------------------------------------------------------------------------


@pytest.mark.parametrize("lock", ["reg/.lock", "keys/.lock"])
@pytest.mark.parametrize("kind", ["a FIFO", "a symbolic link", "a directory", "nothing"])
def test_what_is_no_lock_is_named_with_what_to_do(run: Run, kind: str, lock: str) -> None:
    run("init", "reg")
    run("keys", "new", "acme", "--role", "publisher", "--unencrypted")
    place = next(Path(lock).parent.glob(".*lock*"), Path(lock))
    place.unlink(missing_ok=True)
    if kind == "a FIFO":
        os.mkfifo(place)
    elif kind == "a symbolic link":
        place.symlink_to("x")
    elif kind == "a directory":
        place.mkdir()
    if lock.startswith("reg"):
        ended = run("keys", "add", "keys/publisher/acme.pub", "--role", "publisher", "--name", "a", "--project", "a-*")
    else:
        ended = run("keys", "new", "beta", "--role", "publisher", "--unencrypted")
    assert ended.code == (0 if kind == "nothing" else 2), ended.stderr
    if kind != "nothing":
        assert f"{place}: " in ended.stderr
        assert f"got {kind}" in ended.stderr
        assert "remove it" in ended.stderr
        assert "Errno" not in ended.stderr


@pytest.mark.parametrize(
    ("number", "says"),
    [
        (errno.EACCES, "as the user whose files these are"),
        (errno.ENOSPC, "make room"),
        (errno.EROFS, "mounted read-only"),
        (errno.ELOOP, "something else lies there"),
        (errno.EIO, "look at the disk"),
        (errno.EXDEV, "reg/registry.toml: "),
    ],
)
def test_what_the_system_refuses_is_said_with_the_thing_and_what_to_do(
    run: Run, monkeypatch: pytest.MonkeyPatch, number: int, says: str
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(number, os.strerror(number), "reg/registry.toml")

    run("init", "reg")
    run("keys", "new", "acme", "--role", "publisher", "--unencrypted")
    add = ("keys", "add", "keys/publisher/acme.pub", "--role", "publisher", "--name", "acme", "--project", "acme-*")
    with monkeypatch.context() as patch:
        patch.setattr("assess_registry.config.rewrite.atomic_write", refuse)
        ended = run(*add)
    assert ended.code == 1
    assert "reg/registry.toml: " in ended.stderr
    assert says in ended.stderr
    assert "Errno" not in ended.stderr
    assert run(*add).code == 0  # the control
