"""Timelines: one script of what happens and what must be told, played on Tocsin and on the real Alertmanager."""
