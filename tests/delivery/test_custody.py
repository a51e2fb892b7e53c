"""Which texts are secrets, and how each is kept."""

from __future__ import annotations

from dataclasses import replace

import pytest

from engine.delivery import custody
from engine.delivery.references import Sources
from engine.delivery.sealing import Keys, fresh_key, is_sealed
from rules.channels import Channel, ChannelKind
from rules.datasource import Datasource
from rules.errors import ChannelError

KEYS = Keys([fresh_key()])
LOCKED = Sources({}, secret_keys=KEYS)
OPEN = Sources({})
SECRET = "https://hooks.example.org/s3cret"
HOOK = Channel(
    name="hook",
    kind=ChannelKind.WEBHOOK,
    url=SECRET,
    settings={"authorization": "Bearer s3cret", "ca_file": "/etc/ca.pem", "token": "env:TOKEN"},
)
SOURCE = Datasource(
    name="mimir",
    urls=("https://u:s3cret@mimir", "https://mimir", "env:MIMIR"),
    auth={"username": "tocsin", "password": "s3cret", "token": "file:/run/secrets/t"},
)


def test_the_secrets_of_a_channel_are_sealed_and_nothing_else() -> None:
    kept = custody.channel_as_kept(HOOK, None, LOCKED)
    assert KEYS.opened(kept.url) == SECRET
    assert KEYS.opened(kept.settings["authorization"]) == "Bearer s3cret"
    assert {**kept.settings, "authorization": ""} == {**HOOK.settings, "authorization": ""}
    assert "s3cret" not in repr(kept)


def test_the_credentials_of_a_datasource_are_sealed_and_nothing_else() -> None:
    kept = custody.datasource_as_kept(SOURCE, None, LOCKED)
    assert KEYS.opened(kept.urls[0]) == SOURCE.urls[0]
    assert kept.urls[1:] == SOURCE.urls[1:]
    assert KEYS.opened(kept.auth["password"]) == "s3cret"
    assert {**kept.auth, "password": ""} == {**SOURCE.auth, "password": ""}


def test_without_a_key_everything_is_kept_as_it_was_given() -> None:
    assert custody.channel_as_kept(HOOK, None, OPEN) == HOOK
    assert custody.datasource_as_kept(SOURCE, None, OPEN) == SOURCE


def test_the_same_secret_given_again_changes_nothing() -> None:
    first = custody.channel_as_kept(HOOK, None, LOCKED)
    assert custody.channel_as_kept(HOOK, first, LOCKED) == first
    assert custody.channel_as_kept(first, first, LOCKED) == first
    source = custody.datasource_as_kept(SOURCE, None, LOCKED)
    assert custody.datasource_as_kept(SOURCE, source, LOCKED) == source


def test_another_secret_and_one_whose_key_is_gone_are_sealed_anew() -> None:
    first = custody.channel_as_kept(HOOK, None, LOCKED)
    other = Sources({}, secret_keys=Keys([fresh_key()]))
    for again, environment in ((replace(HOOK, url=f"{SECRET}2"), LOCKED), (HOOK, other)):
        kept = custody.channel_as_kept(again, first, environment)
        assert kept.url != first.url
        assert custody.in_clear(kept.url, environment) == again.url


@pytest.mark.parametrize(("url", "secret"), [("smtp.example.org:587", False), ("smtp://u:s3cret@host", True)])
def test_a_mail_servers_name_is_no_secret(url: str, secret: bool) -> None:
    mail = Channel(name="mail", kind=ChannelKind.EMAIL, url=url)
    assert is_sealed(custody.channel_as_kept(mail, None, LOCKED).url) is secret


def test_every_secret_in_clear_is_warned_of_with_what_to_do() -> None:
    told = custody.channel_warnings(HOOK, OPEN)
    assert [problem.field for problem in told] == ["url", "settings.authorization"]
    assert all("set TOCSIN_SECRET_KEY (tocsin secrets generate makes one)" in problem.message for problem in told)
    assert "run tocsin secrets rotate" in custody.channel_warnings(HOOK, LOCKED)[0].message
    assert [problem.field for problem in custody.datasource_warnings(SOURCE, OPEN)] == ["urls.0", "auth.password"]
    assert "s3cret" not in repr(told)


def test_what_is_sealed_or_referred_to_is_not_warned_of() -> None:
    assert custody.channel_warnings(custody.channel_as_kept(HOOK, None, LOCKED), OPEN) == ()
    assert custody.datasource_warnings(custody.datasource_as_kept(SOURCE, None, LOCKED), OPEN) == ()
    assert custody.channel_warnings(Channel(name="log", kind=ChannelKind.LOG), OPEN) == ()


def test_a_token_brought_from_elsewhere_is_refused() -> None:
    with pytest.raises(ChannelError, match="begins with enc:") as caught:
        custody.refuse_sealed("settings.authorization", KEYS.seal("s3cret"))
    assert caught.value.field == "settings.authorization"
    custody.refuse_sealed("url", SECRET)
