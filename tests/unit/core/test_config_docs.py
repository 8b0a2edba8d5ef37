"""docs/configuration.md and the model say the same, both ways."""

import re
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pytest
import tomli_w
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from assess_core.config import parse
from assess_core.config.model import REPEATED, TABLES, Table, keys_of

DOCUMENT = Path(__file__).parents[3] / "docs" / "configuration.md"
SECTION = re.compile(r"^## `\[+([a-z]+)\]+`$(.*?)(?=^## |\Z)", re.MULTILINE | re.DOTALL)
WORDS = {
    "object": "table",
    "boolean": "boolean",
    "string": "string",
    "number": "number",
    "integer": "integer",
    "array": "array of strings",
    "date-time": "date-time",
    "date": "date",
}

COMPANIONS: dict[tuple[str, str], dict[str, Any]] = {
    ("plugins", "version"): {"name": "demo-plugin"},
    ("plugins", "settings"): {"name": "demo-plugin"},
    ("plugins", "grant"): {"name": "demo-plugin"},
    ("plugins", "secrets"): {"name": "demo-plugin"},
    ("plugins", "run_with_less"): {"name": "demo-plugin"},
    ("plugins", "workers"): {"name": "demo-plugin"},
    ("plugins", "dir"): {"trusted_keys": "keys"},
    ("plugins", "trusted_keys"): {"dir": "plugins"},
    ("assessments", "tz"): {"schedule": "30 2 * * *"},
    ("assessments", "jitter"): {"schedule": "30 2 * * *"},
    **{("maintenance", key): {"opens": "0 22 * * SAT", "duration": "4h"} for key in ("id", "opens", "tz", "when")},
    ("maintenance", "duration"): {"opens": "0 22 * * SAT"},
    ("maintenance", "from"): {"until": datetime.fromisoformat("2027-03-28T06:00:00+02:00")},
    ("maintenance", "until"): {"from": datetime.fromisoformat("2027-03-27T22:00:00+01:00")},
    ("maintenance", "assessments"): {"opens": "0 22 * * SAT", "duration": "4h"},
}
"""What must be there besides, for a key to have a meaning."""


def documented() -> dict[str, list[str]]:
    """The rows of each table's section."""
    return {
        name: [line for line in body.splitlines() if line.startswith("| `")]
        for name, body in SECTION.findall(DOCUMENT.read_text())
    }


def expected_rows(table: type[Table]) -> list[str]:
    schema = table.model_json_schema()["properties"]
    return [
        " | ".join(
            (
                f"| `{key}`",
                _type(schema[key]),
                _default(field),
                f"`{_toml(key, _example(field))}`",
                f"{field.description} |",
            )
        )
        for key, field in keys_of(table).items()
    ]


def _example(field: FieldInfo) -> Any:
    assert field.examples, "every key has an example"
    return field.examples[0]


def _type(schema: dict[str, Any]) -> str:
    kinds = [schema] if "type" in schema else schema["anyOf"]
    return " or ".join(WORDS.get(one.get("format", ""), WORDS[one["type"]]) for one in kinds if one["type"] in WORDS)


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    value = field.default
    if value is PydanticUndefined:
        return "the host name" if field.default_factory is not dict else "`{}`"
    return "none" if value is None else f"`{_toml('x', value).removeprefix('x = ')}`"


def _toml(key: str, value: object) -> str:
    """One line of TOML; tables inline."""
    if isinstance(value, dict):
        return f"{key} = {{ " + ", ".join(_toml(name, item) for name, item in value.items()) + " }"
    if isinstance(value, list | tuple):
        return f"{key} = [" + ", ".join(f'"{item}"' for item in value) + "]"
    if isinstance(value, float):
        value = int(value)
    if isinstance(value, date):
        return f"{key} = {value.isoformat()}"
    return tomli_w.dumps({key: value}).strip()


@pytest.mark.parametrize("name", [name for name in TABLES if name])
def test_every_key_is_documented_as_it_is(name: str) -> None:
    assert documented()[name] == expected_rows(TABLES[name])


def test_only_tables_that_exist_are_documented_and_with_the_right_brackets() -> None:
    assert set(documented()) == set(TABLES) - {""} == set(TABLES[""].model_fields)
    text = DOCUMENT.read_text()
    assert all((f"## `[[{name}]]`" in text) == (name in REPEATED) for name in documented())


def test_the_examples_load() -> None:
    blocks = re.findall(r"^```toml\n(.*?)^```$", DOCUMENT.read_text(), re.MULTILINE | re.DOTALL)
    assert len(blocks) >= 2
    for block in blocks:
        assert parse(block.encode(), Path("assess.toml")).assessments


@pytest.mark.parametrize("name", [name for name in TABLES if name])
def test_every_example_of_a_key_is_valid(name: str) -> None:
    required = {
        table: {key: _example(field) for key, field in keys_of(model).items() if field.is_required()}
        for table, model in TABLES.items()
        if table
    }
    for key, field in keys_of(TABLES[name]).items():
        entry = required[name] | COMPANIONS.get((name, key), {}) | {key: _example(field)}
        others = {"assessments": [required["assessments"], required["assessments"] | {"id": "web-1"}]}
        document = {"registry": required["registry"]} | others | {name: [entry] if name in REPEATED else entry}
        parsed = getattr(parse(tomli_w.dumps(document).encode(), Path("assess.toml")), name)
        found = parsed[0] if name in REPEATED else parsed
        assert key in {TABLES[name].model_fields[each].alias or each for each in found.model_fields_set}
