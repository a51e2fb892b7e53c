"""Who of several processes holds which evaluation unit: sticky, and no more uneven than one unit makes it.

A unit that nobody alive holds goes to whoever has the least to do, and a process that has more than its share gives of its
own. Nobody takes from the living, so a unit never changes hands behind the back of the one who evaluates it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping


def moves(
    held: Mapping[str, str | None],
    weights: Mapping[str, int],
    alive: Collection[str],
    *,
    giver: str,
    busy: Collection[str] = (),
) -> dict[str, str]:
    """The units that change hands, each with its new holder.

    `held` has every unit with its present holder, `weights` how much work each is (1 where it does not say), `alive` who can
    hold units. `giver` gives away of its own what it has too much, but none that it is `busy` with.
    """
    if not alive:
        return {}
    load = _load(held, weights, alive)
    moved: dict[str, str] = {}
    free = [unit for unit, holder in held.items() if holder not in load]
    for unit in sorted(free, key=lambda one: (-weights.get(one, 1), one)):
        moved[unit] = lightest = _lightest(load)
        load[lightest] += weights.get(unit, 1)
    own = {unit for unit, holder in held.items() if holder == giver and giver in load and unit not in busy}
    while (found := _surplus(own, weights, load, giver)) is not None:
        lightest = _lightest(load)
        moved[found] = lightest
        own.remove(found)
        load[giver] -= weights.get(found, 1)
        load[lightest] += weights.get(found, 1)
    return moved


def _load(held: Mapping[str, str | None], weights: Mapping[str, int], alive: Collection[str]) -> dict[str, int]:
    load = dict.fromkeys(sorted(alive), 0)
    for unit, holder in held.items():
        if holder in load:
            load[holder] += weights.get(unit, 1)
    return load


def _lightest(load: Mapping[str, int]) -> str:
    return min(load, key=lambda name: (load[name], name))


def _surplus(own: Collection[str], weights: Mapping[str, int], load: Mapping[str, int], giver: str) -> str | None:
    """The unit whose move to the lightest evens the two out best; `None` when no move makes the heavier one lighter.

    A unit as heavy as the difference would only change places, and travel for ever.
    """
    if giver not in load:
        return None
    difference = load[giver] - load[_lightest(load)]
    fitting = [unit for unit in own if weights.get(unit, 1) < difference]
    return min(
        fitting, key=lambda one: (abs(difference - 2 * weights.get(one, 1)), weights.get(one, 1), one), default=None
    )
