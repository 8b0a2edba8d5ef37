"""Waivers: those that end soon or have ended, and those of checks that no installed plugin has."""

from collections.abc import Iterator

from assess_core.clock import utc_now
from assess_core.config import nearest
from assess_core.configured import waivers_of
from assess_core.doctor.values import Line
from assess_core.results import WaiverStanding
from assess_core.runtime import Runtime


def lines(runtime: Runtime) -> Iterator[Line]:
    """One line for each that somebody has to look at, and one for all the others; none where there are no waivers."""
    config = runtime.config
    standings = waivers_of(config).standings(utc_now(), notice_d=config.results.waiver_notice_d)
    known = {spec.id for plugin in runtime.installed() for spec in plugin.manifest.checks}
    told = 0
    for each in standings:
        line = _line(each, known)
        if line is not None:
            told += 1
            yield line
    if len(standings) > told:
        text = f"{len(standings) - told} active; what they are about still fails, and exits 3"
        yield Line(topic="waivers", state="ok", text=text)


def _line(standing: WaiverStanding, known: set[str]) -> Line | None:
    what = f"{standing.check} on {standing.subject}, {standing.waiver.owner}"
    match standing.state:
        case "expired":
            text = f"{what}: ended after {standing.waiver.expires}, and counts no more"
            return Line(topic="waivers", state="warn", text=text, fix="`assess waive remove` it, or renew it")
        case "expiring":
            text = f"{what}: ends after {standing.waiver.expires}"
            return Line(topic="waivers", state="warn", text=text, fix="mend what it is about, or renew it")
    if known and standing.check not in known:
        text = f"{what}: no installed plugin has this check{nearest(standing.check, known)}"
        return Line(topic="waivers", state="warn", text=text, fix="correct its id, or `assess waive remove` it")
    return None
