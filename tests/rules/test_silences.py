"""A silence is quiet for the labels and the time it names, and is refused when it would hide everything."""

from datetime import UTC, datetime, timedelta

import pytest

from rules.errors import SilenceError
from rules.matchers import Matcher, Operator, parse_matchers
from rules.silences import Silence, SilenceState, can_become, check, covering

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


def test_only_active_silences_cover_in_the_order_given() -> None:
    silences = [
        silence(name="active"),
        silence(name="pending", starts_at=START + SECOND),
        silence(name="elsewhere", matchers='team="web"'),
        silence(name="also", matchers='team=~"d."'),
    ]
    assert [found.id for found in covering(silences, {"team": "db"}, START)] == ["active", "also"]


@pytest.mark.parametrize("matchers", ['team="db"', 'team!=""', 'a!="x",team="db"'])
def test_a_silence_with_one_telling_matcher_is_good(matchers: str) -> None:
    check(silence(matchers))


@pytest.mark.parametrize(
    ("bad", "field", "message"),
    [
        pytest.param(silence(""), "matchers", "needs at least one matcher", id="no matcher"),
        pytest.param(silence('team=~".*"'), "matchers", "nearly everything; add a matcher", id="everything"),
        pytest.param(silence('a!="x",b=""'), "matchers", 'a!="x", b="" also matches', id="nearly everything"),
        pytest.param(silence(ends_at=START), "ends_at", "is not after starts_at 2026-01-01T12:00:00", id="no time"),
    ],
)
def test_a_silence_over_everything_or_no_time_is_refused(bad: Silence, field: str, message: str) -> None:
    with pytest.raises(SilenceError) as caught:
        check(bad)
    assert caught.value.field == field
    assert message in caught.value.message


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
