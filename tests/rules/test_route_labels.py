"""A route's labels are templates over the group that is told of, and may use each other."""

from __future__ import annotations

import pytest

from rules.errors import RouteError, TemplateError
from rules.route_labels import GroupData, check, render
from rules.templates import TemplateData
from rules.templates import render as render_template

GROUP = GroupData(
    receiver="dba",
    status="firing",
    group_labels={"alertname": "Slow"},
    common_labels={"alertname": "Slow", "team": "db"},
    common_annotations={"runbook": "https://example.org/slow"},
    external_url="https://tocsin.example.org",
)


@pytest.mark.parametrize(
    ("labels", "made"),
    [
        pytest.param({"tier": "1"}, {"tier": "1"}, id="a text"),
        pytest.param({"who": "{{ .Receiver }}, {{ .Status }}"}, {"who": "dba, firing"}, id="the group's own words"),
        pytest.param({"t": "{{ .CommonLabels.team | toUpper }}"}, {"t": "DB"}, id="a label and a function"),
        pytest.param({"r": "{{ .CommonAnnotations.runbook }}"}, {"r": "https://example.org/slow"}, id="an annotation"),
        pytest.param({"n": "{{ .GroupLabels.nosuch }}"}, {"n": ""}, id="what is missing is empty"),
        pytest.param(
            {"a": '{{ routeLabels "b" }}!', "b": '{{ routeLabels "c" }}?', "c": "x"},
            {"a": "x?!", "b": "x?", "c": "x"},
            id="others",
        ),
        pytest.param({"a": '{{ routeLabels "nosuch" }}.'}, {"a": "."}, id="another that is not there"),
    ],
)
def test_labels_are_made_of_the_group(labels: dict[str, str], made: dict[str, str]) -> None:
    assert render(labels, GROUP) == made


def test_labels_that_need_each_other_in_a_circle_say_so_and_spoil_no_other() -> None:
    made = render({"a": '{{ routeLabels "b" }}', "b": '{{ routeLabels "a" }}', "c": "well"}, GROUP)
    assert made["c"] == "well"
    assert made["a"].startswith("<error expanding template: ")
    assert "in a circle: a → b → a" in made["a"]


def test_a_label_that_fails_says_so() -> None:
    assert render({"a": "{{ routeLabels 5 }}"}, GROUP)["a"].startswith("<error expanding template: ")


def test_a_label_that_does_not_parse_is_refused_by_name() -> None:
    check({"a": "text", "b": '{{ routeLabels "a" }}'})
    with pytest.raises(RouteError) as caught:
        check({"a": "{{ if }}"})
    assert caught.value.field == "labels.a"


def test_the_templates_of_rules_know_no_labels_of_routes() -> None:
    with pytest.raises(TemplateError, match="routeLabels"):
        render_template('{{ routeLabels "a" }}', TemplateData(labels={}, value=1))
