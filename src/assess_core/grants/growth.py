"""What a version asks for beyond the one that runs, and what of it somebody has to consent to. Pure.

The first version that a configuration brings in is consented to by whoever wrote the configuration. A table of the
operator's grant says what may be granted whatever comes: what stands in it was consented to, and what does not is not
granted. So only the tables that are left as approved can grow unseen, and those wait.
"""

import hashlib
import json
from dataclasses import dataclass

from assess_core.grants.values import KEYS, Ceiling
from assess_plugin.comparing import beyond, entries
from assess_registry.client import Permissions, ProjectName, permissions_table, permissions_words


@dataclass(frozen=True, kw_only=True, slots=True)
class Growth:
    """What one wheel asks for that was not consented to.

    Attributes:
        version, sha256: the wheel that asks.
        since: the version that it is compared with.
        added: what it asks for beyond that.
    """

    distribution: ProjectName
    version: str
    sha256: str
    since: str
    added: Permissions

    def __bool__(self) -> bool:
        return any(entries(self.added))  # not by the words: what nobody has a word for would run unseen

    @property
    def words(self) -> tuple[str, ...]:
        """What is new, for people: `read /etc/shadow`."""
        return permissions_words(self.added)

    @property
    def digest(self) -> str:
        """Names exactly this growth of exactly this wheel; 64 hexadecimal digits."""
        value = {
            "project": self.distribution,
            "version": self.version,
            "sha256": self.sha256,
            "added": permissions_table(self.added),
        }
        spelled = json.dumps(value, sort_keys=True, separators=(",", ":")).encode("ascii")
        return hashlib.sha256(b"assess consent 1\0" + spelled).hexdigest()

    @property
    def command(self) -> str:
        """What consents to it."""
        return f"assess plugins consent {self.distribution}=={self.version} --to {self.digest}"

    def covered_by(self, consented: Permissions) -> "Growth":
        """What is left of it when so much was consented to."""
        return Growth(
            distribution=self.distribution,
            version=self.version,
            sha256=self.sha256,
            since=self.since,
            added=beyond(consented, self.added),
        )


def growth_of(asked: Permissions, *, before: Permissions, ceiling: Ceiling | None) -> Permissions:
    """What of `asked` is beyond `before`, in the tables that the operator left as approved."""
    keys = ceiling.keys if ceiling is not None else frozenset[str]()
    more = beyond(before, asked)
    return Permissions(**{key: () if key in keys else getattr(more, key) for key in KEYS})
