"""What checks are given besides the wheel: advisories, what the policy says of their subject, a way to run tools.

A check takes from here whatever is not in the wheel, so that it is a function of its arguments: no clock, no
configuration file, no environment. Its own failure to look at something is an `incomplete` of its examination.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from assess_registry.audit.advisories import AdvisoryDatabase
from assess_registry.audit.values import Examination, Subject
from assess_registry.config import Policy, Targets
from assess_registry.names import ProjectName
from assess_registry.tools import ToolLimits, ToolRun, run_tool

_STANDARD = Policy()
"""What holds where no policy says otherwise."""


class RunTool(Protocol):
    """`tools.run_tool`, or a double of it."""

    def __call__(self, argv: Sequence[str], *, cwd: Path, limits: ToolLimits | None = None) -> ToolRun:
        """Run the program to its end."""
        ...


class Check(Protocol):
    """A module of `audit.checks`."""

    NAME: str
    """Kebab-case; what policies and reports call it."""

    def examine(self, subject: Subject, context: "Context") -> Examination:
        """Look at the wheel. Whatever it raises makes the check `incomplete`, and is a finding `check-crashed`."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class Context:
    """What is the same for all wheels of one audit, or follows from the policy for this one.

    Attributes:
        advisories: the database of known vulnerabilities; None when there is none.
        advisories_problem: why there is none, one sentence; empty when there is one.
        advisories_max_age_days: older ones make the check incomplete.
        licences: SPDX identifiers that are fine; empty when the policy allows every licence.
        native_allowed: whether the policy lets this wheel's publisher ship native code.
        max_wheel_bytes: size of a wheel that needs no second look.
        publishers: name and project patterns (`acme-*`) of every publisher; empty when none are configured.
        published: projects that are published already.
        targets: Pythons and platforms that the registry serves.
        reserved: names nobody may take or come close to.
        reserved_prefixes: beginnings of names, for those publishers only whose patterns have them.
        evidence: what `tox --result-json` wrote about this wheel, as given beside it; None when nothing was given.
        run_tool: for every external program.
    """

    advisories: AdvisoryDatabase | None = None
    advisories_problem: str = ""
    advisories_max_age_days: int = _STANDARD.advisories_max_age_days
    licences: tuple[str, ...] = ()
    native_allowed: bool = False
    max_wheel_bytes: int = int(_STANDARD.max_wheel_mib * (1 << 20))
    publishers: tuple[tuple[str, tuple[str, ...]], ...] = ()
    published: frozenset[ProjectName] = frozenset()
    targets: Targets = field(default_factory=Targets)
    reserved: tuple[str, ...] = ()
    reserved_prefixes: tuple[str, ...] = ()
    evidence: bytes | None = None
    run_tool: RunTool = run_tool
