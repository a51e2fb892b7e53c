"""A missing peer is said aloud, and is a failure where peers are promised."""

from __future__ import annotations

import pytest

from tests.peers.require import find_binary, require_peer

MISSING = "no-such-program-anywhere"


def test_what_is_installed_is_found() -> None:
    require_peer("sh", "env")
    assert find_binary("sh") is not None


def test_a_missing_peer_skips_the_test_and_names_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TOCSIN_REQUIRE_PEERS", raising=False)
    with pytest.raises(pytest.skip.Exception, match=f"install {MISSING}"):
        require_peer("sh", MISSING)


def test_a_missing_peer_is_a_failure_where_peers_are_promised(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOCSIN_REQUIRE_PEERS", "1")
    with pytest.raises(pytest.fail.Exception, match=f"install {MISSING}"):
        require_peer(MISSING)
