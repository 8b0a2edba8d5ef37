"""os-release(5): shell-like assignments, one a line."""

import shlex
from collections.abc import Mapping


def parse_os_release(text: str) -> Mapping[str, str]:
    """The assignments of the file. A line that is not one is passed over, as os-release(5) asks of readers."""
    values = {}
    for line in text.split("\n"):
        name, equals, value = line.partition("=")
        if not equals or name.lstrip().startswith("#"):
            continue
        try:
            words = shlex.split(value)
        except ValueError:
            continue
        if len(words) <= 1:
            values[name.strip()] = words[0] if words else ""
    return values
