"""What a comparison of an environment with the audited wheels found."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

DifferenceKind = Literal["missing", "altered", "extra", "unknown"]
"""`missing` from the environment; `altered`: not what the wheel holds; `extra`: in no wheel; `unknown`: nothing to
compare with, which is never a pass."""

SHOWN = 40
"""Differences that a summary lists; `as_dict` has all."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Difference:
    """One thing that is not as audited; `path` is relative to the environment or the store."""

    kind: DifferenceKind
    path: str
    message: str


@dataclass(frozen=True, kw_only=True, slots=True)
class EnvironmentReport:
    """Whether an environment is exactly what was audited.

    Attributes:
        verified: `name version` of each distribution that was compared with its audited wheel.
        seeded: `name version` of what `python -m venv` itself puts into an environment: listed, not compared.
        files: how many files were compared.
        differences: everything that is not as audited.
    """

    environment: Path
    verified: tuple[str, ...]
    seeded: tuple[str, ...]
    files: int
    differences: tuple[Difference, ...]

    @property
    def accepted(self) -> bool:
        """Something was compared, and nothing differed."""
        return bool(self.verified) and self.files > 0 and not self.differences

    @property
    def summary(self) -> str:
        """A few lines for people; texts in it come from the environment and are not cleaned for a terminal."""
        lines = [
            f"{self.environment} {self._verdict}: {self.files} files of {len(self.verified)} distributions compared"
        ]
        lines += [f"  verified: {', '.join(self.verified) or 'nothing'}"]
        if self.seeded:
            lines.append(f"  not compared, put there by venv: {', '.join(self.seeded)}")
        lines += [f"  {each.kind}: {_one_line(each.path)}: {each.message}" for each in self.differences[:SHOWN]]
        if len(self.differences) > SHOWN:
            counts = Counter(each.kind for each in self.differences[SHOWN:])
            lines.append("  and " + ", ".join(f"{count} more {kind}" for kind, count in sorted(counts.items())))
        if not self.accepted:
            lines.append("  next: do not use it before each line above is explained; a removed one is installed anew")
        return "\n".join(lines)

    @property
    def _verdict(self) -> str:
        if self.accepted:
            return "is what was audited"
        known = any(each.kind != "unknown" for each in self.differences)
        return "is NOT what was audited" if known else "could not be shown to be what was audited"

    def as_dict(self) -> Mapping[str, Any]:
        """The whole report for machines."""
        return {
            "environment": str(self.environment),
            "accepted": self.accepted,
            "verified": list(self.verified),
            "seeded": list(self.seeded),
            "files": self.files,
            "differences": [
                {"kind": each.kind, "path": each.path, "message": each.message} for each in self.differences
            ],
        }


def describe_differences(differences: Sequence[Difference]) -> str:
    """The first few, on one line, for a message."""
    shown = ", ".join(f"{_one_line(each.path)} is {each.kind} ({each.message})" for each in differences[:3])
    return shown if len(differences) <= 3 else f"{shown} and {len(differences) - 3} more"


def _one_line(path: str) -> str:
    """A file's name may hold line ends, and bytes that are no text."""
    return path if path.isprintable() else repr(path)
