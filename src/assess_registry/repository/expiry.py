"""When each role's word ends, and from when on that is an alarm.

Metadata that expired is refused by every client, so that nobody can serve them the past. The alarm rings while there
is time to sign anew: in the last third of a role's life, at most 30 days before its end. It rings as well where a role
ends later than its term allows: a clock was ahead when it was signed, and until that end old word passes for new.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from assess_registry.config import Expiry
from assess_registry.repository.clock import is_beyond_term
from assess_registry.repository.roles import days
from assess_registry.repository.state import State
from assess_registry.repository.tuf_api import Root, Snapshot, Targets, Timestamp

MAX_ALARM = timedelta(days=30)


@dataclass(frozen=True, kw_only=True, slots=True)
class RoleExpiry:
    """When a role ends; of the bins, the one that ends first.

    Attributes:
        role: root, targets, bins, snapshot or timestamp.
        version: of that metadata.
        expires: from this moment on it is refused.
        left: until then, negative when it is over.
        ends_soon: whether it has to be signed anew before it ends.
        signer: whose key that takes: root, release or online.
        beyond_term: whether it, or any of the bins, ends later than it would if it were signed now.
    """

    role: str
    version: int
    expires: datetime
    left: timedelta
    ends_soon: bool
    signer: str
    beyond_term: bool = False

    @property
    def alarm(self) -> bool:
        """Whether it has to be signed anew now."""
        return self.ends_soon or self.beyond_term

    @property
    def days_left(self) -> float:
        """Days, negative when it is over."""
        return self.left / timedelta(days=1)


def alarm_before(role: str, expiry: Expiry) -> timedelta:
    """How long before a role's end the alarm rings."""
    return min(timedelta(days=days(expiry, role)) / 3, MAX_ALARM)


def role_expiries(state: State, *, now: datetime, expiry: Expiry, own_terms: bool = True) -> tuple[RoleExpiry, ...]:
    """Of every role, the strongest first.

    Args:
        state: what is signed.
        now: from which time is counted.
        expiry: for how long each role is signed.
        own_terms: whether it is by these terms that it was signed: a site does not know those of the registry.

    Raises:
        TrustError: a bin is not signed as it has to be.
    """

    def each(role: str, signed: Root | Targets | Snapshot | Timestamp, signer: str) -> RoleExpiry:
        return _expiry(role, signed, signer, now, expiry, own_terms=own_terms)

    found = [each("root", state.root, "root")]
    current = state.current
    if current is None:
        return tuple(found)
    found.append(each("targets", current.targets.signed, "release"))
    bins = [state.role(name) for name in state.roles() if name != "targets"]
    first, last = (pick(bins, key=lambda role: role.expires) for pick in (min, max))
    late = each("bins", last, "release").beyond_term
    found.append(replace(each("bins", first, "release"), beyond_term=late))
    found.append(each("snapshot", current.snapshot.signed, "online"))
    found.append(each("timestamp", current.timestamp.signed, "online"))
    return tuple(found)


def due(state: State, *, now: datetime, expiry: Expiry) -> tuple[str, ...]:
    """Targets and bins to renew while the release keys are at hand, by name: past half of their time, or beyond it.

    Raises:
        TrustError: a bin is not signed as it has to be.
    """

    def is_due(name: str) -> bool:
        end = state.role(name).expires
        past_half = end - now < timedelta(days=days(expiry, name)) / 2
        return past_half or is_beyond_term(name, end, now=now, expiry=expiry)

    return tuple(name for name in state.roles() if is_due(name))


def _expiry(
    role: str,
    signed: Root | Targets | Snapshot | Timestamp,
    signer: str,
    now: datetime,
    expiry: Expiry,
    *,
    own_terms: bool,
) -> RoleExpiry:
    left = signed.expires - now
    beyond_term = own_terms and is_beyond_term(role, signed.expires, now=now, expiry=expiry)
    return RoleExpiry(
        role=role,
        version=signed.version,
        expires=signed.expires,
        left=left,
        ends_soon=left < alarm_before(role, expiry),
        signer=signer,
        beyond_term=beyond_term,
    )
