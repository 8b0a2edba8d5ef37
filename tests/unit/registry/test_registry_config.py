from collections.abc import Callable
from pathlib import Path

import pytest

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


def problems(text: str) -> tuple[str, ...]:
    with pytest.raises(ConfigError) as refused:
        parse_config(text.encode(), source="registry.toml")
    return refused.value.problems


ONE, TWO = "sha256:" + "1" * 64, "sha256:" + "2" * 64
ACME = '[registry]\nname = "acme"\n'
WHOLE = IndexConfig(
    name="acme",
    base_url="https://plugins.example.org/acme/",
    publishers=(Publisher(name="platform", keys=(ONE,), projects=("acme-*",), approvals=2),),
    reviewers=(Reviewer(name="ann", keys=(TWO,)), Reviewer(name="bob")),
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
keys = ["{ONE}"]
projects = ["a"]
[publishers.bob]
keys = ["sha256:{"3" * 64}"]
projects = ["b"]
[reviewers.ann]
keys = ["{TWO}"]
[reviewers.eve]
keys = ["sha256:{"4" * 64}"]
"""


@pytest.mark.parametrize(
    ("digit", "says"),
    [
        ("2", f"reviewers.ann.keys: {ONE} is a key of publishers.ann too"),
        ("3", f"publishers.bob.keys: {ONE} is a key of publishers.ann too"),
        ("4", f"reviewers.eve.keys: {ONE} is a key of publishers.ann too"),
    ],
)
@pytest.mark.parametrize("parse", [parse_config, parse_policy_file])
def test_a_key_has_one_holder_in_one_role(digit: str, says: str, parse: Callable[..., object]) -> None:
    text = PEOPLE + "[policy]\n"
    assert parse(text.encode(), source="x"), "one person may have both roles, with a key for each"
    with pytest.raises(ConfigError) as refused:
        parse(text.replace(digit * 64, "1" * 64).encode(), source="x")
    assert any(says in problem for problem in refused.value.problems)


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
