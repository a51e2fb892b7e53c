"""What takes too long for every run of the tests, and is part of `make faults`."""

from __future__ import annotations

import os
from typing import Final

import pytest

in_make_faults: Final = pytest.mark.skipif("TOCSIN_FULL" not in os.environ, reason="long: make faults runs it")
