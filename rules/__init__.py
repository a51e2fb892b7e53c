"""What people declare and what it means: rules, routes, channels, silences. Pure and timeless; nothing here does I/O.

Anything that needs the present moment takes `now`. Dependencies point one way: `rules` ← `engine.core` ← `engine` ← `api`.
"""
