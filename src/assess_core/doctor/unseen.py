"""What could not be looked at is a line as well: nothing that goes wrong in one place hides what is found in others."""

import logging

from assess_core.doctor.values import Line
from assess_core.errors import AssessError
from assess_registry.client import RegistryError

_log = logging.getLogger(__name__)

LOOK = "see to this first, then again"
REPORT = "this is a mistake in assess: report it, with what is logged of it"


def unseen(topic: str, error: Exception) -> Line:
    """The line about a topic that ended with this error; one that nobody foresaw is logged in full."""
    foreseen = isinstance(error, AssessError | RegistryError | OSError)
    if not foreseen:
        _log.error("%s could not be looked at", topic, exc_info=error, extra={"action": "doctor-failed"})
    what = str(error) if foreseen else repr(error)
    return Line(topic=topic, state="fail", text=f"could not be looked at: {what}", fix=LOOK if foreseen else REPORT)
