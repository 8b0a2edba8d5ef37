"""The query of this provider's selectors: words, all of which must match.

role=web           the label has this value; `*` is any text, `?` any one character
env!=test-*        it has no such value, or there is no such label
host:db-*          the id
"""

from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from assess_plugin import Subject
from assess_plugin.selecting import SelectorError

MAX_TERMS = 50


@dataclass(frozen=True, kw_only=True, slots=True)
class Term:
    """One word. `key` is empty where it is about the id; `wanted` is false for `!=`."""

    key: str
    pattern: str
    wanted: bool = True

    def matches(self, subject: Subject) -> bool:
        """Whether it is so of this subject."""
        if not self.key:
            return fnmatchcase(subject.id, self.pattern)
        value = subject.labels.get(self.key)
        return (value is not None and fnmatchcase(value, self.pattern)) is self.wanted


def parse_query(text: str) -> tuple[Term, ...]:
    """The terms of a query; none of an empty one.

    Raises:
        SelectorError: a label without a name or a pattern, or too many terms.
    """
    words = text.split()
    if len(words) > MAX_TERMS:
        raise SelectorError(f"selector.query has {len(words)} words, more than {MAX_TERMS}")
    return tuple(map(_term, words))


def matches_query(terms: Sequence[Term], subject: Subject) -> bool:
    """Whether all terms match."""
    return all(term.matches(subject) for term in terms)


def _term(word: str) -> Term:
    key, equals, pattern = word.partition("=")
    if not equals:
        return Term(key="", pattern=word)
    wanted = not key.endswith("!")
    key = key.removesuffix("!")
    if not key or not pattern:
        raise SelectorError(f"selector.query: {word!r} must be label=pattern, label!=pattern, or a pattern of ids")
    return Term(key=key, pattern=pattern, wanted=wanted)
