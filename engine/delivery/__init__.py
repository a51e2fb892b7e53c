"""Delivery: a kept payload and an address in, Delivered or Failed out; every service is reached through Apprise."""
