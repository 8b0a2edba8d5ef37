"""How the pages look: one style sheet, named by its digest in a policy that forbids everything else.

Colours keep a contrast of at least 4.5 to 1 on their ground, in the light and in the dark; tables become blocks where
there is no room for columns; on paper there are no colours to rely on.
"""

import base64
import hashlib

STYLE = """
:root { color-scheme: light dark; --ink: #1b1f24; --paper: #fff; --soft: #57606a; --line: #d0d7de; --shade: #f6f8fa;
  --link: #0550ae; --good: #116329; --warn: #7d4e00; --bad: #a40e26; --warn-shade: #fff8c5; --bad-shade: #ffebe9; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6edf3; --paper: #0d1117; --soft: #9198a1; --line: #3d444d;
  --shade: #151b23; --link: #79c0ff; --good: #56d364; --warn: #e3b341; --bad: #ff7b72; --warn-shade: #2b2111;
  --bad-shade: #301415; } }
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; text-size-adjust: 100%; }
body { margin: 0 auto; padding: 0 1rem 2rem; max-width: 68rem; background: var(--paper); color: var(--ink);
  font: 1rem/1.5 system-ui, sans-serif; overflow-wrap: anywhere; }
a { color: var(--link); text-underline-offset: .15em; }
a:focus-visible, input:focus-visible, button:focus-visible, summary:focus-visible {
  outline: 3px solid var(--link); outline-offset: 2px; }
h1 { font-size: 1.6rem; line-height: 1.25; margin: .25rem 0; }
h2 { font-size: 1.2rem; margin: 2.25rem 0 .5rem; padding-bottom: .2rem; border-bottom: 1px solid var(--line); }
h3 { font-size: 1rem; margin: 1.25rem 0 .25rem; }
p { margin: .4rem 0; }
code, pre { font: .875rem/1.45 ui-monospace, monospace; }
var { font-style: italic; color: var(--soft); }
pre { white-space: pre-wrap; margin: .5rem 0; padding: .6rem .8rem; background: var(--shade); border-radius: .25rem;
  border: 1px solid var(--line); }
ul, ol { padding-left: 1.25rem; margin: .4rem 0; } li { margin: .15rem 0; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .2rem 1.25rem; margin: .75rem 0; }
dt, .soft, caption { color: var(--soft); } dd { margin: 0; }
table { border-collapse: collapse; width: 100%; margin: .5rem 0; }
caption { text-align: left; padding-bottom: .25rem; }
th, td { text-align: left; vertical-align: top; padding: .4rem .75rem .4rem 0; border-bottom: 1px solid var(--line); }
th { font-weight: 600; } thead th { color: var(--soft); font-size: .875rem; white-space: nowrap; }
tbody th { font-weight: 400; }
.blocks th, .blocks td { min-width: 5.5rem; }
.blocks th details { display: inline-block; margin-left: .75rem; }
.blocks th details[open] { display: block; margin: 0; }
summary { cursor: pointer; font-weight: 400; }
input, button { font: inherit; color: inherit; background: var(--paper); border: 1px solid var(--soft);
  border-radius: .25rem; padding: .35rem .6rem; min-width: 0; }
form { display: flex; flex-wrap: wrap; gap: .5rem; align-items: center; margin: 1rem 0; }
form input { flex: 1 1 12rem; }
.top { display: flex; flex-wrap: wrap; gap: .25rem 1.25rem; align-items: baseline; padding: .75rem 0;
  border-bottom: 1px solid var(--line); margin-bottom: 1.25rem; }
.top strong { margin-right: auto; }
.top ul, .inline { display: flex; flex-wrap: wrap; gap: .25rem 1rem; list-style: none; padding: 0; margin: 0; }
h3 { font-weight: 400; }
.lead { font-size: 1.1rem; }
.small { font-size: .875rem; }
.note { border: 1px solid var(--line); border-left: .4rem solid var(--edge, var(--line)); border-radius: .25rem;
  padding: .5rem .8rem; margin: .75rem 0; background: var(--ground, var(--paper)); }
.note p:first-child { margin-top: 0; } .note p:last-child { margin-bottom: 0; }
.note.bad { --edge: var(--bad); --ground: var(--bad-shade); }
.note.warn { --edge: var(--warn); --ground: var(--warn-shade); }
.note.good { --edge: var(--good); }
.badge { display: inline-block; padding: 0 .5rem; border: 2px solid; border-radius: .25rem; font-weight: 700;
  font-size: .875rem; white-space: nowrap; }
.good { --tone: var(--good); } .warn { --tone: var(--warn); } .bad { --tone: var(--bad); }
.badge, .tone { color: var(--tone, var(--soft)); }
.digest { font-size: .8rem; }
footer { margin-top: 3rem; border-top: 1px solid var(--line); color: var(--soft); font-size: .875rem; }
.narrow { display: none; }
@media (max-width: 44rem) {
  .narrow { display: inline; }
  dl { grid-template-columns: 1fr; gap: 0; } dd { margin-bottom: .5rem; }
  form label { flex-basis: 100%; }
  .blocks thead { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
  .blocks tr, .blocks th, .blocks td { display: block; border: 0; padding: 0; }
  .blocks tbody tr { border-bottom: 1px solid var(--line); padding: .6rem 0; }
  .blocks td:empty { display: none; }
  .blocks tbody th { font-weight: 600; }
}
@media print { :root { --ink: #000; --paper: #fff; --soft: #333; --line: #999; --shade: #fff; --link: #000;
  --good: #000; --warn: #000; --bad: #000; --warn-shade: #fff; --bad-shade: #fff; }
  body { max-width: none; padding: 0; font-size: 10pt; } nav, form { display: none; }
  tr, li, .note { break-inside: avoid; } h2, h3 { break-after: avoid; }
  details::details-content { content-visibility: visible; block-size: auto; } }
"""

STYLE_DIGEST = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()

POLICY = f"default-src 'none'; style-src 'sha256-{STYLE_DIGEST}'; base-uri 'none'; form-action 'self'"
"""The page may use this style sheet and ask the place it came from for a search; everything else is switched off."""
