"""What came of the faults, as a table for people, and in its place on docs/reliability.md."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from tests.faults.breaking import Fault
from tests.faults.inspection import Found

BEGIN: Final = "<!-- written by make faults: begin -->"
END: Final = "<!-- written by make faults: end -->"


def written(
    page: str, injected: Mapping[Fault, int], found: Sequence[Found], *, where: Sequence[str], command: str
) -> tuple[str, str]:
    """The page with this table in place of the former one, and the table."""
    rows = [f"| {fault.value} | {injected.get(fault, 0)} |" for fault in Fault]
    sums = {
        "faults injected": sum(injected.values()),
        "notifications expected": sum(one.expected for one in found),
        "**lost**": sum(one.lost for one in found),
        "told twice, with the same bytes, after a send that nobody noted": sum(one.duplicated for one in found),
        "told twice for any other reason": sum(one.unexplained for one in found),
        "slots evaluated twice, decisions without a note, messages under another key": sum(
            len(one.problems) for one in found
        ),
    }
    summary = ["| | |", "|---|---:|", *(f"| {name} | {count} |" for name, count in sums.items())]
    table = "\n".join([*summary, "", "| fault | times |", "|---|---:|", *rows])
    text = "\n\n".join([BEGIN, f"Written by `{command}`.", table, "\n".join(f"- {line}" for line in where), END])
    before, _, rest = page.partition(BEGIN)
    after = rest.partition(END)[2] if rest else "\n"
    return f"{before.rstrip()}\n\n{text}{after}", table
