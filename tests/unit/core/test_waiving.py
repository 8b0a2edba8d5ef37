"""A waiver goes into a file and out of it again, and not a byte of anything else changes."""

import tomllib
from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assess_core.config import with_waiver, without_waiver
from assess_core.errors import ConfigError
from assess_core.results.waivers import Waiver
from tests.support.examples import examples

FILE = '''# ours, not to be lost
[runtime]
id = "web-01"     # a comment behind a value

[[waivers]]
# why there is one
check = "check-a"
subject = "host:a"
owner = "ops"
reason = """
of several lines
[[waivers]]
# no comment, and no table
"""
expires = 2027-03-31   # renewed twice

# what follows is about results
[results]
keep_days = 90   # the auditors want it

[ [waivers] ]  # another spelling is refused below
'''
FILE = FILE[: FILE.index("[ [waivers]")]

SECOND = Waiver(check="check-b", subject='host:"b" \\ ü', owner="ops", reason="'why'", expires=date(2027, 1, 1))


def test_what_was_added_is_there_and_everything_else_as_it_was() -> None:
    made = with_waiver(FILE, SECOND)
    assert made.startswith(FILE)
    assert tomllib.loads(made)["waivers"][1] == {
        "check": "check-b",
        "subject": 'host:"b" \\ ü',
        "owner": "ops",
        "reason": "'why'",
        "expires": date(2027, 1, 1),
    }
    assert without_waiver(made, SECOND.pair) == FILE


def test_what_is_removed_takes_no_comment_with_it_that_is_about_something_else() -> None:
    made = without_waiver(FILE, ("check-a", "host:a"))
    assert made == FILE[: FILE.index("[[waivers]]")] + FILE[FILE.index("# what follows") :]
    assert "waivers" not in tomllib.loads(made)


def test_the_right_one_of_several_is_removed() -> None:
    text = FILE
    for number in range(4):
        text = with_waiver(text, Waiver(check=f"c-{number}", subject="s", owner="o", reason="r", expires=date.max))
    for number in (2, 0, 3, 1):
        text = without_waiver(text, (f"c-{number}", "s"))
        assert f"c-{number}" not in text
    assert text.rstrip() == FILE.rstrip()


@pytest.mark.parametrize("text", ["", "\n", "[runtime]", "[runtime]\r\n", "# only a comment", "\n\n# x\n\n"])
def test_odd_ends_of_files(text: str) -> None:
    made = with_waiver(text, SECOND)
    assert made.startswith(text)
    assert len(tomllib.loads(made)["waivers"]) == 1
    assert ("\r\n" in text) is ("\r\n[[waivers]]\r\n" in made)
    assert without_waiver(made, SECOND.pair).rstrip() == text.rstrip()


@pytest.mark.parametrize(
    "text",
    [
        'waivers = [{check="check-a",subject="host:a",owner="o",reason="r",expires=2027-03-31}]\n',
        "waivers = 1\n",
        "[waivers]\na = 1\n",
    ],
)
def test_what_is_written_in_another_way_is_left_to_its_owner(text: str) -> None:
    with pytest.raises(ConfigError, match="edit it by hand"):
        with_waiver(text, SECOND)
    with pytest.raises(ConfigError, match="edit it by hand"):
        without_waiver(text, ("check-a", "host:a"))


def test_one_that_is_not_there_is_named_with_what_is_near() -> None:
    with pytest.raises(ConfigError, match=r"none of 'check-a' on 'host:b'; did you mean 'host:a'\?"):
        without_waiver(FILE, ("check-a", "host:b"))
    with pytest.raises(ConfigError, match=r"none of 'check-aa' on 'host:a'; did you mean 'check-a'\?"):
        without_waiver(FILE, ("check-aa", "host:a"))


texts = st.text(st.characters(exclude_categories=("Cs", "Cc", "Zl", "Zp")) | st.sampled_from("\"'\\#[]="), max_size=9)
pieces = st.sampled_from(
    (
        "[[waivers]]\ncheck = 'x'\nsubject = 'y'\n",
        '[["waivers"]] # odd\nsubject = "y2"\ncheck = """x\n[[waivers]]\n\\""" #"""\n# inside\n',
        "[ [ waivers ] ]\n",
        "[[ waivers ]]\ncheck='z'\nsubject='[[waivers]]'\n\n\n",
        "# a comment\n\n",
        "[results]\nkeep_days = 9 # why\n",
        "[[assessments]]\nid = '''\n[[waivers]]\n'''\nchecks = [\n'a', # [[\n]\n",
        "[[waivers]]\r\ncheck = 'crlf'\r\nsubject = 'y' # \"\"\"\r\n",
        "[waivers.more]\na = 1\n",
    )
)


@given(parts=st.lists(pieces, max_size=6), given_=st.tuples(texts, texts, texts, texts))
@settings(max_examples=examples(60), deadline=None)
def test_in_and_out_again_is_as_before_or_nothing_is_done(parts: list[str], given_: tuple[str, str, str, str]) -> None:
    text = "".join(parts)
    check, subject, owner, reason = given_
    waiver = Waiver(check=check, subject=subject, owner=owner, reason=reason, expires=date(2027, 3, 31))
    try:
        before = tomllib.loads(text)
        made = with_waiver(text, waiver)
    except (ConfigError, ValueError):
        return
    assert made.startswith(text)
    assert tomllib.loads(made)["waivers"][:-1] == before.get("waivers", [])
    if any((each.get("check"), each.get("subject")) == waiver.pair for each in before.get("waivers", [])):
        return
    assert without_waiver(made, waiver.pair).rstrip("\r\n") == text.rstrip("\r\n")
    for each in before.get("waivers", []):
        if "check" not in each or "subject" not in each:
            continue
        try:
            fewer = tomllib.loads(without_waiver(made, (each["check"], each["subject"])))
        except ConfigError:
            continue
        assert len(fewer["waivers"]) == len(before["waivers"])
        assert {key: value for key, value in fewer.items() if key != "waivers"} == {
            key: value for key, value in before.items() if key != "waivers"
        }
