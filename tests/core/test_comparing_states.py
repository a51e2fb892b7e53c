"""How alerts stand in two Alertmanagers' eyes."""

from __future__ import annotations

from engine.core.comparing_states import Apart, Difference, Stands, compare
from rules.labels import Labels

GROUP = Labels({"alertname": "Down"})


def stands(name: str, *muted_by: str, receiver: str = "ops") -> Stands:
    return Stands(receiver=receiver, group=GROUP, alert=Labels({"instance": name}), muted_by=frozenset(muted_by))


def test_what_stands_alike_is_counted() -> None:
    both = [stands("a"), stands("b", "silence", "inhibition")]
    assert compare(both, reversed(both)) == (2, ())
    assert both[1].state == "suppressed by inhibition, silence"


def test_what_is_on_one_side_only_or_in_another_state_is_told() -> None:
    ours = [stands("a"), stands("b"), stands("c", receiver="dev")]
    theirs = [stands("a"), stands("b", "silence"), stands("c")]
    assert compare(ours, theirs) == (
        1,
        (
            Difference(apart=Apart.ONLY_HERE, ours=ours[2], theirs=None),
            Difference(apart=Apart.STATE, ours=ours[1], theirs=theirs[1]),
            Difference(apart=Apart.ONLY_THERE, ours=None, theirs=theirs[2]),
        ),
    )
    assert (ours[1].state, theirs[1].state) == ("active", "suppressed by silence")
