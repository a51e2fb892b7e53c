"""Tests against the real binaries, and the fixtures that run them."""
