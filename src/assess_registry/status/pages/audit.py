"""What the audit said of each wheel, and on which interpreters the plugin was seen to work."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from assess_plugin.models import API_VERSIONS
from assess_registry.index.tree import FILES
from assess_registry.status.markup import Html, Node, joined, said, tag
from assess_registry.status.pages.frame import not_shown
from assess_registry.status.places import file_link
from assess_registry.status.report import MAX_FINDINGS, Environment, ExaminationWords, FindingWords, ReportWords
from assess_registry.status.values import ClosureView, House, NotShown, ReleaseView, Target

PLACES = 2
"""Of one finding that are seen without asking for the rest."""

_TONES = {"approved": "good", "flagged": "warn", "rejected": "bad", "passed": "good", "failed": "bad"}


def audit_section(view: ReleaseView, place: str) -> Html:
    """The verdict with its reasons, what was found, and what was looked at; of each wheel."""
    report = file_link(place, f"{FILES}/{view.project}/{view.release.version}/{view.release.audit.filename}")
    body: list[Node] = []
    for wheel in view.wheels:
        if len(view.wheels) > 1:
            body.append(tag("h3", tag("code", said(wheel.listed.filename))))
        body += [not_shown(wheel.report)] if isinstance(wheel.report, NotShown) else _report(wheel.report)
    body.append(tag("p", "All of it: ", tag("a", view.release.audit.filename, href=report), "."))
    return tag("section", tag("h2", "Audit", id="audit"), body)


def _report(report: ReportWords) -> Iterator[Node]:
    tone = f"tone {_TONES.get(report.verdict, '')}".strip()
    yield tag("p", "Verdict: ", tag("strong", said(report.verdict), class_=tone), ", as of ", said(report.as_of), ".")
    if report.reasons:
        yield tag("ul", [tag("li", said(each)) for each in report.reasons])
    if report.findings:
        yield _findings(report.findings)
    if len(report.findings) > MAX_FINDINGS:
        yield tag("p", f"{len(report.findings) - MAX_FINDINGS} more findings are in the report.")
    yield tag("p", "Known vulnerabilities: ", said(report.advisories), class_="small")
    names = joined(", ", (_examination(each) for each in report.examinations))
    yield tag("p", "Looked at by the checks ", names, ".", class_="small")
    gaps = [(each.name, gap) for each in report.examinations for gap in each.incomplete]
    if gaps:
        yield tag("p", tag("strong", "Not looked at whole:"))
        yield tag("ul", [tag("li", tag("code", said(name)), ": ", said(gap)) for name, gap in gaps])


def _examination(examination: ExaminationWords) -> Node:
    return [tag("code", said(examination.name)), [" (", said(examination.tool), ")"] if examination.tool else None]


def _findings(findings: Iterable[FindingWords]) -> Html:
    """A row for all that differ in nothing but their place, as those in a dependency's wheels for each platform do."""
    places: dict[FindingWords, list[str]] = {}
    for each in tuple(findings)[:MAX_FINDINGS]:
        places.setdefault(replace(each, place=_dependency(each.place)), []).append(each.place)
    rows = [
        tag(
            "tr",
            tag("td", tag("span", said(each.verdict), class_=f"tone {_TONES.get(each.verdict, '')}".strip())),
            tag("td", said(each.severity)),
            tag("th", said(each.message), tag("br"), tag("code", said(each.id), class_="soft"), scope="row"),
            tag("td", _places([place for place in found if place])),
            tag("td", said(each.reason)),
        )
        for each, found in places.items()
    ]
    names = ("Result", "Severity", "Finding", "Where", "Why this result")
    head = tag("thead", tag("tr", [tag("th", name, scope="col") for name in names]))
    return tag("table", tag("caption", "Findings, worst first"), head, tag("tbody", rows), class_="blocks")


