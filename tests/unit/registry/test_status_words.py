"""Permissions in plain words."""

from assess_plugin.permissions import Permissions
from assess_registry.manifest import Limits
from assess_registry.status.words import Blank, Code, limit_words, permission_words


def said(**changes: tuple[str, ...] | tuple[tuple[str, ...], ...]) -> str:
    return "\n".join(str(group) for group in permission_words(Permissions(**changes)))  # type: ignore[arg-type]


def test_reading_a_path_is_reading_what_is_below_it() -> None:
    assert said(read=("/etc/ssh",)) == "It may read these files, and everything below them: `/etc/ssh`"


def test_looking_is_told_from_reading() -> None:
    assert "but not what is in them: `/etc/shadow`" in said(stat=("/etc/shadow",))


def test_reading_everything_is_called_so() -> None:
    assert said(read=("/",)).endswith("`/` (that is every file of the machine)")
    assert "every file of the machine" not in said(read=("/etc",))


def test_a_place_for_any_argument_cannot_be_confused_with_an_argument() -> None:
    (group,) = permission_words(Permissions(commands=(("dpkg-query", "-W", "-f", "*"), ("echo", "<one argument>"))))
    free, literal = group.items
    assert free.parts == (Code("dpkg-query -W -f"), " ", Blank("one argument"), " ")
    assert literal.parts == (Code("echo '<one argument>'"),)
    assert str(free).strip() == "`dpkg-query -W -f` <one argument>"


def test_arguments_with_blanks_and_empty_ones_show() -> None:
    assert "`find '' 'a b'`" in said(commands=(("find", "", "a b"),))


def test_a_shell_that_takes_any_argument_may_run_anything() -> None:
    assert "any command at all" in said(commands=(("/bin/sh", "-c", "*"),))
    assert "any command at all" not in said(commands=(("/bin/sh", "-c", "true"),))
    assert "any command at all" not in said(commands=(("uname", "*"),))


def test_network_and_environment() -> None:
    assert said(network=("example.org:443",)) == "It may connect to: `example.org:443`"
    assert "which may hold secrets: `TOKEN`" in said(env=("TOKEN",))


def test_the_order_of_a_manifest_changes_no_word() -> None:
    assert said(read=("/b", "/a")) == said(read=("/a", "/b"))


def test_nothing_is_no_group() -> None:
    assert permission_words(Permissions()) == ()


def test_limits() -> None:
    assert limit_words(Limits(memory_mib=128, timeout_s=0.5)) == (
        "Its process gets 128 MiB of memory, 64 MiB of scratch space, 64 threads and 256 open files; "
        "one call of it gets 0.5 seconds."
    )
    assert limit_words(Limits(cpu_s=1.5)).endswith("one call of it gets 60 seconds, and 1.5 seconds of processor time.")


def test_secrets_are_told_and_a_star_at_the_top_is_everything() -> None:
    groups = permission_words(Permissions(secrets=("db",)), new=Permissions(secrets=("db",)))
    (group,) = groups
    assert group.lead == "It is told these secrets, as the operator gives them:"
    assert [item.is_new for item in group.items] == [True]
    (group,) = permission_words(Permissions(read=("/*", "/*/*", "/etc/*")))
    assert [bool(item.alarm) for item in group.items] == [True, True, False]
