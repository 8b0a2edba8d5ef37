"""The examples of docs/signed-files.md are what the parsers read, and each member of them is needed or documented."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from assess_registry.canonical import encode
from assess_registry.catalogue import parse_catalogue
from assess_registry.control import parse_policy_word, parse_publishers, parse_revocations
from assess_registry.dsse import MAX_SIGNATURES
from assess_registry.names import ProjectName
from assess_registry.verdict import PAYLOAD_TYPE, parse_verdict

TEXT = (Path(__file__).parents[2] / "docs" / "signed-files.md").read_text()
EXAMPLES = dict(re.findall(r"^```json ([a-z]+)\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL))
PARSERS: dict[str, Callable[[bytes], Any]] = {
    "catalogue": lambda data: parse_catalogue(data, ProjectName("acme-patch-level")),
    "publishers": parse_publishers,
    "revocations": parse_revocations,
    "policy": parse_policy_word,
    "verdict": parse_verdict,
}


def test_every_signed_file_has_an_example() -> None:
    assert set(EXAMPLES) == set(PARSERS)


@pytest.mark.parametrize("name", PARSERS)
def test_the_example_is_read(name: str) -> None:
    data = encode(json.loads(EXAMPLES[name]))
    value = PARSERS[name](data)
    assert (value.statement() if name == "verdict" else value.data()) == data


def test_the_verdict_of_the_example_is_about_the_wheel_of_the_example() -> None:
    page = PARSERS["catalogue"](encode(json.loads(EXAMPLES["catalogue"])))
    verdict = PARSERS["verdict"](encode(json.loads(EXAMPLES["verdict"])))
    release = page.releases[0]
    assert (verdict.sha256, verdict.lock_sha256) == (release.wheels[0].sha256, release.lock.sha256)
    assert verdict.report_sha256 == release.audit.sha256
    assert verdict.sbom_sha256 == release.sbom.sha256
    assert PARSERS["policy"](encode(json.loads(EXAMPLES["policy"]))).knows(verdict.policy_sha256)


def test_what_is_said_of_envelopes_is_so() -> None:
    assert f"type `{PAYLOAD_TYPE}`" in TEXT
    assert f"at\nmost {MAX_SIGNATURES} `signatures`" in TEXT
