"""Tests of the demo, its parts one by one; the whole of it is in peers."""
