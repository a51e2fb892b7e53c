"""What a channel's rate limit may be."""

from __future__ import annotations

from datetime import timedelta

import pytest

from rules.channels import RateLimit, check_rate_limit
from rules.errors import ChannelError

MINUTE = timedelta(minutes=1)


@pytest.mark.parametrize("limit", [RateLimit(messages=1, per=MINUTE), RateLimit(messages=1000, per=timedelta(days=1))])
def test_a_limit_lets_something_through_and_can_be_kept(limit: RateLimit) -> None:
    check_rate_limit(limit)


@pytest.mark.parametrize(
    ("limit", "field"),
    [
        (RateLimit(messages=0, per=MINUTE), "rate_limit.messages"),
        (RateLimit(messages=1001, per=MINUTE), "rate_limit.messages"),
        (RateLimit(messages=1, per=timedelta(0)), "rate_limit.per"),
        (RateLimit(messages=1, per=timedelta(days=2)), "rate_limit.per"),
    ],
)
def test_any_other_is_refused_by_its_field(limit: RateLimit, field: str) -> None:
    with pytest.raises(ChannelError) as caught:
        check_rate_limit(limit)
    assert caught.value.field == field
