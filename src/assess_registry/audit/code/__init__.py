"""What Python code says it will do, read as syntax: never imported, never run, bounded whatever it holds."""

from assess_registry.audit.code.collect import MAX_WHEEL_SOURCE_BYTES, FileCode, WheelCode, read_code
from assess_registry.audit.code.mentions import Argument, Call, Mention
from assess_registry.audit.code.resolve import Resolver

__all__ = [
    "MAX_WHEEL_SOURCE_BYTES",
    "Argument",
    "Call",
    "FileCode",
    "Mention",
    "Resolver",
    "WheelCode",
    "read_code",
]
