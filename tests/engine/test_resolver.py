"""Names become addresses within a deadline, and only such as may be connected to."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from typing import Any

import pytest

from engine.destinations import PrivateAddresses, RefusedDestination
from engine.resolver import Lookup, Resolver


def resolving(*addresses: str, asked: list[str] | None = None) -> Lookup:
    """A name server that knows every name by these addresses."""

    def known(host: str, port: int, *, type: int) -> list[Any]:  # noqa: A002 (the standard library's name)
        if asked is not None:
            asked.append(host)
        return [(socket.AF_INET, type, 6, "", (address, port)) for address in addresses]

    return known


def ample() -> float:
    return 20


def soon() -> float:
    return 0.05


def test_the_addresses_come_in_order_and_each_once() -> None:
    resolver = Resolver(lookup=resolving("10.0.0.2", "10.0.0.1", "10.0.0.2"))
    assert resolver.addresses("prometheus", 9090, ample) == ["10.0.0.2", "10.0.0.1"]


def test_of_several_addresses_the_refused_ones_are_left_out() -> None:
    resolver = Resolver(lookup=resolving("169.254.169.254", "8.8.8.8"))
    assert resolver.addresses("both.test", 80, ample) == ["8.8.8.8"]


def test_a_name_with_nothing_but_refused_addresses_is_refused() -> None:
    resolver = Resolver(lookup=resolving("169.254.169.254", "fe80::1"))
    with pytest.raises(RefusedDestination, match=r"^rebound\.test is 169\.254\.169\.254, a cloud's metadata service"):
        resolver.addresses("rebound.test", 80, ample)


def test_private_addresses_are_refused_where_the_setting_says_so() -> None:
    resolver = Resolver(lookup=resolving("10.0.0.1"), private=PrivateAddresses.REFUSE)
    with pytest.raises(RefusedDestination, match="TOCSIN_PRIVATE_ADDRESSES=refuse"):
        resolver.addresses("inner.test", 80, ample)


def test_a_name_is_looked_up_once() -> None:
    asked: list[str] = []
    Resolver(lookup=resolving("10.0.0.1", asked=asked)).addresses("prometheus", 80, ample)
    assert asked == ["prometheus"]


@pytest.mark.parametrize(
    ("host", "address"),
    [
        ("2852039166", "169.254.169.254"),
        ("0xa9fea9fe", "169.254.169.254"),
        ("0251.0376.0251.0376", "169.254.169.254"),
        ("169.254.43518", "169.254.169.254"),
        ("::ffff:169.254.169.254", "::ffff:169.254.169.254"),
        ("0", "0.0.0.0"),
    ],
)
def test_the_systems_own_resolver_hides_no_address_behind_its_spellings(host: str, address: str) -> None:
    with pytest.raises(RefusedDestination) as error:
        Resolver().addresses(host, 80, ample)
    assert address in str(error.value)


def hanging(released: threading.Event, started: list[str]) -> Lookup:
    def hang(host: str, port: int, *, type: int) -> list[Any]:  # noqa: A002
        started.append(host)
        released.wait(60)
        return []

    return hang


def test_a_look_up_that_takes_too_long_is_left_behind() -> None:
    released = threading.Event()
    with pytest.raises(TimeoutError, match=r"the name slow\.test did not resolve in time"):
        Resolver(lookup=hanging(released, [])).addresses("slow.test", 80, soon)
    released.set()


def test_no_more_look_ups_hang_than_there_may_be() -> None:
    released, started = threading.Event(), list[str]()
    resolver = Resolver(lookup=hanging(released, started), lookups=2)
    for _ in range(4):
        with pytest.raises(TimeoutError):
            resolver.addresses("slow.test", 80, soon)
    assert len(started) == 2
    released.set()
    assert resolver.addresses("slow.test", 80, ample) == []


def test_an_address_in_numbers_waits_behind_no_name() -> None:
    released = threading.Event()
    resolver = Resolver(lookup=hanging_names(released), lookups=1)
    with pytest.raises(TimeoutError):
        resolver.addresses("slow.test", 80, soon)
    assert resolver.addresses("10.0.0.1", 80, soon) == ["10.0.0.1"]
    released.set()


def hanging_names(released: threading.Event) -> Lookup:
    def look_up(host: str, port: int, *, type: int) -> list[Any]:  # noqa: A002
        if host == "slow.test":
            released.wait(60)
        return [(socket.AF_INET, type, 6, "", (host, port))]

    return look_up


@pytest.mark.parametrize(
    ("error", "raised"),
    [
        pytest.param(socket.gaierror(-2, "Name or service not known"), socket.gaierror, id="unknown"),
        pytest.param(OSError("no resolver"), OSError, id="no resolver"),
        pytest.param(UnicodeError("label too long"), socket.gaierror, id="no name at all"),
    ],
)
def test_a_look_up_that_fails_says_how(error: Exception, raised: type[Exception]) -> None:
    def failing(host: str, port: int, *, type: int) -> list[Any]:  # noqa: A002
        raise error

    with pytest.raises(raised):
        Resolver(lookup=failing).addresses("name.test", 80, ample)


def test_the_time_left_is_asked_for_and_not_remembered() -> None:
    def over() -> float:
        raise TimeoutError

    remaining: Callable[[], float] = over
    with pytest.raises(TimeoutError):
        Resolver(lookup=resolving("10.0.0.1")).addresses("name.test", 80, remaining)
