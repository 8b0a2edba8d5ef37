import hashlib
import json
from base64 import b64encode
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from assess_registry.config import parse_config
from assess_registry.control import (
    CONTROL_PATHS,
    MAX_CONTROL_BYTES,
    PolicyWord,
    Publishers,
    PublisherTrust,
    ReviewerTrust,
    Revocations,
    RevokedWheel,
    parse_policy_word,
    parse_publishers,
    parse_revocations,
)
from assess_registry.errors import TrustError
from assess_registry.keys import KeyId, PrivateKey, TimedKey, generate_key
from assess_registry.names import ProjectName, Sha256

NOW = datetime(2026, 11, 21, 5, 10, tzinfo=UTC)
DAY = timedelta(days=1)
OLD, CURRENT, NEXT, STOLEN, OTHER, ALICE, AUDIT, EVE = (generate_key() for _ in range(8))
PROJECT = ProjectName("acme-x")


def timed(key: PrivateKey, **times: Any) -> TimedKey:
    return TimedKey(key=key.public, **{"valid_from": NOW - 10 * DAY, **times})


PUBLISHERS = Publishers(
    publishers={
        "acme": PublisherTrust(
            projects=("acme-*", "lint"),
            approvals=2,
            automatic=True,
            keys=(
                timed(OLD, valid_until=NOW - 5 * DAY),
                timed(CURRENT, valid_from=NOW - 5 * DAY),
                timed(NEXT, valid_from=NOW + DAY),
                timed(STOLEN, valid_until=NOW - 2 * DAY, revoked="laptop stolen"),
            ),
        ),
        "other": PublisherTrust(projects=("*",), keys=(timed(OTHER),)),
        "nobody": PublisherTrust(projects=()),
    },
    reviewers={"alice": ReviewerTrust(keys=(timed(ALICE),)), "bob": ReviewerTrust()},
    audit_keys=(timed(AUDIT),),
    development=True,
)
WHEELS = tuple(
    RevokedWheel(project=PROJECT, version=f"1.{n}", sha256=Sha256(str(n) * 64), reason="leaks", severity="high", at=NOW)
    for n in range(3)
)
REVOCATIONS = Revocations(wheels=WHEELS)
TEXT = '{"reject":["critical","high"]}'
WORD = PolicyWord(
    sha256=Sha256(hashlib.sha256(TEXT.encode()).hexdigest()), text=TEXT, earlier=(Sha256("b" * 64), Sha256("a" * 64))
)


# --- who publishes ------------------------------------------------------------------------------------------------


def publisher_of(key: PrivateKey, project: str = PROJECT, at: datetime = NOW) -> str:
    return PUBLISHERS.publisher_of(key.public.id, ProjectName(project), at)


@pytest.mark.parametrize(
    ("key", "project", "at", "says"),
    [
        (EVE, PROJECT, NOW, "its key is of no publisher"),
        (ALICE, PROJECT, NOW, "of no publisher, but of reviewer alice"),
        (AUDIT, PROJECT, NOW, "of no publisher, but of audit"),
        (CURRENT, "acmex", NOW, "publisher acme may not publish it"),
        (CURRENT, "x-acme-x", NOW, "publisher acme may not publish it"),
        (CURRENT, "lint-x", NOW, "publisher acme may not publish it"),
        (NEXT, PROJECT, NOW, "not valid before 2026-11-22T05:10:00Z"),
        (OLD, PROJECT, NOW, "expired at 2026-11-16T05:10:00Z"),
        (OLD, PROJECT, NOW - 5 * DAY, "expired at 2026-11-16T05:10:00Z"),
        (STOLEN, PROJECT, NOW, "revoked as of 2026-11-19T05:10:00Z: laptop stolen"),
        (CURRENT, PROJECT, NOW - 6 * DAY, "not valid before 2026-11-16T05:10:00Z"),
    ],
)
def test_a_key_publishes_its_owners_projects_while_it_is_valid(
    key: PrivateKey, project: str, at: datetime, says: str
) -> None:
    with pytest.raises(TrustError, match=says) as refused:
        publisher_of(key, project, at)
    assert (refused.value.step, refused.value.thing) == ("publisher", project)
    assert refused.value.expected
    assert refused.value.got
    assert refused.value.next_step
    assert publisher_of(CURRENT) == "acme"


@pytest.mark.parametrize(
    ("key", "at"),
    [(OLD, NOW - 5 * DAY - DAY / 86_400), (STOLEN, NOW - 3 * DAY), (NEXT, NOW + DAY), (CURRENT, NOW - 5 * DAY)],
)
def test_what_was_signed_while_a_key_was_valid_stays_its_publishers(key: PrivateKey, at: datetime) -> None:
    assert publisher_of(key, PROJECT, at) == "acme"


