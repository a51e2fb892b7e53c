"""External labels say where an alert comes from, and never overwrite what it says itself."""

from __future__ import annotations

from engine.core.external import NONE, outward, sent_out
from rules.labels import Labels
from tests.core.alarms import alert

EXTERNAL = Labels({"cluster": "eu", "replica": "a"})


def test_they_are_added_where_the_alert_lacks_them() -> None:
    own = Labels({"alertname": "a", "cluster": "us"})
    assert outward(own, "rule", EXTERNAL) == Labels({"alertname": "a", "cluster": "us", "replica": "a"})


def test_an_alert_that_was_posted_brings_its_own() -> None:
    own = Labels({"alertname": "a"})
    assert outward(own, "external", EXTERNAL) is own


def test_without_any_an_alert_stays_the_same_object() -> None:
    one = alert()
    assert sent_out(one, NONE) is one
    assert sent_out(one, EXTERNAL).labels == one.labels.merged(EXTERNAL)


def test_labels_can_be_freed_of_those_of_others() -> None:
    assert Labels({"a": "b", "cluster": "eu", "replica": "b"}).less(EXTERNAL) == Labels({"a": "b", "replica": "b"})
