"""How bytes of a registry are had: from a directory, or over http. Nothing read here is believed yet."""

from assess_registry.client.transport.access import NO_ACCESS, Access, Credentials
from assess_registry.client.transport.choose import open_transport
from assess_registry.client.transport.port import Deadline, ForbiddenError, Transport

__all__ = ["NO_ACCESS", "Access", "Credentials", "Deadline", "ForbiddenError", "Transport", "open_transport"]
