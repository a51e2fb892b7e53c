"""Templates say what Prometheus' say, and can fail but not harm (the tables of P:template/template_test.go)."""

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.errors import TemplateError
from rules.template_budget import MAX_OUTPUT, MAX_QUERIES, MAX_SAMPLES, MAX_TEMPLATE
from rules.template_failures import in_go_words
from rules.templates import TemplateData, check, render, render_or_error, uses_query


@dataclass(frozen=True)
class Series:
    labels: Mapping[str, str]
    value: float


ANSWER = [Series({"instance": "b", "__value__": "q"}, 21.0), Series({"instance": "a"}, 11.0)]


def answer(text: str) -> Sequence[Series]:
    return ANSWER if text == "metric" else []


DATA = TemplateData(
    labels={"instance": "foo.example.com:80", "team": "db"},
    value=80.5,
    external_labels={"region": "eu"},
    external_url="http://testhost:9090/path/prefix",
    query=answer,
    now=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
)
DOUBLING = '{{ $x := "0123456789abcdef" }}{{ range 100 }}{{ $x = TWICE $x $x }}{{ end }}{{ len $x }}'


def with_value(value: float) -> TemplateData:
    return TemplateData(labels={}, value=value)


@pytest.mark.parametrize(
    ("template", "text"),
    [
        pytest.param("plain text }} 100 %", "plain text }} 100 %", id="no template"),
        pytest.param("{{ $labels.team }}: {{ $value }}", "db: 80.5", id="label and value"),
        pytest.param("{{ .Labels.team }}: {{ .Value }}", "db: 80.5", id="label and value as fields"),
        pytest.param("[{{ $labels.nosuch }}]", "[]", id="a missing label is empty"),
        pytest.param('[{{ index $labels "nosuch" }}]', "[]", id="a missing label by index is empty"),
        pytest.param("{{ $externalLabels.region }}{{ .ExternalLabels.none }}", "eu", id="external labels"),
        pytest.param("{{ $externalURL }}", "http://testhost:9090/path/prefix", id="external URL"),
        pytest.param("{{ .ExternalURL }}", "http://testhost:9090/path/prefix", id="external URL as a field"),
        pytest.param("{{ if gt $value 80.0 }}high{{ else }}low{{ end }}", "high", id="a condition"),
        pytest.param("{{ range $k, $v := $labels }}{{ $k }}={{ $v }};{{ end }}", None, id="all labels"),
        pytest.param('{{ with $labels.team }}{{ . }}{{ end }}{{- "  x" -}}  ', "db  x", id="with, and trimming"),
        pytest.param('{{define "x"}}{{.arg0}} {{.arg1}}{{end}}{{template "x" (args 1 "2")}}', "1 2", id="args"),
        pytest.param('{{define "x"}}{{toUpper .}}{{end}}{{template "x" "a"}}', "A", id="functions in a definition"),
        pytest.param('{{ query "metric" | first | value }}', "21", id="a query's value"),
        pytest.param('{{ (query "metric" | first).Value }}', "21", id="a query's value as a field"),
        pytest.param('{{ query "metric" | first | label "instance" }}', "b", id="a query's label"),
        pytest.param('{{ query "metric" | first | label "nosuch" }}', "", id="a query's missing label"),
        pytest.param('{{ $x := query "metric" | first }}{{ $x.Labels.foo }}', "", id="the same as a field"),
        pytest.param('{{ query "metric" | first | strvalue }}', "q", id="the value as a label"),
        pytest.param(
            '{{ range query "metric" | sortByLabel "instance" }}{{.Labels.instance}}:{{.Value}}: {{end}}',
            "a:11: b:21: ",
            id="all of a query, sorted",
        ),
        pytest.param('{{ reReplaceAll "(a)b" "x$1" "ab" }}', "xa", id="a group"),
        pytest.param('{{ reReplaceAll "(?P<n>a)" "${n}-$n1-$$-$9-${1}" "ab" }}', "a--$--ab", id="groups by name"),
        pytest.param('{{ reReplaceAll "(x)?a" "[$1]" "ba" }}', "b[]", id="a group that took no part"),
        pytest.param('{{ reReplaceAll "a*" "x" "baaac" }}', "xbxcx", id="empty matches"),
        pytest.param('{{ match "a+" "baa" }} {{ match "^a+" "b" }}', "true false", id="match is not anchored"),
        pytest.param('{{ "aa b-b_c ßx éa CC" | title }}', "Aa B-B_c ßx Éa CC", id="title"),
        pytest.param('{{ "aß é" | toUpper }}{{ "AÉ" | toLower }}', "Aß Éaé", id="cases, letter by letter"),
        pytest.param('{{ "<b>" | safeHtml }}', "<b>", id="safeHtml"),
        pytest.param('{{ graphLink "up{a=\\"b c\\"}" }}', "/graph?g0.expr=up%7Ba%3D%22b+c%22%7D&g0.tab=0", id="graph"),
        pytest.param('{{ tableLink "up" }}', "/graph?g0.expr=up&g0.tab=1", id="table"),
        pytest.param('{{ urlQueryEscape "a b/ü~" }}', "a+b%2F%C3%BC~", id="urlQueryEscape"),
        pytest.param("{{ pathPrefix }} {{ externalURL }}", "/path/prefix http://testhost:9090/path/prefix", id="URLs"),
        pytest.param('{{ printf "%0.2f" (parseDuration "1h2m10ms") }}', "3720.01", id="parseDuration"),
        pytest.param("{{ now }}", "1.767323045e+09", id="now"),
        pytest.param("{{ humanize 1234567.0 }} {{ humanize1024 1048576 }}", "1.235M 1Mi", id="humanize"),
        pytest.param("{{ 3600 | humanizeDuration }} {{ humanizePercentage 0.5 }}", "1h 0m 0s 50%", id="more humanize"),
        pytest.param("{{ 0 | humanizeTimestamp }}", "1970-01-01 00:00:00 +0000 UTC", id="humanizeTimestamp"),
        pytest.param('{{ (1435065584.128 | toTime).Format "2006" }}', "2015", id="a method of a time"),
        pytest.param("{{ toTime 1.5 }}", "1970-01-01 00:00:01.5 +0000 UTC", id="a time"),
        pytest.param("{{ toDuration 90 }} {{ (toDuration 90).Minutes }}", "1m30s 1.5", id="a span"),
        pytest.param('{{ print 1 2 "a" }}{{ println "b" }}', "1 2ab\n", id="print"),
        pytest.param('{{ html "<a>" }} {{ urlquery "a b" }}', "&lt;a&gt; a+b", id="html and urlquery"),
        pytest.param('{{ printf "%5.1f|%-4d|%q|%v" 1.25 7 "a" true }}', '  1.2|7   |"a"|true', id="printf"),
        pytest.param('{{ len (printf "%999d" 1) }}', "999", id="the widest printf"),
        pytest.param("{{ . }}", None, id="the whole data"),
    ],
)
def test_a_template_says_what_prometheus_says(template: str, text: str | None) -> None:
    labels = "instance=foo.example.com:80;team=db;"
    whole = "{map[instance:foo.example.com:80 team:db] map[region:eu] http://testhost:9090/path/prefix 80.5}"
    assert render(template, DATA) == (text if text is not None else whole if template == "{{ . }}" else labels)


