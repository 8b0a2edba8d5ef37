"""The kit permits what the runtime permits: the same table, asked of both."""

from pathlib import Path

import pytest

from assess_plugin.testing import Permissions, load_manifest
from assess_registry import manifest as registry

COMMANDS = (("find", "/etc", "-maxdepth", "*"), ("uname", "-m"), ("/usr/bin/id",))
READ = ("/etc/ssh", "/proc/sys/fs")
STAT = ("/etc/shadow", "/root")


def kit() -> Permissions:
    return Permissions(commands=COMMANDS, read=READ, stat=STAT)


def runtime() -> registry.Permissions:
    return registry.Permissions(commands=COMMANDS, read=READ, stat=STAT)


@pytest.mark.parametrize(
    ("argv", "permitted"),
    [
        (("uname", "-m"), True),
        (("uname",), False),
        (("uname", "-m", "-a"), False),
        (("/usr/bin/uname", "-m"), False),
        (("find", "/etc", "-maxdepth", "3"), True),
        (("find", "/etc", "-maxdepth", "3 -delete"), True),
        (("find", "/etc", "-maxdepth", "3", "-delete"), False),
        (("find", "/", "-maxdepth", "3"), False),
        (("id",), False),
        (("/usr/bin/id",), True),
        ((), False),
    ],
)
def test_commands_are_permitted_word_by_word(argv: tuple[str, ...], permitted: bool) -> None:
    assert (kit().command_for(argv) is not None) == permitted
    assert (bool(argv) and runtime().allows_run(argv)) == permitted


@pytest.mark.parametrize(
    ("path", "read", "stat"),
    [
        ("/etc/ssh", True, True),
        ("/etc/ssh/sshd_config.d/a", True, True),
        ("/etc/sshx", False, False),
        ("/etc/ssh/../shadow", False, False),
        ("/etc/ssh/", False, False),
        ("//etc/ssh", False, False),
        ("etc/ssh", False, False),
        ("/etc/ssh/a\0b", False, False),
        ("/etc/shadow", False, True),
        ("/root/.ssh/id", False, True),
        ("/etc/shadow-", False, False),
        ("/", False, False),
    ],
)
def test_paths_are_permitted_at_or_below_an_entry(path: str, read: bool, stat: bool) -> None:
    assert (kit().read_for(path) is not None, kit().stat_for(path) is not None) == (read, stat)
    assert (runtime().allows_read(path), runtime().allows_stat(path)) == (read, stat)


def test_a_manifest_is_read_for_what_a_test_asks(tmp_path: Path) -> None:
    path = tmp_path / "assess-plugin.toml"
    path.write_text(
        '[[checks]]\nid = "a"\nplugin = "p"\n[[checks]]\nid = "b"\nplugin = "q"\n[[checks]]\nid = "c"\nplugin = "p"\n'
        "[settings.depth]\ntype = 'integer'\ndefault = 3\n[settings.token]\ntype = 'string'\n"
        '[permissions]\ncommands = [["uname", "-m"]]\nread = ["/etc"]\n'
    )
    manifest = load_manifest(path)
    assert manifest.checks == {"p": ("a", "c"), "q": ("b",)}
    assert manifest.defaults == {"depth": 3}
    assert manifest.permissions == Permissions(commands=(("uname", "-m"),), read=("/etc",))
