"""Alerts are plain values whose words are stored and shown, so they stay what they are."""

import dataclasses

import pytest

from engine.core.alert import Alert, Change, Sample, State, TransitionReason
from rules.labels import Labels
from tests.core.alarms import alert


def test_states_are_prometheus_words() -> None:
    assert [str(state) for state in State] == ["pending", "firing", "inactive"]


def test_every_transition_reason_is_a_word_for_programs() -> None:
    assert [str(reason) for reason in TransitionReason] == [
        "condition_met",
        "held",
        "condition_ended",
        "no_data",
        "series_missing",
        "hold_raised",
        "data_returned",
        "evaluation_error",
        "rule_deleted",
        "rule_disabled",
        "posted",
        "resolved_by_sender",
        "expired",
    ]


def test_an_alert_begins_its_first_episode_unstored_and_unannotated() -> None:
    new = alert(None)
    assert (new.id, new.episode, new.rule_version, new.threshold) == (None, 1, 1, None)
    assert new.annotations == {}
    assert new.annotations is not alert(None).annotations


@pytest.mark.parametrize(
    "value",
    [
        alert(),
        Sample(labels=Labels(), value=0.0),
        Change(before=None, alert=alert(), reason=TransitionReason.HELD),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_happened_cannot_be_changed_afterwards(value: object) -> None:
    name = dataclasses.fields(value)[0].name  # type: ignore[arg-type] # each of them is a dataclass
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(value, name, None)


def test_an_alert_with_another_value_is_the_same_in_all_else() -> None:
    fields = {field.name: object() for field in dataclasses.fields(Alert)}
    one = Alert(**fields)  # type: ignore[arg-type]  # Values of their own, to see that none is left out.
    assert one.at(2.5) == dataclasses.replace(one, value=2.5)
