"""What a run was narrowed to, and so what it says nothing of.

Of what a run was not asked for it knows nothing: it is no word on the whole assessment, and nothing else is held to it.

    narrowed = Narrowed(checks=("ssh-*",), subjects=())
    narrowed.asks("host:a", "ssh-root")        # True
"""

from dataclasses import dataclass
from fnmatch import fnmatchcase

_SAID = 5
"""Of what was named, in a sentence; how many more there are is said."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Narrowed:
    """What somebody asked for, of all that an assessment has; empty means all.

    Attributes:
        checks: patterns of ids in which `*` is any text and `?` any one character.
        subjects: ids.

    Raises:
        ValueError: it is all.
    """

    checks: tuple[str, ...] = ()
    subjects: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.checks and not self.subjects:
            raise ValueError("a run is narrowed to checks or to subjects; one that is narrowed to nothing is whole")

    def asks(self, subject: str, check: str) -> bool:
        """Whether it was asked for this check on this subject."""
        return (not self.subjects or subject in self.subjects) and (
            not self.checks or any(fnmatchcase(check, pattern) for pattern in self.checks)
        )

    def __str__(self) -> str:
        """For people, texts as they are; for example `checks ssh-*; subjects host:a, host:b`."""
        kinds = (("checks", self.checks), ("subjects", self.subjects))
        return "; ".join(f"{kind} {_listed(names)}" for kind, names in kinds if names)


def _listed(names: tuple[str, ...]) -> str:
    more = len(names) - _SAID
    return ", ".join(names[:_SAID]) + (f" and {more} more" if more > 0 else "")
