"""Which form of a page a client wants (PEP 691; RFC 9110, 12.5.1); pure.

A client that names forms gets the one it likes best. One that takes anything, as browsers and curl do, gets HTML; of
two that it names and likes equally it gets JSON.
"""

import re
from collections.abc import Iterator

from assess_registry.index.pages import HTML_TYPE, JSON_TYPE

NAMED_HTML_TYPE = "application/vnd.pypi.simple.v1+html"

FORMS = (JSON_TYPE, NAMED_HTML_TYPE, HTML_TYPE)
"""What there is, best first."""

MAX_RANGES = 100
"""Media ranges that are looked at; browsers send about ten."""

_ALIASES = {
    "application/vnd.pypi.simple.latest+json": JSON_TYPE,
    "application/vnd.pypi.simple.latest+html": NAMED_HTML_TYPE,
}
"""PEP 691: a server says which version the latest is, by what it answers."""

_QUALITY = re.compile(r"(?:0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?)\Z")


def negotiated(accept: str | None, wanted: str | None) -> str | None:
    """The media type to answer with; None when there is nothing that the client would take.

    Args:
        accept: the `Accept` header, all of them joined by commas; None when there is none.
        wanted: the parameter `format` of the URL, which comes before the header (PEP 691); None when there is none.
    """
    if wanted is not None:
        form = _ALIASES.get(wanted, wanted)
        return form if form in FORMS else None
    if accept is None or not accept.strip():
        return HTML_TYPE
    ranges = dict(_ranges(accept))
    rated = ((_rate(form, ranges), form) for form in FORMS)
    return max(((rate, form) for rate, form in rated if rate[0] > 0), default=(None, None))[1]


def _rate(form: str, ranges: dict[str, float]) -> tuple[float, int, int]:
    """How much it is liked, how precisely it was named, and how good it is among those like it."""
    for precision, name in ((2, form), (1, f"{form.partition('/')[0]}/*"), (0, "*/*")):
        if name in ranges:
            place = FORMS.index(form)
            return ranges[name], precision, -place if precision == 2 else place
    return 0.0, 0, 0


def _ranges(accept: str) -> Iterator[tuple[str, float]]:
    """Media ranges with their quality; what is malformed is left out, as is every parameter but `q`."""
    for element in accept.split(",")[:MAX_RANGES]:
        name, *parameters = (part.strip().lower() for part in element.split(";"))
        given = [value for key, _, value in (each.partition("=") for each in parameters) if key.strip() == "q"]
        quality = given[0].strip() if given else "1"
        if name and _QUALITY.match(quality):
            yield _ALIASES.get(name, name), float(quality)
