from pathlib import Path

import pytest

from assess_registry.config import IndexConfig, load_config, parse_config
from assess_registry.errors import ConfigError


def problems(text: str) -> tuple[str, ...]:
    with pytest.raises(ConfigError) as refused:
        parse_config(text.encode(), source="registry.toml")
    return refused.value.problems


@pytest.mark.parametrize("config", [IndexConfig(name="local", development=True), IndexConfig(name="acme-1")])
def test_what_is_written_is_read_back(config: IndexConfig) -> None:
    assert parse_config(config.text().encode(), source="x") == config


def test_a_registry_is_no_toy_unless_it_says_so() -> None:
    assert parse_config(b'[registry]\nname = "acme"\n', source="x") == IndexConfig(name="acme", development=False)


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
