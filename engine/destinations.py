"""Where Tocsin may connect: every address is judged before a connection to it is opened, whoever named it.

A channel or a datasource can be declared by anyone who may write definitions, and Tocsin stands inside of the network. So it
never speaks to the addresses that only a machine itself should: link-local ones, and the metadata services that hand a
cloud's credentials to whoever asks. Private networks and loopback are where most Prometheus servers and mail relays live;
they are allowed unless the settings refuse them. An IPv4 address wrapped into an IPv6 one is judged as what it is.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from enum import StrEnum
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import Final

SETTING: Final = "TOCSIN_PRIVATE_ADDRESSES"

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network


class PrivateAddresses(StrEnum):
    """What becomes of connections into private networks and to this machine itself."""

    ALLOW = "allow"
    REFUSE = "refuse"


class RefusedDestination(OSError):  # noqa: N818 - a connection that is refused, as `ConnectionRefused…` in the system's words
    """Tocsin does not connect there; the text names host, address and reason. To ask again is in vain."""


_NEVER: Final[tuple[tuple[str, tuple[str, ...]], ...]] = (
    (
        "a cloud's metadata service",
        ("169.254.169.254", "fd00:ec2::254", "fd20:ce::254", "100.100.100.200", "168.63.129.16", "192.0.0.192"),
    ),
    ("a link-local address", ("169.254.0.0/16", "fe80::/10")),
    ("no address of any machine", ("0.0.0.0/8", "::")),
    ("a multicast address", ("224.0.0.0/4", "ff00::/8")),
    ("a broadcast address", ("255.255.255.255",)),
)
"""What is refused always, the closest description first. The metadata services of AWS, Google, Azure, Alibaba and Oracle."""
_REFUSED: Final = tuple((word, tuple(map(ipaddress.ip_network, networks))) for word, networks in _NEVER)
_SITE_LOCAL: Final = ipaddress.ip_network("fec0::/10")

_SUFFIXED: Final = tuple(
    map(
        ipaddress.IPv6Network,
        (
            "::ffff:0:0/96",  # IPv4-mapped (RFC 4291)
            "::/96",  # IPv4-compatible, long out of use (RFC 4291)
            "::ffff:0:0:0/96",  # IPv4-translated (RFC 2765)
            "64:ff9b::/96",  # NAT64 (RFC 6052)
            "64:ff9b:1::/48",  # NAT64 of one's own network (RFC 8215)
        ),
    )
)
"""IPv6 networks whose addresses carry an IPv4 address in their last 32 bits."""
_OWN: Final = tuple(map(ipaddress.IPv6Address, ("::", "::1")))
"""Addresses in `::/96` that are not IPv4-compatible ones."""


def why_refused(address: str, private: PrivateAddresses) -> str | None:
    """What the address (in numbers, as a resolver gives it) is that nothing may connect to it; `None` when it may.

    What is no address at all is refused too: an address nobody can read is one nobody has judged.
    """
    try:
        given = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return "no numeric address"
    return next((why for meant in _meant(given) if (why := _judged(meant, private)) is not None), None)


def refusal(host: str, address: str, private: PrivateAddresses) -> RefusedDestination | None:
    """The error for a connection to this address of this host; `None` when it may be opened."""
    why = why_refused(address, private)
    if why is None:
        return None
    named = f"{address} is" if host.strip("[]") == address else f"{host} is {address},"
    return RefusedDestination(f"{named} {why}: Tocsin does not connect there")


def _judged(address: Address, private: PrivateAddresses) -> str | None:
    for word, networks in _REFUSED:
        if _within(address, networks):
            return word
    if private is PrivateAddresses.REFUSE and (not address.is_global or _within(address, (_SITE_LOCAL,))):
        return f"a private address, and {SETTING}=refuse"
    return None


def _within(address: Address, networks: tuple[Network, ...]) -> bool:
    return any(address.version == network.version and address in network for network in networks)


def _meant(address: Address) -> Iterator[Address]:
    """The address, or in its place every IPv4 address it is a wrapping of."""
    wrapped = list(_wrapped(address)) if isinstance(address, IPv6Address) else []
    if wrapped:
        yield from wrapped
    else:
        yield address


def _wrapped(address: IPv6Address) -> Iterator[IPv4Address]:
    if address not in _OWN and _within(address, _SUFFIXED):
        yield IPv4Address(int(address) & 0xFFFFFFFF)
    if address.sixtofour is not None:
        yield address.sixtofour
    if address.teredo is not None:
        yield from address.teredo
