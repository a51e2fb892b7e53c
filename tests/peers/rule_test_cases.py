"""Files of rule unit tests, passing and failing, which promtool and Tocsin have to judge alike: rules, and one test each."""

from __future__ import annotations

from typing import Final

UP: Final = """
groups:
- name: g
  rules:
  - alert: Down
    expr: up == 0
    for: 5m
    labels: {severity: page}
    annotations:
      summary: "{{ $labels.instance }} of {{ $labels.job }} is down: {{ $value }}"
"""
FED: Final = """
- interval: 1m
  input_series:
  - {series: 'up{job="a", instance="x"}', values: '1 1 0x10'}
  - {series: 'up{job="a", instance="y"}', values: '1x12'}
"""
FIRES: Final = """
    - exp_labels: {severity: page, job: a, instance: x}
      exp_annotations: {summary: "x of a is down: 0"}
"""


def alerts(*expected: str) -> str:
    return "  alert_rule_test:\n" + "".join(f"  - {one}\n" for one in expected)


def exprs(*expected: str) -> str:
    return "  promql_expr_test:\n" + "".join(f"  - {one}\n" for one in expected)


def rules(*declared: str, group: str = "name: g") -> str:
    return f"groups:\n- {group}\n  rules:\n" + "".join(f"  - {one}\n" for one in declared)


def fed(*series: str, interval: str = "1m", more: str = "") -> str:
    lines = "".join(
        f"  - {{series: '{name}', values: '{values}'}}\n" for name, values in (one.split(" ", 1) for one in series)
    )
    return f"- interval: {interval}\n{more}  input_series:\n{lines}"


VACUOUS: Final = exprs("{expr: vector(1), eval_time: 1m, exp_samples: [{labels: '{}', value: 1}]}")
ONE: Final = "up 1 1 1 1 1 1 1 1 1 1 1"

