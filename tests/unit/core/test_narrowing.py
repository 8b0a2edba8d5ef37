"""What a run was narrowed to: what it was asked, and how that is said."""

import pytest

from assess_core.results import Narrowed


def test_a_check_on_a_subject_was_asked_if_both_were_named_where_any_were() -> None:
    assert Narrowed(checks=("ssh-*", "x")).asks("a", "ssh-root")
    assert not Narrowed(checks=("ssh-*", "x")).asks("a", "xx")
    assert Narrowed(subjects=("a",)).asks("a", "anything")
    assert not Narrowed(subjects=("a",)).asks("aa", "anything")
    both = Narrowed(checks=("x",), subjects=("a",))
    assert [both.asks(*each) for each in (("a", "x"), ("a", "y"), ("b", "x"))] == [True, False, False]


def test_it_says_what_was_named_and_not_all_of_a_long_list() -> None:
    assert str(Narrowed(checks=("ssh-*",), subjects=("a", "b"))) == "checks ssh-*; subjects a, b"
    assert str(Narrowed(subjects=tuple("abcdefg"))) == "subjects a, b, c, d, e and 2 more"


def test_narrowed_to_nothing_is_not_narrowed() -> None:
    with pytest.raises(ValueError, match="is whole"):
        Narrowed()
