"""Timelines on a virtual clock: the whole engine, one scripted answer after another."""
