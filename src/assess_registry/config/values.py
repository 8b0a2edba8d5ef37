"""What `registry.toml` says, as values; every key is described in docs/policy.md."""

import hashlib
import json
from dataclasses import asdict, dataclass, field, replace
from datetime import date
from fnmatch import fnmatchcase
from typing import Any

import tomli_w

from assess_registry.keys import TimedKey
from assess_registry.names import Sha256

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
automatic_approval = []
"""
"""What holds where `[policy]`, or a key of it, is absent. `Policy()` is this text parsed, as a test asserts."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Publisher:
    """Somebody who may publish.

    Attributes:
        keys: all keys they ever had here, with the times for which they are valid.
        projects: patterns of the projects that are theirs, for example `acme-*`.
        approvals: how many reviewers have to approve what they publish, none of them the publisher.
    """

    name: str
    keys: tuple[TimedKey, ...] = ()
    projects: tuple[str, ...]
    approvals: int = 1

    def admits(self, project: str) -> bool:
        """Whether the project is theirs."""
        return any(fnmatchcase(project, pattern) for pattern in self.projects)


@dataclass(frozen=True, kw_only=True, slots=True)
class Reviewer:
    """Somebody who may approve what others publish.

    Attributes:
        keys: all keys they ever had here, with the times for which they are valid; none of them a publisher's.
    """

    name: str
    keys: tuple[TimedKey, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Targets:
    """Where the plugins of a registry are meant to run.

    Attributes:
        pythons: versions of Python, `3.N`, without a patch level.
        platforms: platform tags as they stand in the names of wheels.
    """

    pythons: tuple[str, ...] = ("3.11", "3.12", "3.13")
    platforms: tuple[str, ...] = ("manylinux_2_28_x86_64", "manylinux_2_28_aarch64")


@dataclass(frozen=True, kw_only=True, slots=True)
class Expiry:
    """For how many days what each role of the registry signs is believed, from the day it is signed."""

    root_d: int = 365
    targets_d: int = 180
    bins_d: int = 90
    snapshot_d: int = 30
    timestamp_d: int = 7


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
        automatic_approval: publishers whose wheels need no reviewer when the audit approves them.
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
    automatic_approval: tuple[str, ...] = ()

    def digest(self) -> Sha256:
        """The policy's version: a digest of the whole table, defaults filled in, in whatever order it was written."""
        return digest_of(canonical_policy(self))


@dataclass(frozen=True, kw_only=True, slots=True)
class IndexConfig:
    """What a registry is called, whether it is a toy of one machine, who publishes and reviews in it, and what.

    Attributes:
        base_url: where others reach it, with a slash at its end; empty when nobody said.
        audit_keys: keys that approve what the policy lets an audit approve.
    """

    name: str
    development: bool = False
    base_url: str = ""
    publishers: tuple[Publisher, ...] = ()
    reviewers: tuple[Reviewer, ...] = ()
    audit_keys: tuple[TimedKey, ...] = ()
    policy: Policy = field(default_factory=Policy)
    targets: Targets = field(default_factory=Targets)
    expiry: Expiry = field(default_factory=Expiry)

    def text(self) -> str:
        """The file that `parse_config` reads back as this value; what is as by default is left out."""
        registry: dict[str, Any] = {"name": self.name, "development": self.development}
        registry |= {"base_url": self.base_url} if self.base_url else {}
        tables = {
            "publishers": {each.name: _person(asdict(each), each.keys) for each in self.publishers},
            "reviewers": {each.name: _person({}, each.keys) for each in self.reviewers},
            "audit": _person({}, self.audit_keys),
            "policy": _changed(policy_table(self.policy), policy_table(Policy())),
            "targets": _changed(asdict(self.targets), asdict(Targets())),
            "expiry": _changed(asdict(self.expiry), asdict(Expiry())),
        }
        return tomli_w.dumps({"registry": registry, **{key: table for key, table in tables.items() if table}})


@dataclass(frozen=True, kw_only=True, slots=True)
class PolicyFile:
    """A policy that is no registry's yet; publishers and targets are None where the file leaves them as they are."""

    policy: Policy
    publishers: tuple[Publisher, ...] | None = None
    targets: Targets | None = None


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
        "automatic_approval": list(policy.automatic_approval),
        "accept": [_acceptance_table(each) for each in policy.accept],
    }


def canonical_policy(policy: Policy) -> dict[str, Any]:
    """The policy as a table in which order says nothing, so that two policies that mean the same are the same."""
    # A policy made in code may hold 20 where a parsed one holds 20.0, which are one number and two texts.
    same = replace(policy, max_wheel_mib=float(policy.max_wheel_mib))
    table = policy_table(same)
    return {key: sorted(value, key=_canonical) if isinstance(value, list) else value for key, value in table.items()}


def digest_of(table: object) -> Sha256:
    """Digest of a table's one canonical text."""
    return Sha256(hashlib.sha256(_canonical(table).encode()).hexdigest())


def _canonical(value: object) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True, default=date.isoformat)


def key_table(timed: TimedKey) -> dict[str, Any]:
    """The key as the table it is parsed from."""
    table: dict[str, Any] = {"public": timed.key.base64(), "from": timed.valid_from}
    table |= {"until": timed.valid_until} if timed.valid_until else {}
    return table | ({"revoked": timed.revoked} if timed.revoked else {})


def _person(table: dict[str, Any], keys: tuple[TimedKey, ...]) -> dict[str, Any]:
    others = {key: value for key, value in table.items() if key not in ("name", "keys")}
    return others | ({"keys": [key_table(timed) for timed in keys]} if keys else {})


def _changed(table: dict[str, Any], standard: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in table.items() if value != standard[key]}


def _acceptance_table(acceptance: Acceptance) -> dict[str, Any]:
    what = {"check": acceptance.check} if acceptance.check else {"finding": acceptance.finding}
    where = {"project": acceptance.project, "entry": acceptance.entry}
    who = {"reason": acceptance.reason, "owner": acceptance.owner, "expires": acceptance.expires}
    return {**what, **where, **who}
