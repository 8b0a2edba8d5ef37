"""docs/results.md and the documents say the same, both ways."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from assess_core import results as r
from assess_core.formats import json_document
from tests.support.results import DIGEST, make_result, make_run, with_evidence

TEXT = (Path(__file__).parents[3] / "docs" / "results.md").read_text()


def rows(heading: str) -> list[str]:
    """The first cells of the table below a heading."""
    section = re.split(r"^#+ ", TEXT.split(f" {heading}\n", 1)[1], flags=re.MULTILINE)[0]
    return re.findall(r"^\| `([^`]+)` \|", section, re.MULTILINE)


def made() -> dict[str, Any]:
    run = make_run(results=(make_result(evidence=with_evidence(DIGEST)),))
    document: dict[str, Any] = json.loads(json_document.render(run, fail_on="low"))
    return document


def shape(value: Any) -> Any:
    """The keys of a document, in order, without its values; of a list, the first."""
    if isinstance(value, dict):
        return {key: {} if key == "provenance" else shape(item) for key, item in value.items()}
    return [shape(value[0])] if isinstance(value, list) and value else None


@pytest.mark.parametrize(
    ("heading", "path"),
    [
        ("Document", ()),
        ("`run`", ("run",)),
        ("`run.assessments[]`", ("run", "assessments", 0)),
        ("`results[]`", ("results", 0)),
    ],
)
def test_every_field_is_documented_in_its_order(heading: str, path: tuple[str | int, ...]) -> None:
    value: Any = made()
    for part in path:
        value = value[part]
    assert rows(heading) == list(value)


def test_the_example_has_the_shape_of_what_is_printed() -> None:
    block = re.findall(r"^```json\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)
    example = json.loads(block[0])
    assert shape(example) == shape(made())
    assert example["run"]["exit"] == 3


def test_outcomes_and_exit_codes_are_documented() -> None:
    assert rows("Outcomes") == [outcome.value for outcome in r.ResultOutcome]
    assert rows("Exit codes of `assess run`") == [str(r.EXIT_CLEAN), str(r.EXIT_FINDINGS), str(r.EXIT_INCOMPLETE)]
    broken = re.findall(r"^\| `([a-z-]+)` \|.*\| incomplete \|$", TEXT, re.MULTILINE)
    assert set(broken) == {outcome.value for outcome in r.BROKEN}
    assert f"`{'`, `'.join(r.SEVERITIES[:-1])}` or `{r.SEVERITIES[-1]}`" in TEXT
