"""What a version asks for that the one before it did not; pure, and for the eyes of whoever approves it.

    change_of(Permissions(read=("/etc",)), Permissions(read=("/etc/ssh", "/proc")), since="1.0.0")
        ->  more: read /proc; less: read /etc

An entry that an old one covers is no growth: `/etc/ssh` below `/etc`, a command whose every word an old pattern admits.

What an approval covers is in the statement that was signed: the permissions that were new then, and since which version
(`Verdict.growth`, `since`). Whoever publishes compares anew, and nothing may be new by then that is not among them.
"""

from dataclasses import dataclass, field

from assess_plugin.comparing import beyond
from assess_plugin.permissions import Permissions
from assess_registry.errors import TrustError
from assess_registry.verdict import Verdict, permissions_words, read_table


@dataclass(frozen=True, kw_only=True, slots=True)
class PermissionChange:
    """The difference between what was approved last and what is asked for now.

    Attributes:
        since: the version that was approved last; empty when there is none, and everything is new.
        added: what the old permissions do not cover.
        dropped: what the new ones no longer cover.
    """

    since: str = ""
    added: Permissions = field(default_factory=Permissions)
    dropped: Permissions = field(default_factory=Permissions)

    @property
    def more(self) -> tuple[str, ...]:
        """What was added, as `read /etc/shadow`."""
        return permissions_words(self.added)

    @property
    def less(self) -> tuple[str, ...]:
        """What was dropped."""
        return permissions_words(self.dropped)

    @property
    def grew(self) -> bool:
        """Whether somebody has to confirm it: there is an approved version, and this one asks for more."""
        return bool(self.since and self.more)


def change_of(old: Permissions | None, new: Permissions, *, since: str) -> PermissionChange:
    """What `new` asks for beyond `old`, and what it leaves out; `since` is the version of `old`, empty for None."""
    before = old or Permissions()
    return PermissionChange(since=since, added=beyond(before, new), dropped=beyond(new, before))


def stated_change(verdict: Verdict) -> PermissionChange:
    """What was new when the statement was made, and what signing it therefore covers."""
    return PermissionChange(since=verdict.since, added=read_table(verdict.growth))


def require_covered(verdict: Verdict, change: PermissionChange) -> None:
    """Nothing is new now that was not new in the statement: whoever signed it was shown all of it as new.

    Raises:
        TrustError: step `permissions`; the version it was compared with is not the one it is compared with now, and
            had what the one now has not.
    """
    more = permissions_words(beyond(read_table(verdict.growth), change.added))
    if more:
        before = f"version {verdict.since}" if verdict.since else "nothing"
        now = f"version {change.since}" if change.since else "nothing that stands"
        raise TrustError(
            f"its statement compares it with {before}, and what it adds to {now} is more than that",
            step="permissions",
            thing=verdict.filename,
            expected="; ".join(stated_change(verdict).more) or "nothing new",
            got="; ".join(more),
            next_step="submit the wheel again, which compares anew; reviewers then look at what is new",
        )
