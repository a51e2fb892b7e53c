"""A silence is quiet for the labels and the time it names, and is refused when it would hide everything."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from rules.errors import SilenceError
from rules.matchers import Matcher, Operator, parse_matchers
from rules.silences import (
    Silence,
    SilenceState,
    can_become,
    check,
    check_reach,
    covering,
    expired,
    holding,
)
from rules.time_intervals import TimeInterval, parse_period

START = datetime(2026, 1, 1, 12, tzinfo=UTC)
END = START + timedelta(hours=2)
SECOND = timedelta(seconds=1)


def silence(
    matchers: str = 'team="db"', *, name: str = "s", starts_at: datetime = START, ends_at: datetime = END
) -> Silence:
    return Silence(id=name, matchers=parse_matchers(matchers), starts_at=starts_at, ends_at=ends_at)


@pytest.mark.parametrize(
    ("now", "state"),
    [
        pytest.param(START - SECOND, SilenceState.PENDING, id="before"),
        pytest.param(START, SilenceState.ACTIVE, id="at the start"),
        pytest.param(END, SilenceState.ACTIVE, id="at the end"),
        pytest.param(END + SECOND, SilenceState.EXPIRED, id="after"),
    ],
)
def test_a_silence_has_a_state_at_every_moment(now: datetime, state: SilenceState) -> None:
    assert silence().state(now) is state


@pytest.mark.parametrize(
    ("matchers", "covered"),
    [
        pytest.param('team="db"', True, id="one matches"),
        pytest.param('team="db",host=~"a.*"', True, id="all match"),
        pytest.param('team="db",host="b"', False, id="one does not"),
        pytest.param('team="db",nosuch=""', True, id="an absent label is empty"),
    ],
)
def test_a_silence_covers_what_all_its_matchers_match(matchers: str, covered: bool) -> None:
    assert silence(matchers).covers({"team": "db", "host": "a1"}) is covered


def test_only_active_silences_hold_and_cover_in_the_order_given() -> None:
    silences = [
        silence(name="active"),
        silence(name="pending", starts_at=START + SECOND),
        silence(name="elsewhere", matchers='team="web"'),
        silence(name="also", matchers='team=~"d."'),
    ]
    assert [found.id for found in covering(holding(silences, START), {"team": "db"})] == ["active", "also"]


@pytest.mark.parametrize("matchers", ['team="db"', 'a!="x",team="db"', 'alertname=~"Disk.*|Cpu.*"'])
def test_a_silence_with_one_telling_matcher_is_good(matchers: str) -> None:
    check(silence(matchers))


@pytest.mark.parametrize(
    ("bad", "field", "message"),
    [
        pytest.param(silence(""), "matchers", "needs at least one matcher", id="no matcher"),
        pytest.param(silence('team=~".*"'), "matchers", "nearly everything; add a matcher", id="everything"),
        pytest.param(silence('b="",c=~"|x"'), "matchers", 'b="", c=~"|x" also matches', id="what is absent"),
        pytest.param(silence(ends_at=START), "ends_at", "is not after starts_at 2026-01-01T12:00:00", id="no time"),
    ],
)
def test_a_silence_over_everything_or_no_time_is_refused(bad: Silence, field: str, message: str) -> None:
    for one in (bad, replace(bad, force=True)):
        with pytest.raises(SilenceError) as caught:
            check(one)
        assert caught.value.field == field
        assert message in caught.value.message


@pytest.mark.parametrize(
    "matchers",
    ['team!=""', 'team!="db"', 'a!="x",b=""', 'team!="",a!~"b.+"', 'alertname=~".+"', 'alertname=~".+",team!="db"'],
)
def test_a_silence_that_only_leaves_some_out_needs_force(matchers: str) -> None:
    broad = silence(matchers)
    with pytest.raises(
        SilenceError, match="so it would silence nearly everything; add a matcher such as alertname=…, or set force"
    ):
        check(broad)
    check(replace(broad, force=True))


def labels_of(*names: str) -> list[dict[str, str]]:
    return [{"alertname": name, "team": "db"} for name in names]


def test_a_silence_over_nearly_all_of_many_alerts_of_several_names_needs_force() -> None:
    many = labels_of(*["Slow", "Down"] * 10)
    with pytest.raises(SilenceError, match="silence 20 of 20 active alerts, of 2 names"):
        check_reach(silence(), many)
    check_reach(replace(silence(), force=True), many)


@pytest.mark.parametrize(
    "active",
    [
        pytest.param(labels_of("Slow", "Down"), id="few alerts"),
        pytest.param(labels_of(*["Down"] * 30), id="one name"),
        pytest.param(
            [*labels_of(*["Slow", "Down"] * 9), *({"team": "web"} for _ in range(3))], id="less than nearly all"
        ),
    ],
)
def test_a_silence_over_a_part_needs_no_force(active: list[dict[str, str]]) -> None:
    check_reach(silence(), active)


NIGHT = TimeInterval(name="night", periods=(parse_period({"times": [{"start_time": "13:00", "end_time": "13:30"}]}),))
NIGHTS = {"night": NIGHT}


def test_a_recurring_silence_holds_within_its_intervals_only_and_is_pending_between_them() -> None:
    recurring = replace(silence(), time_intervals=("night", "nobody's"))
    on, off = START + timedelta(minutes=70), START + timedelta(minutes=100)
    assert recurring.state(on, NIGHTS) is SilenceState.ACTIVE
    assert recurring.state(off, NIGHTS) is SilenceState.PENDING
    assert recurring.state(on) is SilenceState.PENDING
    assert recurring.state(END + SECOND, NIGHTS) is SilenceState.EXPIRED
    assert recurring.until(on, NIGHTS) == START + timedelta(minutes=90)
    assert replace(recurring, ends_at=on + SECOND).until(on, NIGHTS) == on + SECOND
    assert silence().until(START) == END


def edited(**changes: Any) -> Silence:
    return replace(silence(), **changes)


@pytest.mark.parametrize(
    ("now", "after", "kept"),
    [
        pytest.param(START + SECOND, edited(ends_at=END + SECOND, comment="more"), True, id="active: another end"),
        pytest.param(START + SECOND, edited(starts_at=START + SECOND), False, id="active: another beginning"),
        pytest.param(START + SECOND, edited(starts_at=START + SECOND / 2), True, id="active: the same second"),
        pytest.param(START + SECOND, edited(ends_at=START), False, id="active: an end that is past"),
        pytest.param(START + SECOND, edited(matchers=parse_matchers("team=web")), False, id="active: others hidden"),
        pytest.param(START + SECOND, edited(time_intervals=("night",)), False, id="active: hidden at other times"),
        pytest.param(START - SECOND, edited(starts_at=START - SECOND), True, id="pending: begins now"),
        pytest.param(START - SECOND, edited(starts_at=START - 2 * SECOND), False, id="pending: begins in the past"),
        pytest.param(END + SECOND, edited(ends_at=END + timedelta(hours=1)), False, id="expired: never again"),
    ],
)
def test_an_edit_keeps_the_id_where_alertmanager_keeps_it(now: datetime, after: Silence, kept: bool) -> None:
    assert can_become(silence(), after, now) is kept


def test_a_silence_ended_now_is_over_now_and_one_that_is_over_stays_as_it_is() -> None:
    ended = expired(silence(), START + SECOND)
    assert ended.state(START + SECOND) is SilenceState.EXPIRED
    assert ended.starts_at == START
    early = expired(silence(), START - SECOND)
    assert (early.state(START - SECOND), early.starts_at < early.ends_at) == (SilenceState.EXPIRED, True)
    assert expired(silence(), END + SECOND) == silence()


def test_a_silence_carries_its_matchers_as_values() -> None:
    assert silence().matchers == (Matcher("team", Operator.EQUAL, "db"),)


@pytest.mark.parametrize(
    ("now", "starts_at", "ends_at", "matchers", "may"),
    [
        pytest.param(START, START, END + SECOND, 'team="db"', True, id="active, a later end"),
        pytest.param(START, START, START, 'team="db"', True, id="active, over at once"),
        pytest.param(START + SECOND, START, START, 'team="db"', False, id="active, over before now"),
        pytest.param(START, START + SECOND / 2, END, 'team="db"', True, id="active, the start of the same second"),
        pytest.param(START, START + SECOND, END, 'team="db"', False, id="active, another start"),
        pytest.param(START - SECOND, START - SECOND, END, 'team="db"', True, id="pending, it begins now"),
        pytest.param(START - SECOND, START - 2 * SECOND, END, 'team="db"', False, id="pending, it began before"),
        pytest.param(END + SECOND, START, END + 9 * SECOND, 'team="db"', False, id="over"),
        pytest.param(START, START, END, 'team="web"', False, id="other matchers"),
    ],
)
def test_a_silence_is_changed_in_place_only_where_nothing_is_undone(
    now: datetime, starts_at: datetime, ends_at: datetime, matchers: str, may: bool
) -> None:
    assert can_become(silence(), silence(matchers, starts_at=starts_at, ends_at=ends_at), now) is may
