"""Which transport serves which registry."""

import importlib

from assess_registry.client.location import Base
from assess_registry.client.transport.directory import DirectoryTransport
from assess_registry.client.transport.port import Transport


def open_transport(base: Base) -> Transport:
    """The transport for `base`; nothing is contacted yet."""
    if base.directory is not None:
        return DirectoryTransport(base)
    # By name at first use: importing httpx costs about 100 ms, which a `file:` registry - every command of a fresh
    # clone, every offline run - must not pay. An import statement above would make them all pay it.
    transport: Transport = importlib.import_module("assess_registry.client.transport.http").HttpTransport(base)
    return transport
