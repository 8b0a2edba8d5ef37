"""Every argument and option of every registry command is fed with junk: no traceback, a refusal, and JSON if asked.

The rest of each command line is as good as it can be without doing much, so that it is the junk that is refused; that
the lines themselves are understood is the control.
"""

import json
import os
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from assess_registry.cli import main
from assess_registry.cli.app import cli
from assess_registry.keys import write_private_key
from tests.support.registry_tree import copy_registry_tree
from tests.support.wheels import WheelBuilder

WHEEL = WheelBuilder(version="1.1.0")

LONG = "a" * 5000
TEXTS = ("", "a" * 200, "\udcff\udc80", "\x1b[2J\nassess: done", "../..", "\u202eabc")
NUMBERS = ("nan", "inf", "-1", "9" * 400, "1e999", "", "\udcff")
PLACES = (
    "missing",
    "directory",
    "fifo",
    "loop",
    "dangling",
    "garbage",
    "deep",
    "/dev/null",
    "/dev/zero",
    "\udcff",
    LONG,
    "",
)

GOOD = {
    "key": "acme.key", "audit-key": "audit.key", "release-key": "release.key", "online-key": "online.key",
    "root-key": "acme.pub", "site-online-key": "online.key", "index": "registry", "keys": "keys", "directory": "keys",
    "closure": "closure", "reason": "bad", "severity": "high", "role": "publisher", "statement": "0" * 12,
    "passphrase-file": "passphrase", "root": "root.json", "state": "state", "trusted-keys": "trusted",
    "project": "demo-plugin", "version": "9.9.9", "marker": "deprecated", "wheel": "garbage", "wheels": "garbage",
    "submission": WHEEL.filename, "source": "directory", "name": "acme", "file": "acme.pub",
    "key_id": "sha256:" + "0" * 64, "signatures": "garbage", "export": "garbage", "exported": "garbage",
    "bundle": "garbage", "site": "new-site", "plugins": "demo-plugin",
    "requirement": "demo-plugin", "folder": "directory",
    "place": "directory",
    "targets": "garbage.whl", "database": "garbage", "to": "written",
}  # fmt: skip
"""What a line is filled with where it needs something; most commands then have nothing to do, and say so."""

ANY_TEXT = {
    "reason": {"a" * 200, "../..", "\u202eabc"},
}
"""Values of these names that are no junk."""


SLOW = {("serve",)}
"""It serves when nothing is wrong: its registry is missing."""

HARMLESS = {"ca-file", "secret-file", "user", "proxy", "passphrase-file", "directory", "to", "trusted-keys"}
"""Of no use on a line that reaches no server and unlocks no key, or a place that may well be new or empty."""


def commands(group: click.Group, *path: str) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        if isinstance(command, click.Group):
            yield from commands(command, *path, name)
        else:
            yield (*path, name), command


COMMANDS = {words: command for words, command in commands(cli) if words not in {("audit",), ("reaudit",)}}
"""But those that take seconds each time; their options have tests of their own."""


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A registry with a submission, everybody's keys in files, and all sorts of things that are no files."""
    tree = copy_registry_tree(tmp_path / "tree")
    people = tree.everybody
    for name, key in {
        "acme": tree.key,
        "release": people.release,
        "online": people.online,
        "audit": people.audit,
    }.items():
        write_private_key(tmp_path / f"{name}.key", key)
        (tmp_path / f"{name}.pub").write_text(key.public.pem())
    tree.submit({WHEEL.filename: WHEEL.build()})
    (tmp_path / "registry").symlink_to(tree.root)
    (tmp_path / "closure").symlink_to(tree.closure)
    (tmp_path / "trusted").symlink_to(tree.trusted_keys)
    (tmp_path / "root.json").write_bytes(tree.root_metadata.read_bytes())
    (tmp_path / "passphrase").write_text("word\n")
    (tmp_path / "directory").mkdir()
    (tmp_path / "garbage").write_bytes(bytes(range(256)) * 8)
    (tmp_path / "deep").write_bytes(b"[" * 100_000)
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "dangling").symlink_to("nowhere")
    os.mkfifo(tmp_path / "fifo")
    for name in ("HOME", "XDG_CONFIG_HOME"):
        monkeypatch.setenv(name, str(tmp_path / "home"))
    monkeypatch.setenv("ASSESS_INDEX", "registry")
    monkeypatch.setenv("ASSESS_KEYS_DIR", "keys")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def long_name(parameter: click.Parameter) -> str:
    if isinstance(parameter, click.Argument):
        return parameter.name or ""
    return max(parameter.opts, key=len).removeprefix("--")


def junk_for(parameter: click.Parameter) -> tuple[str, ...]:
    if isinstance(parameter, click.Option) and (parameter.is_flag or parameter.count):
        return ()
    kind = parameter.type
    if isinstance(kind, click.Path):
        return PLACES
    if isinstance(kind, click.types.IntParamType | click.types.FloatParamType):
        return NUMBERS
    return tuple(each for each in TEXTS if each not in ANY_TEXT.get(long_name(parameter), ()))


def line(command: click.Command, junk: click.Parameter | None = None, value: str = "") -> list[str]:
    """A command line with everything that is required, and this in one place."""
    options: list[str] = []
    arguments: list[str] = []
    for parameter in command.params:
        given = (
            value if parameter is junk else GOOD.get(long_name(parameter), "garbage") if parameter.required else None
        )
        if given is None:
            continue
        if isinstance(parameter, click.Argument):
            arguments.append(given)
        else:
            options.append(f"--{long_name(parameter)}={given}")
    if junk is not None and long_name(junk) == "output":
        return [*options, "--", *arguments]
    if any("json" in getattr(each.type, "choices", ()) for each in command.params if long_name(each) == "output"):
        options.append("--output=json")
    return [*options, "--", *arguments]


def problems_of(argv: list[str], capsys: pytest.CaptureFixture[str], allowed: tuple[int, ...]) -> Iterator[str]:
    try:
        code = main(argv)
    except Exception as error:
        capsys.readouterr()
        yield f"{argv}: {type(error).__name__}: {error}"[:400]
        return
    out, err = capsys.readouterr()
    if code not in allowed:
        yield f"{argv}: exit {code}: {err[-200:]}"[:400]
    if "Errno" in err:
        yield f"{argv}: {err}"[:400]
    if "--output=json" in argv:
        try:
            document = json.loads(out)
        except ValueError:
            yield f"{argv}: no JSON: {out[:80]!r} {err[-200:]}"[:400]
        else:
            if code and "error" in document and document["error"]["exit"] != code:
                yield f"{argv}: says exit {document['error']['exit']}, exits {code}"[:400]


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_junk_is_refused(words: tuple[str, ...], place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = COMMANDS[words]
    found: list[str] = []
    for parameter in command.params:
        for value in junk_for(parameter):
            argv = [*words, *line(command, parameter, value)]
            if words in SLOW and long_name(parameter) != "index":
                argv = [*words, "--index=missing", *argv[len(words) :]]
            harmless = long_name(parameter) in HARMLESS or words == ("init",)
            found += problems_of(argv, capsys, (0, 1, 2, 5) if harmless else (1, 2, 5))
    assert not found, "\n".join(found)
