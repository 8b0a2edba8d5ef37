"""When each role's word ends, and from when on that is an alarm.

Metadata that expired is refused by every client, so that nobody can serve them the past. The alarm rings while there
is time to sign anew: in the last third of a role's life, at most 30 days before its end.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from assess_registry.config import Expiry
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
        alarm: whether it has to be signed anew now.
        signer: whose key that takes: root, release or online.
    """

    role: str
    version: int
    expires: datetime
    left: timedelta
    alarm: bool
    signer: str

    @property
    def days_left(self) -> float:
        """Days, negative when it is over."""
        return self.left / timedelta(days=1)


def alarm_before(role: str, expiry: Expiry) -> timedelta:
    """How long before a role's end the alarm rings."""
    return min(timedelta(days=days(expiry, role)) / 3, MAX_ALARM)


def role_expiries(state: State, *, now: datetime, expiry: Expiry) -> tuple[RoleExpiry, ...]:
    """Of every role, the strongest first.

    Raises:
        TrustError: a bin is not signed as it has to be.
    """
    found = [_expiry("root", state.root, "root", now, expiry)]
    current = state.current
    if current is None:
        return tuple(found)
    found.append(_expiry("targets", current.targets.signed, "release", now, expiry))
    bins = [state.role(name) for name in state.roles() if name != "targets"]
    found.append(_expiry("bins", min(bins, key=lambda role: role.expires), "release", now, expiry))
    found.append(_expiry("snapshot", current.snapshot.signed, "online", now, expiry))
    found.append(_expiry("timestamp", current.timestamp.signed, "online", now, expiry))
    return tuple(found)


def due(state: State, *, now: datetime, expiry: Expiry) -> tuple[str, ...]:
    """Targets and bins that are past half of their time, by name: what to renew while the release keys are at hand.

    Raises:
        TrustError: a bin is not signed as it has to be.
    """
    return tuple(
        name for name in state.roles() if state.role(name).expires - now < timedelta(days=days(expiry, name)) / 2
    )


def _expiry(
    role: str, signed: Root | Targets | Snapshot | Timestamp, signer: str, now: datetime, expiry: Expiry
) -> RoleExpiry:
    left = signed.expires - now
    return RoleExpiry(
        role=role,
        version=signed.version,
        expires=signed.expires,
        left=left,
        alarm=left < alarm_before(role, expiry),
        signer=signer,
    )
