"""Whether now is after everything that is signed of a project: a clock that is behind would write history anew."""

from datetime import datetime, timedelta

from assess_registry.catalogue import Catalogue
from assess_registry.control import Revocations
from assess_registry.errors import TrustError
from assess_registry.repository.clock import OVERRULE, time_text

TOLERANCE = timedelta(minutes=5)
"""The time is taken before a command waits for the registry's lock, and two desks' clocks are never the same."""


def require_after(catalogue: Catalogue, revocations: Revocations, *, now: datetime) -> None:
    """Nothing of the project bears a time that has not come yet.

    Args:
        catalogue: of the project.
        revocations: of the registry.
        now: what the clock says.

    Raises:
        TrustError: step `clock`; something does, by more than `TOLERANCE`: the latest.
    """
    times: dict[str, datetime] = {}
    for release in catalogue.releases:
        times[f"{release.version} was published"] = release.published_at
        if release.yanked:
            times[f"{release.version} was yanked"] = release.yanked.at
        if release.revoked:
            times[f"{release.version} was revoked"] = release.revoked.at
    for wheel in revocations.wheels:
        if wheel.project == catalogue.project:
            times[f"{wheel.version} was revoked"] = wheel.at
    what = max(times, key=lambda each: times[each], default="")
    if what and now < times[what] - TOLERANCE:
        raise TrustError(
            "it would be changed at a time before its last change, and such times are signed for ever",
            step="clock",
            thing=catalogue.project,
            expected=f"a time after {time_text(times[what])}, when {what}",
            got=f"{time_text(now)}, by this machine's clock",
            next_step="look at the clock of this machine, with `date -u`, and set it if it is behind; if it is right, "
            f"another one was ahead when that was signed: wait until then, or give {OVERRULE} once",
        )
