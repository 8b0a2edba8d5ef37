"""What two sets of permissions have in common is in both, and what one has beyond the other is not."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assess_plugin.comparing import beyond, common, covers, entries
from assess_plugin.permissions import Permissions
from tests.support.examples import examples

PARTS = st.sampled_from(["etc", "ssh", "s*", "*", "*h", "proc", "a*c", "abc"])
PATHS = st.lists(PARTS, min_size=0, max_size=3).map(lambda parts: "/" + "/".join(parts))
WORDS = st.sampled_from(["*", "-W", "openssl", "-f"])
COMMANDS = st.tuples(st.sampled_from(["dpkg", "uname"]), st.lists(WORDS, max_size=2)).map(lambda c: (c[0], *c[1]))
NAMES = st.sampled_from(["A", "B", "C"])
PERMISSIONS = st.builds(
    Permissions,
    read=st.lists(PATHS, max_size=3, unique=True).map(tuple),
    stat=st.lists(PATHS, max_size=3, unique=True).map(tuple),
    commands=st.lists(COMMANDS, max_size=3, unique=True).map(tuple),
    network=st.lists(st.sampled_from(["a:1", "a:2", "b:1"]), max_size=3, unique=True).map(tuple),
    env=st.lists(NAMES, max_size=3, unique=True).map(tuple),
)
FILES = st.lists(st.sampled_from(["etc", "ssh", "sh", "abc", "ac", "proc", "x"]), min_size=0, max_size=4).map(
    lambda parts: "/" + "/".join(parts)
)
ARGVS = st.tuples(
    st.sampled_from(["dpkg", "uname"]), st.lists(st.sampled_from(["-W", "openssl", "x"]), max_size=2)
).map(lambda c: [c[0], *c[1]])


def may(permissions: Permissions, path: str, argv: list[str], name: str) -> tuple[bool, ...]:
    """What is permitted of five uses."""
    return (
        permissions.allows_read(path),
        permissions.allows_stat(path),
        permissions.allows_run(argv),
        name in permissions.env,
        "a:1" in permissions.network,
    )


@settings(max_examples=examples(80), deadline=None)
@given(PERMISSIONS, PERMISSIONS, FILES, ARGVS, NAMES)
def test_what_is_common_permits_only_what_both_do(
    one: Permissions, other: Permissions, path: str, argv: list[str], name: str
) -> None:
    both = common(one, other)
    for got, here, there in zip(
        may(both, path, argv, name), may(one, path, argv, name), may(other, path, argv, name), strict=True
    ):
        assert not got or (here and there)
    assert not list(entries(beyond(one, both)))
    assert not list(entries(beyond(other, both)))


@settings(max_examples=examples(80), deadline=None)
@given(PERMISSIONS, PERMISSIONS, FILES, ARGVS, NAMES)
def test_without_overlapping_globs_it_permits_all_that_both_do(
    one: Permissions, other: Permissions, path: str, argv: list[str], name: str
) -> None:
    def plain(path: str) -> bool:
        return all(part == "*" or "*" not in part for part in path.split("/"))

    one, other = (
        Permissions(
            read=tuple(filter(plain, each.read)),
            stat=tuple(filter(plain, each.stat)),
            commands=each.commands,
            network=each.network,
            env=each.env,
        )
        for each in (one, other)
    )
    both = may(common(one, other), path, argv, name)
    assert both == tuple(a and b for a, b in zip(may(one, path, argv, name), may(other, path, argv, name), strict=True))


@settings(max_examples=examples(60), deadline=None)
@given(PERMISSIONS, PERMISSIONS)
def test_nothing_is_beyond_itself_and_what_is_beyond_is_not_covered(old: Permissions, new: Permissions) -> None:
    assert not list(entries(beyond(new, new)))
    assert not list(entries(beyond(old, common(old, new))))
    more = beyond(old, new)
    assert all(not covers(old, table, entry) for table, entry in entries(more))
    assert all(entry in getattr(new, table) for table, entry in entries(more))


@pytest.mark.parametrize(
    ("table", "one", "other", "both"),
    [
        ("read", "/etc", "/etc/ssh", ("/etc/ssh",)),
        ("read", "/", "/etc", ("/etc",)),
        ("read", "/etc/*/config", "/etc/ssh", ("/etc/ssh/config",)),
        ("read", "/etc/*/a.conf", "/etc/ssh/*", ("/etc/ssh/a.conf",)),
        ("read", "/etc/*.conf", "/etc/a*.conf", ("/etc/a*.conf",)),
        ("read", "/etc", "/etcetera", ()),
        ("read", "/etc/a*", "/etc/*b", ()),  # they overlap, and no one entry says where: less, never more
        ("commands", ("dpkg", "-W", "*"), ("dpkg", "-W", "openssl"), (("dpkg", "-W", "openssl"),)),
        ("commands", ("dpkg", "*", "b"), ("dpkg", "a", "*"), (("dpkg", "a", "b"),)),
        ("commands", ("dpkg", "*"), ("dpkg", "a", "b"), ()),
        ("commands", ("dpkg", "*"), ("uname", "*"), ()),
        ("network", "a:1", "a:2", ()),
    ],
)
def test_what_two_entries_have_in_common(
    table: str, one: str | tuple[str, ...], other: str | tuple[str, ...], both: tuple[object, ...]
) -> None:
    here, there = Permissions(**{table: (one,)}), Permissions(**{table: (other,)})  # type: ignore[arg-type]
    assert getattr(common(here, there), table) == both
    assert getattr(common(there, here), table) == both


def test_reading_includes_looking() -> None:
    read, stat = Permissions(read=("/etc",)), Permissions(stat=("/etc/shadow",))
    assert common(read, stat) == Permissions(stat=("/etc/shadow",))
    assert beyond(read, stat) == Permissions()
    assert beyond(stat, Permissions(read=("/etc/shadow",))) == Permissions(read=("/etc/shadow",))


def test_two_tables_of_globs_are_compared_in_bounded_time() -> None:
    one = Permissions(read=tuple(f"/*/x{number}" for number in range(30)))
    other = Permissions(read=tuple(f"/y{number}/*" for number in range(30)))
    both = common(one, other)
    assert len(both.read) == 900
    assert both.allows_read("/y3/x7")
    assert not both.allows_read("/y3/z")
