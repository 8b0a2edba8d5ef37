"""Which transport serves which registry."""

import importlib

from assess_registry.client.location import Base
from assess_registry.client.transport.access import NO_ACCESS, Access
from assess_registry.client.transport.directory import DirectoryTransport
from assess_registry.client.transport.port import Transport
from assess_registry.errors import ConfigError


def open_transport(base: Base, access: Access = NO_ACCESS) -> Transport:
    """The transport for `base`; nothing is contacted yet.

    Raises:
        ConfigError: `access` says how to reach what is not reached over https, or names a file that is not usable.
    """
    if not base.url.startswith("https:") and access != NO_ACCESS:
        # Credentials over plain http would be everybody's; a proxy to this machine's own loopback is a mistake.
        raise ConfigError(f"registry {base.url}: proxy, ca_file and credentials are for https")
    if base.directory is not None:
        return DirectoryTransport(base)
    # By name at first use: importing httpx costs about 100 ms, which a `file:` registry - every command of a fresh
    # clone, every offline run - must not pay. An import statement above would make them all pay it.
    transport: Transport = importlib.import_module("assess_registry.client.transport.http").HttpTransport(base, access)
    return transport
