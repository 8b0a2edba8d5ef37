"""OSCAL's small grammars: tokens, property values, markup. Everything a plugin says goes through one of these."""

import re
from typing import Any

from assess_registry.client import plain, plain_lines

NAMESPACE = "urn:assess-runtime:oscal"
"""`ns` of every property of ours, so that its name cannot be taken for one of OSCAL's."""

MAX_VALUE = 1000
"""Characters of a property's value; the whole text is in the observation's description or in the JSON document."""

_NOT_TOKEN = re.compile(r"[^A-Za-z0-9._-]+")
_ENHANCEMENT = re.compile(r"\((\w+)\)", re.ASCII)
_MARKUP = re.compile(r"([\\`*~^<>\[\]{}])")


def token(text: str, prefix: str) -> str:
    """The text as an OSCAL token (a letter or `_`, then letters, digits, `.`, `-`, `_`).

    One that cannot begin a token, such as `1.1.1`, is put behind the prefix, which must be a token.
    """
    cleaned = _NOT_TOKEN.sub("-", text).strip("-.")
    if not cleaned:
        return prefix
    return cleaned if cleaned[0].isalpha() or cleaned[0] == "_" else f"{prefix}-{cleaned}"


def control(text: str) -> tuple[str, str]:
    """Framework and control id, both tokens: `nist-800-53:AC-6(2)` is `nist-800-53` and `ac-6.2`."""
    framework, _, name = text.rpartition(":")
    framework = token(framework, "framework")
    return framework, token(_ENHANCEMENT.sub(r".\1", name).lower(), framework)


def markup(text: str) -> str:
    """The text on one line, as markup that shows it as it is: no link, image, HTML or insertion of its own making."""
    return _MARKUP.sub(r"\\\1", plain(text))


def markup_lines(text: str) -> str:
    """`markup` that keeps line breaks."""
    return _MARKUP.sub(r"\\\1", plain_lines(text))


def props(**values: str | float | bool | None) -> dict[str, Any]:
    """`{"props": [...]}` with a property for each value that is not empty, or nothing: OSCAL has no empty arrays."""
    named = [prop for name, given in values.items() for prop in prop_list(name.replace("_", "-"), given)]
    return {"props": named} if named else {}


def prop_list(name: str, given: str | float | bool | None) -> list[dict[str, str]]:
    """One property, or none if its value is empty."""
    text = value(given)
    return [{"name": name, "ns": NAMESPACE, "value": text}] if text else []


def value(given: str | float | bool | None) -> str:
    """The text of a property: one line, without blanks at its ends; empty for None."""
    match given:
        case None:
            return ""
        case bool():
            return "true" if given else "false"
        case _:
            return plain(given)[:MAX_VALUE].rstrip()
