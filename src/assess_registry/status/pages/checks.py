"""What a plugin checks, and the controls that each check is about, which lead to everybody else who covers them."""

import json
from collections.abc import Iterator, Sequence

from assess_registry.manifest import CheckSpec, SettingSpec
from assess_registry.status.markup import Html, Node, joined, said, said_lines, tag
from assess_registry.status.places import control_place, link
from assess_registry.status.values import ReleaseView

_TONES = {"critical": "bad", "high": "bad", "medium": "warn"}


def checks_section(view: ReleaseView, place: str) -> Node:
    """Checks by entry point, then settings; nothing for a provider without either."""
    words = view.plugin
    if words is None:
        return None
    manifest = words.manifest
    return [
        tag("section", tag("h2", f"Checks ({len(manifest.checks)})", id="checks"), *_checks(manifest.checks, place))
        if manifest.checks
        else None,
        tag("section", tag("h2", f"Settings ({len(manifest.settings)})", id="settings"), _settings(manifest.settings))
        if manifest.settings
        else None,
    ]


def _checks(checks: Sequence[CheckSpec], place: str) -> Iterator[Node]:
    for plugin in dict.fromkeys(check.plugin for check in checks):
        mine = [check for check in checks if check.plugin == plugin]
        rows = [tag("tr", _title(each), tag("td", _severity(each)), tag("td", _controls(each, place))) for each in mine]
        yield tag(
            "table",
            tag("caption", "Reported by ", tag("code", said(plugin))),
            tag("thead", tag("tr", [tag("th", name, scope="col") for name in ("Check", "Severity", "Controls")])),
            tag("tbody", rows),
            class_="blocks",
        )


def _title(check: CheckSpec) -> Html:
    remedy = (
        tag(
            "details",
            tag("summary", "what to do when it fails", class_="small soft"),
            tag("pre", said_lines(check.remediation)),
        )
        if check.remediation
        else None
    )
    return tag("th", said(check.title), tag("br"), tag("code", said(check.id), class_="soft"), remedy, scope="row")


def _severity(check: CheckSpec) -> Html:
    return tag("span", check.severity, class_=f"tone {_TONES.get(check.severity, '')}".strip())


def _controls(check: CheckSpec, place: str) -> Node:
    return joined(", ", (tag("a", said(each), href=link(place, control_place(each))) for each in check.controls))


def _settings(settings: Sequence[SettingSpec]) -> Html:
    rows = [
        tag(
            "tr",
            tag("th", tag("code", said(each.name)), scope="row"),
            tag("td", tag("span", "type ", class_="narrow"), _type(each)),
            tag("td", tag("span", "default ", class_="narrow"), _default(each)),
        )
        for each in settings
    ]
    head = tag("thead", tag("tr", [tag("th", name, scope="col") for name in ("Setting", "Type", "Default")]))
    return tag("table", head, tag("tbody", rows), class_="blocks")


def _type(setting: SettingSpec) -> Node:
    kind = setting.schema.get("type", "any")
    return said(kind if isinstance(kind, str) else ", ".join(str(each) for each in kind), max_chars=200)


def _default(setting: SettingSpec) -> Node:
    if setting.secret:
        return tag("strong", "a secret: the operator gives it")
    return (
        tag("code", said(json.dumps(setting.default, default=str), max_chars=200))
        if setting.has_default
        else "none: it has to be given"
    )
