"""Labels at the ends of lines, pushed apart so that none covers another (no Qt)."""

from __future__ import annotations


def push_apart(wanted: list[float], gap: float, top: float, bottom: float) -> list[float]:
    """Return places for labels: near what is `wanted`, at least `gap` apart, inside the limits.

    The places that move least in squares: neighbours that would overlap form a block that is
    centred on what its members want (pool adjacent violators).

    Parameters
    ----------
    wanted
        Wanted places, in any order.
    gap
        Least distance between two labels; made smaller when there is no room for all.
    top, bottom
        The least and the greatest place.
    """
    count = len(wanted)
    if not count:
        return []
    if count > 1:
        gap = min(gap, max(0.0, (bottom - top) / (count - 1)))
    order = sorted(range(count), key=lambda i: wanted[i])
    # With the gaps taken out, places need only be in order.
    blocks: list[list[float]] = []  # [sum, number]
    for rank, i in enumerate(order):
        low, high = top + rank * gap, bottom - (count - 1 - rank) * gap
        target = min(max(wanted[i], low), high) - rank * gap
        blocks.append([target, 1.0])
        while len(blocks) > 1 and blocks[-2][0] / blocks[-2][1] > blocks[-1][0] / blocks[-1][1]:
            total, number = blocks.pop()
            blocks[-1][0] += total
            blocks[-1][1] += number
    places = [0.0] * count
    rank = 0
    for total, number in blocks:
        for _ in range(int(number)):
            places[order[rank]] = total / number + rank * gap
            rank += 1
    return places


def beside(wanted: list[tuple[float, float]], left: float, right: float, gap: float) -> list[float]:
    """Return where words on one line begin: about their centres, apart, inside the limits.

    Parameters
    ----------
    wanted
        Centre and width of each, from left to right.
    left, right
        The limits; where there is no room for all, the first ones keep theirs.
    gap
        Least distance between two.
    """
    begins: list[float] = []
    edge = left
    rest = sum(wide + gap for _, wide in wanted)
    for centre, wide in wanted:
        # What follows needs its room, too.
        last = right - rest + gap
        begin = max(edge, min(centre - wide / 2, last))
        begins.append(begin)
        edge = begin + wide + gap
        rest -= wide + gap
    return begins
