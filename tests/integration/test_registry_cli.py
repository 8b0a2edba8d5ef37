"""The command as a user types it: what it prints where, and how it ends."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import click
import pytest

from assess_registry.cli import list as list_command
from assess_registry.cli import main
from assess_registry.cli.app import VERBS, cli
from assess_registry.keys import parse_public_key
from tests.support.ended import Ended
from tests.support.wheels import WheelBuilder, demo_manifest

PROGRAM = Path(sys.executable).with_name("assess-registry")
PLUGIN = WheelBuilder(requires=("somelib",))
LIB = WheelBuilder.dependency("somelib")


Run = Callable[..., Ended]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Run:
    """Run one command line in this process, in a directory of its own."""
    monkeypatch.chdir(tmp_path)
    for name in ("ASSESS_INDEX", "ASSESS_KEYS_DIR"):
        monkeypatch.delenv(name, raising=False)

    def command(*argv: object) -> Ended:
        code = main([str(word) for word in argv])
        return Ended(code, *capsys.readouterr())

    return command


@pytest.fixture
def ready(run: Run, tmp_path: Path) -> Run:
    """In a directory with a registry `reg`, a key `keys/publisher/acme.key` and two wheels in `dist`."""
    assert run("init", "reg", "--development").code == 0
    assert run("keys", "new", "acme", "--directory", "keys", "--unencrypted").code == 0
    (tmp_path / "dist").mkdir()
    for wheel in (PLUGIN, LIB):
        (tmp_path / "dist" / wheel.filename).write_bytes(wheel.build())
    return run


def publish_demo(run: Run, *more: str) -> Ended:
    return run(
        "publish",
        f"dist/{PLUGIN.filename}",
        "--key",
        "keys/publisher/acme.key",
        "--closure",
        "dist",
        "--index",
        "reg",
        *more,
    )


def test_the_way_from_nothing_to_a_listed_plugin(ready: Run, tmp_path: Path) -> None:
    done = publish_demo(ready)
    assert (done.code, done.stderr) == (0, "")
    assert "demo-plugin 1.0.0" in done.stdout
    assert LIB.filename in done.stdout
    listed = ready("list", "--index", "reg", "--output", "json")
    assert [(wheel["project"], wheel["kind"]) for wheel in listed.document["wheels"]] == [
        ("demo-plugin", "plugin"),
        ("somelib", "dependency"),
    ]
    assert listed.document["registry"] == {"name": "local", "development": True}
    again = publish_demo(ready, "--output", "json")
    assert again.document["published"]["changed"] is False


def test_init_never_overwrites(run: Run, tmp_path: Path) -> None:
    assert run("init", "reg", "--name", "acme").code == 0
    before = (tmp_path / "reg/registry.toml").read_bytes()
    again = run("init", "reg", "--name", "other", "--development")
    assert (again.code, again.stdout) == (0, "")
    assert "stays as it is" in again.stderr
    assert (tmp_path / "reg/registry.toml").read_bytes() == before
    assert "nothing to do" in run("init", "reg", "--name", "acme").stderr


def test_keys_are_made_once_and_listed_by_id(run: Run, tmp_path: Path) -> None:
    made = run("keys", "new", "acme", "--directory", "keys", "--unencrypted")
    key_id = made.stdout.strip()
    assert parse_public_key((tmp_path / "keys/publisher/acme.pub").read_text()).id == key_id
    assert (tmp_path / "keys/publisher/acme.key").stat().st_mode & 0o777 == 0o600
    again = run("keys", "new", "acme", "--directory", "keys", "--unencrypted")
    assert (again.code, again.stdout) == (2, "")
    assert "never overwritten" in again.stderr
    listed = run("keys", "list", "--directory", "keys", "--output", "json").document
    assert listed["keys"] == [{"role": "publisher", "name": "acme", "id": key_id, "private": True}]
    assert key_id in run("keys", "list", "--directory", "keys").stdout


def test_keys_go_to_the_users_configuration_unless_told_otherwise(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    assert run("keys", "new", "one", "--unencrypted").code == 0
    monkeypatch.setenv("ASSESS_KEYS_DIR", str(tmp_path / "elsewhere"))
    assert run("keys", "new", "two", "--unencrypted").code == 0
    assert run("keys", "new", "three", "--directory", "here", "--unencrypted").code == 0
    assert (tmp_path / "config/assess/keys/publisher/one.key").exists()
    assert (tmp_path / "elsewhere/publisher/two.key").exists()
    assert (tmp_path / "here/publisher/three.key").exists()


def test_a_passphrase_protects_a_key(ready: Run, tmp_path: Path) -> None:
    (tmp_path / "phrase").write_text("correct horse\nsecond line\n")
    (tmp_path / "empty").write_text("\n")
    assert ready("keys", "new", "locked", "--directory", "keys", "--passphrase-file", "phrase").code == 0
    assert "ENCRYPTED" in (tmp_path / "keys/publisher/locked.key").read_text()
    command = (
        "publish",
        f"dist/{PLUGIN.filename}",
        "--key",
        "keys/publisher/locked.key",
        "--closure",
        "dist",
        "--index",
        "reg",
    )
    assert ready(*command).code == 2
    assert "--passphrase-file" in ready(*command).stderr
    assert ready(*command, "--passphrase-file", "empty").code == 2
    assert ready(*command, "--passphrase-file", "phrase").code == 0


def test_inspect_says_in_plain_words_what_a_plugin_asks_for(run: Run, tmp_path: Path) -> None:
    permissions = (
        'read = ["/etc/ssh"]\nstat = ["/root"]\ncommands = [["dpkg-query", "-W", "*"]]\n'
        'network = ["db.example:5432"]\nenv = ["TZ_FILE"]\n'
    )
    wheel = PLUGIN.but(manifest=demo_manifest(permissions=permissions))
    (tmp_path / wheel.filename).write_bytes(wheel.build())
    done = run("inspect", wheel.filename)
    assert done.code == 0
    for sentence in (
        "may read /etc/ssh and everything below it",
        "may see owner, mode and size of /root and what is below it, not its content",
        "may run: dpkg-query -W <any one argument>",
        "may connect to db.example:5432",
        "is given the environment variable TZ_FILE",
    ):
        assert sentence in done.stdout
    document = run("inspect", wheel.filename, "--output", "json").document["wheels"][0]
    assert document["accepted"] is True
    assert document["manifest"]["permissions"]["commands"] == [["dpkg-query", "-W", "*"]]
    assert [check["id"] for check in document["manifest"]["checks"]] == ["demo-greeting", "demo-kernel"]


def test_inspect_names_every_issue_of_every_wheel_and_exits_5(run: Run, tmp_path: Path) -> None:
    good, bad = PLUGIN, PLUGIN.but(version="2.0.0", record=b"")
    for wheel in (good, bad, LIB):
        (tmp_path / wheel.filename).write_bytes(wheel.build())
    assert run("inspect", good.filename).code == 0
    both = run("inspect", good.filename, bad.filename, "--output", "json")
    assert both.code == 5
    accepted, refused = both.document["wheels"]
    assert (accepted["accepted"], refused["accepted"]) == (True, False)
    assert len(refused["issues"]) > 1
    assert f"{bad.filename}: would be refused" in run("inspect", bad.filename).stdout
    assert run("inspect", LIB.filename).code == 5
    assert run("inspect", LIB.filename, "--as", "dependency").code == 0


def test_text_from_a_wheel_cannot_drive_the_terminal(run: Run, tmp_path: Path) -> None:
    evil = "\x1b[2J\x1b]0;owned\x07\u202egnp"
    name = PLUGIN.filename.replace("demo", f"de{evil}mo")
    (tmp_path / name).write_bytes(PLUGIN.build())
    manifest = demo_manifest().replace('title = "Demonstration"', r'title = "De\u001b[2J\u202emo"')
    (tmp_path / PLUGIN.filename).write_bytes(PLUGIN.but(manifest=manifest).build())
    for done in (
        run("inspect", name),
        run("inspect", PLUGIN.filename),
        run("publish", name, "--key", "k", "--closure", "x"),
    ):
        shown = done.stdout + done.stderr
        assert shown
        assert all(line.isprintable() for line in shown.split("\n"))


REFUSED: dict[str, tuple[tuple[str, ...], int, str]] = {
    "no command": ((), 2, "usage"),
    "an unknown command": (("publsh",), 2, "usage"),
    "an unknown option": (("list", "--colour"), 2, "usage"),
    "a missing argument": (("inspect",), 2, "usage"),
    "no registry": (("list", "--index", "nowhere"), 2, "configuration"),
    "no such wheel": (("inspect", "absent-1.0-py3-none-any.whl"), 2, "configuration"),
    "no such key": (("publish", "x.whl", "--key", "absent", "--closure", "."), 2, "configuration"),
    "no keys": (("keys", "list", "--directory", "absent"), 2, "configuration"),
}


@pytest.mark.parametrize(("argv", "code", "kind"), REFUSED.values(), ids=REFUSED)
def test_an_error_is_one_message_on_stderr_and_on_request_one_document(
    run: Run, argv: tuple[str, ...], code: int, kind: str
) -> None:
    said = run(*argv)
    assert (said.code, said.stdout) == (code, "")
    assert said.stderr.startswith("assess-registry: ")
    as_json = run(*argv, "--output", "json")
    assert as_json.code == code
    assert as_json.document["error"]["exit"] == code
    assert as_json.document["error"]["message"]
    if argv:
        assert as_json.document["error"]["kind"] == kind


def test_a_refusal_by_trust_policy_exits_5_with_the_step(ready: Run, tmp_path: Path) -> None:
    assert publish_demo(ready).code == 0
    other = PLUGIN.but(metadata_lines=("Author: x",))
    (tmp_path / "dist" / PLUGIN.filename).write_bytes(other.build())
    done = publish_demo(ready, "--output", "json")
    assert done.code == 5
    error = done.document["error"]
    assert (error["kind"], error["step"]) == ("trust", "publish")
    assert error["expected"] != error["got"]
    (tmp_path / "keys/publisher/acme.key").chmod(0o644)
    assert publish_demo(ready, "--output", "json").document["error"]["step"] == "keys"


def test_a_missing_dependency_exits_1_and_a_bad_wheel_5(ready: Run, tmp_path: Path) -> None:
    (tmp_path / "dist" / LIB.filename).unlink()
    missing = publish_demo(ready, "--output", "json")
    assert (missing.code, missing.document["error"]["kind"]) == (1, "publish")
    (tmp_path / "dist" / PLUGIN.filename).write_bytes(b"no zip")
    bad = publish_demo(ready, "--output", "json")
    assert (bad.code, bad.document["error"]["kind"]) == (5, "wheel")
    assert bad.document["error"]["issues"]


def test_replacing_warns_of_the_plugins_it_broke(ready: Run, tmp_path: Path) -> None:
    assert publish_demo(ready).code == 0
    entry_points = {"assess.plugins": {"demo": "other_plugin:plugin"}}
    other = WheelBuilder(name="other-plugin", requires=("somelib",), entry_points=entry_points)
    (tmp_path / "dist" / other.filename).write_bytes(other.build())
    (tmp_path / "dist" / LIB.filename).write_bytes(LIB.but(metadata_lines=("Author: x",)).build())
    command = (
        "publish",
        f"dist/{other.filename}",
        "--key",
        "keys/publisher/acme.key",
        "--closure",
        "dist",
        "--index",
        "reg",
    )
    assert ready(*command).code == 5
    done = ready(*command, "--replace-published-bytes")
    assert done.code == 0
    assert "files/demo-plugin/1.0.0/pylock.toml names replaced bytes" in done.stderr
    assert f"replaced   {LIB.filename}" in done.stdout


def test_an_interruption_exits_130(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(list_command, "load_config", interrupted)
    done = run("list", "--output", "json")
    assert (done.code, done.document["error"]["kind"]) == (130, "interrupted")


def test_a_bug_of_ours_stays_loud(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(list_command, "load_config", lambda _: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        run("list")


def test_a_reader_that_has_seen_enough_gets_no_traceback(tmp_path: Path) -> None:
    read, write = os.pipe()
    os.close(read)
    with os.fdopen(write, "wb") as closed:
        done = subprocess.run(
            [PROGRAM, "--help"], stdout=closed, stderr=subprocess.PIPE, text=True, timeout=60, check=False
        )
    assert done.returncode in (1, 128 + signal.SIGPIPE)
    assert done.stderr == ""


def test_every_command_is_real_and_described() -> None:
    context = click.Context(cli)
    for name, help_line in VERBS.items():
        command = cli.get_command(context, name)
        assert command is not None
        assert command.name == name
        assert help_line.endswith(".")


def test_version_needs_nothing_of_the_commands() -> None:
    code = (
        "import sys; from assess_registry.cli import main; main(['--version']);"
        "heavy = {'cryptography', 'packaging', 'httpx', 'jsonschema_rs', 'rich', 'assess_registry.publish'};"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.splitlines()[0].startswith("assess-registry 0.")
    assert done.stdout.splitlines()[1] == "[]"


def test_the_installed_command_runs(tmp_path: Path) -> None:
    done = subprocess.run(
        [PROGRAM, "init", "reg", "--development"], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stdout) == (0, "")
    assert (tmp_path / "reg/simple/index.html").is_file()
