"""What `registry.toml` says, as values; every key is described in docs/policy.md."""

from dataclasses import dataclass, field
from datetime import date
from fnmatch import fnmatchcase
from typing import Any

import tomli_w

POLICY_DEFAULT = """\
[policy]
reject = ["critical", "high"]
flag = ["medium"]
accept = []
licences = [
    "0BSD", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "ISC", "MIT", "MIT-0", "MPL-2.0", "PSF-2.0", "Python-2.0",
    "Unlicense", "Zlib",
]
max_wheel_mib = 20
native_publishers = []
reserved = ["assess", "assess-core", "assess-plugin", "assess-registry", "assess-runtime"]
reserved_prefixes = []
advisories_max_age_days = 30
"""
"""What holds where `[policy]`, or a key of it, is absent. `Policy()` is this text parsed, as a test asserts."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Publisher:
    """Somebody who may publish.

    Attributes:
        keys: ids of their keys, `sha256:…`.
        projects: patterns of the projects that are theirs, for example `acme-*`.
    """

    name: str
    keys: tuple[str, ...] = ()
    projects: tuple[str, ...]

    def admits(self, project: str) -> bool:
        """Whether the project is theirs."""
        return any(fnmatchcase(project, pattern) for pattern in self.projects)


@dataclass(frozen=True, kw_only=True, slots=True)
class Acceptance:
    """Somebody took responsibility for a finding, or for what a check could not look at, until a day.

    Attributes:
        finding: pattern of finding ids; empty when it is about a check.
        check: the check whose incompleteness is accepted; empty when it is about a finding.
        project, entry: patterns it is limited to.
        expires: the last day on which it holds.
    """

    finding: str = ""
    check: str = ""
    project: str = "*"
    entry: str = "*"
    reason: str
    owner: str
    expires: date


@dataclass(frozen=True, kw_only=True, slots=True)
class Policy:
    """What a registry would publish. The attributes are the keys of `[policy]`.

    Attributes:
        reject, flag: severities and patterns of finding ids. Rules by id outrank rules by severity, and of several
            rules by id the strictest holds. What no rule names is a note.
        licences: SPDX identifiers; `*` for any licence.
        native_publishers: publishers whose wheels may hold native code.
        reserved: names that nobody may publish under, or close to.
        reserved_prefixes: beginnings of names that are for those alone whose project patterns begin with them.
    """

    reject: tuple[str, ...] = ("critical", "high")
    flag: tuple[str, ...] = ("medium",)
    accept: tuple[Acceptance, ...] = ()
    licences: tuple[str, ...] = (
        *("0BSD", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "ISC", "MIT", "MIT-0", "MPL-2.0", "PSF-2.0"),
        *("Python-2.0", "Unlicense", "Zlib"),
    )
    max_wheel_mib: float = 20.0
    native_publishers: tuple[str, ...] = ()
    reserved: tuple[str, ...] = ("assess", "assess-core", "assess-plugin", "assess-registry", "assess-runtime")
    reserved_prefixes: tuple[str, ...] = ()
    advisories_max_age_days: int = 30


@dataclass(frozen=True, kw_only=True, slots=True)
class IndexConfig:
    """What a registry is called, whether it is a toy of one machine, who publishes in it, and what."""

    name: str
    development: bool = False
    publishers: tuple[Publisher, ...] = ()
    policy: Policy = field(default_factory=Policy)

    def text(self) -> str:
        """The file that `parse_config` reads back as this value; what is as by default is left out."""
        publishers = {each.name: {"keys": list(each.keys), "projects": list(each.projects)} for each in self.publishers}
        policy = policy_table(self.policy)
        standard = policy_table(Policy())
        changed = {key: value for key, value in policy.items() if value != standard[key]}
        document: dict[str, Any] = {"registry": {"name": self.name, "development": self.development}}
        document |= {"publishers": publishers} if publishers else {}
        document |= {"policy": changed} if changed else {}
        return tomli_w.dumps(document)


def policy_table(policy: Policy) -> dict[str, Any]:
    """The policy as the table it is parsed from, every key present, in the order of the documentation."""
    return {
        "reject": list(policy.reject),
        "flag": list(policy.flag),
        "licences": list(policy.licences),
        "max_wheel_mib": policy.max_wheel_mib,
        "native_publishers": list(policy.native_publishers),
        "reserved": list(policy.reserved),
        "reserved_prefixes": list(policy.reserved_prefixes),
        "advisories_max_age_days": policy.advisories_max_age_days,
        "accept": [_acceptance_table(each) for each in policy.accept],
    }


def _acceptance_table(acceptance: Acceptance) -> dict[str, Any]:
    what = {"check": acceptance.check} if acceptance.check else {"finding": acceptance.finding}
    where = {"project": acceptance.project, "entry": acceptance.entry}
    who = {"reason": acceptance.reason, "owner": acceptance.owner, "expires": acceptance.expires}
    return {**what, **where, **who}
