"""Going along a chain that somebody else wrote, with keys of their own: pure values, no file."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from assess_core.journal.chain import Entry, Kind, make_entry
from assess_core.journal.identity import NOWHERE
from assess_core.journal.walking import Walk, Word, walk
from assess_registry.client import PrivateKey, PublicKey, generate_key
from tests.support.examples import examples

NOON = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
OURS, THEIRS, NEXT = generate_key(), generate_key(), generate_key()
BEGIN: tuple[Kind, dict[str, Any]] = ("begin", {"why": ["first"], "before": 0})
RUN: tuple[Kind, dict[str, Any]] = (
    "run",
    {"run_id": "r", "assessment": "host", "results": 0, "digest": "", "rows": "", "why": "recorded"},
)


def chain(*steps: tuple[PrivateKey, Kind, dict[str, Any]]) -> list[Entry]:
    """Entries that follow each other, each signed by its key."""
    return _after([], *steps)


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
    assert told(go(entries)) == [(Word.UNKNOWN_KEY, 3)]
    assert go(entries).troubles[0].where == "entries 3 to 4"
    assert go(entries).runs["r"].seq == 2
    # also where both are known: nothing in the chain says that one follows the other
    assert told(go(entries, OURS.public, THEIRS.public)) == [(Word.UNKNOWN_KEY, 3)]


@pytest.mark.parametrize("why", [["first"], ["cut"], [], ["nothing that is known"]])
def test_who_begins_anew_with_another_key_cannot_hide_that(why: list[str]) -> None:
    begin: tuple[PrivateKey, Kind, dict[str, Any]] = (THEIRS, "begin", {"why": why, "left": None})
    entries = chain((OURS, *BEGIN), (OURS, *RUN), begin, (THEIRS, *RUN))
    assert (Word.NEW_KEY, 3) in told(go(entries, OURS.public, THEIRS.public))
    assert told(go(entries)) == [(Word.UNKNOWN_KEY, 3)]
    same: tuple[PrivateKey, Kind, dict[str, Any]] = (OURS, "begin", {"why": why, "left": None})
    assert told(go(chain((OURS, *BEGIN), same)))[0][1] == 2


def test_nobody_accepts_for_another_key() -> None:
    accept: tuple[PrivateKey, Kind, dict[str, Any]] = (THEIRS, "accept", {"reason": "all is well", "by": "me"})
    begin: tuple[PrivateKey, Kind, dict[str, Any]] = (THEIRS, "begin", {"why": ["key"], "left": None})
    assert told(go(chain((OURS, *BEGIN), begin, accept))) == [(Word.UNKNOWN_KEY, 2)]
    assert told(go(chain((OURS, *BEGIN), begin, accept), OURS.public, THEIRS.public)) == []


def test_a_key_that_the_one_before_vouches_for_is_as_good() -> None:
    following: tuple[PrivateKey, Kind, dict[str, Any]] = (
        OURS,
        "key",
        {"why": "moved", "next": NEXT.public.base64()},
    )
    assert told(go(chain((OURS, *BEGIN), following, (NEXT, *RUN)))) == []
    # who knows the next key alone has nobody's word for what was before
    assert told(go(chain((OURS, *BEGIN), following, (NEXT, *RUN)), NEXT.public)) == [(Word.UNKNOWN_KEY, 1)]
    assert told(go(chain((OURS, *BEGIN), following, (THEIRS, *RUN))))[0] == (Word.UNKNOWN_KEY, 3)
    assert told(go(chain((OURS, *BEGIN), following, (OURS, *RUN))))[0] == (Word.UNKNOWN_KEY, 3)


ACCEPT: tuple[Kind, dict[str, Any]] = ("accept", {"reason": "all is well", "by": "me"})
ANEW: tuple[Kind, dict[str, Any]] = ("begin", {"why": ["key"], "left": None})


def test_a_front_of_keys_that_were_lost_can_be_accepted_by_a_trusted_key_alone() -> None:
    lost = chain((THEIRS, *BEGIN), (THEIRS, *RUN), (OURS, *ANEW))
    assert told(go(lost)) == [(Word.NEW_KEY, 3)]
    assert told(go([*lost, *_after(lost, (OURS, *ACCEPT))])) == []
    assert told(go([*lost, *_after(lost, (OURS, *RUN))])) == [(Word.NEW_KEY, 3)]
    assert go(lost).runs["r"].seq == 2
    for key in (THEIRS, NEXT):  # nor does any other accept it
        assert (Word.NEW_KEY, 3) in told(go([*lost, *_after(lost, (key, *ACCEPT))]))


def test_a_front_of_an_unknown_key_hands_over_to_nobody() -> None:
    hand_over: tuple[PrivateKey, Kind, dict[str, Any]] = (
        THEIRS,
        "key",
        {"why": "moved", "next": OURS.public.base64()},
    )
    entries = chain((THEIRS, *BEGIN), (THEIRS, *ACCEPT), hand_over, (OURS, *RUN), (OURS, *ACCEPT))
    assert told(go(entries)) == [(Word.UNKNOWN_KEY, 1)]
    assert told(go(chain((THEIRS, *BEGIN), hand_over, (OURS, *ANEW)))) == [(Word.NEW_KEY, 3)]


@pytest.mark.parametrize(
    ("kind", "facts"),
    [
        ("run", RUN[1] | {"digest": "another", "why": "kept"}),
        ("retention", {"through_seq": 2, "through_head": "00" * 32, "runs": 1, "results": 0, "changed": []}),
        ("evidence-gone", {"digests": ["00"], "why": "quota"}),
        ("key", {"why": "moved", "next": THEIRS.public.base64()}),
        ACCEPT,
        ANEW,
    ],
)
def test_nothing_that_an_unknown_key_says_counts(kind: Kind, facts: dict[str, Any]) -> None:
    entries = chain((OURS, *BEGIN), (OURS, *RUN), (THEIRS, kind, facts), (OURS, *ACCEPT))
    walked, before = go(entries), go(entries[:2])
    assert told(walked) == [(Word.UNKNOWN_KEY, 3)]
    assert (walked.runs, walked.gone, walked.removed_runs) == (before.runs, before.gone, before.removed_runs)
    assert told(go([entries[0], entries[1], *_after(entries[:2], (OURS, *ACCEPT))])) == []  # control


_KEYS = st.sampled_from([THEIRS, NEXT])
_THEY_SAY = st.sampled_from(
    [
        BEGIN,
        ANEW,
        ("begin", {"why": ["cut", "replaced", "no-head"], "left": None}),
        RUN,
        ("run", RUN[1] | {"why": "kept", "digest": "x"}),
        ACCEPT,
        ("key", {"why": "moved", "next": OURS.public.base64()}),
        ("key", {"why": "moved", "next": THEIRS.public.base64()}),
        ("retention", {"through_seq": 1, "through_head": "00" * 32, "runs": 1, "results": 0, "changed": []}),
    ]
)


@settings(max_examples=examples(150), deadline=None)
@example(
    ours=[RUN],
    theirs=[(THEIRS, ANEW), (THEIRS, ACCEPT), (THEIRS, ("key", {"why": "moved", "next": OURS.public.base64()}))],
    after=[RUN],
    whole=False,
)
@given(
    ours=st.lists(st.sampled_from([RUN, ACCEPT, ANEW]), max_size=3),
    theirs=st.lists(st.tuples(_KEYS, _THEY_SAY), min_size=1, max_size=6),
    after=st.lists(st.sampled_from([RUN, ACCEPT, ("evidence-gone", {"digests": [], "why": "quota"})]), max_size=3),
    whole=st.booleans(),
)
def test_whoever_has_any_keys_but_the_runtimes_is_never_sound(
    ours: list[tuple[Kind, dict[str, Any]]],
    theirs: list[tuple[PrivateKey, tuple[Kind, dict[str, Any]]]],
    after: list[tuple[Kind, dict[str, Any]]],
    whole: bool,
) -> None:
    """They replace any suffix, or all of it; the runtime goes on behind it without having noticed."""
    before = [] if whole else chain((OURS, *BEGIN), *((OURS, *each) for each in ours), (OURS, *ACCEPT))
    assert told(go(before)) == []
    forged = [*before, *_after(before, *((key, *said) for key, said in theirs))]
    walked = go([*forged, *_after(forged, *((OURS, *each) for each in after))])
    assert Word.UNKNOWN_KEY in {word for word, _ in told(walked)}


def _after(before: list[Entry], *steps: tuple[PrivateKey, Kind, dict[str, Any]]) -> list[Entry]:
    """Entries that follow those."""
    entries = list(before)
    for key, kind, facts in steps:
        end = entries[-1].end if entries else NOWHERE
        entries.append(make_entry(end, runtime="web-01", at=NOON, key=key, kind=kind, facts=facts))
    return entries[len(before) :]


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
