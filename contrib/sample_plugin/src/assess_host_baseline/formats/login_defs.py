"""/etc/login.defs: login.defs(5). One name and its value a line; `#` begins a comment line; the last one counts."""

from collections.abc import Mapping

from assess_host_baseline.formats.text import Malformed, shown


def parse_login_defs(text: str) -> Mapping[str, str]:
    """The values by name, as shadow-utils reads them (lib/getdef.c: the value may be quoted)."""
    values = {}
    for line in text.split("\n"):
        name, _, value = line.strip().replace("\t", " ").partition(" ")
        if name and not name.startswith("#"):
            values[name] = value.strip().strip('"')
    return values


def number(values: Mapping[str, str], name: str, *, base: int = 10) -> int | None:
    """The value of this name as a number, or None when it is not set.

    Raises:
        Malformed: it is set and not a number.
    """
    text = values.get(name)
    if text is None:
        return None
    try:
        return int(text, base)
    except ValueError as error:
        raise Malformed(f"/etc/login.defs: {name} is {shown(text)!r}, not a number") from error
