"""Who consented to what, in the state directory: whole or absent, whoever kills it, and however many write at once."""

import json
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from assess_core.errors import StoreError
from assess_core.store import Baseline, Consent, Consents, Store, Waiting
from assess_core.store.consents import decode_consents, encode_consents, read_consents, write_consents
from assess_registry.client import Permissions, ProjectName, Sha256, TrustError
from tests.support.kills import steps

NAME = ProjectName("demo-plugin")
WHEN = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
ADDED = Permissions(read=("/var",), commands=(("id", "*"),))
WAITING = Waiting(version="1.1.0", sha256=Sha256("ab" * 32), since="1.0.0", added=ADDED, seen_at=WHEN)
CONSENT = Consent(version="1.1.0", sha256=WAITING.sha256, digest="cd" * 32, added=ADDED, at=WHEN, by="root")
WHOLE = Consents(
    baseline=Baseline(version="1.0.0", permissions=Permissions(env=("A",), secrets=("t",))),
    ran=(Sha256("01" * 32), CONSENT.sha256),
    waiting=WAITING,
    given=(CONSENT,),
)


def store(root: Path) -> Store:
    made = Store(root)
    made.wait(NAME, WAITING)
    return made


def test_it_comes_back_as_it_was_written() -> None:
    assert decode_consents(encode_consents(WHOLE)) == WHOLE
    assert decode_consents(encode_consents(Consents())) == Consents()


@pytest.mark.parametrize(
    "change",
    [
        {"schema": 2},
        {"more": 1},
        {"given": {}},
        {"ran": ["x"]},
        {"ran": None},
        {"given": [{}]},
        {"waiting": 3},
        {"baseline": {"version": "1", "permissions": {"raed": []}}},
        {"baseline": {"version": "1", "permissions": {"read": [3]}}},
        {"baseline": {"version": "1", "permissions": {"commands": ["id"]}}},
        {"baseline": {"version": 1, "permissions": {}}},
    ],
)
def test_what_is_no_such_record_lets_nothing_new_start(tmp_path: Path, change: dict[str, object]) -> None:
    made = store(tmp_path)
    path = made.layout.consents(NAME)
    document = json.loads(path.read_text())
    path.write_text(json.dumps(document))
    assert made.consents(NAME).waiting == WAITING  # the control: the same file, nothing changed
    path.write_text(json.dumps(document | change))
    with pytest.raises(StoreError, match="nothing new of demo-plugin starts before that is put right"):
        made.consents(NAME)


def test_a_record_that_others_can_write_is_not_believed(tmp_path: Path) -> None:
    made = store(tmp_path)
    made.layout.consents(NAME).chmod(0o666)
    with pytest.raises(TrustError, match="somebody else can have written it"):
        made.consents(NAME)


def test_a_consent_is_to_what_waits_and_the_same_one_twice_is_once(tmp_path: Path) -> None:
    made = store(tmp_path)
    for other in (
        replace(CONSENT, version="1.2.0"),
        replace(CONSENT, sha256=Sha256("ef" * 32)),
        replace(CONSENT, added=Permissions(read=("/srv",))),
    ):
        assert not made.consent(NAME, other)
    assert made.consents(NAME).given == ()
    assert made.consent(NAME, CONSENT)
    assert made.consent(NAME, replace(CONSENT, by="somebody else"))
    assert made.consents(NAME).given == (CONSENT,)
    assert made.consents(NAME).for_wheel(CONSENT.sha256) == ADDED
    assert made.consents(NAME).for_wheel(Sha256("ef" * 32)) == Permissions()


def test_what_waits_is_known_since_when_and_another_difference_waits_anew(tmp_path: Path) -> None:
    made = store(tmp_path)
    later = datetime(2026, 11, 22, tzinfo=UTC)
    made.wait(NAME, replace(WAITING, seen_at=later))
    assert made.consents(NAME).waiting == WAITING
    made.wait(NAME, replace(WAITING, added=Permissions(), seen_at=later))
    waiting = made.consents(NAME).waiting
    assert waiting is not None
    assert waiting.seen_at == later
    made.wait(NAME, None)
    assert made.consents(NAME).waiting is None


def test_kill_9_leaves_the_record_before_or_the_one_after(tmp_path: Path) -> None:
    made = store(tmp_path)
    seen = set()

    def prepare() -> None:
        with made.layout.locked():
            write_consents(made.layout, NAME, Consents(waiting=WAITING))

    for _ in steps(lambda: made.consent(NAME, CONSENT), prepare):
        found = read_consents(made.layout, NAME)
        assert found in (Consents(waiting=WAITING), Consents(waiting=WAITING, given=(CONSENT,)))
        seen.add(bool(found.given))
        assert made.consent(NAME, CONSENT)  # whoever died, the next one can
    assert seen == {False, True}
    assert not list(tmp_path.glob("consents/.tmp-*"))


def test_nothing_is_lost_when_several_write_at_once(tmp_path: Path) -> None:
    made = store(tmp_path)
    others = [replace(CONSENT, digest=f"{number:064x}") for number in range(12)]
    children = []
    for part in (others[:6], others[6:]):
        if (child := os.fork()) == 0:
            try:
                with ThreadPoolExecutor(2) as pool:
                    done = list(pool.map(lambda each: Store(tmp_path).consent(NAME, each), part))
                os._exit(0 if all(done) else 1)
            finally:
                os._exit(2)
        children.append(child)
    assert [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children] == [0, 0]
    assert {each.digest for each in made.consents(NAME).given} == {each.digest for each in others}