@pytest.mark.parametrize(
    ("address", "without_port", "without_domain"),
    [
        ("foo.example.com", "foo.example.com", "foo"),
        ("foo.example.com:12345", "foo.example.com", "foo:12345"),
        ("192.0.2.1", "192.0.2.1", "192.0.2.1"),
        ("192.0.2.1:12345", "192.0.2.1", "192.0.2.1:12345"),
        ("2001:0DB8::1", "2001:0DB8::1", "2001:0DB8::1"),
        ("[2001:0DB8::1]:12345", "2001:0DB8::1", "[2001:0DB8::1]:12345"),
        ("[2001:0DB8::1]::12345", "[2001:0DB8::1]::12345", "[2001:0DB8::1]::12345"),
        ("", "", ""),
        ("foo:", "foo", "foo"),
    ],
)
def test_ports_and_domains_are_stripped(address: str, without_port: str, without_domain: str) -> None:
    data = TemplateData(labels={"a": address}, value=0.0)
    assert render("{{ $labels.a | stripPort }}", data) == without_port
    assert render("{{ $labels.a | stripDomain }}", data) == without_domain


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (80.0, "80"),
        (0.1, "0.1"),
        (1e6, "1e+06"),
        (100000.0, "100000"),
        (123456789.0, "1.23456789e+08"),
        (1e-5, "1e-05"),
        (-0.0, "-0"),
        (math.inf, "+Inf"),
        (-math.inf, "-Inf"),
        (math.nan, "NaN"),
    ],
)
def test_the_value_prints_as_in_go(value: float, text: str) -> None:
    assert render("{{ $value }}", with_value(value)) == text
    assert render('{{ printf "%v" $value }}', with_value(value)) == text


