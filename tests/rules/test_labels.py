"""Label sets are values whose identity is their content, and whose public name is Prometheus'."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.errors import LabelError
from rules.labels import Labels, LabelTexts, give_fingerprints

PAIRS = st.dictionaries(st.text(max_size=5), st.text(max_size=5), max_size=5)
READABLE = st.dictionaries(
    st.text(st.characters(codec="utf-8"), max_size=5), st.text(st.characters(codec="utf-8"), max_size=5), max_size=5
)


def test_labels_are_a_mapping_sorted_by_name() -> None:
    labels = Labels({"b": "2", "a": "1"})
    assert list(labels) == ["a", "b"]
    assert len(labels) == 2
    assert labels["b"] == "2"
    assert labels.get("c") is None
    assert labels == Labels([("a", "1"), ("b", "2")])


def test_an_empty_value_is_an_absent_label() -> None:
    assert Labels({"a": "", "b": "2"}) == Labels({"b": "2"})
    assert "a" not in Labels({"a": ""})


def test_labels_equal_only_labels() -> None:
    assert Labels({"a": "1"}) != {"a": "1"}
    assert Labels({"a": "1"}) != Labels({"a": "2"})


@given(PAIRS)
def test_order_plays_no_part_in_equality_and_hash(pairs: dict[str, str]) -> None:
    one, other = Labels(pairs), Labels(reversed(pairs.items()))
    assert one == other
    assert hash(one) == hash(other) == hash(one)


@pytest.mark.parametrize(
    ("labels", "text"),
    [
        (Labels(), "{}"),
        (Labels({"b": "2", "a": "1"}), '{a="1", b="2"}'),
        (Labels({"a": 'x"y\\z\n'}), r'{a="x\"y\\z\n"}'),
    ],
)
def test_labels_print_as_in_promql(labels: Labels, text: str) -> None:
    assert str(labels) == text


def test_labels_show_their_pairs_to_programmers() -> None:
    assert repr(Labels({"a": "1"})) == "Labels({'a': '1'})"


@pytest.mark.parametrize(
    ("pairs", "message"),
    [
        pytest.param({"a": "1", "b": "x\ud83d"}, r"label 'b': its value 'x\ud83d' is no valid UTF-8", id="a value"),
        pytest.param({"\udeff": "1"}, r"label '\udeff': its name '\udeff' is no valid UTF-8", id="a name"),
        pytest.param({"é": "\ud83d\ude00"}, "the character at 0 is half a surrogate pair", id="two halves"),
    ],
)
def test_half_a_character_is_refused_and_its_label_named(pairs: dict[str, str], message: str) -> None:
    with pytest.raises(LabelError) as caught:
        Labels(pairs)
    assert caught.value.field == "labels"
    assert message in caught.value.message
    caught.value.message.encode()


def test_whole_characters_beyond_ascii_are_labels() -> None:
    assert Labels({"größe": "😀"}).canonical() == "größe".encode() + b"\xff" + "😀".encode() + b"\xff"


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        pytest.param(Labels({"a": "1", "b": "2"}).without("b", "c"), {"a": "1"}, id="without"),
        pytest.param(
            Labels({"a": "1", "b": "2"}).merged({"b": "3", "c": "4"}), {"a": "1", "b": "3", "c": "4"}, id="over"
        ),
        pytest.param(Labels({"a": "1", "b": "2"}).merged({"b": ""}), {"a": "1"}, id="an empty value removes"),
        pytest.param(Labels({"a": "1", "b": "2"}).subset(["b", "c"]), {"b": "2"}, id="subset"),
    ],
)
def test_other_labels_are_made_of_labels(labels: Labels, expected: dict[str, str]) -> None:
    assert dict(labels) == expected


def test_the_canonical_bytes_are_prometheus() -> None:
    assert Labels({"b": "é", "a": "1"}).canonical() == b"a\xff1\xffb\xff\xc3\xa9\xff"
    assert Labels({"b": "x\0", "a": "1"}).canonical() == b"a\xff1\xffb\xffx\0\xff"
    assert Labels().canonical() == b""


@pytest.mark.parametrize(
    ("labels", "fingerprint"),
    [
        # Both are in prometheus/common, model/signature_test.go, as 14695981039346656037 and 5799056148416392346.
        pytest.param(Labels(), "cbf29ce484222325", id="none"),
        pytest.param(Labels({"name": "garland, briggs", "fear": "love is not enough"}), "507a62d79ee76c9a", id="two"),
    ],
)
def test_the_fingerprint_is_prometheus(labels: Labels, fingerprint: str) -> None:
    assert labels.fingerprint() == fingerprint


@given(READABLE, READABLE)
def test_keys_and_fingerprints_tell_labels_apart(one: dict[str, str], other: dict[str, str]) -> None:
    a, b = Labels(one), Labels(other)
    assert (a.key() == b.key()) is (a == b)
    assert len(a.key()) == 64
    assert (a.fingerprint() == b.fingerprint()) is (a == b)


def test_the_labels_of_a_rule_keep_an_empty_text_and_equal_labels_without_one() -> None:
    texts = LabelTexts({"b": "", "a": "1"})
    assert list(texts.items()) == [("a", "1"), ("b", "")]
    assert Labels({"b": "2", "c": "3"}).merged(texts) == Labels({"a": "1", "c": "3"})
    assert texts != Labels({"a": "1"})
    assert LabelTexts({"a": "1"}) == Labels({"a": "1"})
    with pytest.raises(LabelError):
        LabelTexts({"\ud800": ""})


@given(st.lists(READABLE, max_size=20))
def test_fingerprints_made_together_are_those_made_one_by_one(many: list[dict[str, str]]) -> None:
    together = [Labels(pairs) for pairs in many]
    give_fingerprints(together)
    give_fingerprints(together)
    assert [labels.fingerprint() for labels in together] == [Labels(pairs).fingerprint() for pairs in many]


def test_a_fingerprint_that_was_kept_is_not_worked_out_again() -> None:
    assert Labels.known({"a": "1"}, "0123456789abcdef").fingerprint() == "0123456789abcdef"
