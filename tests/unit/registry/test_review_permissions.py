"""What grew is shown, what was covered is not."""

import pytest

from assess_plugin.permissions import Permissions
from assess_registry.review.permissions import change_of

OLD = Permissions(
    read=("/etc/ssh",),
    stat=("/root",),
    commands=(("dpkg-query", "-W", "*"),),
    network=("db.example:5432",),
    env=("TZ_FILE",),
)


@pytest.mark.parametrize(
    ("new", "more"),
    [
        (OLD, ()),
        (Permissions(read=("/etc/ssh/sshd_config",)), ()),
        (Permissions(read=("/etc",)), ("read /etc",)),
        (Permissions(read=("/root",)), ("read /root",)),
        (Permissions(stat=("/etc/ssh/moduli", "/root/.ssh")), ()),
        (Permissions(stat=("/",)), ("stat /",)),
        (Permissions(commands=(("dpkg-query", "-W", "openssl"),)), ()),
        (Permissions(commands=(("dpkg-query", "*", "*"),)), ("run dpkg-query '*' '*'",)),
        (Permissions(commands=(("dpkg-query", "-W"),)), ("run dpkg-query -W",)),
        (Permissions(commands=(("/usr/bin/dpkg-query", "-W", "*"),)), ("run /usr/bin/dpkg-query -W '*'",)),
        (Permissions(network=("db.example:5433",)), ("connect to db.example:5433",)),
        (Permissions(env=("TZ_FILE", "TOKEN")), ("see variable TOKEN",)),
    ],
)
def test_growth_is_what_the_old_permissions_do_not_cover(new: Permissions, more: tuple[str, ...]) -> None:
    change = change_of(OLD, new, since="1.0.0")
    assert (change.more, change.grew) == (more, bool(more))


def test_a_first_version_is_all_new_and_nothing_to_confirm() -> None:
    change = change_of(None, Permissions(read=("/proc",)), since="")
    assert (change.more, change.less, change.grew) == (("read /proc",), (), False)


def test_what_is_asked_for_no_longer_is_shown_and_needs_nobody() -> None:
    change = change_of(OLD, Permissions(read=("/etc/ssh/sshd_config",)), since="1.0.0")
    assert "read /etc/ssh" in change.less
    assert "run dpkg-query -W '*'" in change.less
    assert not change.grew


def test_an_argument_with_a_blank_is_shown_as_one() -> None:
    new = Permissions(commands=(("sh", "-c", "rm -rf /"),))
    assert change_of(OLD, new, since="1").more == ("run sh -c 'rm -rf /'",)
