"""The decisions, pure: no clock, no logging, no SQL, no network.

Every function takes `now` and returns a value with its reason.
"""