@pytest.mark.parametrize(
    ("template", "message"),
    [
        pytest.param("{{", "line 1, column 1: unclosed action", id="unclosed"),
        pytest.param("a {{ nosuch }}", "line 1, column 6: function 'nosuch' not defined", id="an unknown function"),
        pytest.param("{{ $nosuch }}", "line 1, column 4: undefined variable '$nosuch'", id="an unknown variable"),
        pytest.param("a\nb {{ end }}", "line 2, column 3:", id="the line is the user's own"),
        pytest.param("{{\u00a0}}", "unrecognized character", id="a space that is none"),
        pytest.param("{{ if }}x", "line 1", id="half a condition"),
        pytest.param("{{ 1 }}" * (MAX_TEMPLATE // 7 + 1), "is too long; the most is 16384", id="too long"),
        pytest.param("{{ " + "9" * 5000 + " }}", "digits", id="a number beyond reason"),
        pytest.param("{{if 0}}" + "{{else if 0}}" * 1000 + "{{end}}", "recursion", id="else without end"),
        pytest.param("{{" + "(" * 1000 + "1" + ")" * 1000 + "}}", "nesting limit", id="parentheses without end"),
        pytest.param("{{ 1 }}\ud800", "surrogate", id="half a surrogate pair"),
    ],
)
def test_a_template_that_does_not_parse_is_refused(template: str, message: str) -> None:
    with pytest.raises(TemplateError) as caught:
        check(template)
    assert message in caught.value.message
    assert message in render_or_error(template, DATA)


@pytest.mark.parametrize(
    ("template", "message"),
    [
        pytest.param('{{ query "missing" | first }}', "first() called on vector with no elements", id="no answer"),
        pytest.param('{{ (query "missing").banana }}', "'banana' is not allowed", id="a field of a list"),
        pytest.param("{{ .Lables }}", "can't evaluate field Lables; there are Labels,", id="a slip of the pen"),
        pytest.param("{{ first 1 }}", "expected a query's answer", id="first of something else"),
        pytest.param('{{ sortByLabel "a" 1 }}', "expected a query's answer", id="sorting something else"),
        pytest.param("{{ value 1 }}", "expected one element of a query's answer", id="the value of something else"),
        pytest.param("{{ toUpper 1 }}", "wrong type of argument; expected a string, got 1", id="a wrong type"),
        pytest.param("{{ toUpper }}", "wrong number of args for toUpper: want 1 got 0", id="too few arguments"),
        pytest.param('{{ match "a" "b" "c" }}', "wrong number of args for match: want 2 got 3", id="too many"),
        pytest.param('{{ humanize "one" }}', 'ParseFloat: parsing "one": invalid syntax', id="no number"),
        pytest.param("{{ humanize $labels }}", "can't convert TypedMap to float", id="no number at all"),
        pytest.param('{{ reReplaceAll "(" "" "x" }}', "bad regex '(': missing )", id="a bad regex"),
        pytest.param('{{ parseDuration "1x" }}', "'1x' is not a duration", id="a bad duration"),
        pytest.param("{{ printf 1 }}", "printf format must be a string", id="a format that is no text"),
        pytest.param("{{ (toTime 1).Format 1 }}", "Format wants a layout", id="a layout that is no text"),
        pytest.param("{{ toTime 1e300 }}", "overflows int64", id="a time beyond reason"),
        pytest.param("{{ $labels.team.upper }}", "'upper' is not allowed", id="a method of Python"),
        pytest.param('{{ ("x").zfill 999999999 }}', "'zfill' is not allowed", id="a costly method of Python"),
        pytest.param("{{ $value.__class__ }}", "not allowed", id="a way into Python"),
        pytest.param("{{ (toTime 1).moment }}", "<no value>", id="a field of a time"),
        pytest.param("{{\n\n toUpper 1 }}", "__alert_:3:1: ", id="the place is the user's own"),
    ],
)
def test_a_template_that_fails_says_why(template: str, message: str) -> None:
    check(template)
    assert message in render_or_error(template, DATA)


FAILED = "<error expanding template: error executing template __alert_Hot: "


@pytest.mark.parametrize(
    ("template", "words"),
    [
        (
            "{{ humanize true }}",
            '1:115: executing "__alert_Hot" at <humanize true>: error calling humanize: can\'t convert',
        ),
        ("é\n{{ humanize\n\ttrue -}}", '2:3: executing "__alert_Hot" at <humanize true>: error calling humanize: '),
        (
            '{{ query "no" | first | value }}',
            '1:128: executing "__alert_Hot" at <first>: error calling first: first() ',
        ),
        ('{{ print (humanize "a | }} b (") }}', '1:122: executing "__alert_Hot" at <humanize "a | }} b (">: error '),
        ('{{ print (humanize (print "a") | toUpper) }}', 'at <humanize (print "a")>: error calling humanize: strconv.'),
    ],
)
def test_the_failure_of_a_function_is_told_in_prometheus_words(template: str, words: str) -> None:
    text = render_or_error(template, replace(DATA, alert="Hot"))
    assert text.startswith(f"{FAILED}template: __alert_Hot:")
    assert words in text


def test_a_failure_is_told_whatever_its_place_turns_out_to_be() -> None:
    error = TemplateError("function 'humanize' failed: no", line=1, column=1)
    words = (
        'error executing template __alert_a: template: __alert_a:1:112: executing "__alert_a" at <x y>: error calling'
    )
    assert in_go_words(error, "x  y", "a").startswith(words)


def test_any_other_failure_is_told_in_our_words_within_those_of_prometheus() -> None:
    text = render_or_error("{{ .Lables }}", replace(DATA, alert="Hot"))
    assert text.startswith(f"{FAILED}line 1, column 4: can't evaluate field Lables; there are Labels,")
    assert render_or_error("{{ humanize 1 }}", DATA) == "1"


@pytest.mark.parametrize("template", ['{{ query "up" }}', "{{ now }}"])
def test_what_is_not_there_cannot_be_asked(template: str) -> None:
    with pytest.raises(TemplateError, match="is not available here"):
        render(template, with_value(1.0))


def test_a_query_that_fails_fails_the_template() -> None:
    def broken(text: str) -> Sequence[Series]:
        raise ConnectionError(f"cannot ask {text}")

    data = TemplateData(labels={}, value=1.0, query=broken)
    with pytest.raises(TemplateError, match="function 'query' failed: cannot ask up"):
        render('{{ query "up" }}', data)


def test_a_large_answer_may_be_asked_but_not_a_giant_one() -> None:
    large = TemplateData(labels={}, value=1.0, query=lambda _: [Series({"a": "b" * 100}, 1.0)] * MAX_SAMPLES)
    giant = TemplateData(labels={}, value=1.0, query=lambda _: [Series({}, 1.0)] * (MAX_SAMPLES + 1))
    assert render('{{ query "up" | first | value }}', large) == "1"
    with pytest.raises(TemplateError, match="returned 10001 series, the most is 10000; aggregate it"):
        render('{{ query "up" }}', giant)


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ('{{ query "up" | first | value }}', True),
        ('{{ if gt $value 1.0 }}{{ range query "up" }}{{ end }}{{ end }}', True),
        ('{{ "query" }}', False),
        ("query", False),
        ("{{ $labels.query }}", False),
        ('{{ urlQueryEscape "x" }}{{/* query */}}', False),
        ("{{ query", False),
        ("plain", False),
    ],
)
def test_a_template_that_asks_is_known(template: str, expected: bool) -> None:
    assert uses_query(template) is expected