def test_a_revocation_reaches_back_as_far_as_it_says() -> None:
    (publisher,) = (PUBLISHERS.publishers["acme"],)
    keys = (timed(STOLEN, valid_until=NOW - 4 * DAY, revoked="laptop stolen"),)
    earlier = replace(PUBLISHERS, publishers={"acme": replace(publisher, keys=keys)})
    with pytest.raises(TrustError, match="revoked as of 2026-11-17"):
        earlier.publisher_of(STOLEN.public.id, PROJECT, NOW - 3 * DAY)
    assert publisher_of(STOLEN, PROJECT, NOW - 3 * DAY) == "acme"


def test_a_project_is_whose_key_signed_not_whoever_may_have_it() -> None:
    assert publisher_of(OTHER, PROJECT) == "other"
    assert publisher_of(CURRENT, PROJECT) == "acme"


DOUBLES: dict[str, Callable[[], Publishers]] = {
    "two publishers": lambda: replace(
        PUBLISHERS,
        publishers={**PUBLISHERS.publishers, "evil": PublisherTrust(projects=("evil",), keys=(timed(CURRENT),))},
    ),
    "publisher and reviewer": lambda: replace(PUBLISHERS, reviewers={"x": ReviewerTrust(keys=(timed(CURRENT),))}),
    "a former publisher's and a reviewer's": lambda: replace(
        PUBLISHERS, reviewers={"x": ReviewerTrust(keys=(timed(OLD),))}
    ),
    "reviewer and audit": lambda: replace(PUBLISHERS, audit_keys=(timed(ALICE),)),
    "two reviewers": lambda: replace(
        PUBLISHERS, reviewers={name: ReviewerTrust(keys=(timed(ALICE),)) for name in ("alice", "bob")}
    ),
    "one reviewer twice": lambda: replace(
        PUBLISHERS, reviewers={"alice": ReviewerTrust(keys=(timed(ALICE), timed(ALICE, valid_from=NOW)))}
    ),
    "the audit twice": lambda: replace(PUBLISHERS, audit_keys=(timed(AUDIT), timed(AUDIT))),
}


@pytest.mark.parametrize("name", DOUBLES)
def test_a_key_has_one_holder_in_one_role(name: str) -> None:
    with pytest.raises(ValueError, match="are one key"):
        DOUBLES[name]()
    assert replace(PUBLISHERS, reviewers={"x": ReviewerTrust(keys=(timed(EVE),))}).reviewers["x"].keys


@pytest.mark.parametrize("key", [OLD, CURRENT, STOLEN, ALICE, AUDIT])
@pytest.mark.parametrize("use", ["root", "release", "online"])
def test_a_key_of_the_registrys_own_word_is_nobody_elses(key: PrivateKey, use: str) -> None:
    others = [("root", EVE.public), (use, generate_key().public)]
    PUBLISHERS.check_apart(others)
    with pytest.raises(TrustError, match=f"and {use} are one key") as refused:
        PUBLISHERS.check_apart([*others, (use, key.public)])
    assert refused.value.step == "keys"


# --- values and files ---------------------------------------------------------------------------------------------

PARSERS: dict[str, tuple[Any, Callable[[bytes], Any]]] = {
    "publishers": (PUBLISHERS, parse_publishers),
    "nobody": (Publishers(), parse_publishers),
    "revocations": (REVOCATIONS, parse_revocations),
    "no revocations": (Revocations(), parse_revocations),
    "policy": (WORD, parse_policy_word),
}


@pytest.mark.parametrize("name", PARSERS)
def test_a_control_file_is_read_back(name: str) -> None:
    value, parse = PARSERS[name]
    assert parse(value.data()) == value
    assert parse(value.data()).data() == value.data()


def test_one_file_is_not_another() -> None:
    for name, (value, _) in PARSERS.items():
        for _, parse in PARSERS.values():
            if parse is not PARSERS[name][1]:
                with pytest.raises(TrustError, match="not a control file"):
                    parse(value.data())


def test_order_makes_no_second_file() -> None:
    assert Revocations(wheels=WHEELS[::-1]).data() == REVOCATIONS.data()
    turned = dict(reversed(list(PUBLISHERS.publishers.items())))
    assert replace(PUBLISHERS, publishers=turned).data() == PUBLISHERS.data()
    assert replace(WORD, earlier=(*WORD.earlier[::-1], WORD.sha256, WORD.earlier[0])) == WORD


def in_publisher(**members: Any) -> Callable[[dict[str, Any]], object]:
    return lambda value: value["publishers"]["acme"].update(members)


