"""What an audit goes by: which registry's policy, names and advisories, and that whoever runs it is told.

A registry that nobody named is used when it lies in the current directory, as long as it is no part of what is audited:
a source tree that brought its own policy would be its own judge.
"""

import contextlib
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import click

from assess_registry.audit.advisories import DATABASE_NAME, AdvisoryDatabase, import_advisories
from assess_registry.audit.pipeline import Terms, idle_rules
from assess_registry.audit.policy import overlong_acceptances, policy_sha256
from assess_registry.config import CONFIG_NAME, Policy, load_config, load_policy_file
from assess_registry.errors import ConfigError
from assess_registry.index.tree import Tree
from assess_registry.text import plain

_PEEK = 200


def implicit_index(root: Path, *, audited: Iterable[Path]) -> Path | None:
    """The registry at `root`, which nobody named, if there is one and it lies in no directory that is audited."""
    if not (root / CONFIG_NAME).exists():
        return None
    for tree in audited:
        if tree.is_dir() and _lies_in(root, tree):
            click.echo(
                f"warning: {plain(root)} lies in {plain(tree)}, which is audited, so its policy and advisories are not "
                "used; name the registry with --index if they are yours",
                err=True,
            )
            return None
    return root


@contextlib.contextmanager
def terms_of(
    index: Path | None, *, as_of: date, policy_file: Path | None, advisories_file: Path | None, is_implicit: bool
) -> Iterator[tuple[Terms, Terms]]:
    """The registry's terms, and those with the policy of `policy_file`, by which to judge; they are the same without.

    Says on stderr by which policy it is judged, as the report can only name its digest.

    Raises:
        ConfigError: a file cannot be read, or the policy to judge by accepts what cannot be accepted.
    """
    with _advisories(advisories_file, index) as (advisories, problem):
        terms = replace(_terms(index, as_of), advisories=advisories, advisories_problem=problem)
        other = _with_policy(terms, policy_file)
        path = policy_file or (index and index / CONFIG_NAME)
        _require_usable(other.policy, path, as_of)
        _say(other, index, path, is_implicit=is_implicit)
        yield terms, other


def _lies_in(root: Path, tree: Path) -> bool:
    # As it is written and as links lead: a link out of the tree was still put there by whoever made the tree.
    places = (root.parent.resolve() / root.name, root.resolve(), (root / CONFIG_NAME).resolve())
    return any(place.is_relative_to(tree.resolve()) for place in places)


def _say(terms: Terms, index: Path | None, policy: Path | None, *, is_implicit: bool) -> None:
    where = "the default" if policy is None else plain(policy.absolute())
    click.echo(f"policy: {where}, sha256:{policy_sha256(terms.policy, terms.publishers, terms.targets)}", err=True)
    if index is not None and (is_implicit or policy != index / CONFIG_NAME):
        found = ", found in the current directory; --index names another" if is_implicit else ""
        click.echo(f"index: {plain(index.absolute())}{found}", err=True)


def _terms(index: Path | None, as_of: date) -> Terms:
    if index is None:
        return Terms(as_of=as_of)
    config = load_config(index)
    return Terms(
        policy=config.policy,
        publishers=config.publishers,
        targets=config.targets,
        published=frozenset(Tree(index).projects()),
        as_of=as_of,
    )


def _with_policy(terms: Terms, path: Path | None) -> Terms:
    if path is None:
        return terms
    file = load_policy_file(path)
    return replace(
        terms,
        policy=file.policy,
        publishers=terms.publishers if file.publishers is None else file.publishers,
        targets=terms.targets if file.targets is None else file.targets,
    )


def _require_usable(policy: Policy, path: Path | None, as_of: date) -> None:
    problems = (*idle_rules(policy), *overlong_acceptances(policy, as_of=as_of))
    if problems:
        raise ConfigError(*(f"{path}: {problem}" for problem in problems))


@contextlib.contextmanager
def _advisories(path: Path | None, index: Path | None) -> Iterator[tuple[AdvisoryDatabase | None, str]]:
    """The advisories asked for, else the index's own; None, and why, when there are none."""
    if path is None:
        if index is None:
            yield None, "no advisories: there is no index here, and --advisories was not given"
        elif not (index / DATABASE_NAME).exists():
            yield None, "no advisories were imported into the index"
        else:
            yield AdvisoryDatabase.load(index / DATABASE_NAME), ""
    elif _is_database(path):
        yield AdvisoryDatabase.load(path), ""
    else:
        with tempfile.TemporaryDirectory(prefix="assess-advisories-") as scratch:
            yield import_advisories(path, Path(scratch, DATABASE_NAME), imported_on=datetime.now(UTC).date()), ""


def _is_database(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return b'"assess-advisories"' in file.read(_PEEK)
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from error
