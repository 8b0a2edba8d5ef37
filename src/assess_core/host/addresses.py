"""Which addresses a plugin is connected to: whatever its name is said to have, but for those that mean this machine.

A name is whatever its owner says it is, also `127.0.0.1`, a second after somebody looked (DNS rebinding). So it is not
the name that is judged but each address the runtime was told, and it is that address which is connected to. Addresses
that reach this host, its neighbours on the link or the cloud's own services take an entry that says just that.

    forbidden(ip_address("127.0.0.1"))          -> "loopback"
    forbidden(ip_address("::ffff:127.0.0.1"))   -> "loopback"
    forbidden(ip_address("10.0.0.7"))           -> ""
"""

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network

Address = IPv4Address | IPv6Address

LOCALHOST = "localhost"
UNSPECIFIED = "unspecified"

METADATA_ADDRESSES = frozenset(
    map(
        ip_address,
        (
            "169.254.169.254",  # AWS, Azure, Google, OpenStack, DigitalOcean, Oracle
            "169.254.170.2",  # AWS ECS
            "169.254.170.23",  # AWS EKS
            "fd00:ec2::254",  # AWS
            "fd00:ec2::23",  # AWS EKS
            "fd20:ce::254",  # Google
            "100.100.100.200",  # Alibaba
            "168.63.129.16",  # Azure
            "192.0.0.192",  # Oracle Classic
        ),
    )
)
"""Where clouds hand credentials to whoever asks; some of them are private or even public addresses."""

METADATA_NAMES = frozenset(
    (
        "metadata",
        "metadata.google.internal",
        "metadata.goog",
        "instance-data",
        "instance-data.ec2.internal",
        "metadata.tencentyun.com",
        "metadata.packet.net",
    )
)

_BROADCAST = IPv4Address("255.255.255.255")
_THIS_NETWORK = ip_network("0.0.0.0/8")
_SIX_TO_FOUR = IPv6Network("2002::/16")
_TEREDO = IPv6Network("2001::/32")
_LAST_FOUR_BYTES = (
    IPv6Network("::ffff:0:0/96"),  # IPv4-mapped (RFC 4291, 2.5.5.2)
    IPv6Network("::/96"),  # IPv4-compatible (2.5.5.1)
    IPv6Network("::ffff:0:0:0/96"),  # IPv4-translated (RFC 2765)
    IPv6Network("64:ff9b::/96"),  # NAT64 (RFC 6052)
    IPv6Network("64:ff9b:1::/48"),  # NAT64 of one's own (RFC 8215): as most use it, a /96 of it
)
_ISATAP = (0x00005EFE, 0x02005EFE)
"""Bits 64 to 95 of an ISATAP address (RFC 5214, 6.1)."""


def forbidden(address: Address) -> str:
    """What the address is that nobody gets by a name, in a word; empty for one that is nothing of the kind."""
    found = _kind(address)
    if found or isinstance(address, IPv4Address):
        return found
    return next(filter(None, map(_kind, _within(address))), "")


def refusal(host: str, addresses: Iterable[Address]) -> str:
    """Why a peer of this name that has these addresses is not connected to; empty when it may be.

    Args:
        host: as the manifest names it, which is permitted: a name, or an address.
        addresses: all that it has; one that is forbidden is enough.
    """
    if host in METADATA_NAMES:
        return f"{host} is a cloud's metadata service, which takes an entry with its very address"
    named = _parsed(host)
    for address in addresses:
        kind = forbidden(address)
        if kind == UNSPECIFIED and named is not None:  # the kernel takes it for loopback, which the entry does not say
            return f"{address} is no peer's address: an entry with 127.0.0.1 or [::1] means this machine"
        if not kind or (named is not None and address == named) or (host == LOCALHOST and address.is_loopback):
            continue
        return f"{host} has the {kind} address {address}, which takes an entry with that very address"
    return ""


def _parsed(host: str) -> Address | None:
    try:
        return ip_address(host)
    except ValueError:
        return None


def _kind(address: Address) -> str:
    if address in METADATA_ADDRESSES:
        return "metadata"
    if address.is_unspecified or (isinstance(address, IPv4Address) and address in _THIS_NETWORK):
        return UNSPECIFIED
    if address.is_loopback:
        return "loopback"
    if address.is_link_local:
        return "link-local"
    if address.is_multicast or address == _BROADCAST:
        return "multicast"
    if isinstance(address, IPv6Address) and address.is_site_local:
        return "site-local"
    return ""


def _within(address: IPv6Address) -> Iterable[IPv4Address]:
    """The IPv4 addresses that a gateway or the kernel may take this for."""
    number = int(address)
    if any(address in network for network in _LAST_FOUR_BYTES) or (number >> 32) & 0xFFFFFFFF in _ISATAP:
        yield IPv4Address(number & 0xFFFFFFFF)
    if address in _SIX_TO_FOUR:
        yield IPv4Address((number >> 80) & 0xFFFFFFFF)
    if address in _TEREDO:
        yield IPv4Address((number >> 64) & 0xFFFFFFFF)
        yield IPv4Address(~number & 0xFFFFFFFF)
