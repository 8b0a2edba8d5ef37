"""A run as one HTML file that needs nothing else: to read, to print, to attach.

Everything that comes from a plugin, a subject or the configuration is escaped, and the page names the digest of its one
style sheet and forbids all else, should something have been missed. What is missing from the run stands first, then the
worst.
"""

import base64
import hashlib
from collections.abc import Iterator
from html import escape

from assess_core.clock import timestamp
from assess_core.formats.order import worst_first
from assess_core.formats.sentences import explain, narrowed_lines, tries_line, waived_line, waiver_line, waiver_lines
from assess_core.results import Result, Run, Severity
from assess_registry.client import plain

STYLE = """
body { font: 15px/1.45 system-ui, sans-serif; margin: 2em auto; max-width: 72em; padding: 0 1em }
table { border-collapse: collapse; width: 100% }
td, th { border-bottom: 1px solid #ccc; padding: .35em .6em; text-align: left; vertical-align: top }
td { overflow-wrap: anywhere }
.fail, .error, .timeout, .incomplete { color: #a00; font-weight: bold }
.skipped { color: #850 }
.pass { color: #060 }
.note { color: #555 }
@media print { body { max-width: none } }
"""

_POLICY = "default-src 'none'; style-src 'sha256-{}'; base-uri 'none'; form-action 'none'"


def render(run: Run, *, fail_on: Severity | None) -> str:
    """The run as an HTML document."""
    digest = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
    return "\n".join((*_head(run, _POLICY.format(digest)), *_body(run, fail_on))) + "\n"


def _head(run: Run, policy: str) -> Iterator[str]:
    title = _text(f"Run of {run.runtime} at {timestamp(run.started_at)}")
    yield '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">'
    yield f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
    yield '<meta name="viewport" content="width=device-width, initial-scale=1">'
    yield '<meta name="referrer" content="no-referrer">'
    yield f"<title>{title}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<h1>{title}</h1>"


def _body(run: Run, fail_on: Severity | None) -> Iterator[str]:
    for sentence in run.shortcomings():
        yield f'<p class="incomplete">incomplete: {_text(sentence)}</p>'
    for line in narrowed_lines(run):
        yield f'<p class="note">{_text(line)}</p>'
    counts = ", ".join(f"{count} {outcome.value}" for outcome, count in run.counts.items())
    yield f"<p>{_text(explain(run, fail_on))}</p>"
    yield f"<p>{counts}{f'; {waived_line(run)}' if run.waived else ''}</p>"
    for line in waiver_lines(run):
        yield f'<p class="note">{_text(line)}</p>'
    yield "<table>"
    yield "<tr><th>outcome</th><th>severity</th><th>check</th><th>subject</th><th>found</th></tr>"
    for result in sorted(run.results, key=worst_first):
        yield _row(result)
    yield "</table>\n</body>\n</html>"


def _row(result: Result) -> str:
    cells = (
        f'<td class="{result.outcome.value}">{result.outcome.value}</td>',
        f"<td>{result.severity}</td>",
        f'<td>{_text(result.check)}<br><span class="note">{_text(result.title)}</span></td>',
        f'<td>{_text(result.subject.id)}<br><span class="note">{_text(result.subject.title)}</span></td>',
        f"<td>{'<br>'.join(_found(result))}</td>",
    )
    return f"<tr>{''.join(cells)}</tr>"


def _found(result: Result) -> Iterator[str]:
    if result.reason:
        yield _text(result.reason)
    if result.expected is not None:
        yield f"expected {_text(result.expected) or 'nothing'}"
    if result.actual is not None:
        yield f"got {_text(result.actual) or 'nothing'}"
    if result.outcome == "fail" and result.remediation:
        yield f"fix: {_text(result.remediation)}"
    if result.waiver is not None:
        yield _text(waiver_line(result.waiver))
    if tried := tries_line(result):
        yield _text(tried)


def _text(text: str) -> str:
    return escape(plain(text))
