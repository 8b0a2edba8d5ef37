from datetime import UTC, datetime, timedelta

import pytest

from assess_registry.config import parse_config
from assess_registry.config.edit import Holder, add_key, end_key, find_key, keys_of
from assess_registry.errors import ConfigError
from assess_registry.keys import PrivateKey, TimedKey, generate_key

NOW = datetime(2026, 11, 21, 5, 10, 0, 123, tzinfo=UTC)
DAY = timedelta(days=1)
ONE, TWO, THREE, FOUR = (generate_key() for _ in range(4))
ACME, ALICE, AUDIT = Holder(role="publisher", name="acme"), Holder(role="reviewer", name="alice"), Holder(role="audit")
SOURCE = "registry.toml"

PLAIN = """\
# Ours.
[registry]
name = "local"    # what else

# Who may publish.
[publishers.acme]
projects = ["acme-*"]   # all of theirs

[publishers.zoe]
projects = ["zoe"]

# What may be published.
[policy]
flag = [
    "medium",   # as everywhere
]
"""


def timed(key: PrivateKey, since: datetime = NOW) -> TimedKey:
    return TimedKey(key=key.public, valid_from=since)


WITH_TABLES = add_key(PLAIN, ACME, timed(ONE, NOW - DAY), source=SOURCE)
WITH_ARRAY = PLAIN.replace(
    'projects = ["acme-*"]   # all of theirs',
    f"""projects = ["acme-*"]
keys = [
    {{ public = "{ONE.public.base64()}", from = 2026-11-20T05:10:00.000123Z }},  # first
]""",
)
DOTTED = f"""\
registry.name = "local"
publishers.acme.projects = ["acme-*"]
publishers.acme.keys = [{{ public = "{ONE.public.base64()}", from = 2026-11-20T05:10:00.000123Z }}]
"""
APART = f"""\
[[publishers.acme.keys]]
public = "{ONE.public.base64()}"
from = 2026-11-20T05:10:00.000123Z
[registry]
name = "local"
[reviewers]
[publishers.acme]
projects = ["acme-*"]
"""
EMPTY = '[registry]\nname = "local"'
FILES = {"tables": WITH_TABLES, "an array": WITH_ARRAY, "dotted keys": DOTTED, "tables apart": APART}


def keys(text: str) -> list[tuple[str, TimedKey]]:
    return [(str(holder), each) for holder, each in keys_of(parse_config(text.encode(), source=SOURCE))]


def comments(text: str) -> list[str]:
    return [line[line.index("#") :] for line in text.splitlines() if "#" in line]


# --- one key more -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("holder", [ACME, ALICE, AUDIT], ids=str)
def test_a_key_comes_in_however_the_file_is_written(name: str, holder: Holder) -> None:
    text = add_key(FILES[name], holder, timed(TWO), source=SOURCE)
    assert sorted(keys(text), key=str) == sorted(
        [("publisher acme", timed(ONE, NOW - DAY)), (str(holder), timed(TWO))], key=str
    )
    assert comments(text) == comments(FILES[name])
    again = add_key(text, holder, timed(THREE), source=SOURCE)
    assert [each.key for owner, each in keys(again) if owner == str(holder)][-2:] == [TWO.public, THREE.public]


def test_everything_else_stays_as_it_was() -> None:
    text = add_key(add_key(PLAIN, ALICE, timed(TWO), source=SOURCE), ACME, timed(ONE), source=SOURCE)
    assert [line for line in text.splitlines() if line in PLAIN.splitlines() and line] == [
        line for line in PLAIN.splitlines() if line
    ]
    before, after = (parse_config(each.encode(), source=SOURCE) for each in (PLAIN, text))
    assert (before.policy, before.name, before.publishers[1]) == (after.policy, after.name, after.publishers[1])


def test_a_file_of_nothing_else_gets_everybody() -> None:
    text = add_key(EMPTY, ACME, timed(ONE), source=SOURCE, projects=("acme-*", "lint"), approvals=2)
    text = add_key(text, ALICE, timed(TWO), source=SOURCE)
    text = add_key(text, AUDIT, timed(THREE), source=SOURCE)
    config = parse_config(text.encode(), source=SOURCE)
    (publisher,) = config.publishers
    assert (publisher.projects, publisher.approvals) == (("acme-*", "lint"), 2)
    assert [str(holder) for holder, _ in keys_of(config)] == ["publisher acme", "reviewer alice", "audit"]
    assert text.endswith("Z\n")


@pytest.mark.parametrize("holder", [ACME, ALICE, AUDIT, Holder(role="publisher", name="zoe")], ids=str)
def test_a_key_that_is_in_the_file_comes_in_no_second_time(holder: Holder) -> None:
    with pytest.raises(ConfigError, match="is a key of publisher acme already"):
        add_key(WITH_TABLES, holder, timed(ONE), source=SOURCE)
    ended = end_key(WITH_TABLES, ONE.public.id, NOW, source=SOURCE, revoked="lost")
    with pytest.raises(ConfigError, match="is a key of publisher acme already"):
        add_key(ended, holder, timed(ONE), source=SOURCE)
    assert len(keys(add_key(WITH_TABLES, holder, timed(TWO), source=SOURCE))) == 2


