"""The plain values and the errors of rules/: defaults people rely on, words that are stored, fields errors carry."""

import dataclasses
from datetime import timedelta

import pytest

from rules import errors
from rules.channels import LOG_CHANNEL, Channel, ChannelKind
from rules.rule import Condition, MissingSeries, NoData, OnError, Plan, Rule


def test_a_rule_without_more_has_prometheus_defaults() -> None:
    rule = Rule(id="1", name="r")
    assert (rule.hold, rule.keep_firing_for, rule.interval) == (timedelta(0), timedelta(0), None)
    assert (rule.no_data, rule.missing_series, rule.on_error) == (NoData.OK, MissingSeries.RESOLVE, OnError.KEEP)
    assert (rule.datasource, rule.enabled, rule.limit, rule.plan) == ("default", True, 0, Plan.AUTO)
    assert rule.missing_for == timedelta(days=1)


def test_rules_do_not_share_their_defaults() -> None:
    one, other = Rule(id="1", name="r"), Rule(id="2", name="r")
    assert one.annotations is not other.annotations


@pytest.mark.parametrize("value", [Rule(id="1", name="r"), Channel(name="c", kind=ChannelKind.LOG)])
def test_a_declared_value_cannot_be_changed(value: Rule | Channel) -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        value.name = "other"  # type: ignore[misc] # that it is refused is the point


def test_conditions_are_written_as_in_promql() -> None:
    assert [str(condition) for condition in Condition] == [">", ">=", "<", "<=", "==", "!="]


def test_a_channel_tells_of_recoveries_unless_told_not_to() -> None:
    channel = Channel(name="ops", kind=ChannelKind("slack"), url="env:SLACK_WEBHOOK_URL")
    assert channel.send_resolved
    assert channel.settings == {}
    assert LOG_CHANNEL in [str(kind) for kind in ChannelKind]


@pytest.mark.parametrize(
    "kind",
    [
        errors.LabelError,
        errors.DurationError,
        errors.MatcherError,
        errors.TemplateError,
        errors.RuleError,
        errors.ChannelError,
        errors.SilenceError,
    ],
)
def test_every_error_carries_its_message_and_field(kind: type[errors.RulesError]) -> None:
    error = kind("team 'x' is bad; use 'y'", field="team")
    assert isinstance(error, ValueError)
    assert (str(error), error.message, error.field) == ("team 'x' is bad; use 'y'", "team 'x' is bad; use 'y'", "team")
    assert kind("bad").field is None


def test_an_error_in_an_expression_knows_its_position() -> None:
    error = errors.PromqlError("bad", position=7)
    assert (error.field, error.position) == ("expr", 7)
    assert isinstance(error, errors.RulesError)


def test_every_error_of_the_tree_is_drawn_in_its_docstring() -> None:
    drawn = errors.__doc__ or ""
    assert all(kind.__name__ in drawn for kind in errors.RulesError.__subclasses__())
