"""Strings that must not be confused, each made by one parser.

A name from outside is refused unless it is already in its one normal form: a registry that repairs names has two
spellings for one thing, and an attacker needs only the second.
"""

import re
from typing import NewType

from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

ProjectName = NewType("ProjectName", str)
"""A project name, normalised as PEP 503 says."""

Sha256 = NewType("Sha256", str)
"""64 lower-case hexadecimal digits."""

PluginName = NewType("PluginName", str)
"""An entry point's name in group `assess.plugins` or `assess.providers`."""

PLUGIN_GROUP = "assess.plugins"
PROVIDER_GROUP = "assess.providers"

ROLE_MEMBER = "assess_role"
"""What the release keys sign says here which role it is, as TUF itself does not: all bins are signed by the same keys,
and any of them could be served as any other."""

SERVED_MEMBER = "assess_served_roots"
"""The root of a site that serves what a registry has published holds here roots of that registry, which alone say whose
its release keys are."""

MAX_NAME = 100
"""Characters of any name; longer ones have only ever been attacks (ours; the package index allows 256)."""

_PROJECT = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*\Z", re.ASCII)
_SHA256 = re.compile(r"[0-9a-f]{64}\Z", re.ASCII)
_ID = re.compile(r"[a-z0-9]+([._-][a-z0-9]+)*\Z", re.ASCII)


def parse_project(text: str) -> ProjectName:
    """The project name, which must already be normalised (PEP 503, normalized names).

    Raises:
        ValueError: it is not, or it is too long.
    """
    if len(text) > MAX_NAME or not _PROJECT.match(text) or canonicalize_name(text) != text:
        raise ValueError(f"{text[: MAX_NAME + 1]!r} is not a normalised project name (PEP 503)")
    return ProjectName(text)


def normalize_project(text: str) -> ProjectName:
    """The normal form of a name a person typed or a METADATA file carries (PEP 503).

    Raises:
        ValueError: it has no normal form.
    """
    return parse_project(canonicalize_name(text)) if text.isascii() else parse_project(text)


def parse_version(text: str) -> Version:
    """A version in the one spelling PEP 440 calls normal (`1.0`, never `01.0`; `1.0` and `1.0.0` stay distinct texts).

    Raises:
        ValueError: it is not a version, or not in normal form.
    """
    try:
        version = Version(text)
    except InvalidVersion as error:
        raise ValueError(f"{text[:MAX_NAME]!r} is not a version (PEP 440)") from error
    if str(version) != text:
        raise ValueError(f"version {text[:MAX_NAME]!r} is not in normal form: write {str(version)!r} (PEP 440)")
    return version


def parse_sha256(text: str) -> Sha256:
    """A SHA-256 digest in lower-case hexadecimal.

    Raises:
        ValueError: it is anything else.
    """
    if not _SHA256.match(text):
        raise ValueError(f"{text[:70]!r} is not a sha256 in 64 lower-case hexadecimal digits")
    return Sha256(text)


def parse_plugin_name(text: str) -> PluginName:
    """The name of a plugin or provider.

    Raises:
        ValueError: it has other characters than lower-case letters, digits and single `.`, `_`, `-` between them.
    """
    return PluginName(parse_id(text))


def parse_id(text: str) -> str:
    """A check id or another identifier that authors choose.

    Raises:
        ValueError: as for `parse_plugin_name`.
    """
    if len(text) > MAX_NAME or not _ID.match(text):
        raise ValueError(f"{text[: MAX_NAME + 1]!r} must be lower-case letters and digits, joined by '.', '_' or '-'")
    return text
