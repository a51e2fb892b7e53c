"""State through time: evaluate rules, keep every alert, decide who hears what and when, and deliver it.

`engine.core` decides (pure); the modules beside it read the clock, the database and the network.
"""
