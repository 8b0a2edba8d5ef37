"""What is granted is never more than what is asked for, nor than what the operator's table says."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assess_core.grants import KEYS, Ceiling, Grant, Growth, Withheld, granted, growth_of, refusals, warnings
from assess_core.secrets import SecretSource
from assess_plugin.comparing import beyond, entries
from assess_registry.client import Permissions
from tests.support.examples import examples
from tests.unit.sdk.test_comparing import ARGVS, FILES, NAMES, PERMISSIONS, may

ASKED = Permissions(
    read=("/etc/ssh", "/proc/sys"),
    stat=("/etc/shadow",),
    commands=(("dpkg-query", "-W", "*"),),
    network=("db.example.org:5432",),
    env=("HTTPS_PROXY",),
    secrets=("token",),
)
SOURCES = {"token": SecretSource(kind="env", name="TOKEN")}
WHERE = "assess.toml: plugins[0]"


def ceiling(**tables: object) -> Ceiling:
    return Ceiling(permissions=Permissions(**tables), keys=frozenset(tables))  # type: ignore[arg-type]


def composed(**tables: object) -> Grant:
    return granted(ASKED, ceiling(**tables), secrets=SOURCES, where=WHERE)


@settings(max_examples=examples(80), deadline=None)
@given(PERMISSIONS, PERMISSIONS, st.sets(st.sampled_from(KEYS)), FILES, ARGVS, NAMES)
def test_a_grant_is_never_larger_than_either_side(
    asked: Permissions, most: Permissions, keys: set[str], path: str, argv: list[str], name: str
) -> None:
    named = Permissions(**{key: getattr(most, key) for key in keys})
    grant = granted(asked, Ceiling(permissions=named, keys=frozenset(keys)))
    limit = Permissions(**{key: getattr(most if key in keys else asked, key) for key in KEYS})
    for got, here, there in zip(
        *(may(each, path, argv, name) for each in (grant.permissions, asked, limit)), strict=True
    ):
        assert not got or (here and there)
    # What is missing of it is said, each with its key: nothing vanishes unseen.
    missing = set(entries(beyond(grant.permissions, asked)))
    assert {(each.key, each.value) for each in grant.withheld} == missing
    assert bool(grant.withheld) == bool(missing)


@settings(max_examples=examples(50), deadline=None)
@given(PERMISSIONS)
def test_without_a_table_all_is_granted_and_with_an_empty_one_for_each_key_nothing(asked: Permissions) -> None:
    assert granted(asked).permissions == asked
    nothing = granted(asked, Ceiling(permissions=Permissions(), keys=frozenset(KEYS)))
    assert nothing.permissions == Permissions()
    assert len(nothing.withheld) == len(list(entries(asked)))


def test_a_key_that_is_absent_stays_as_approved() -> None:
    grant = composed(read=("/etc/ssh", "/proc/sys"))
    assert grant.permissions == ASKED
    assert (grant.withheld, grant.excess) == ((), ())


def test_what_is_narrower_is_honoured_and_what_it_leaves_out_is_withheld() -> None:
    grant = composed(read=("/etc/ssh/sshd_config", "/proc/sys"), commands=(("dpkg-query", "-W", "openssl"),))
    assert grant.permissions.read == ("/etc/ssh/sshd_config", "/proc/sys")
    assert grant.permissions.commands == (("dpkg-query", "-W", "openssl"),)
    assert grant.withheld == (
        Withheld(key="read", value="/etc/ssh"),
        Withheld(key="commands", value=("dpkg-query", "-W", "*")),
    )
    assert grant.excess == ()


def test_what_is_wider_has_no_effect_and_is_said() -> None:
    grant = composed(read=("/etc", "/proc/sys"), network=("db.example.org:5432", "example.org:80"))
    assert grant.permissions == ASKED
    assert grant.excess == (Withheld(key="read", value="/etc"), Withheld(key="network", value="example.org:80"))
    tail = "is more than demo 1.0.0 asks for; nothing is granted beyond what is asked"
    assert warnings(grant, whose="demo 1.0.0") == (
        f'{WHERE}.grant.read: "/etc" {tail}',
        f'{WHERE}.grant.network: "example.org:80" {tail}',
    )


def test_a_refusal_names_key_value_and_both_ways_out() -> None:
    (sentence,) = refusals(composed(network=()), whose="demo 1.0.0")
    assert sentence == (
        f'{WHERE}.grant.network: demo 1.0.0 asks for "db.example.org:5432", which is not granted, or not all of it; '
        "add it there; or plugins[0].run_with_less = true starts it without"
    )


def test_a_secret_without_a_source_is_withheld_and_the_refusal_names_its_key() -> None:
    with_source = granted(ASKED, secrets=SOURCES, where=WHERE)
    assert (with_source.permissions.secrets, with_source.withheld) == (("token",), ())
    without = granted(ASKED, where=WHERE)
    assert (without.permissions.secrets, without.sourceless) == ((), ("token",))
    (sentence,) = refusals(without, whose="demo 1.0.0")
    assert sentence.startswith(f'{WHERE}.secrets: demo 1.0.0 asks for the secret "token" and nothing says where it is')
    assert without.withheld_at("secrets", "token") == f"{WHERE}.secrets"


def test_a_secret_that_is_withheld_needs_no_source_and_gets_none() -> None:
    grant = composed(secrets=())
    assert (grant.permissions.secrets, grant.sourceless, dict(grant.secrets)) == ((), (), {})
    assert grant.withheld == (Withheld(key="secrets", value="token"),)
    assert grant.withheld_at("secrets", "token") == f"{WHERE}.grant.secrets"


@pytest.mark.parametrize(
    ("table", "use", "key"),
    [
        ("read", "/etc/ssh/sshd_config", "read"),
        ("stat", "/etc/ssh/sshd_config", "read"),
        ("stat", "/etc/shadow", "stat"),
        ("commands", ("dpkg-query", "-W", "bash"), "commands"),
        ("network", "db.example.org:5432", "network"),
        ("read", "/etc/shadow", None),  # nobody asked for it
        ("read", "/proc/sys/kernel", None),  # granted
    ],
)
def test_a_denial_names_the_key_that_withholds(table: str, use: str | tuple[str, ...], key: str | None) -> None:
    grant = composed(read=("/proc/sys",), stat=(), commands=(), network=())
    assert grant.withheld_at(table, use) == (f"{WHERE}.grant.{key}" if key else None)


def test_growth_is_what_no_table_decided() -> None:
    more = Permissions(read=("/etc/ssh", "/proc/sys", "/var"), network=("db.example.org:5432", "evil.example.org:443"))
    assert growth_of(more, before=ASKED, ceiling=None) == Permissions(read=("/var",), network=("evil.example.org:443",))
    decided = ceiling(network=("evil.example.org:443",))
    assert growth_of(more, before=ASKED, ceiling=decided) == Permissions(read=("/var",))
    assert growth_of(more, before=ASKED, ceiling=ceiling(network=(), read=())) == Permissions()
    assert growth_of(Permissions(read=("/etc/ssh/x",)), before=ASKED, ceiling=None) == Permissions()


def growth(**changes: object) -> Growth:
    values: dict[str, object] = {
        "distribution": "demo",
        "version": "1.1.0",
        "sha256": "ab" * 32,
        "since": "1.0.0",
        "added": Permissions(read=("/var",)),
    }
    return Growth(**(values | changes))  # type: ignore[arg-type]


def test_the_digest_names_project_version_wheel_and_difference() -> None:
    others = [
        growth(distribution="demo2"),
        growth(version="1.1.1"),
        growth(sha256="cd" * 32),
        growth(added=Permissions(read=("/var", "/srv"))),
        growth(added=Permissions(stat=("/var",))),
    ]
    assert len({each.digest for each in (growth(), *others)}) == len(others) + 1
    same = growth(added=Permissions(read=("/var", "/srv"))).digest
    assert same == growth(added=Permissions(read=("/srv", "/var"))).digest  # the order grants nothing
    assert growth().command == f"assess plugins consent demo==1.1.0 --to {growth().digest}"


@pytest.mark.parametrize("key", KEYS)
def test_whatever_a_version_asks_for_besides_waits_has_a_word_and_a_digest_of_its_own(key: str) -> None:
    entry = ("id", "*") if key == "commands" else "/srv" if key in ("read", "stat") else "a:1"
    more = growth(added=Permissions(**{key: (entry,)}))  # type: ignore[arg-type]
    nothing = growth(added=Permissions())
    assert growth_of(more.added, before=Permissions(), ceiling=None) == more.added
    assert (bool(more), bool(nothing)) == (True, False)
    assert len(more.words) == 1
    assert len({growth().digest, more.digest, nothing.digest}) == 3


def test_what_was_consented_to_is_no_growth_any_more() -> None:
    both = growth(added=Permissions(read=("/var",), env=("A",)))
    assert not both.covered_by(both.added)
    left = both.covered_by(Permissions(read=("/var",)))
    assert left.words == ("see variable A",)


def test_a_start_before_consent_has_no_more_than_what_ran_before() -> None:
    asked = Permissions(read=("/etc",), secrets=("token", "other"))
    sources = {**SOURCES, "other": SecretSource(kind="file", name="/x")}
    grant = granted(asked, secrets=sources).reduced_to(Permissions(read=("/etc/ssh",), secrets=("token",)))
    assert grant.permissions == Permissions(read=("/etc/ssh",), secrets=("token",))
    assert dict(grant.secrets) == SOURCES
