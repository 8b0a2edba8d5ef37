"""The parent's side of a plugin's process: start it, call it, answer it, end it."""

from assess_core.call_record import CallRecord, EvidenceData, Held, Provenance, Used
from assess_core.host.call import NOT_REPORTED
from assess_core.host.config import HostConfig, Isolation, KitSource
from assess_core.host.health import health_check
from assess_core.host.probe import probe, probe_forking
from assess_core.host.quarantine import Fatality, Quarantine, Quarantines
from assess_core.host.scratch import Scratch
from assess_core.host.standing import Ended, Policy, Standing, State
from assess_core.host.supervisor import Supervisor
from assess_core.host.turns import Turns
from assess_core.host.values import (
    CallReport,
    EvaluateReport,
    LogLine,
    OnEvent,
    Progress,
)

__all__ = [
    "NOT_REPORTED",
    "CallRecord",
    "CallReport",
    "Ended",
    "EvaluateReport",
    "EvidenceData",
    "Fatality",
    "Held",
    "HostConfig",
    "Isolation",
    "KitSource",
    "LogLine",
    "OnEvent",
    "Policy",
    "Progress",
    "Provenance",
    "Quarantine",
    "Quarantines",
    "Scratch",
    "Standing",
    "State",
    "Supervisor",
    "Turns",
    "Used",
    "health_check",
    "probe",
    "probe_forking",
]
