"""What is permitted, by the one set of rules that registry, runtime and testing kit share."""

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assess_plugin.permissions import Permissions, is_normal_path, leads_astray, not_permitted
from tests.support.examples import examples

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


@pytest.mark.parametrize(
    ("entry", "path", "reaches"),
    [
        ("/home/*/.ssh", "/home/a/.ssh", True),
        ("/home/*/.ssh", "/home/a/.ssh/id", True),
        ("/home/*/.ssh", "/home/a/b/.ssh", False),
        ("/home/*/.ssh", "/home/.ssh", False),
        ("/home/*/.ssh", "/home/a/.sshx", False),
        ("/home/*/.ssh", "/home/a", False),
        ("/etc/*.conf", "/etc/a.conf", True),
        ("/etc/*.conf", "/etc/.conf", True),
        ("/etc/*.conf", "/etc/a.conf.bak", False),
        ("/etc/*.conf", "/etc/d/a.conf", False),
        ("/etc/a*b*c", "/etc/abc", True),
        ("/etc/a*b*c", "/etc/aXbXbYc", True),
        ("/etc/a*b*c", "/etc/acb", False),
        ("/etc/a*a", "/etc/a", False),
        ("/etc/ab*ba", "/etc/aba", False),
        ("/etc/*", "/etc", False),
        ("/etc/*", "/etc/a/b", True),
        ("/*", "/", False),
        ("/*", "/etc", True),
        ("/etc/[a]?", "/etc/a1", False),
        ("/etc/[a]?", "/etc/[a]?", True),
        ("/home/*/x", "/home/../x", False),
        ("/home/*/x", "/home/a\nb/x", False),
    ],
)
def test_a_star_stands_for_characters_of_one_component(entry: str, path: str, reaches: bool) -> None:
    assert Permissions(read=(entry,)).allows_read(path) is reaches
    assert Permissions(stat=(entry,)).allows_stat(path) is reaches
    assert not Permissions(stat=(entry,)).allows_read(path)


def test_a_pattern_of_many_stars_takes_no_time() -> None:
    entry = "/" + "a*" * 500 + "c"
    started = time.process_time()
    assert not Permissions(read=(entry,)).allows_read("/" + "a" * 4000 + "b")
    assert time.process_time() - started < 2


@given(
    st.lists(st.text("ab*", min_size=1, max_size=4).filter(lambda part: "**" not in part), min_size=1, max_size=3),
    st.lists(st.text("ab*", min_size=1, max_size=4).filter(lambda part: "**" not in part), min_size=1, max_size=3),
    st.lists(st.text("ab", min_size=0, max_size=2), min_size=12, max_size=12),
)
@settings(max_examples=examples(100))
def test_what_covers_a_pattern_covers_all_that_the_pattern_reaches(
    old: list[str], new: list[str], fillings: list[str]
) -> None:
    """So that asking for less is never taken for asking for more, nor the other way round."""
    filling = iter(fillings)
    path = "".join(next(filling, "a") if each == "*" else each for each in "/" + "/".join(new))
    wide, narrow = Permissions(read=("/" + "/".join(old),)), "/" + "/".join(new)
    if wide.allows_read(narrow) and Permissions(read=(narrow,)).allows_read(path):
        assert wide.allows_read(path)


@pytest.mark.parametrize(
    ("host", "port", "entry"),
    [
        ("db.example.org", 5432, "db.example.org:5432"),
        ("db.example.org", 5433, None),
        ("example.org", 5432, None),
        ("xdb.example.org", 5432, None),
        ("::1", 80, "[::1]:80"),
        ("0:0:0::1", 80, "[::1]:80"),
        ("::1", 81, None),
        ("::2", 80, None),
        ("127.0.0.1", 80, "127.0.0.1:80"),
        ("127.1", 80, None),
        ("*", 80, None),
    ],
)
def test_a_peer_is_permitted_by_its_very_name_and_port(host: str, port: int, entry: str | None) -> None:
    asked = Permissions(network=("db.example.org:5432", "[::1]:80", "127.0.0.1:80"))
    assert asked.network_for(host, port) == entry
    assert asked.allows_connect(host, port) is (entry is not None)
    assert (
        not_permitted("db:1", "network")
        == 'db:1 is not permitted: add "db:1" to permissions.network in assess-plugin.toml'
    )
