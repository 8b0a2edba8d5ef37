import base64
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from assess_registry.config import (
    Expiry,
    IndexConfig,
    Policy,
    Publisher,
    Reviewer,
    Targets,
    load_config,
    parse_config,
    parse_policy_file,
)
from assess_registry.errors import ConfigError
from assess_registry.keys import PrivateKey, PublicKey, TimedKey
from assess_registry.keys.ed25519 import Secret


def problems(text: str) -> tuple[str, ...]:
    with pytest.raises(ConfigError) as refused:
        parse_config(text.encode(), source="registry.toml")
    return refused.value.problems


def key(number: int) -> PublicKey:
    """The same key for the same number."""
    return PrivateKey(Secret(Ed25519PrivateKey.from_private_bytes(bytes([number]) * 32))).public


SINCE = datetime(2026, 1, 1, tzinfo=UTC)
ONE = TimedKey(key=key(1), valid_from=SINCE, valid_until=datetime(2026, 2, 1, 12, 30, 0, 5, tzinfo=UTC), revoked="lost")
TWO, THREE = TimedKey(key=key(2), valid_from=SINCE), TimedKey(key=key(3), valid_from=SINCE)
ACME = '[registry]\nname = "acme"\n'
WHOLE = IndexConfig(
    name="acme",
    base_url="https://plugins.example.org/acme/",
    publishers=(Publisher(name="platform", keys=(ONE,), projects=("acme-*",), approvals=2),),
    reviewers=(Reviewer(name="ann", keys=(TWO,)), Reviewer(name="bob")),
    audit_keys=(THREE,),
    policy=Policy(automatic_approval=("platform",)),
    targets=Targets(pythons=("3.12",), platforms=("musllinux_1_2_x86_64", "win_amd64")),
    expiry=Expiry(root_d=100, timestamp_d=2),
)


@pytest.mark.parametrize("config", [IndexConfig(name="local", development=True), IndexConfig(name="acme-1"), WHOLE])
def test_what_is_written_is_read_back(config: IndexConfig) -> None:
    assert parse_config(config.text().encode(), source="x") == config


def test_a_registry_is_no_toy_unless_it_says_so() -> None:
    assert parse_config(b'[registry]\nname = "acme"\n', source="x") == IndexConfig(name="acme", development=False)


def test_what_is_not_written_is_as_the_documentation_says() -> None:
    config = parse_config(ACME.encode(), source="x")
    assert (config.base_url, config.reviewers) == ("", ())
    assert config.targets.pythons == ("3.11", "3.12", "3.13")
    assert config.targets.platforms == ("manylinux_2_28_x86_64", "manylinux_2_28_aarch64")
    days = config.expiry
    assert (days.root_d, days.targets_d, days.bins_d, days.snapshot_d, days.timestamp_d) == (365, 180, 90, 30, 7)
    one = parse_config((ACME + '[publishers.a]\nprojects = ["a"]\n[expiry]\nbins_d = 1').encode(), source="x")
    assert (one.publishers[0].approvals, one.expiry) == (1, Expiry(bins_d=1))


@pytest.mark.parametrize("url", ["https://a.example/", "https://[::1]:8443/a/b/", "http://127.0.0.1:8000/"])
def test_a_registry_is_reached_over_https_or_on_this_machine(url: str) -> None:
    assert parse_config(f'{ACME}base_url = "{url}"'.encode(), source="x").base_url == url


