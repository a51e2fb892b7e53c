"""What a GET asks for: matchers, receivers, and which alerts are meant, read as Alertmanager reads them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, Final

from fastapi import Depends, HTTPException, Request

from rules import regexes
from rules.errors import MatcherError
from rules.matchers import Matcher, parse_matcher
from rules.regexes import Regex

_YES: Final = frozenset({"true", "1", "yes", "ok", "y", "on", "selected", "checked", "t", "enabled"})
"""The words go-openapi takes for yes; any other is no, without a word."""
AT_ONCE: Final = 8
"""Listings made at a time; the others wait for their turn."""
PATIENCE: Final = timedelta(seconds=20)


class BadQueryError(ValueError):
    """A parameter that makes no sense; the text says which and why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """Which alerts are meant: those that every matcher and the receiver's pattern fit, in these states."""

    matchers: tuple[Matcher, ...]
    receiver: Regex | None
    active: bool = True
    silenced: bool = True
    inhibited: bool = True
    muted: bool = True

    def fits(self, labels: Mapping[str, str]) -> bool:
        """Whether every matcher fits."""
        return all(matcher.matches(labels) for matcher in self.matchers)

    def hears(self, receivers: Iterable[str]) -> bool:
        """Whether one of these receivers is meant."""
        pattern = self.receiver
        return pattern is None or any(pattern.fullmatch(name.encode()) is not None for name in receivers)

    def shows(self, *, silenced: bool, inhibited: bool) -> bool:
        """Whether an alert that these keep quiet is meant."""
        if not self.active and not silenced and not inhibited:
            return False
        return (self.silenced or not silenced) and (self.inhibited or not inhibited)


def asked(request: Request) -> Asked:
    """The parameters of a request. Raises BadQueryError."""
    words = request.query_params
    return Asked(
        matchers=matchers(words.getlist("filter")),
        receiver=_receiver(_last(words.getlist("receiver"))),
        active=truth(words.getlist("active")),
        silenced=truth(words.getlist("silenced")),
        inhibited=truth(words.getlist("inhibited")),
        muted=truth(words.getlist("muted")),
    )


def matchers(texts: Iterable[str]) -> tuple[Matcher, ...]:
    """The matchers of `filter`, one in each. Raises BadQueryError."""
    try:
        return tuple(parse_matcher(text) for text in texts)
    except MatcherError as error:
        raise BadQueryError(f"bad matcher format: {error.message}") from error


def truth(words: list[str]) -> bool:
    """Yes unless the last of these words says otherwise."""
    word = _last(words)
    return not word or word.lower() in _YES


def _receiver(text: str) -> Regex | None:
    if not text:
        return None
    try:
        return regexes.compiled(text)
    except ValueError as error:
        raise BadQueryError(f"failed to parse receiver param: {error}") from error


def _last(words: list[str]) -> str:
    return words[-1] if words else ""


class Turns:
    """So many listings are made at a time, so that they do not take every thread; the others wait, for a while."""

    def __init__(self, at_once: int = AT_ONCE, patience: timedelta = PATIENCE) -> None:
        self.at_once, self._patience = at_once, patience
        self._free = asyncio.Semaphore(at_once)

    async def take(self) -> None:
        """Wait for a turn. Raises HTTPException (503) when none comes."""
        try:
            await asyncio.wait_for(self._free.acquire(), self._patience.total_seconds())
        except TimeoutError:
            message = f"limit of concurrent GET requests reached ({self.at_once}), try again later"
            raise HTTPException(503, message, {"Retry-After": "5"}) from None

    def give_back(self) -> None:
        """The turn is over."""
        self._free.release()


async def _turn(request: Request) -> AsyncIterator[None]:
    turns: Turns = request.app.state.listings
    await turns.take()
    try:
        yield
    finally:
        turns.give_back()


Turn = Depends(_turn)
Query = Annotated[Asked, Depends(asked)]
