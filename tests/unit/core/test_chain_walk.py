"""Going along a chain that somebody else wrote, with keys of their own: pure values, no file."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assess_core.identity import NOWHERE
from assess_core.journal.chain import Entry, Kind, make_entry
from assess_core.journal.walking import Walk, Word, walk
from assess_registry.client import PrivateKey, PublicKey, generate_key

NOON = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
OURS, THEIRS, NEXT = generate_key(), generate_key(), generate_key()
BEGIN: tuple[Kind, dict[str, Any]] = ("begin", {"why": ["first"], "before": 0})
RUN: tuple[Kind, dict[str, Any]] = (
    "run",
    {"run_id": "r", "assessment": "host", "results": 0, "digest": "", "rows": "", "why": "recorded"},
)


def chain(*steps: tuple[PrivateKey, Kind, dict[str, Any]]) -> list[Entry]:
    """Entries that follow each other, each signed by its key."""
    entries: list[Entry] = []
    for key, kind, facts in steps:
        end = entries[-1].end if entries else NOWHERE
        entries.append(make_entry(end, runtime="web-01", at=NOON, key=key, kind=kind, facts=facts))
    return entries


def go(entries: list[Entry], *trusted: PublicKey) -> Walk:
    return walk("web-01", entries, trusted=trusted or (OURS.public,))


def told(walked: Walk) -> list[tuple[Word, int | None]]:
    return [(trouble.word, trouble.seq) for trouble in walked.troubles if not trouble.accepted]


def test_a_sound_chain_says_nothing_against_itself() -> None:
    walked = go(chain((OURS, *BEGIN), (OURS, *RUN)))
    assert told(walked) == []
    assert walked.runs["r"].seq == 2
    assert go([]).head == NOWHERE


def test_who_goes_on_with_another_key_is_told_once_and_is_not_believed() -> None:
    entries = chain((OURS, *BEGIN), (OURS, *RUN), (THEIRS, *RUN), (THEIRS, *RUN))
    assert told(go(entries)) == [(Word.UNKNOWN_KEY, 3), (Word.UNKNOWN_KEY, 4)]
    # also where both are known: nothing in the chain says that one follows the other
    assert told(go(entries, OURS.public, THEIRS.public)) == [(Word.UNKNOWN_KEY, 3)]


@pytest.mark.parametrize("why", [["first"], ["cut"], [], ["nothing that is known"]])
def test_who_begins_anew_with_another_key_cannot_hide_that(why: list[str]) -> None:
    begin: tuple[PrivateKey, Kind, dict[str, Any]] = (THEIRS, "begin", {"why": why, "left": None})
    entries = chain((OURS, *BEGIN), (OURS, *RUN), begin, (THEIRS, *RUN))
    assert (Word.NEW_KEY, 3) in told(go(entries, OURS.public, THEIRS.public))
    assert (Word.UNKNOWN_KEY, 4) in told(go(entries))
    same: tuple[PrivateKey, Kind, dict[str, Any]] = (OURS, "begin", {"why": why, "left": None})
    assert told(go(chain((OURS, *BEGIN), same)))[0][1] == 2


def test_nobody_accepts_for_another_key() -> None:
    accept: tuple[PrivateKey, Kind, dict[str, Any]] = (THEIRS, "accept", {"reason": "all is well", "by": "me"})
    begin: tuple[PrivateKey, Kind, dict[str, Any]] = (THEIRS, "begin", {"why": ["key"], "left": None})
    assert told(go(chain((OURS, *BEGIN), begin, accept))) == [(Word.UNKNOWN_KEY, 3)]
    assert told(go(chain((OURS, *BEGIN), begin, accept), OURS.public, THEIRS.public)) == []


def test_a_key_that_the_one_before_vouches_for_is_as_good() -> None:
    following: tuple[PrivateKey, Kind, dict[str, Any]] = (
        OURS,
        "key",
        {"why": "moved", "next": NEXT.public.base64()},
    )
    assert told(go(chain((OURS, *BEGIN), following, (NEXT, *RUN)))) == []
    assert told(go(chain((OURS, *BEGIN), following, (NEXT, *RUN)), NEXT.public)) == []
    assert told(go(chain((OURS, *BEGIN), following, (THEIRS, *RUN))))[0] == (Word.UNKNOWN_KEY, 3)
    assert told(go(chain((OURS, *BEGIN), following, (OURS, *RUN))))[0] == (Word.UNKNOWN_KEY, 3)


def test_an_entry_of_another_runtime_is_none_of_this_one() -> None:
    entries = chain((OURS, *BEGIN), (OURS, *RUN))
    assert (Word.CHANGED, 2) in told(go([entries[0], replace(entries[1], runtime="web-02")]))


@pytest.mark.parametrize("missing", ["run_id", "why", "digest"])
def test_an_entry_that_lacks_something_is_told(missing: str) -> None:
    facts = {name: value for name, value in RUN[1].items() if name != missing}
    assert told(go(chain((OURS, *BEGIN), (OURS, "run", facts)))) == [(Word.CHANGED, 2)]


_ODD = st.sampled_from(
    [
        None,
        True,
        -1,
        0,
        7,
        2**70,
        1.5,
        "",
        "x",
        "00" * 32,
        [],
        ["first"],
        ["a", 1],
        [[1]],
        {},
        {"a": [1]},
        "\ud800",
        [None],
    ]
)


@settings(max_examples=20)
@given(
    kind=st.sampled_from(["begin", "key", "run", "evidence-gone", "retention", "accept"]),
    facts=st.dictionaries(
        st.sampled_from(
            ["why", "next", "run_id", "digests", "through_seq", "through_head", "runs", "changed", "by", "reason"]
        ),
        _ODD,
    ),
    junk=st.binary(max_size=20),
)
def test_whatever_is_signed_or_stands_there_ends_no_walk(kind: Kind, facts: dict[str, Any], junk: bytes) -> None:
    odd = chain((OURS, *BEGIN), (OURS, kind, facts), (OURS, *RUN))
    assert go(odd).head == odd[-1].end
    for name in ("document", "head", "signature"):
        changed: dict[str, Any] = {name: junk}
        broken = [odd[0], replace(odd[1], **changed), odd[2]]
        assert told(go(broken))
    assert json.loads(odd[1].document)["kind"] == kind