@pytest.mark.parametrize(
    ("table", "says"),
    [
        ('base_url = "http://a.example/"', "plain http is for loopback only: write https://a.example/"),
        ('base_url = "https://a.example"', "with a slash at its end"),
        ('base_url = "https://a.example/b"', "with a slash at its end"),
        ('base_url = "https://a.example/b/?x=/"', "expected https://HOST/PATH/"),
        ('base_url = "https://a.example/b/#/"', "expected https://HOST/PATH/"),
        ('base_url = "https://a.example/../"', "expected https://HOST/PATH/"),
        ('base_url = "https://a.example/%2e%2E/"', "expected https://HOST/PATH/"),
        ('base_url = "https://a.exa\\nmple/"', "expected https://HOST/PATH/"),
        ('base_url = "https://a.example:x/"', "expected https://HOST/PATH/"),
        ('base_url = "https://[::1/"', "expected https://HOST/PATH/"),
        ('base_url = "file:///srv/index/"', "expected https://HOST/PATH/"),
        ('base_url = "https:///a/"', "expected https://HOST/PATH/"),
        ('[targets]\npythons = ["3.12.1"]', "targets.pythons[0]: expected a version of Python as in '3.12'"),
        ("[targets]\npythons = [3.12]", "targets.pythons[0]: expected a version of Python"),
        ("[targets]\npythons = []", "targets.pythons: an empty list would serve nobody"),
        ("[targets]\nplatforms = []", "targets.platforms: an empty list would serve nobody"),
        ('[targets]\nplatforms = ["any"]', "targets.platforms[0]: expected a platform's tag"),
        ('[targets]\nplatforms = ["manylinux_2_28_x86-64"]', "targets.platforms[0]: expected a platform's tag"),
        ('[targets]\nplatforms = ["win_amd64", "win_amd64"]', "stands in the array twice"),
        ("[expiry]\nroot_d = 0", "expiry.root_d: expected 1 to 3650, got 0"),
        ("[expiry]\nbins_d = 3651", "expiry.bins_d: expected 1 to 3650, got 3651"),
        ("[expiry]\ntimestamp_d = 1.5", "expiry.timestamp_d: expected a whole number, got 1.5"),
        ("[expiry]\nsnapshots_d = 1", "did you mean 'snapshot_d'?"),
        ('[publishers.a]\nprojects = ["a"]\napprovals = 0', "publishers.a.approvals: expected 1 to 16, got 0"),
        ('[publishers.a]\nprojects = ["a"]\napprovals = true', "publishers.a.approvals: expected a whole number"),
        ('[reviewers.ann]\nprojects = ["a"]', "reviewers.ann.projects: there is no such key"),
        ('[reviewers."A B"]', "lower-case letters"),
        ("[policy]\nautomatic_approval = true", "policy.automatic_approval: expected an array, got True"),
        (
            '[policy]\nautomatic_approval = ["acme"]',
            "policy.automatic_approval: no publisher 'acme'; none are configured",
        ),
        ('[reviewers.acme]\n[policy]\nautomatic_approval = ["acme"]', "no publisher 'acme'; none are configured"),
    ],
)
def test_a_wrong_value_of_the_other_tables_is_refused_in_place(table: str, says: str) -> None:
    assert any(says in problem for problem in problems(ACME + table))


def test_a_password_in_the_url_is_refused_and_not_repeated() -> None:
    (problem,) = problems(ACME + 'base_url = "https://ann:hunter2@a.example/"')
    assert "holds no user and no password" in problem
    assert "hunter2" not in problem


PEOPLE = f"""{ACME}
[publishers.ann]
projects = ["a"]
[[publishers.ann.keys]]
public = "{key(1).base64()}"
from = 2026-01-01T00:00:00Z
[publishers.bob]
projects = ["b"]
[[publishers.bob.keys]]
public = "{key(3).base64()}"
from = 2026-01-01T00:00:00+01:00
[[reviewers.ann.keys]]
public = "{key(2).base64()}"
from = 2026-01-01T00:00:00Z
[[reviewers.eve.keys]]
public = "{key(4).base64()}"
from = 2026-01-01T00:00:00Z
[[audit.keys]]
public = "{key(5).base64()}"
from = 2026-01-01T00:00:00Z
until = 2026-03-01T00:00:00Z
[[audit.keys]]
public = "{key(6).base64()}"
from = 2026-03-01T00:00:00Z
"""