# --- hostile templates ---


@pytest.mark.parametrize(
    ("template", "message"),
    [
        pytest.param(DOUBLING.replace("TWICE", 'printf "%s%s"'), "grown beyond 65536", id="printf doubling"),
        pytest.param(DOUBLING.replace("TWICE", "print"), "grown beyond 65536", id="print doubling"),
        pytest.param(DOUBLING.replace("TWICE", "args"), "grown beyond 65536", id="args doubling"),
        pytest.param('{{ $x := "a" }}{{ range 9999 }}{{ $x = args $x }}{{ end }}', "more than 1000000", id="deep args"),
        pytest.param('{{ printf "%1000d" 1 }}', "printf may pad to 999", id="a wide printf"),
        pytest.param('{{ printf "%.99999f" 1.0 }}', "printf may pad to 999", id="a precise printf"),
        pytest.param('{{ printf "%*d" 1000000000 1 }}', "printf may pad to 999", id="a width from an argument"),
        pytest.param('{{ printf "%[2]*[1]d" 1 -1000000000 }}', "printf may pad to 999", id="a width by number"),
        pytest.param('{{ printf "' + "%999d" * 3000 + '" }}', "(MISSING)", id="many widths without arguments"),
        pytest.param("{{ range 1000000000 }}{{ end }}", "iteration budget", id="a long loop"),
        pytest.param(
            "{{ range 1000000000 }}" + "{{ if 1 }}{{ end }}" * 800 + "{{ end }}", "iteration", id="a wide loop"
        ),
        pytest.param(
            "{{ range 100 }}{{ range 100 }}{{ range 100 }}{{ end }}{{ end }}{{ end }}", "iteration", id="loops"
        ),
        pytest.param("{{ range 1000000000 }}{{ $x := len $labels }}{{ end }}", "budget", id="a loop of calls"),
        pytest.param("{{ range 1000000 }}0123456789{{ end }}", "output character budget", id="much output"),
        pytest.param('{{define "a"}}{{template "a"}}{{end}}{{template "a"}}', "depth", id="calling itself"),
        pytest.param('{{define "a"}}{{template "a"}}{{template "a"}}{{end}}{{template "a"}}', "depth", id="twice"),
        pytest.param(
            "".join(f'{{{{define "{n}"}}}}' + f'{{{{template "{n + 1}"}}}}' * 200 + "{{end}}" for n in range(4))
            + '{{define "4"}}{{end}}{{template "0"}}',
            "depth",
            id="a tree of calls",
        ),
        pytest.param(
            '{{ $x := "0123456789abcdef" }}{{ range 8 }}{{ $x = print $x $x }}{{ end }}'
            '{{ range 9999 }}{{ $y := reReplaceAll "a|(.*z)" "" $x }}{{ end }}',
            "more than 1000000",
            id="a slow regex",
        ),
        pytest.param(
            '{{ $x := "0123456789abcdef" }}{{ range 8 }}{{ $x = print $x $x }}{{ end }}{{ reReplaceAll "." $x $x }}',
            "more than 1000000",
            id="a regex that multiplies",
        ),
        pytest.param(
            '{{ $x := "0123456789abcdef" }}{{ range 9 }}{{ $x = print $x $x }}{{ end }}{{ match "a" $x }}',
            "a regex may be tried on 4096 characters, got 8192",
            id="a regex on long text",
        ),
        pytest.param(
            "".join(f'{{{{ $x := match "{n}" "" }}}}' for n in range(21)), "20 different regexes", id="regexes"
        ),
        pytest.param('{{ range 99 }}{{ $x := query "up" }}{{ end }}', f"may query {MAX_QUERIES} times", id="queries"),
        pytest.param("{{ call 1 }}", "not defined", id="calling a value"),
    ],
)
def test_a_hostile_template_is_stopped_in_time(template: str, message: str) -> None:
    started = time.process_time()
    text = render_or_error(template, DATA)
    assert message in text
    assert len(text) <= MAX_OUTPUT
    assert time.process_time() - started < 2


