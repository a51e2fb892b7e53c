"""The ways out of the engine: time, delivery, datasources, threads; as the settings make them, or as a caller puts others in."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial

from engine import connecting
from engine.addressing import Deliver
from engine.clock import Clock, SystemClock
from engine.core.outcome import Outcome
from engine.delivery.deliver import deliver
from engine.delivery.heartbeat import ping
from engine.delivery.lines import Lines
from engine.querying import Client
from engine.resolver import Resolver
from engine.settings import Settings
from rules.datasource import Datasource


def threads(workers: int, name: str) -> Executor:
    """A bounded pool of threads, named for the log and the debugger."""
    return ThreadPoolExecutor(workers, thread_name_prefix=name)


@dataclass(frozen=True, slots=True, kw_only=True)
class Doors:
    """The ways out of the engine, for a caller that puts others in: time, delivery, datasources, threads."""

    clock: Clock = field(default_factory=SystemClock)
    deliver: Deliver | None = None
    connect: Callable[[Datasource], tuple[Client, ...]] | None = None
    executor: Callable[[int, str], Executor] = threads


def environment_of(settings: Settings) -> Callable[[], Mapping[str, str]]:
    """What references are read from: the process's environment, with the settings' own defaults filled in."""
    known = settings.environment
    filled = replace(known, environment={"TOCSIN_PROMETHEUS_URL": settings.prometheus_url, **known})
    return lambda: filled


def connector(
    settings: Settings, environment: Callable[[], Mapping[str, str]]
) -> Callable[[Datasource], tuple[Client, ...]]:
    bounds = connecting.Bounds(
        workers=settings.query_concurrency,
        timeout=settings.query_timeout,
        max_bytes=settings.query_max_bytes,
        resolver=Resolver(private=settings.private_addresses),
    )
    return lambda datasource: connecting.clients(datasource, environment, bounds)


def deliverer(settings: Settings, doors: Doors) -> Deliver:
    """The way out; one resolver for all sends, so that the look-ups of all of them together are bounded, and their lines."""
    return doors.deliver or partial(deliver, resolver=Resolver(private=settings.private_addresses), lines=Lines())


def heartbeat(settings: Settings) -> Callable[[], Outcome] | None:
    """What tells the outside world that all holds; `None` when nobody is to be told."""
    if not settings.heartbeat_url:
        return None
    resolver = Resolver(private=settings.private_addresses)
    return partial(ping, settings.heartbeat_url, settings.delivery_timeout, resolver)


def shown(url: str) -> str:
    """The address without credentials, for links in messages."""
    scheme, separator, rest = url.rstrip("/").partition("://")
    host = rest.rpartition("@")[2]
    return f"{scheme}{separator}{host}"
