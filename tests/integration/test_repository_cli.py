"""`root`, `sign` and `refresh` as they are typed: what they print, for people and programs, and their exit codes."""

import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from assess_registry.cli import main, signing
from assess_registry.cli.app import cli
from assess_registry.config import Expiry
from assess_registry.keys import PrivateKey, generate_key, write_private_key
from assess_registry.repository.staged import STAGED
from assess_registry.repository.state import read_roots
from tests.support.repositories import BINS, Keys, Registry, make_registry


class Desk:
    """A directory with a registry and keys as files."""

    def __init__(self, place: Path, keys: Keys) -> None:
        self.place, self.keys, self.root = place, keys, place / "registry"
        named = {"a": keys.root[0], "b": keys.root[1], "c": keys.root[2], "rel": keys.release[0], "on": keys.online}
        for name, key in named.items():
            self.add(name, key)
        assert main(["init", str(self.root)]) == 0

    def add(self, name: str, key: PrivateKey, passphrase: bytes | None = None) -> None:
        write_private_key(self.place / f"{name}.key", key, passphrase=passphrase)
        (self.place / f"{name}.pub").write_text(key.public.pem())

    def run(self, *arguments: str, expect: int = 0) -> None:
        assert main([self._path(each) for each in arguments]) == expect

    def _path(self, argument: str) -> str:
        return str(self.place / argument[1:]) if argument.startswith("@") else argument


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    made = Desk(tmp_path, Keys())
    monkeypatch.setenv("ASSESS_INDEX", str(made.root))
    return made


@pytest.fixture
def signed(desk: Desk) -> Desk:
    """With a published root and everything signed."""
    make_registry(desk.root, keys=desk.keys)
    return desk


INIT = (
    *("root", "init", "--root-key", "@a.pub", "--root-key", "@b.pub", "--root-key", "@c.pub"),
    *("--release-key", "@rel.pub", "--online-key", "@on.pub"),
)


