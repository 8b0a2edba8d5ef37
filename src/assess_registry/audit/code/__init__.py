"""What Python code says it will do, read as syntax: never imported, never run, bounded whatever it holds."""

from assess_registry.audit.code.collect import MAX_WHEEL_SOURCE_BYTES, WheelCode, read_code
from assess_registry.audit.code.facts import FileCode
from assess_registry.audit.code.link import resolvers
from assess_registry.audit.code.mentions import Argument, Call, Chain, Handed, Mention
from assess_registry.audit.code.reported import Reported, reported
from assess_registry.audit.code.resolve import Resolver

__all__ = [
    "MAX_WHEEL_SOURCE_BYTES",
    "Argument",
    "Call",
    "Chain",
    "FileCode",
    "Handed",
    "Mention",
    "Reported",
    "Resolver",
    "WheelCode",
    "read_code",
    "reported",
    "resolvers",
]