def test_who_is_new_has_projects_and_who_is_not_keeps_theirs() -> None:
    new = Holder(role="publisher", name="new")
    with pytest.raises(ConfigError, match="publisher new is new: say with --project"):
        add_key(PLAIN, new, timed(ONE), source=SOURCE)
    with pytest.raises(ConfigError, match="publisher acme has projects already"):
        add_key(PLAIN, ACME, timed(ONE), source=SOURCE, projects=("*",))
    with pytest.raises(ConfigError, match="reviewer alice has projects already"):
        add_key(PLAIN, ALICE, timed(ONE), source=SOURCE, projects=("*",))
    assert add_key(PLAIN, new, timed(ONE), source=SOURCE, projects=("new",))


@pytest.mark.parametrize("projects", [("New",), ("new", "new"), ("[n]ew",)])
def test_a_pattern_that_is_none_is_refused_before_it_is_written(projects: tuple[str, ...]) -> None:
    with pytest.raises(ConfigError, match=r"publishers\.new\.projects"):
        add_key(PLAIN, Holder(role="publisher", name="new"), timed(ONE), source=SOURCE, projects=projects)


def test_a_name_that_is_none_is_refused() -> None:
    with pytest.raises(ConfigError, match="lower-case"):
        add_key(PLAIN, Holder(role="reviewer", name='a"]\n[policy'), timed(ONE), source=SOURCE)
    with pytest.raises(ConfigError, match="--name"):
        Holder(role="reviewer")
    with pytest.raises(ConfigError, match="--name"):
        Holder(role="audit", name="x")


# --- a key's end --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", FILES)
def test_a_key_gets_an_end_however_the_file_is_written(name: str) -> None:
    text = end_key(FILES[name], ONE.public.id, NOW, source=SOURCE, revoked='lost "it" \\')
    ((_, key),) = keys(text)
    assert (key.valid_from, key.valid_until, key.revoked) == (NOW - DAY, NOW, 'lost "it" \\')
    assert comments(text) == comments(FILES[name])
    ((_, replaced),) = keys(end_key(FILES[name], ONE.public.id, NOW, source=SOURCE))
    assert (replaced.valid_until, replaced.revoked) == (NOW, "")


def end(text: str, at: datetime, reason: str = "") -> tuple[datetime | None, str]:
    found = find_key(
        parse_config(end_key(text, ONE.public.id, at, source=SOURCE, revoked=reason).encode(), source=SOURCE),
        ONE.public.id,
    )
    assert found
    return found[1].valid_until, found[1].revoked


def test_an_end_is_never_put_off() -> None:
    replaced = end_key(WITH_TABLES, ONE.public.id, NOW, source=SOURCE)
    assert end(replaced, NOW + DAY, "lost") == (NOW, "lost")
    assert end(replaced, NOW - DAY / 2, "lost") == (NOW - DAY / 2, "lost")
    revoked = end_key(replaced, ONE.public.id, NOW, source=SOURCE, revoked="lost")
    for at in (NOW, NOW + DAY):
        with pytest.raises(ConfigError, match=r"is revoked already, as of 2026-11-21T05:10:00\.000123Z: lost"):
            end_key(revoked, ONE.public.id, at, source=SOURCE, revoked="lost")
    assert end(revoked, NOW - DAY / 2, "earlier than we thought") == (NOW - DAY / 2, "earlier than we thought")
    assert end(revoked, NOW - DAY / 2) == (NOW - DAY / 2, "lost")


def test_a_key_that_was_never_to_be_believed_ends_where_it_begins() -> None:
    assert end(WITH_TABLES, NOW - 100 * DAY, "never ours") == (NOW - DAY, "never ours")


def test_only_the_key_that_is_meant_ends() -> None:
    text = add_key(add_key(WITH_TABLES, ACME, timed(TWO), source=SOURCE), ALICE, timed(THREE), source=SOURCE)
    text = end_key(text, TWO.public.id, NOW + DAY, source=SOURCE, revoked="lost")
    assert {each.key: each.valid_until for _, each in keys(text)} == {
        ONE.public: None,
        TWO.public: NOW + DAY,
        THREE.public: None,
    }
    with pytest.raises(ConfigError, match="root propose"):
        end_key(text, FOUR.public.id, NOW, source=SOURCE)


def test_a_file_that_is_wrong_already_is_not_edited() -> None:
    wrong = WITH_TABLES.replace('name = "local"', 'nam = "local"')
    with pytest.raises(ConfigError, match="did you mean 'name'"):
        add_key(wrong, ACME, timed(TWO), source=SOURCE)
    with pytest.raises(ConfigError, match="did you mean 'name'"):
        end_key(wrong, ONE.public.id, NOW, source=SOURCE)
