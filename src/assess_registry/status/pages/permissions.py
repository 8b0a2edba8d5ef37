"""What a plugin may do, in plain words, from its verdict: that is what reviewers approved and runtimes enforce."""

from assess_plugin.permissions import Permissions
from assess_registry.status.markup import Html, Node, said, tag
from assess_registry.status.pages.frame import note
from assess_registry.status.values import ReleaseView, WheelView
from assess_registry.status.words import NOTHING, Blank, Code, Group, Item, Part, limit_words, permission_words

MAX_CHARS = 256 << 10
"""Of one thing it may do: all of it, for what is cut is permitted, too. A manifest has no more bytes."""

SHORT = 40
"""Characters of things that may stand in one line with others."""


def permissions_section(view: ReleaseView) -> Html:
    """One list, or one for each wheel where they differ."""
    known = [each for each in view.wheels if each.permissions is not None]
    body: list[Node] = []
    if not known:
        body.append(tag("p", "No verdict counts, so nothing is permitted."))
    elif len({each.permissions for each in known}) == 1:
        body += _words(known[0])
    else:
        for wheel in known:
            body += [tag("h3", tag("code", said(wheel.listed.filename))), *_words(wheel)]
    if view.plugin:
        body.append(tag("p", limit_words(view.plugin.manifest.limits), class_="soft"))
    return tag("section", tag("h2", "What it may do", id="permissions"), body)


def _words(wheel: WheelView) -> list[Node]:
    since, new = wheel.new_permissions
    groups = permission_words(wheel.permissions or Permissions(), new=new)
    if not groups:
        return [tag("p", NOTHING)]
    grown = any(item.is_new for group in groups for item in group.items)
    more = note(
        "warn",
        tag("p", tag("strong", "It asks for more than before. "), f"Version {since} may not do what is marked new."),
    )
    return [
        more if grown else None,
        [_group(group) for group in groups],
        tag("p", "And nothing else. The runtime does all of it on the plugin's behalf, and notes it in every result."),
    ]


def _group(group: Group) -> Node:
    items = [tag("li", [_part(part) for part in each.parts], _new(each), _alarm(each)) for each in group.items]
    short = all(len(str(each)) <= SHORT for each in group.items)
    return [tag("h3", group.lead), tag("ul", items, class_="inline" if short and len(items) > 1 else None)]


def _new(item: Item) -> Node:
    return [" ", tag("strong", "new", class_="warn tone")] if item.is_new else None


def _alarm(item: Item) -> Node:
    return [" ", tag("strong", item.alarm, class_="bad tone")] if item.alarm else None


def _part(part: Part) -> Node:
    match part:
        case Code(text):
            return tag("code", said(text, max_chars=MAX_CHARS))
        case Blank(text):
            return tag("var", f"⟨{text}⟩")
        case str():
            return part
