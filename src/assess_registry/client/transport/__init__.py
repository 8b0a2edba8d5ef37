"""How bytes of a registry are had: from a directory, or over http. Nothing read here is believed yet."""

from assess_registry.client.transport.choose import open_transport
from assess_registry.client.transport.port import Deadline, Transport

__all__ = ["Deadline", "Transport", "open_transport"]
