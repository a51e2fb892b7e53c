"""How the lines of the story look."""

from __future__ import annotations

from io import StringIO

import pytest

from api.demo.telling import Mood, Teller, wants_colour


class Terminal(StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def told(*, colourful: bool = False, started: bool = True) -> str:
    """What is written for an event of two lines, 2.5 s after the start."""
    times = iter([10.0, 12.5])
    out = StringIO()
    teller = Teller(out, colourful=colourful, clock=lambda: next(times))
    if started:
        teller.start()
    teller.tell("sql", "UPDATE routes\nSET position = 1", Mood.BAD)
    return out.getvalue()


def test_an_event_has_its_seconds_its_subject_and_its_text_in_columns() -> None:
    assert told() == (
        "   2.5s  sql        UPDATE routes\n"
        "                    SET position = 1\n"
    )  # fmt: skip


def test_before_the_start_the_seconds_are_left_blank() -> None:
    assert told(started=False).startswith("         sql        UPDATE")


def test_on_a_terminal_the_subject_has_its_moods_colour_and_the_seconds_are_dim() -> None:
    assert told(colourful=True).startswith("\x1b[2m   2.5s\x1b[0m  \x1b[31msql       \x1b[0m UPDATE routes\n")


def test_a_plain_mood_is_not_painted() -> None:
    assert Teller(StringIO(), colourful=True).painted("a", Mood.PLAIN) == "a"


def test_before_the_start_no_seconds_have_passed() -> None:
    assert Teller(StringIO(), colourful=False).seconds == 0


@pytest.mark.parametrize(
    ("stream", "environment", "colour"),
    [
        pytest.param(Terminal(), {}, True, id="terminal"),
        pytest.param(StringIO(), {}, False, id="pipe"),
        pytest.param(Terminal(), {"NO_COLOR": "1"}, False, id="asked-for-none"),
        pytest.param(Terminal(), {"NO_COLOR": ""}, True, id="an-empty-wish-is-none"),
        pytest.param(Terminal(), {"TERM": "dumb"}, False, id="dumb-terminal"),
    ],
)
def test_colour_is_for_terminals_that_want_it(stream: StringIO, environment: dict[str, str], colour: bool) -> None:
    assert wants_colour(stream, {"TERM": "xterm", **environment}) is colour
