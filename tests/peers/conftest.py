"""The engine's surroundings, for the tests that run a whole engine."""

from tests.peers.surroundings import outside, outside_sqlite, postgres, watched

__all__ = ["outside", "outside_sqlite", "postgres", "watched"]