@pytest.mark.parametrize(
    ("number", "says"),
    [
        (2, f"reviewers.ann.keys[0]: {key(1).id} is a key of publishers.ann too"),
        (3, f"publishers.bob.keys[0]: {key(1).id} is a key of publishers.ann too"),
        (4, f"reviewers.eve.keys[0]: {key(1).id} is a key of publishers.ann too"),
        (6, f"audit.keys[1]: {key(1).id} is a key of publishers.ann too"),
    ],
)
@pytest.mark.parametrize("parse", [parse_config, parse_policy_file])
def test_a_key_has_one_holder_in_one_role(number: int, says: str, parse: Callable[..., object]) -> None:
    text = PEOPLE + "[policy]\n"
    assert parse(text.encode(), source="x"), "one person may have both roles, with a key for each"
    with pytest.raises(ConfigError) as refused:
        parse(text.replace(key(number).base64(), key(1).base64()).encode(), source="x")
    assert any(says in problem for problem in refused.value.problems)


SMALL_ORDER = base64.b64encode(
    bytes.fromhex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05")
).decode()


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        (key(6).base64(), key(5).base64(), "audit.keys[1]: sha256:"),
        (key(5).base64(), SMALL_ORDER, "audit.keys[0].public: a point of small order"),
        (key(5).base64(), key(5).base64().rstrip("="), "audit.keys[0].public: not base64"),
        (key(5).base64(), key(5).id, "audit.keys[0].public: expected base64 of 32 bytes, got 71 characters"),
        ("until = 2026-03-01T00:00:00Z", "until = 2025-03-01T00:00:00Z", "audit.keys[0]: the key's end lies before"),
        ("until = 2026-03-01T00:00:00Z", 'revoked = "lost"', "audit.keys[0]: a revoked key has an end"),
        (
            "until = 2026-03-01T00:00:00Z",
            "until = 2026-03-01T00:00:00",
            "audit.keys[0].until: expected a time with its",
        ),
        ("until = 2026-03-01T00:00:00Z", "until = 2026-03-01", "audit.keys[0].until: expected a time with its zone"),
        ("until = 2026-03-01T00:00:00Z", 'until = "2026-03-01T00:00:00Z"', "audit.keys[0].until: expected a time with"),
        ("until = 2026-03-01T00:00:00Z", "untill = 2026-03-01T00:00:00Z", "did you mean 'until'?"),
        ("from = 2026-03-01T00:00:00Z", "", "audit.keys[1].from: expected a time with its zone"),
        ("[[audit.keys]]", "[[audit.key]]", "audit.key: there is no such key"),
    ],
)
def test_a_wrong_key_is_refused_in_place(old: str, new: str, says: str) -> None:
    assert old in PEOPLE
    found = problems(PEOPLE.replace(old, new))
    assert any(says in problem for problem in found), found


def test_ids_in_the_place_of_keys_are_explained() -> None:
    (problem,) = problems(f'{ACME}[reviewers.ann]\nkeys = ["{key(1).id}"]')
    assert "expected tables with public and from, which `assess-registry keys add` writes" in problem


def test_every_problem_is_reported_at_once_with_its_path_and_the_nearest_word() -> None:
    found = problems('extra = 1\n[registry]\nname = "Not A Name"\ndevelopment = "yes"\ndevelopmemt = true\n')
    assert [problem.split(": ")[1] for problem in found] == [
        "extra",
        "registry.developmemt",
        "registry.name",
        "registry.development",
    ]
    assert "did you mean 'development'?" in found[1]
    assert all(problem.startswith("registry.toml: ") for problem in found)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "registry: expected a table, got nothing"),
        ("registry = 1", "registry: expected a table, got 1"),
        ("[registry]", "registry.name: expected a name in quotes, got nothing"),
        ("[registry]\nname = 7", "registry.name: expected a name in quotes, got 7"),
        ('[registry]\nname = "a"\ndevelopment = 1', "registry.development: expected true or false, got 1"),
        ("[registry", "not TOML"),
        ("a = " + "[" * 5000, "not TOML"),
    ],
)
def test_a_wrong_value_is_named_with_what_was_expected(text: str, says: str) -> None:
    assert any(says in problem for problem in problems(text))


def test_a_directory_that_is_no_registry_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="assess-registry init"):
        load_config(tmp_path)
