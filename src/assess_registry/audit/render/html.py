"""The report as one page that can be kept: no script, nothing loaded, everything that came from a wheel escaped.

The content security policy names the digest of the one style sheet; whatever else a page could do is switched off, so
that even a mistake in escaping would run nothing.
"""

import base64
import hashlib
from collections.abc import Iterable, Iterator, Sequence
from html import escape

from assess_registry.audit.render.order import attachments, counts, dumps, groups, place
from assess_registry.audit.values import Examination, Judged, Report
from assess_registry.text import plain

_MAX_CHARS = 2000

STYLE = """
:root { color-scheme: light dark; --ink: #1b1f24; --paper: #fff; --soft: #57606a; --line: #d0d7de; --shade: #f6f8fa;
  --approved: #116329; --flagged: #7d4e00; --rejected: #a40e26; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6edf3; --paper: #0d1117; --soft: #9198a1; --line: #3d444d;
  --shade: #151b23; --approved: #56d364; --flagged: #e3b341; --rejected: #ff7b72; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1rem; max-width: 62rem; background: var(--paper); color: var(--ink);
  font: 1rem/1.5 system-ui, sans-serif; overflow-wrap: anywhere; }
h1 { font-size: 1.4rem; line-height: 1.3; margin: .5rem 0; }
h2 { font-size: 1.15rem; margin: 2rem 0 .5rem; }
h3 { font-size: 1rem; margin: 0; }
p { margin: .25rem 0; }
code, pre { font: .875rem/1.45 ui-monospace, monospace; }
pre { white-space: pre-wrap; margin: .5rem 0 0; padding: .5rem; background: var(--shade); border-radius: .25rem; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .15rem 1rem; margin: 1rem 0; }
dt, .soft { color: var(--soft); }
dd { margin: 0; }
ul { padding-left: 1.25rem; }
.verdict { display: inline-block; padding: .1rem .6rem; border: 2px solid; border-radius: .25rem; font-weight: 700;
  text-transform: uppercase; letter-spacing: .03em; }
.approved { color: var(--approved); } .flagged { color: var(--flagged); } .rejected { color: var(--rejected); }
article { border: 1px solid var(--line); border-left: .3rem solid var(--edge, var(--line)); border-radius: .25rem;
  padding: .6rem .8rem; margin: .6rem 0; break-inside: avoid; }
article.is-rejected { --edge: var(--rejected); } article.is-flagged { --edge: var(--flagged); }
summary { cursor: pointer; }
@media (max-width: 32rem) { dl { grid-template-columns: 1fr; gap: 0; } dd { margin-bottom: .5rem; } }
@media print { :root { --ink: #000; --paper: #fff; --soft: #333; --line: #999; --shade: #fff; --approved: #116329;
  --flagged: #7d4e00; --rejected: #a40e26; } body { max-width: none; padding: 0; font-size: 10pt; }
  details::details-content { content-visibility: visible; block-size: auto; } }
"""

_POLICY = "default-src 'none'; style-src 'sha256-{}'; base-uri 'none'; form-action 'none'"


def render_html(report: Report) -> str:
    """The report as an HTML page."""
    digest = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
    return "".join(f"{line}\n" for line in _page(report, _POLICY.format(digest)))


def _page(report: Report, policy: str) -> Iterator[str]:
    title = f"{report.verdict}: {report.filename}"
    yield '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">'
    yield f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
    yield '<meta name="viewport" content="width=device-width, initial-scale=1">'
    yield '<meta name="referrer" content="no-referrer">'
    yield f"<title>{_text(title)}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<header>"
    yield f'<p><span class="verdict {report.verdict}">{report.verdict}</span></p>'
    yield f"<h1>{_text(report.filename)}</h1>\n</header>\n<main>"
    yield from _why(report)
    yield from _findings(report)
    yield from _checks(report.examinations)
    yield from _identity(report)
    yield "</main>\n</body>\n</html>"


def _why(report: Report) -> Iterator[str]:
    yield "<section>\n<h2>Why</h2>"
    if report.reasons:
        yield from _list(report.reasons)
    else:
        yield "<p>Every check looked at everything, and the policy objects to nothing that was found.</p>"
    yield "</section>"


def _findings(report: Report) -> Iterator[str]:
    yield f"<section>\n<h2>Findings</h2>\n<p>{counts(report)}</p>"
    for group in groups(report):
        yield from _group(group)
    yield "</section>"


def _group(group: Sequence[Judged]) -> Iterator[str]:
    judged = group[0]
    finding = judged.finding
    yield f'<article class="is-{judged.verdict}">'
    yield (
        f'<h3><span class="{judged.verdict}">{judged.verdict}</span> {_text(finding.id)} '
        f'<span class="soft">{_text(finding.severity)}, {_text(judged.check)}</span></h3>'
    )
    if places := [f"<code>{_text(where)}</code>" for each in group if (where := place(each))]:
        yield f"<p>{'<br>'.join(places)}</p>"
    yield f"<p>{_text(finding.message)}</p>"
    if finding.advice:
        yield f"<p><strong>Advice:</strong> {_text(finding.advice)}</p>"
    yield f'<p class="soft">{_text(judged.reason)}; rule: {_text(finding.rule)}</p>\n</article>'


def _checks(examinations: Iterable[Examination]) -> Iterator[str]:
    yield "<section>\n<h2>Checks</h2>"
    for examination in examinations:
        state, colour = ("incomplete", "flagged") if examination.incomplete else ("complete", "approved")
        tool = f", by {_text(examination.tool)}" if examination.tool else ""
        found = f'<span class="soft">{len(examination.findings)} found{tool}</span>'
        yield f'<article>\n<h3>{_text(examination.check)} <span class="{colour}">{state}</span> {found}</h3>'
        yield from _list(examination.incomplete)
        if made := attachments(examination.attachments):
            yield from _list(f"made {each['name']}, {each['size']} bytes, sha256 {each['sha256']}" for each in made)
        if examination.facts:
            # Through JSON in ASCII: a fact is text of the wheel as much as a message is.
            facts = dumps({key: examination.facts[key] for key in sorted(examination.facts)})
            yield f"<details>\n<summary>What it established</summary>\n<pre>{escape(facts.strip())}</pre>\n</details>"
        yield "</article>"
    yield "</section>"


def _identity(report: Report) -> Iterator[str]:
    yield "<section>\n<h2>What was judged, and by what</h2>\n<dl>"
    for name, value in (
        ("project", f"{report.project} {report.version}"),
        ("size", f"{report.size:,} bytes"),
        ("sha256", report.sha256),
        ("as of", report.as_of.isoformat()),
        ("policy sha256", report.policy_sha256),
        ("advisories", report.advisories),
    ):
        yield f"<dt>{name}</dt><dd>{_text(value)}</dd>"
    yield "</dl>\n</section>"


def _list(items: Iterable[str]) -> Iterator[str]:
    lines = [f"<li>{_text(item)}</li>" for item in items]
    if lines:
        yield from ("<ul>", *lines, "</ul>")


def _text(text: str) -> str:
    """Text from anywhere: on one line, without characters that reorder or hide, escaped for content and attributes."""
    return escape(plain(text, max_chars=_MAX_CHARS))
