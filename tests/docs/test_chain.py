"""docs/chain.md and docs/results.md say what there is, and a chain can be verified by what they say alone."""

import base64
import hashlib
import json
import re
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from assess_core.cli.app import main
from assess_core.journal import Word
from assess_core.journal.chain import KINDS
from assess_core.journal.walking import BREAKS
from assess_core.results.diff import Change
from tests.support.chains import Site

DOCS = Path(__file__).parents[2] / "docs"
CHAIN, RESULTS = (DOCS / "chain.md").read_text(), (DOCS / "results.md").read_text()


def first_column(text: str, heading: str) -> list[str]:
    """The code in the first column of the table that begins with this row."""
    table = text[text.index(heading) :].split("\n\n", maxsplit=1)[0].partition("\n")[2]
    return re.findall(r"^\| `([^`]+)` \|", table, re.MULTILINE)


def test_every_word_is_explained() -> None:
    assert first_column(CHAIN, "| word | says |") == [word.value.upper() for word in Word]


def test_every_kind_of_entry_is_explained_and_every_reason_to_begin_anew() -> None:
    assert sorted(first_column(CHAIN, "| `kind` | besides |")) == sorted(KINDS)
    (begin,) = re.findall(r"^\| `begin` \| `why`: (.*?); `before`", CHAIN, re.MULTILINE)
    assert set(re.findall(r"`([^`]+)`", begin)) == {"first", *BREAKS}


def test_every_key_of_its_json_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    site, config = Site(tmp_path / "state"), tmp_path / "assess.toml"
    config.write_text('[runtime]\nid = "web-01"\n[registry]\nurl = "file:index"\nroot = "1.root.json"\n')
    with site.open() as journal:
        site.record(journal)
    with site.hands() as connection:
        connection.execute("UPDATE runs SET counts = '{}'")
    place = ("--config", str(config), "--state-dir", str(site.directory))
    assert main(["results", "verify", "--output", "json", *place]) == 5
    found = json.loads(capsys.readouterr().out)
    (told,) = re.findall(r"^With `--output json` there are (.*?)^$", CHAIN, re.MULTILINE | re.DOTALL)
    keys = {*found, *found["chains"][0], *found["troubles"][0]} - {"schema"}
    assert set(re.findall(r"`(\w+)`", told)) == keys


def test_every_difference_is_explained() -> None:
    assert first_column(RESULTS, "| word | means |") == [change.value for change in Change]


def test_a_chain_is_verified_by_what_the_page_says(tmp_path: Path) -> None:
    site = Site(tmp_path / "state")
    with site.open() as journal:
        for _ in range(3):
            site.record(journal)
    (public,) = (site.directory / "identity").glob("*.pub")
    key = load_pem_public_key(public.read_bytes())
    assert isinstance(key, Ed25519PublicKey)
    head = bytes(32)
    with site.hands() as connection:
        rows = connection.execute("SELECT runtime, seq, document, head, signature FROM chain ORDER BY seq").fetchall()
        for runtime, seq, document, stored, signature in rows:
            said = hashlib.sha256(document).digest()
            head = hashlib.sha256(b"assess-chain-1\0" + head + seq.to_bytes(8, "big") + said).digest()
            assert head == stored
            key.verify(signature, b"assess-chain-signature-1\0" + head)  # raises
            facts = json.loads(document)
            assert (facts["schema"], facts["runtime"], facts["seq"]) == (1, runtime, seq)
            assert base64.b64decode(facts["key"]) == key.public_bytes_raw()
            if facts["kind"] == "run":
                (run,) = connection.execute("SELECT document FROM runs WHERE run_id = ?", (facts["run_id"],)).fetchone()
                results = connection.execute(
                    "SELECT document FROM results WHERE run_id = ? ORDER BY position", (facts["run_id"],)
                )
                digests = b"".join(hashlib.sha256(each).digest() for each in (run, *(row[0] for row in results)))
                assert facts["digest"] == hashlib.sha256(digests).hexdigest()
    assert len(rows) == 4
    assert site.identity.heads()["web-01"].digest == head