def in_key(**members: Any) -> Callable[[dict[str, Any]], object]:
    return lambda value: value["publishers"]["acme"]["keys"][0].update(members)


SMALL = b64encode(bytes.fromhex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05")).decode()
NOT_CANONICAL = b64encode(bytes.fromhex("ee" + "ff" * 30 + "7f")).decode()

CHANGES: dict[str, Callable[[dict[str, Any]], object]] = {
    "a weak key": in_key(public=SMALL),
    "a key not in its encoding": in_key(public=NOT_CANONICAL),
    "a key without padding": in_key(public=OLD.public.base64().rstrip("=")),
    "a key with a line break": in_key(public=OLD.public.base64() + "\n"),
    "an id for a key": in_key(public=OLD.public.id),
    "another's key": in_key(public=ALICE.public.base64()),
    "another key twice": in_key(public=CURRENT.public.base64()),
    "an end before the beginning": in_key(until="2020-01-01T00:00:00Z"),
    "revoked without an end": lambda value: value["publishers"]["acme"]["keys"][1].update(revoked="x"),
    "a reason that hides": in_key(revoked="a\u202eb"),
    "no end, said aloud": in_key(until=None),
    "a time with an offset": in_key(**{"from": "2026-01-01T00:00:00+00:00"}),
    "a member more in a key": in_key(id="sha256:" + "0" * 64),
    "no beginning": lambda value: value["publishers"]["acme"]["keys"][0].pop("from"),
    "no approvals needed": in_publisher(approvals=0),
    "true approvals": in_publisher(approvals=True),
    "many approvals": in_publisher(approvals=17),
    "automatic by a word": in_publisher(automatic="no"),
    "automatic by a number": in_publisher(automatic=0),
    "a pattern that is none": in_publisher(projects=["[a-z]*"]),
    "a question mark": in_publisher(projects=["acme-?"]),
    "a pattern in capitals": in_publisher(projects=["Acme-*"]),
    "a member more in a publisher": in_publisher(trusted=True),
    "a name that is none": lambda value: value["publishers"].update({"A B": value["publishers"]["nobody"]}),
    "a reviewer's list of keys": lambda value: value["reviewers"].update(bob=[]),
    "a reviewer with projects": lambda value: value["reviewers"]["bob"].update(projects=[]),
    "no audit": lambda value: value.pop("audit"),
    "neither for development nor not": lambda value: value.pop("development"),
    "for development by a word": lambda value: value.update(development="no"),
    "another schema": lambda value: value.update(schema=2),
    "a member more": lambda value: value.update(extra=1),
}


@pytest.mark.parametrize("name", CHANGES)
def test_whatever_else_was_signed_names_nobody(name: str) -> None:
    value = json.loads(PUBLISHERS.data())
    assert parse_publishers(compact(value)) == PUBLISHERS
    CHANGES[name](value)
    assert compact(value) != PUBLISHERS.data()
    with pytest.raises(TrustError) as refused:
        parse_publishers(compact(value))
    assert (refused.value.step, refused.value.thing) == ("control", "control/publishers.json")


def compact(value: object) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


@pytest.mark.parametrize(
    "change",
    [
        lambda wheels: wheels.reverse(),
        lambda wheels: wheels.append(wheels[0]),
        lambda wheels: wheels[0].update(project="acme_x"),
        lambda wheels: wheels[0].update(version="01.0"),
        lambda wheels: wheels[0].update(sha256="0"),
        lambda wheels: wheels[0].update(severity="none"),
        lambda wheels: wheels[0].update(reason=""),
        lambda wheels: wheels[0].update(at="2026"),
        lambda wheels: wheels[0].pop("reason"),
    ],
)
def test_a_revocation_says_what_why_and_when(change: Callable[[list[dict[str, Any]]], object]) -> None:
    value = json.loads(REVOCATIONS.data())
    assert parse_revocations(compact(value)) == REVOCATIONS
    change(value["wheels"])
    with pytest.raises(TrustError, match="not a control file"):
        parse_revocations(compact(value))


def test_what_is_revoked_is_found_and_stays_as_it_was_revoked_first() -> None:
    assert REVOCATIONS.of("1" * 64) == WHEELS[1]
    assert REVOCATIONS.of("9" * 64) is None
    softer = replace(WHEELS[1], severity="low", reason="never mind")
    more = replace(WHEELS[1], sha256=Sha256("9" * 64))
    both = REVOCATIONS.plus([softer, more])
    assert (both.of("1" * 64), both.of("9" * 64)) == (WHEELS[1], more)
    with pytest.raises(ValueError, match="revoked twice"):
        Revocations(wheels=(WHEELS[1], softer))


def test_a_revocation_may_become_kill_and_nothing_else() -> None:
    worse = replace(WHEELS[1], severity="kill", reason="sends what it reads", at=NOW + timedelta(days=1))
    killed = REVOCATIONS.plus([worse])
    assert killed.of("1" * 64) == worse
    assert parse_revocations(killed.data()) == killed
    assert killed.plus([WHEELS[1], replace(worse, reason="never mind")]) == killed
    assert REVOCATIONS.plus([replace(WHEELS[1], severity="critical")]) == REVOCATIONS
    assert WHEELS[1].may_become(worse)
    assert WHEELS[1].may_become(WHEELS[1])
    refused = (None, replace(worse, version="9.9"), replace(worse, project=ProjectName("other")))
    assert not any(WHEELS[1].may_become(each) for each in (*refused, replace(WHEELS[1], reason="other")))
    assert not worse.may_become(WHEELS[1])
    assert not worse.may_become(replace(worse, reason="other"))


def test_a_policys_version_is_the_digest_of_its_text() -> None:
    value = json.loads(WORD.data())
    assert parse_policy_word(compact(value)) == WORD
    for change in ({"text": TEXT + " "}, {"sha256": "0" * 64}, {"earlier": ["b" * 64, "a" * 64]}, {"earlier": ["x"]}):
        with pytest.raises(TrustError):
            parse_policy_word(compact(value | change))
    assert all(WORD.knows(digest) for digest in (WORD.sha256, "a" * 64, "b" * 64))
    assert not WORD.knows("c" * 64)


@pytest.mark.parametrize("parse", [parse_publishers, parse_revocations, parse_policy_word])
@pytest.mark.parametrize("data", [b"", b"{}", b"[]", b"null", b"[" * 100_000, b" " * (MAX_CONTROL_BYTES + 1), b"\xff"])
def test_what_is_no_control_file_is_refused(parse: Callable[[bytes], object], data: bytes) -> None:
    with pytest.raises(TrustError) as refused:
        parse(data)
    assert refused.value.thing in CONTROL_PATHS


def test_a_file_that_no_client_reads_is_not_written(monkeypatch: pytest.MonkeyPatch) -> None:
    length = len(Revocations(wheels=WHEELS).data())
    monkeypatch.setattr("assess_registry.control.revocations.MAX_CONTROL_BYTES", length)
    assert Revocations(wheels=WHEELS).data()
    monkeypatch.setattr("assess_registry.control.revocations.MAX_CONTROL_BYTES", length - 1)
    with pytest.raises(ValueError, match="at most"):
        Revocations(wheels=WHEELS).data()


# --- from registry.toml -------------------------------------------------------------------------------------------


def test_the_file_says_who_they_are() -> None:
    text = f"""
        [registry]
        name = "acme"
        [publishers.acme]
        projects = ["acme-*"]
        approvals = 2
        [[publishers.acme.keys]]
        public = "{OLD.public.base64()}"
        from = 2026-01-01T00:00:00Z
        until = 2026-02-01T00:00:00Z
        revoked = "lost"
        [publishers.auto]
        projects = ["auto"]
        [[reviewers.alice.keys]]
        public = "{ALICE.public.base64()}"
        from = 2026-01-01T00:00:00+01:00
        [[audit.keys]]
        public = "{AUDIT.public.base64()}"
        from = 2026-01-01T00:00:00Z
        [policy]
        automatic_approval = ["auto"]
        """
    people = Publishers.from_config(parse_config(text.encode(), source="x"))
    since = datetime(2026, 1, 1, tzinfo=UTC)
    until = datetime(2026, 2, 1, tzinfo=UTC)
    assert people == Publishers(
        publishers={
            "acme": PublisherTrust(
                projects=("acme-*",),
                approvals=2,
                keys=(TimedKey(key=OLD.public, valid_from=since, valid_until=until, revoked="lost"),),
            ),
            "auto": PublisherTrust(projects=("auto",), automatic=True),
        },
        reviewers={
            "alice": ReviewerTrust(keys=(TimedKey(key=ALICE.public, valid_from=since - timedelta(hours=1)),)),
        },
        audit_keys=(TimedKey(key=AUDIT.public, valid_from=since),),
    )
    assert parse_publishers(people.data()) == people


def test_every_key_is_listed_with_its_use() -> None:
    uses = [(use, each.key.id) for use, each in PUBLISHERS.uses()]
    assert ("publisher acme", KeyId(OLD.public.id)) in uses
    assert [use for use, _ in uses].count("publisher acme") == 4
    assert uses[-2:] == [("reviewer alice", ALICE.public.id), ("audit", AUDIT.public.id)]