def printed(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert document.pop("schema") == 1
    return document


def test_a_first_root_for_programs(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    desk.run(*INIT, "--output", "json")
    begun = printed(capsys)["waiting"]
    assert (begun["version"], begun["complete"]) == (1, False)
    assert begun["roles"]["root"] == {"threshold": 2, "keys": [key.public.id for key in desk.keys.root]}
    desk.run("sign", "export", "--to", "@root-1")
    for name in "ab":
        desk.run("sign", "make", "@root-1", "--key", f"@{name}.key", "--to", f"@{name}.sig", "--yes")
    capsys.readouterr()
    desk.run("sign", "import", "@a.sig", "--output", "json")
    assert printed(capsys) == {
        "signers": [desk.keys.root[0].public.id],
        "version": 1,
        "complete": False,
        "published": False,
        "needs_refresh": False,
    }
    desk.run("root", "show", "--output", "json")
    shown = printed(capsys)
    assert shown["root"] is None
    assert shown["waiting"]["signatures"][0]["signed"] == [desk.keys.root[0].public.id]
    desk.run("sign", "import", "@b.sig", "--output", "json")
    assert printed(capsys)["published"]
    keys = ("--online-key", "@on.key", "--release-key", "@rel.key", "--bins", str(BINS), "--output", "json")
    desk.run("refresh", *keys)
    refreshed = printed(capsys)
    assert [role["role"] for role in refreshed["roles"]] == ["root", "targets", "bins", "snapshot", "timestamp"]
    assert not any(role["alarm"] for role in refreshed["roles"])
    assert refreshed["written"][-1] == "metadata/timestamp.json"


def test_it_asks_before_it_signs(desk: Desk) -> None:
    desk.run(*INIT)
    desk.run("sign", "export", "--to", "@root-1")
    arguments = ["sign", "make", str(desk.place / "root-1"), "--key", str(desk.place / "a.key"), "--to",
                 str(desk.place / "a.sig")]  # fmt: skip
    refused = CliRunner().invoke(cli, arguments, input="n\n")
    assert "nothing was signed" in str(refused.exception)
    assert "root 1, until" in refused.stderr
    assert desk.keys.release[0].public.id in refused.stderr
    assert not (desk.place / "a.sig").exists()
    assert CliRunner().invoke(cli, arguments, input="y\n").exit_code == 0
    assert (desk.place / "a.sig").stat().st_size == 89


def test_what_is_no_root_is_not_signed(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    desk.run(*INIT)
    desk.run("sign", "export", "--to", "@root-1")
    exported = desk.place / "root-1"
    exported.write_bytes(exported.read_bytes().replace(b'"threshold":2', b'"threshold":1') + b" ")
    capsys.readouterr()
    desk.run("sign", "make", "@root-1", "--key", "@a.key", "--to", "@a.sig", "--yes", expect=5)
    assert "do not sign it" in capsys.readouterr().err
    assert not (desk.place / "a.sig").exists()


def test_a_key_that_is_leaving_is_told_so(signed: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    signed.add("d", generate_key())
    signed.run("root", "propose", "--root-key", "@b.pub", "--root-key", signed.keys.root[2].public.id,
               "--root-key", "@d.pub")  # fmt: skip
    signed.run("sign", "export", "--to", "@root-2")
    capsys.readouterr()
    signed.run("sign", "make", "@root-2", "--key", "@a.key", "--to", "@a.sig", "--yes")
    assert f"{signed.keys.root[0].public.id} is no root key of version 2" in capsys.readouterr().err
    signed.run("sign", "make", "@root-2", "--key", "@b.key", "--to", "@b.sig", "--yes")
    assert "is no root key" not in capsys.readouterr().err
    signed.run("sign", "import", "@a.sig", "@b.sig")
    assert "root 2 waits for more signatures: 2 of 2 by the keys of root 1; 1 of 2 by the keys of root 2" in (
        capsys.readouterr().err
    )
    signed.run("sign", "make", "@root-2", "--key", "@d.key", "--to", "@d.sig", "--yes")
    signed.run("sign", "import", "@d.sig")
    assert len(read_roots(signed.root)) == 2


def test_an_id_that_no_root_knows_names_no_key(signed: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    signed.run("root", "propose", "--online-key", generate_key().public.id, expect=2)
    assert "name its .pub file" in capsys.readouterr().err
    assert not (signed.root / STAGED).exists()


@pytest.mark.parametrize("arguments", [INIT, ("root", "propose"), ("root", "show"), ("refresh",)])
def test_commands_say_where_to_begin(
    desk: Desk, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...]
) -> None:
    if arguments == INIT:
        make_registry(desk.root, keys=desk.keys)
        desk.run(*arguments, expect=2)
        assert "has a root already; change it with: assess-registry root propose" in capsys.readouterr().err
    else:
        desk.run(*arguments, expect=2)
        assert "begin with: assess-registry root init" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [("root", "show"), ("refresh",), INIT])
def test_a_place_without_a_registry(tmp_path: Path, desk: Desk, arguments: tuple[str, ...]) -> None:
    desk.run(*arguments, "--index", str(tmp_path / "nowhere"), expect=2)
    assert not (tmp_path / "nowhere").exists()


def test_keys_in_two_roles_are_refused(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    desk.run(*INIT[:-2], "--online-key", "@rel.pub", "--output", "json", expect=5)
    error = printed(capsys)["error"]
    assert (error["kind"], error["step"]) == ("trust", "keys")
    assert not (desk.root / STAGED).exists()
    desk.run(*INIT)


def test_a_passphrase_for_each_key(signed: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    for name, key in (("rel", signed.keys.release[0]), ("on", signed.keys.online)):
        (signed.place / f"{name}.key").unlink()
        signed.add(name, key, passphrase=f"of {name}".encode())
        (signed.place / f"{name}.txt").write_text(f"of {name}\n")
    keys = ("refresh", "--online-key", "@on.key", "--release-key", "@rel.key")
    signed.run(*keys, "--passphrase-file", "@rel.txt", expect=2)
    assert "on.key" in capsys.readouterr().err
    signed.run(*keys, "--passphrase-file", "@rel.txt", "--passphrase-file", "@on.txt")


def test_release_keys_alone_change_nothing(signed: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    signed.run("refresh", "--release-key", "@rel.key", expect=2)
    assert "give --online-key" in capsys.readouterr().err


def test_a_key_that_others_can_read_is_not_used(signed: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    before = Registry(place=signed.root, keys=signed.keys, now=datetime.now(UTC)).metadata()
    (signed.place / "on.key").chmod(0o644)
    signed.run("refresh", "--online-key", "@on.key", expect=5)
    assert "no longer private" in capsys.readouterr().err
    assert Registry(place=signed.root, keys=signed.keys, now=datetime.now(UTC)).metadata() == before
    (signed.place / "on.key").chmod(0o600)
    signed.run("refresh", "--online-key", "@on.key")


@pytest.mark.parametrize(
    ("days", "exit_code", "alarms"),
    [
        (0, 0, []),
        (6, 1, ["snapshot, timestamp: refresh with --online-key"]),
        (70, 1, ["targets, bins: refresh with --release-key, too", "snapshot, timestamp: refresh with --online-key"]),
        (340, 1, ["root: propose the next one", "targets, bins: refresh", "snapshot, timestamp: refresh"]),
    ],
)
def test_an_alarm_is_an_exit_code_and_says_who(
    signed: Desk,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    days: int,
    exit_code: int,
    alarms: list[str],
) -> None:
    monkeypatch.setattr("assess_registry.cli.refresh.now", lambda: signing.now() + timedelta(days=days))
    signed.run("refresh", expect=exit_code)
    out, err = capsys.readouterr()
    assert [line.removeprefix("alarm: ") for line in err.splitlines()] == [
        next(line for line in err.splitlines() if alarm in line).removeprefix("alarm: ") for alarm in alarms
    ]
    assert len(out.splitlines()) == 6
    assert ("EXPIRED" in out) is (days >= Expiry().timestamp_d)
    signed.run("refresh", "--online-key", "@on.key", expect=0 if days < 60 else 1)


def test_a_root_that_waits_is_not_forgotten(signed: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    signed.add("on-2", generate_key())
    signed.run("root", "propose", "--online-key", "@on-2.pub")
    signed.run("sign", "export", "--to", "@root-2")
    for name in "ab":
        signed.run("sign", "make", "@root-2", "--key", f"@{name}.key", "--to", f"@{name}.sig", "--yes")
    signed.run("sign", "import", "@a.sig", "@b.sig")
    assert "Publish it, together with what they sign" in capsys.readouterr().err
    signed.run("refresh", "--online-key", "@on.key")
    assert "root 2 is fully signed and waits for the keys" in capsys.readouterr().err
    signed.run("refresh", "--online-key", "@on.key", "--online-key", "@on-2.key")
    assert "waits" not in capsys.readouterr().err
    assert len(read_roots(signed.root)) == 2


def test_what_registry_toml_says_of_people_is_signed_only_when_it_is_meant(
    signed: Desk, capsys: pytest.CaptureFixture[str]
) -> None:
    keys = ("refresh", "--online-key", "@on.key", "--release-key", "@rel.key")
    signed.run(*keys)
    signed.add("acme", generate_key())
    signed.run("keys", "add", "@acme.pub", "--role", "publisher", "--name", "acme", "--project", "acme-*")
    capsys.readouterr()
    before = Registry(place=signed.root, keys=signed.keys, now=datetime.now(UTC)).metadata()
    signed.run(*keys, expect=5)
    assert "publisher acme may publish acme-*" in capsys.readouterr().err
    assert Registry(place=signed.root, keys=signed.keys, now=datetime.now(UTC)).metadata() == before
    signed.run("refresh", "--online-key", "@on.key")  # the timer goes on
    capsys.readouterr()
    signed.run(*keys, "--accept-registry-changes")
    assert re.search(r"^signed: now: publisher acme may publish acme-\*$", capsys.readouterr().err, re.MULTILINE)


@pytest.mark.parametrize(("holder", "expected"), [("rel", 5), ("other", 0)])
def test_a_key_that_a_publisher_holds_is_not_proposed(
    desk: Desk, capsys: pytest.CaptureFixture[str], holder: str, expected: int
) -> None:
    desk.add("other", generate_key())
    desk.run("keys", "add", f"@{holder}.pub", "--role", "publisher", "--name", "acme", "--project", "acme-*")
    capsys.readouterr()
    desk.run(*INIT, expect=expected)
    assert ("a key has two roles" in capsys.readouterr().err) == (expected == 5)
    assert (desk.root / STAGED).exists() == (expected == 0)


@pytest.mark.parametrize(("size", "expected"), [("7", 5), ("20", 0)])
def test_a_changed_policy_is_signed_only_when_it_is_meant(signed: Desk, size: str, expected: int) -> None:
    keys = ("refresh", "--online-key", "@on.key", "--release-key", "@rel.key")
    signed.run(*keys)
    configuration = signed.root / "registry.toml"
    configuration.write_text(configuration.read_text() + f"\n[policy]\nmax_wheel_mib = {size}\n")
    signed.run(*keys, expect=expected)  # 20 is what holds anyway
    signed.run(*keys, "--accept-registry-changes")
    signed.run(*keys)
