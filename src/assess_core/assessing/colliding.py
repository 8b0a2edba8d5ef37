"""One check id, two plugins: nothing could say any more which of them failed on a subject.

A finding is a check on a subject, and so is a waiver. Where two distributions have a check of one id and both are asked
for it on one subject, a pass of the one would close the failure of the other, and a waiver would hold for both. Which
subjects there are only providers know; so what may meet is refused, unless the selectors say that it cannot:

    a-plugin on { ids = ["host:a"] },              b-plugin on { ids = ["host:b"] }
    a-plugin on { labels = { os = "linux" } },     b-plugin on { labels = { os = "bsd" } }      of one provider
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, combinations, product
from typing import Any

from assess_core.config import AssessmentConfig, Config, match_checks
from assess_core.store import InstalledPlugin
from assess_registry.client import ProjectName

_SAID = 5
"""Ids in one sentence; how many more there are is said."""


def collisions(config: Config, installed: Sequence[InstalledPlugin]) -> tuple[str, ...]:
    """A sentence for each two enabled assessments that may ask two distributions for a check of one id on one subject.

    Of many assessments that are alike, the first is named.

    Args:
        config: what is asked for.
        installed: who has which checks.
    """
    shared = shared_checks(installed)
    if not shared:
        return ()
    owners = {
        entry.name: plugin for plugin in reversed(installed) for entry in plugin.entries if entry.kind == "plugin"
    }
    askers = [
        _Asker.of(index, assessment, owners[assessment.plugin], shared)
        for index, assessment in enumerate(config.assessments)
        if assessment.enabled and assessment.plugin in owners
    ]
    return tuple(_sentence(config, one, other) for one, other in _meeting([asker for asker in askers if asker.checks]))


def shared_checks(installed: Iterable[InstalledPlugin]) -> Mapping[str, tuple[InstalledPlugin, ...]]:
    """The check ids that more than one distribution has, whether or not anybody asks for them, and which have them."""
    having: dict[str, list[InstalledPlugin]] = {}
    for plugin in installed:
        for spec in plugin.manifest.checks:
            having.setdefault(spec.id, []).append(plugin)
    return {check: tuple(plugins) for check, plugins in having.items() if len(plugins) > 1}


@dataclass(frozen=True, kw_only=True, slots=True)
class _Like:
    """What of an assessment decides whether it meets another one, but for the subjects it names.

    Attributes:
        labels: of the selector, each with its value.
        checks: that it asks for and other distributions have, too.
    """

    distribution: ProjectName
    provider: str
    labels: frozenset[tuple[str, str]]
    checks: frozenset[str]

    def meets(self, other: "_Like") -> bool:
        """Whether both may be asked for a check of one id on one subject, if they name none."""
        if self.distribution == other.distribution or not self.checks & other.checks:
            return False
        mine, its = dict(self.labels), dict(other.labels)
        return self.provider != other.provider or all(mine[key] == its[key] for key in mine.keys() & its.keys())


@dataclass(frozen=True, kw_only=True, slots=True)
class _Asker:
    """An enabled assessment: where it stands, what it is like, and the subjects that it names; empty for all."""

    index: int
    like: _Like
    ids: frozenset[str]

    @property
    def checks(self) -> frozenset[str]:
        return self.like.checks

    @classmethod
    def of(
        cls, index: int, assessment: AssessmentConfig, plugin: InstalledPlugin, shared: Mapping[str, object]
    ) -> "_Asker":
        ids = [spec.id for spec in plugin.manifest.checks if spec.plugin == assessment.plugin and spec.id in shared]
        like = _Like(
            distribution=plugin.distribution,
            provider=assessment.provider,
            labels=_labels(assessment.selector),
            checks=frozenset(match_checks(assessment.checks, ids, required=False)),
        )
        return cls(index=index, like=like, ids=_ids(assessment.selector))


def _meeting(askers: Sequence[_Asker]) -> Iterator[tuple[_Asker, _Asker]]:
    """Each two that may meet, those that are alike once: there may be thousands, a few for each host."""
    anywhere = _first_of_each(asker for asker in askers if not asker.ids)
    named = [asker for asker in askers if asker.ids]
    by_id: dict[str, list[_Asker]] = {}
    for asker in named:
        for each in asker.ids:
            by_id.setdefault(each, []).append(asker)
    pairs = chain(
        combinations(anywhere, 2),
        product(anywhere, _first_of_each(named)),
        *(combinations(_first_of_each(some), 2) for some in by_id.values()),
    )
    told: set[tuple[_Like, _Like]] = set()
    for pair in pairs:
        one, other = sorted(pair, key=lambda asker: asker.index)
        if one.like.meets(other.like) and (one.like, other.like) not in told:
            told.add((one.like, other.like))
            yield one, other


def _first_of_each(askers: Iterable[_Asker]) -> list[_Asker]:
    first: dict[_Like, _Asker] = {}
    for asker in askers:
        first.setdefault(asker.like, asker)
    return list(first.values())


def _sentence(config: Config, one: _Asker, other: _Asker) -> str:
    checks = sorted(one.checks & other.checks)
    more = len(checks) - _SAID
    ids = ", ".join(map(repr, checks[:_SAID])) + (f" and {more} more" if more > 0 else "")
    return (
        f"{config.source}: assessments[{other.index}].checks: {ids}: {other.like.distribution} has a check of this id, "
        f"and so has {one.like.distribution} in assessment {config.assessments[one.index].id!r}; one waiver would hold "
        "for both: leave it out of the `checks` of one, or let their selectors name different `ids`"
    )


def _labels(selector: Mapping[str, Any]) -> frozenset[tuple[str, str]]:
    """As selectors are understood (docs/plugin-authors.md, "Find subjects")."""
    labels = selector.get("labels")
    if not isinstance(labels, Mapping):
        return frozenset()
    return frozenset((key, value) for key, value in labels.items() if isinstance(key, str) and isinstance(value, str))


def _ids(selector: Mapping[str, Any]) -> frozenset[str]:
    ids = selector.get("ids")
    return frozenset(each for each in ids if isinstance(each, str)) if isinstance(ids, list | tuple) else frozenset()
