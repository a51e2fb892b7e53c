"""Which addresses nothing connects to, however they are written."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.destinations import PrivateAddresses, refusal, why_refused

ALLOW, REFUSE = PrivateAddresses

NEVER = [
    pytest.param("169.254.169.254", "metadata", id="metadata of most clouds"),
    pytest.param("100.100.100.200", "metadata", id="metadata of Alibaba"),
    pytest.param("168.63.129.16", "metadata", id="metadata of Azure"),
    pytest.param("192.0.0.192", "metadata", id="metadata of Oracle"),
    pytest.param("fd00:ec2::254", "metadata", id="metadata of AWS over IPv6"),
    pytest.param("fd20:ce::254", "metadata", id="metadata of Google over IPv6"),
    pytest.param("169.254.0.1", "link-local", id="link-local"),
    pytest.param("169.254.255.255", "link-local", id="the last link-local one"),
    pytest.param("fe80::1", "link-local", id="link-local over IPv6"),
    pytest.param("fe80::1%eth0", "link-local", id="link-local with its interface"),
    pytest.param("febf::1", "link-local", id="the end of link-local over IPv6"),
    pytest.param("0.0.0.0", "no address of any machine", id="unspecified"),
    pytest.param("0.1.2.3", "no address of any machine", id="this network"),
    pytest.param("::", "no address of any machine", id="unspecified over IPv6"),
    pytest.param("224.0.0.1", "multicast", id="multicast"),
    pytest.param("239.255.255.255", "multicast", id="the last multicast one"),
    pytest.param("ff02::1", "multicast", id="multicast over IPv6"),
    pytest.param("255.255.255.255", "broadcast", id="broadcast"),
    pytest.param("::ffff:169.254.169.254", "metadata", id="IPv4-mapped"),
    pytest.param("::ffff:a9fe:a9fe", "metadata", id="IPv4-mapped in hexadecimal"),
    pytest.param("::ffff:0:169.254.169.254", "metadata", id="IPv4-translated"),
    pytest.param("::169.254.169.254", "metadata", id="IPv4-compatible"),
    pytest.param("64:ff9b::169.254.169.254", "metadata", id="NAT64"),
    pytest.param("64:ff9b:1::169.254.169.254", "metadata", id="NAT64 of a network's own"),
    pytest.param("2002:a9fe:a9fe::1", "metadata", id="6to4"),
    pytest.param("2001:0:a9fe:a9fe::", "metadata", id="Teredo, its server"),
    pytest.param("2001:0:808:808::5601:5601", "metadata", id="Teredo, its client"),
    pytest.param("::ffff:0.0.0.0", "no address of any machine", id="unspecified, mapped"),
    pytest.param("2130706433", "no numeric address", id="what no resolver gives"),
    pytest.param("", "no numeric address", id="nothing"),
]
PRIVATE = [
    "127.0.0.1", "127.255.255.255", "10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1", "100.64.0.1", "::1", "fc00::1",
    "fd12:3456::1", "fec0::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "64:ff9b::10.0.0.1", "2002:0a00:0001::1", "198.18.0.1",
]  # fmt: skip
PUBLIC = [
    "8.8.8.8",
    "172.32.0.1",
    "1.1.1.1",
    "2606:4700::1111",
    "::ffff:8.8.8.8",
    "64:ff9b::8.8.8.8",
    "2002:808:808::1",
]


@pytest.mark.parametrize(("address", "why"), NEVER)
@pytest.mark.parametrize("private", PrivateAddresses)
def test_some_addresses_are_refused_whatever_is_set(address: str, why: str, private: PrivateAddresses) -> None:
    assert why in (why_refused(address, private) or "")


@pytest.mark.parametrize("address", PRIVATE)
def test_private_addresses_are_allowed_unless_they_are_refused(address: str) -> None:
    assert why_refused(address, ALLOW) is None
    assert why_refused(address, REFUSE) == "a private address, and TOCSIN_PRIVATE_ADDRESSES=refuse"


@pytest.mark.parametrize("address", PUBLIC)
@pytest.mark.parametrize("private", PrivateAddresses)
def test_public_addresses_are_allowed(address: str, private: PrivateAddresses) -> None:
    assert why_refused(address, private) is None


@settings(max_examples=200)
@given(st.ip_addresses(v=4))
def test_a_wrapped_address_is_judged_as_what_it_is(address: ipaddress.IPv4Address) -> None:
    number = int(address)
    wrapped = [
        ipaddress.IPv6Address(0xFFFF << 32 | number),
        ipaddress.IPv6Address(0x64FF9B << 96 | number),
        ipaddress.IPv6Address(0x2002 << 112 | number << 80),
    ]
    for private in PrivateAddresses:
        assert {why_refused(str(one), private) for one in wrapped} == {why_refused(str(address), private)}


@pytest.mark.parametrize(
    ("host", "address", "told"),
    [
        (
            "metadata.internal",
            "169.254.169.254",
            "metadata.internal is 169.254.169.254, a cloud's metadata service: Tocsin does not connect there",
        ),
        ("fe80::1", "fe80::1", "fe80::1 is a link-local address: Tocsin does not connect there"),
    ],
)
def test_a_refusal_names_host_and_address(host: str, address: str, told: str) -> None:
    assert str(refusal(host, address, ALLOW)) == told


def test_what_is_allowed_is_no_refusal() -> None:
    assert refusal("prometheus", "10.0.0.7", ALLOW) is None
