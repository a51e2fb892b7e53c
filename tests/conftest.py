"""How Hypothesis runs here: never against the clock, and in CI the same examples every time.

A developer's run looks for new examples; a run of CI must not turn red for what its change did not touch. `make fuzz`
looks for many new ones.
"""

from __future__ import annotations

import os

from hypothesis import settings

settings.register_profile("here", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True)
settings.register_profile("fuzz", deadline=None, max_examples=1000)
settings.load_profile("ci" if os.environ.get("CI") else "here")