# name: (rules, tests, what stands above the tests)
CASES: Final[dict[str, tuple[str, ...]]] = {
    "fires after its for": (UP, FED + "  alert_rule_test:\n  - {eval_time: 6m, alertname: Down}\n"
        "  - eval_time: 7m\n    alertname: Down\n    exp_alerts:" + FIRES),
    "expected too early": (UP, FED + "  alert_rule_test:\n  - eval_time: 6m\n    alertname: Down\n    exp_alerts:" + FIRES),
    "fires and should not": (UP, FED + alerts("{eval_time: 8m, alertname: Down}")),
    "another label": (UP, FED + alerts(
        "{eval_time: 8m, alertname: Down, exp_alerts: [{exp_labels: {severity: page, job: b, instance: x},"
        " exp_annotations: {summary: 'x of a is down: 0'}}]}")),
    "another annotation": (UP, FED + alerts(
        "{eval_time: 8m, alertname: Down, exp_alerts: [{exp_labels: {severity: page, job: a, instance: x},"
        " exp_annotations: {summary: 'x of a is down: 1'}}]}")),
    "no annotation": (UP, FED + alerts(
        "{eval_time: 8m, alertname: Down, exp_alerts: [{exp_labels: {severity: page, job: a, instance: x}}]}")),
    "an alert that no rule has": (UP, FED + alerts("{eval_time: 8m, alertname: Nope}")),
    "an alert that no rule has, expected": (UP, FED + alerts("{eval_time: 8m, alertname: Nope, exp_alerts: [{}]}")),
    "between two steps": (UP, FED + "  alert_rule_test:\n  - eval_time: 7m59s\n    alertname: Down\n    exp_alerts:" + FIRES
        + "  - {eval_time: 6m59s, alertname: Down}\n"),
    "two rules of one name": (
        rules("{alert: A, expr: up > 0, labels: {a: b}}", "{alert: A, expr: up > 0, labels: {a: c}}"),
        fed(ONE) + alerts("{eval_time: 1m, alertname: A, exp_alerts: [{exp_labels: {a: c}}, {exp_labels: {a: b}}]}")),
    "two rules of one name, one expected": (
        rules("{alert: A, expr: up > 0, labels: {a: b}}", "{alert: A, expr: up > 0, labels: {a: c}}"),
        fed(ONE) + alerts("{eval_time: 1m, alertname: A, exp_alerts: [{exp_labels: {a: c}}]}")),
    "a recording before its reader": (
        rules("{record: 'x:up', expr: sum(up), labels: {by: rule}}", "{alert: A, expr: 'x:up > 1'}"),
        fed("up 1 1 5 5 1") + alerts("{eval_time: 1m, alertname: A}",
            "{eval_time: 2m, alertname: A, exp_alerts: [{exp_labels: {by: rule}}]}")
        + exprs("{expr: 'x:up', eval_time: 3m, exp_samples: [{labels: 'x:up{by=\"rule\"}', value: 5}]}")),
    "a recording after its reader": (
        rules("{alert: A, expr: 'x:up > 1'}", "{record: 'x:up', expr: sum(up)}"),
        fed("up 1 1 5 5 1 1 1") + alerts("{eval_time: 2m, alertname: A}",
            "{eval_time: 3m, alertname: A, exp_alerts: [{}]}", "{eval_time: 5m, alertname: A}")),
    "a recording after its reader, expected at once": (
        rules("{alert: A, expr: 'x:up > 1'}", "{record: 'x:up', expr: sum(up)}"),
        fed("up 1 1 5 5 1 1 1") + alerts("{eval_time: 2m, alertname: A, exp_alerts: [{}]}")),
    "groups in the order asked for": (
        rules("{alert: A, expr: 'x:up > 1'}", group="name: one") + rules("{record: 'x:up', expr: sum(up)}", group="name: two")
            .removeprefix("groups:\n"),
        fed("up 1 1 5 5 1") + alerts("{eval_time: 2m, alertname: A, exp_alerts: [{}]}"),
        "group_eval_order: [two, one]\n"),
    "a recording that vanishes": (
        rules("{record: 'x:up', expr: 'up > 1'}", "{alert: A, expr: 'x:up'}"),
        fed("up 5 5 0 0 5") + alerts("{eval_time: 1m, alertname: A, exp_alerts: [{}]}", "{eval_time: 2m, alertname: A}",
            "{eval_time: 4m, alertname: A, exp_alerts: [{}]}") + exprs("{expr: 'x:up', eval_time: 3m}")),
    "a recording written twice": (
        rules("{record: x, expr: vector(1)}", "{record: x, expr: vector(2)}"), fed(ONE) + exprs("{expr: up, eval_time: 1m}")),
    "a recording written twice alike": (
        rules("{record: x, expr: vector(1)}", "{record: x, expr: vector(1)}"),
        fed(ONE) + exprs("{expr: x, eval_time: 1m, exp_samples: [{labels: x, value: 1}]}")),
    "a recording with duplicates": (
        rules("{record: x, expr: up, labels: {a: b}}"),
        fed('up{a="1"} 1 1', 'up{a="2"} 1 1') + VACUOUS),
    "ALERTS of another rule": (
        rules("{alert: A, expr: up > 0, for: 2m, labels: {l: x}}",
            "{alert: Many, expr: 'count by (alertstate) (ALERTS{alertname=\"A\"})'}"),
        fed(ONE) + alerts("{eval_time: 1m, alertname: Many, exp_alerts: [{exp_labels: {alertstate: pending}}]}",
            "{eval_time: 3m, alertname: Many, exp_alerts: [{exp_labels: {alertstate: firing}}]}")
        + exprs("{expr: ALERTS_FOR_STATE, eval_time: 3m, exp_samples: [{labels: 'ALERTS_FOR_STATE{alertname=\"A\", l=\"x\"}',"
            " value: 0}, {labels: 'ALERTS_FOR_STATE{alertname=\"Many\", alertstate=\"firing\"}', value: 120}]}")),
    "ALERTS when it ends": (
        rules("{alert: A, expr: up > 0}"),
        fed("up 1 1 0 0") + exprs("{expr: ALERTS, eval_time: 1m, exp_samples: [{labels: 'ALERTS{alertname=\"A\","
            " alertstate=\"firing\"}', value: 1}]}", "{expr: ALERTS, eval_time: 2m}")),
    "an ended series": (UP.replace("up == 0", "up"), fed('up{instance="x",job="a"} 1x5 stale _x9') + alerts(
        "{eval_time: 5m, alertname: Down, exp_alerts: [{exp_labels: {severity: page, job: a, instance: x},"
        " exp_annotations: {summary: 'x of a is down: 1'}}]}", "{eval_time: 6m, alertname: Down}")),
    "a gap": (rules("{alert: A, expr: up}"), fed("up 1 _x8 1") + alerts(
        "{eval_time: 4m, alertname: A, exp_alerts: [{}]}", "{eval_time: 6m, alertname: A}",
        "{eval_time: 9m, alertname: A, exp_alerts: [{}]}")),
    "kept firing": (rules("{alert: A, expr: up > 0, keep_firing_for: 3m, annotations: {v: '{{ $value }}'}}"),
        fed("up 1 2 0 0 0 0 0 0") + alerts("{eval_time: 4m, alertname: A, exp_alerts: [{exp_annotations: {v: '2'}}]}",
            "{eval_time: 5m, alertname: A}")),
    "nothing there": (rules("{alert: A, expr: 'absent(up{job=\"a\"})'}"),
        fed('up{job="a"} _ _ 1 1') + alerts("{eval_time: 1m, alertname: A, exp_alerts: [{exp_labels: {job: a}}]}",
            "{eval_time: 2m, alertname: A}")),
    "scalars and time": (rules("{alert: A, expr: vector(1)}"), fed(ONE)
        + exprs("{expr: time(), eval_time: 90s, exp_samples: [{labels: '{}', value: 90}]}",
            "{expr: 'scalar(up) + 1', eval_time: 2m, exp_samples: [{labels: '{}', value: 2}]}")),
    "zero and not a number": (rules("{alert: Zero, expr: up * 0}", "{alert: Nan, expr: up / 0 * 0}"), fed(ONE)
        + alerts("{eval_time: 1m, alertname: Zero, exp_alerts: [{}]}", "{eval_time: 1m, alertname: Nan, exp_alerts: [{}]}")),
    "not a number expected": (rules("{alert: A, expr: up}"), fed(ONE)
        + exprs("{expr: up / 0 * 0, eval_time: 1m, exp_samples: [{labels: '{}', value: .nan}]}")),
    "infinite": (rules("{alert: A, expr: up}"), fed(ONE)
        + exprs("{expr: up / 0, eval_time: 1m, exp_samples: [{labels: '{}', value: .inf}]}")),
    "alerts that are the same": (rules("{alert: A, expr: up, labels: {a: b}}"),
        fed('up{a="1"} 1 1', 'up{a="2"} 1 1') + VACUOUS),
    "beyond the limit": (rules("{alert: A, expr: up}", group="name: g\n  limit: 1"),
        fed('up{a="1"} 1 1', 'up{a="2"} 1 1') + alerts(
            "{eval_time: 1m, alertname: A, exp_alerts: [{exp_labels: {a: '1'}}, {exp_labels: {a: '2'}}]}")),
    "a rule that fails": (rules("{alert: A, expr: up + on () up}"),
        fed('up{a="1"} _ _ 1', 'up{a="2"} _ _ 1') + alerts("{eval_time: 1m, alertname: A}", "{eval_time: 3m, alertname: A}")),
    "an expression that fails": (rules("{alert: A, expr: up > 5}"),
        fed('up{a="1"} 1 1', 'up{a="2"} 1 1') + exprs("{expr: up + on () up, eval_time: 1m}", "{expr: up > 5, eval_time: 1m}")),
    "an expression that is a range": (rules("{alert: A, expr: up > 5}"), fed(ONE) + exprs("{expr: 'up[1m]', eval_time: 1m}")),
    "an expression that does not parse": (rules("{alert: A, expr: up > 5}"), fed(ONE) + exprs("{expr: 'up[', eval_time: 1m}")),
    "another sample": (rules("{alert: A, expr: up}"), fed(ONE)
        + exprs("{expr: up, eval_time: 1m, exp_samples: [{labels: up, value: 2}]}")),
    "a sample too few": (rules("{alert: A, expr: up}"), fed(ONE) + exprs("{expr: up, eval_time: 1m}")),
    "external labels and address": (
        rules("{alert: A, expr: up, labels: {at: '{{ $externalLabels.site }}'}, annotations: {u: '{{ $externalURL }}/x'}}"),
        fed(ONE, more="  external_labels: {site: north}\n  external_url: http://p\n") + alerts(
            "{eval_time: 1m, alertname: A, exp_alerts: [{exp_labels: {at: north}, exp_annotations: {u: http://p/x}}]}")),
    "templates that ask": (
        rules("{alert: A, expr: up, annotations: {n: '{{ with query \"sum(up)\" }}{{ . | first | value }}{{ end }}'}}"),
        fed('up{a="1"} 1 2 3', 'up{a="2"} _ 1 1') + alerts(
            "{eval_time: 2m, alertname: A, exp_alerts: [{exp_labels: {a: '1'}, exp_annotations: {n: '4'}},"
            " {exp_labels: {a: '2'}, exp_annotations: {n: '4'}}]}")),
    "a template that fails": (
        rules("{alert: A, expr: up, annotations: {n: '{{ with query \"sum(none)\" }}{{ . | first | value }}{{ end }}',"
            " e: '{{ query \"nothing\" | first | value }}'}}"),
        fed(ONE) + alerts("{eval_time: 2m, alertname: A, exp_alerts: [{exp_annotations: {n: '', e: '<error expanding"
            " template: error executing template __alert_A: template: __alert_A:1:133: executing \"__alert_A\" at <first>:"
            " error calling first: first() called on vector with no elements>'}}]}")),
    "functions of templates": (
        rules("{alert: A, expr: up, annotations: {t: '{{ humanizeDuration $value }} {{ printf \"%.2f\" $value }}"
            " {{ $labels.a | toUpper | reReplaceAll \"(.)B\" \"$1-\" }}'}}"),
        fed('up{a="abc"} 90061 90061') + alerts(
            "{eval_time: 1m, alertname: A, exp_alerts: [{exp_labels: {a: abc},"
            " exp_annotations: {t: '1d 1h 1m 1s 90061.00 A-C'}}]}")),
    "a label that renders empty": (rules("{alert: A, expr: up, labels: {a: '{{ $labels.no }}'}, annotations: {e: ''}}"),
        fed('up{a="1"} 1 1') + alerts("{eval_time: 1m, alertname: A, exp_alerts: [{exp_annotations: {e: ''}}]}")),
    "an empty annotation not expected": (rules("{alert: A, expr: up, annotations: {e: ''}}"),
        fed(ONE) + alerts("{eval_time: 1m, alertname: A, exp_alerts: [{}]}")),
    "an empty label expected": (rules("{alert: A, expr: up}"),
        fed(ONE) + alerts("{eval_time: 1m, alertname: A, exp_alerts: [{exp_labels: {a: ''}}]}")),
    "an alertname of the series": (rules("{alert: A, expr: up}"),
        fed('up{alertname="B",b="c"} 1 1') + alerts("{eval_time: 1m, alertname: A, exp_alerts: [{exp_labels: {b: c}}]}")),
    "rates and another interval": (rules("{alert: A, expr: 'rate(n[1m]) > 1'}"),
        fed("n 0+10x20 200+60x20", interval="15s") + alerts("{eval_time: 4m, alertname: A}",
            "{eval_time: 8m, alertname: A, exp_alerts: [{}]}") + exprs(
                "{expr: 'rate(n[1m])', eval_time: 4m, exp_samples: [{labels: '{}', value: 0.6666666666666666}]}"),
        "evaluation_interval: 30s\n"),
    "steps of a tenth": (rules("{alert: A, expr: n}"), fed("n 0+0.1x10")
        + exprs("{expr: n, eval_time: 3m, exp_samples: [{labels: n, value: 0.30000000000000004}]}",
            "{expr: n, eval_time: 8m, exp_samples: [{labels: n, value: 0.7999999999999999}]}")),
    "quantiles": (rules("{alert: A, expr: 'histogram_quantile(0.9, sum by (le) (rate(h_bucket[5m]))) > 0.4'}"),
        fed('h_bucket{le="0.1"} 0+1x20', 'h_bucket{le="0.5"} 0+5x20', 'h_bucket{le="+Inf"} 0+10x20')
        + alerts("{eval_time: 10m, alertname: A, exp_alerts: [{}]}")),
    "subqueries, offsets and instants": (rules("{alert: A, expr: up}"), fed("up 1 2 3 4 5 6 7 8")
        + exprs("{expr: 'sum_over_time(up[4m:])', eval_time: 6m, exp_samples: [{labels: '{}', value: 50}]}",
            "{expr: 'up offset -1m', eval_time: 2m, exp_samples: [{labels: up, value: 4}]}",
            "{expr: 'up @ 60', eval_time: 6m, exp_samples: [{labels: up, value: 2}]}"),
        "evaluation_interval: 30s\n"),
    "what lies ahead": (rules("{alert: A, expr: 'up offset -2m > 3'}"), fed("up 1 2 3 4 5 6 7 8")
        + alerts("{eval_time: 2m, alertname: A}", "{eval_time: 3m, alertname: A, exp_alerts: [{}]}")),
    "no tests": (rules("{alert: A, expr: up}"), "[]"),
    "no series": (rules("{alert: A, expr: vector(1)}"),
        "- alert_rule_test:\n  - {eval_time: 0m, alertname: A, exp_alerts: [{}]}"),
    "a series twice": (rules("{alert: A, expr: up}"), fed("up 1 1", "up 2 2")
        + exprs("{expr: up, eval_time: 1m, exp_samples: [{labels: up, value: 2}]}")),
    "values that are none": (rules("{alert: A, expr: up}"), fed("up 1 one 1") + exprs("{expr: vector(1) > 1, eval_time: 1m}")),
    "a series that is none": (rules("{alert: A, expr: up}"), fed('up{a!="b"} 1') + exprs("{expr: vector(1) > 1, eval_time: 1m}")),
    "an unknown field": (rules("{alert: A, expr: up}"), fed(ONE, more="  intervall: 1m\n") + exprs(
        "{expr: vector(1) > 1, eval_time: 1m}")),
    "no alertname": (rules("{alert: A, expr: up > 5}"), fed(ONE) + alerts("{eval_time: 1m}")),
    "a group named twice in the order": (rules("{alert: A, expr: up > 5}"), fed(ONE) + alerts("{eval_time: 1m, alertname: A}"),
        "group_eval_order: [g, g]\n"),
    "rules that do not parse": (rules("{alert: A, expr: 'up['}"), fed(ONE) + exprs("{expr: vector(1) > 1, eval_time: 1m}")),
    "a value in quotes": (rules("{alert: A, expr: up}"), fed(ONE)
        + exprs("{expr: up, eval_time: 1m, exp_samples: [{labels: up, value: '1'}]}")),
}  # fmt: skip
