"""What is permitted, by the one set of rules that registry, runtime and testing kit share."""

import pytest

from assess_plugin.permissions import Permissions, is_normal_path, leads_astray, not_permitted

ASKED = Permissions(
    commands=(("find", "/etc", "-maxdepth", "*"), ("uname", "-m"), ("/usr/bin/id",)),
    read=("/etc/ssh", "/proc/sys/fs"),
    stat=("/etc/shadow", "/root"),
)


@pytest.mark.parametrize(
    ("argv", "permitted_by"),
    [
        (("uname", "-m"), ("uname", "-m")),
        (("uname",), None),
        (("uname", "-m", "-a"), None),
        (("/usr/bin/uname", "-m"), None),
        (("find", "/etc", "-maxdepth", "3"), ("find", "/etc", "-maxdepth", "*")),
        (("find", "/etc", "-maxdepth", "3 -delete"), ("find", "/etc", "-maxdepth", "*")),
        (("find", "/etc", "-maxdepth", "3", "-delete"), None),
        (("find", "/", "-maxdepth", "3"), None),
        (("id",), None),
        (("/usr/bin/id",), ("/usr/bin/id",)),
        ((), None),
    ],
)
def test_commands_are_permitted_word_by_word(argv: tuple[str, ...], permitted_by: tuple[str, ...] | None) -> None:
    assert ASKED.command_for(argv) == permitted_by
    assert ASKED.allows_run(argv) == (permitted_by is not None)


@pytest.mark.parametrize(
    ("path", "read", "stat"),
    [
        ("/etc/ssh", "/etc/ssh", "/etc/ssh"),
        ("/etc/ssh/sshd_config.d/a", "/etc/ssh", "/etc/ssh"),
        ("/etc/sshx", None, None),
        ("/etc/ssh/../shadow", None, None),
        ("/etc/../etc/shadow", None, None),
        ("/etc/ssh/", None, None),
        ("//etc/ssh", None, None),
        ("etc/ssh", None, None),
        ("/etc/ssh/a\0b", None, None),
        ("/etc/ssh/a\u200bb", None, None),
        ("/etc/shadow", None, "/etc/shadow"),
        ("/root/.ssh/id", None, "/root"),
        ("/etc/shadow-", None, None),
        ("/", None, None),
        ("", None, None),
    ],
)
def test_paths_are_permitted_at_or_below_an_entry(path: str, read: str | None, stat: str | None) -> None:
    assert (ASKED.read_for(path), ASKED.stat_for(path)) == (read, stat)
    assert (ASKED.allows_read(path), ASKED.allows_stat(path)) == (read is not None, stat is not None)


def test_a_pattern_without_words_permits_nothing() -> None:
    assert not Permissions(commands=((),)).allows_run(())


def test_the_root_is_above_all_that_has_one_spelling() -> None:
    assert Permissions(read=("/",)).read_for("/etc/passwd") == "/"
    assert not is_normal_path("/etc/./passwd")


def test_what_is_refused_comes_with_the_line_that_would_permit_it() -> None:
    assert (
        not_permitted('/a"b', "read") == '/a"b is not permitted: add "/a\\"b" to permissions.read in assess-plugin.toml'
    )
    assert not_permitted(["a", "b"], "commands").startswith('command ["a", "b"] is not permitted: add ["a", "b"] to')
    assert leads_astray("/a", "/b", "stat") == (
        '/a leads to /b, which is not permitted: add "/b" to permissions.stat in assess-plugin.toml'
    )
