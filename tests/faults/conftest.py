"""The engine's surroundings, which outlive every engine that is killed in them."""

from tests.peers.surroundings import outside, postgres, watched

__all__ = ["outside", "postgres", "watched"]