def _dependency(place: str) -> str:
    """The project in whose wheel it is; empty where it is in the plugin's own."""
    wheel, found, _ = place.partition(".whl")
    return wheel.partition("-")[0] if found else ""


def _places(places: Sequence[str]) -> Node:
    lines = [tag("div", tag("code", said(place))) for place in places]
    if len(lines) <= PLACES:
        return lines
    rest = len(lines) - PLACES
    summary = tag("summary", f"and in {rest} more place{'s' if rest > 1 else ''}")
    return [lines[:PLACES], tag("details", summary, lines[PLACES:])]


def compatibility_section(house: House, view: ReleaseView) -> Html:
    """What the lock serves on the registry's targets, what tests were seen to pass, and which plugin APIs it is for."""
    body: list[Node] = []
    environments = [each for wheel in view.wheels for each in _environments(wheel.report)]
    if isinstance(view.closure, ClosureView):
        body.append(_matrix(house, view.closure.targets, environments))
    if environments:
        body.append(_tested(environments))
    else:
        body.append(tag("p", "Nobody has shown tests that passed with this very wheel."))
    if view.plugin:
        api = view.plugin.manifest.api
        served = ", ".join(version for version in API_VERSIONS if api.contains(version))
        body.append(tag("p", f"Plugin APIs it is written for, of those there are: {served or 'none'}."))
    return tag("section", tag("h2", "Compatibility", id="compatibility"), body)


def _environments(report: ReportWords | NotShown) -> tuple[Environment, ...]:
    return () if isinstance(report, NotShown) else report.environments


def _matrix(house: House, targets: tuple[Target, ...], environments: list[Environment]) -> Html:
    """Pythons down, platforms across."""
    cells = {(each.python, each.platform): each for each in targets}
    platforms = house.targets.platforms
    rows = [
        tag(
            "tr",
            tag("th", f"Python {python}", scope="row"),
            [tag("td", _cell(cells[python, platform], platform)) for platform in platforms],
            tag("td", _seen(python, environments)),
        )
        for python in house.targets.pythons
    ]
    names = ("", *platforms, "Author's tests")
    head = tag("thead", tag("tr", [tag("th", name, scope="col") for name in names]))
    caption = tag("caption", "What the signed lock installs on the interpreters and platforms of this registry")
    return tag("table", caption, head, tag("tbody", rows), class_="blocks")


def _cell(target: Target, platform: str) -> Node:
    if not target.wheels:
        return [tag("span", "not served", class_="tone bad"), tag("span", f" on {platform}", class_="narrow")]
    count = len(target.wheels)
    return [
        tag("span", "installs", class_="tone good"),
        f", {count} wheel{'s' if count > 1 else ''}",
        tag("span", f" on {platform}", class_="narrow"),
    ]


def _seen(python: str, environments: list[Environment]) -> Node:
    """The worst of what was seen with this Python, and with this very wheel."""
    outcomes = {each.outcome for each in environments if each.python == python and each.is_this_wheel}
    for outcome in ("failed", "passed"):
        if outcome in outcomes:
            return tag("span", f"tests {outcome}", class_=f"tone {_TONES[outcome]}")
    return tag("span", "no tests shown", class_="soft")


def _tested(environments: list[Environment]) -> Html:
    rows = [
        tag(
            "tr",
            tag("th", tag("code", said(each.name)), scope="row"),
            tag("td", "Python ", said(each.python)),
            tag("td", "API ", said(each.api)),
            tag("td", tag("span", said(each.outcome), class_=f"tone {_TONES.get(each.outcome, '')}".strip())),
            tag("td", "with this wheel" if each.is_this_wheel else "with another build: does not count"),
        )
        for each in environments
    ]
    names = ("Environment", "Python", "Plugin API", "Outcome", "Installed")
    head = tag("thead", tag("tr", [tag("th", name, scope="col") for name in names]))
    return tag("table", tag("caption", "Tests that the author ran with tox"), head, tag("tbody", rows), class_="blocks")
