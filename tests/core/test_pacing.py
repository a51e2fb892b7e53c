"""Only a channel that has just taken a message quickly is given many at once."""

from datetime import timedelta

import pytest

from engine.core.pacing import AHEAD, AT_A_TIME, QUICK, room


@pytest.mark.parametrize(
    ("took", "expected"),
    [
        pytest.param(None, AT_A_TIME, id="nothing is known of it, or it failed"),
        pytest.param(timedelta(milliseconds=1), AHEAD, id="quick"),
        pytest.param(QUICK, AHEAD, id="just quick enough"),
        pytest.param(QUICK + timedelta(milliseconds=1), AT_A_TIME, id="slow"),
    ],
)
def test_a_quick_channel_is_given_many_messages_at_a_time(took: timedelta | None, expected: int) -> None:
    assert room(took) == expected
