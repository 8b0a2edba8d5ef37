"""The rules of choosing, without I/O: which version, whether it serves the target, whether page and lock agree."""

import hashlib
from collections.abc import Iterable

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.version import Version

from assess_registry.client.page import PageWheel
from assess_registry.client.target import Target
from assess_registry.errors import NotPublishedError, TrustError, UnservedError
from assess_registry.lock import LOCK_NAME, Lock, LockedWheel
from assess_registry.names import ProjectName

ASK = "do not use it; get it from the registry again, and ask its maintainer if it is refused again"

_SHOWN = 8
"""Versions or tags a message lists before it says how many more there are."""


def choose_version(requirement: Requirement, offered: tuple[PageWheel, ...], *, url: str) -> Version:
    """The highest version that the requirement admits; pre-releases as PEP 440 says.

    A yanked one only where that is pinned and nothing else satisfies the pin (PEP 592): `==2.0` admits `2.0+local`.

    Raises:
        NotPublishedError: there is none; the message lists what there is. `url` is the page's.
    """
    # A release is withdrawn as a whole: one yanked wheel of it is enough (PEP 592 speaks of files).
    withdrawn = {wheel.version for wheel in offered if wheel.yanked}
    available = {wheel.version for wheel in offered} - withdrawn
    matching = list(requirement.specifier.filter(available))
    if matching:
        return max(matching)
    yanked = sorted(requirement.specifier.filter(withdrawn), reverse=True)
    if yanked and is_pin(requirement.specifier):
        return yanked[0]
    if yanked:
        why = f"only yanked versions match ({_some(yanked)}); pin one with == to use it all the same"
    elif offered:
        why = f"published are {_some(sorted(available or withdrawn, reverse=True))}"
    else:
        why = "no wheel of it is published"
    raise NotPublishedError(f"no version satisfies {str(requirement)!r}: {why}", url=url)


def check_target(project: ProjectName, version: Version, offered: tuple[PageWheel, ...], target: Target) -> None:
    """`version` has a wheel for the target, going by what the page says.

    Raises:
        UnservedError: step `tags` or `python`; the next step names versions that have.
    """
    wheels = tuple(wheel for wheel in offered if wheel.version == version)
    installable = tuple(wheel for wheel in wheels if target.rank(wheel.tags) is not None)
    if not installable:
        raise UnservedError(
            "no wheel of this version is for this interpreter and platform",
            step="tags",
            thing=f"{project} {version}",
            expected=_some(target.tags),
            got=_some(sorted(str(tag) for wheel in wheels for tag in wheel.tags)),
            next_step=_another_version(project, offered, target),
        )
    if not any(target.admits_python(wheel.requires_python) for wheel in installable):
        raise UnservedError(
            "this version is not for this Python",
            step="python",
            thing=f"{project} {version}",
            expected=_some(sorted({str(wheel.requires_python) for wheel in installable})),
            got=str(target.python),
            next_step=_another_version(project, offered, target),
        )


def best_wheel(wheels: Iterable[PageWheel], target: Target) -> PageWheel:
    """The one of these wheels whose tags fit the target best; `check_target` has found that there is one."""
    fitting = [wheel for wheel in wheels if target.admits_python(wheel.requires_python)]
    ranks = [(target.rank(wheel.tags), wheel.filename, wheel) for wheel in fitting]
    return min((rank, name, wheel) for rank, name, wheel in ranks if rank is not None)[2]


def check_bytes(data: bytes, *, size: int, sha256: str, thing: str, by: str = "lock") -> None:
    """These are the bytes that were announced, by its `by`.

    Raises:
        TrustError: step `length` or `hash`.
    """
    if len(data) != size:
        raise TrustError(
            f"it is {'shorter' if len(data) < size else 'longer'} than its {by} says",
            step="length",
            thing=thing,
            expected=f"{size} bytes",
            got=f"{len(data)} bytes",
            next_step=ASK,
        )
    got = hashlib.sha256(data).hexdigest()
    if got != sha256:
        raise TrustError(
            f"these are not the bytes its {by} names",
            step="hash",
            thing=thing,
            expected=f"sha256 {sha256}",
            got=f"sha256 {got}",
            next_step=ASK,
        )


def check_page_against_lock(wheels: Iterable[PageWheel], lock: Lock, *, lock_url: str) -> None:
    """Every wheel the page offers of this version is in its lock, with the same digest and size.

    Raises:
        TrustError: step `lock`; the first that is not.
    """
    # All of them, not only the one we want: a wheel that was slipped in beside the locked ones, with a build tag that
    # makes other installers prefer it, is somebody's attempt, and this is where it is seen.
    for wheel in wheels:
        locked = lock.find(wheel.filename)
        if locked is None:
            got, expected = "a wheel that the lock does not hold", f"one of: {_some(w.filename for w in lock.wheels)}"
        elif locked.sha256 != wheel.sha256:
            got, expected = f"sha256 {wheel.sha256} on the page", f"sha256 {locked.sha256} in {lock_url}"
        elif wheel.size not in (None, locked.size):
            got, expected = f"{wheel.size} bytes on the page", f"{locked.size} bytes in {lock_url}"
        else:
            continue
        raise TrustError(
            "the index page offers what the publisher did not lock",
            step="lock",
            thing=wheel.filename,
            expected=expected,
            got=got,
            next_step="do not use this registry until its maintainer has explained the difference",
        )


def select_own(
    lock: Lock, *, project: ProjectName, version: str, target: Target
) -> tuple[LockedWheel, tuple[LockedWheel, ...]]:
    """The plugin's own wheel on `target`, and what else the lock selects for it.

    Raises:
        UnservedError: step `lock`; the lock does not serve the target.
        TrustError: step `lock`; the lock does not hold the plugin.
    """
    selected = lock.select(target)
    own = next((wheel for wheel in selected if (wheel.project, wheel.version) == (project, version)), None)
    if own is None:
        raise TrustError(
            "the lock does not hold the plugin it lies beside",
            step="lock",
            thing=LOCK_NAME,
            expected=f"a wheel of {project} {version}",
            got=_some(f"{wheel.project} {wheel.version}" for wheel in selected),
            next_step="do not use this release; its publisher has to lock and sign it again",
        )
    return own, tuple(wheel for wheel in selected if wheel is not own)


def is_pin(specifiers: SpecifierSet) -> bool:
    """Whether one version is asked for by its number; `==1.*` asks for many."""
    return any(
        item.operator == "===" or (item.operator == "==" and not item.version.endswith(".*")) for item in specifiers
    )


def _another_version(project: ProjectName, offered: tuple[PageWheel, ...], target: Target) -> str:
    fitting = {
        wheel.version
        for wheel in offered
        if not wheel.yanked and target.rank(wheel.tags) is not None and target.admits_python(wheel.requires_python)
    }
    if not fitting:
        return "no other version fits either: use another interpreter, or ask the publisher for a wheel for this one"
    newest = max(fitting)
    return f"ask for one that fits, for example {project}=={newest} (there are: {_some(sorted(fitting, reverse=True))})"


def _some(items: Iterable[object]) -> str:
    texts = [str(item) for item in items]
    more = f" and {len(texts) - _SHOWN} more" if len(texts) > _SHOWN else ""
    return (", ".join(texts[:_SHOWN]) or "nothing") + more
