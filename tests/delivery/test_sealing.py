"""Sealed secrets: only a key opens them, old keys still do, and nothing forged passes."""

from __future__ import annotations

import pytest

from engine.delivery.sealing import Keys, fresh_key, is_key, is_sealed
from rules.errors import ChannelError

SECRET = "https://hooks.slack.com/services/T0/B0/s3cret ü"
OLD, NEW = fresh_key(), fresh_key()


def test_a_sealed_text_shows_nothing_and_opens_to_itself() -> None:
    keys = Keys([NEW])
    sealed = keys.seal(SECRET)
    assert is_sealed(sealed)
    assert "s3cret" not in sealed
    assert keys.opened(sealed) == SECRET


def test_the_same_text_is_sealed_differently_each_time() -> None:
    keys = Keys([NEW])
    assert keys.seal(SECRET) != keys.seal(SECRET)


def test_every_key_opens_and_the_first_one_seals() -> None:
    sealed = Keys([OLD]).seal(SECRET)
    both = Keys([NEW, OLD])
    assert both.opened(sealed) == SECRET
    assert not both.is_newest(sealed)
    assert both.is_newest(both.seal(SECRET))
    assert Keys([NEW]).opened(both.seal(SECRET)) == SECRET


def test_without_a_key_nothing_is_sealed() -> None:
    assert Keys().seal(SECRET) == SECRET
    assert not Keys()
    assert Keys([NEW])


@pytest.mark.parametrize(
    ("keys", "text", "problem"),
    [
        pytest.param(
            Keys(), Keys([OLD]).seal(SECRET), "there is no key to open it: set TOCSIN_SECRET_KEY", id="no key"
        ),
        pytest.param(Keys([NEW]), Keys([OLD]).seal(SECRET), "no key of TOCSIN_SECRET_KEY opens it", id="another key"),
        pytest.param(Keys([NEW]), Keys([NEW]).seal(SECRET)[:-5] + "AAAA=", "no key of", id="forged"),
        pytest.param(Keys([NEW]), "enc:", "no key of", id="empty"),
        pytest.param(Keys([NEW]), "enc:ü", "no key of", id="no token"),
    ],
)
def test_what_no_key_opens_is_refused_without_its_text(keys: Keys, text: str, problem: str) -> None:
    with pytest.raises(ChannelError, match=problem) as caught:
        keys.opened(text)
    assert len(text) < 6 or text[4:] not in str(caught.value)
    assert caught.value.__cause__ is None


def test_a_text_that_is_not_sealed_is_what_it_is() -> None:
    assert Keys().opened(SECRET) == Keys([NEW]).opened(SECRET) == SECRET


@pytest.mark.parametrize(
    ("text", "fits"),
    [(NEW, True), ("short", False), ("", False), (NEW[:-2], False), ("ü", False)],
    ids=["generated", "short", "empty", "cut", "no ascii"],
)
def test_a_key_is_recognised(text: str, fits: bool) -> None:
    assert is_key(text) is fits


def test_keys_show_nothing_of_themselves() -> None:
    assert NEW not in repr(Keys([NEW]))