WORDS = """query first label value args match title toUpper humanize toTime toDuration printf print index slice len eq
    and if range with else end define "a" template "b" block $labels $value $x := = . .Value .a | ( ) "%d" 1 -1.5 nil"""
ACTIONS = st.lists(st.sampled_from(WORDS.split()), max_size=5).map(lambda words: "{{ " + " ".join(words) + " }}")


@given(st.lists(ACTIONS | st.text(max_size=5) | st.just("{{ end }}"), max_size=6).map("".join))
def test_any_text_is_rendered_or_refused(template: str) -> None:
    try:
        check(template)
    except TemplateError:
        assert render_or_error(template, DATA).startswith("<error expanding template: ")
        return
    assert isinstance(render_or_error(template, DATA), str)


@given(st.text(st.characters(codec="utf-8"), max_size=50))
def test_a_label_comes_out_as_it_is(value: str) -> None:
    assert render("{{ $labels.a }}", TemplateData(labels={"a": value}, value=0.0)) == value


def test_half_a_surrogate_pair_becomes_the_replacement_character() -> None:
    assert render('{{ printf "%c" 0xd800 }}', TemplateData(labels={}, value=0.0)) == "\N{REPLACEMENT CHARACTER}"


@pytest.mark.parametrize("text", ["x" * MAX_TEMPLATE, "\ud800"], ids=["too long", "half a surrogate pair"])
def test_the_text_beside_a_good_action_is_looked_at_too(text: str) -> None:
    with pytest.raises(TemplateError):
        check("{{ $value }}" + text)


def test_text_between_actions_is_no_part_of_them() -> None:
    for template in ('{{ "}}" }} \\q', '{{ "}} \\q {{" }}', "{{/* }} */}}", "{{ if $value }}a{{ else }}b{{ end }}"):
        try:
            check(template)
        except TemplateError:
            assert "error expanding" in render_or_error(template, TemplateData(labels={}, value=1.0))
        else:
            assert "error expanding" not in render_or_error(template, TemplateData(labels={}, value=1.0))
