"""The part of a quota's rate that each of several nodes takes, by what was asked of each.

All parts together are the rate, whatever is asked. A node of which less is asked than its even
part gets that, and an even part of what is left over for whoever comes; the others share the rest
evenly. So no node takes what another needs, and nothing is lost that one could use.
"""

from collections.abc import Sequence


def share_of(own: float, others: Sequence[float], rate: float) -> float:
    """Return a node's part of a rate, from 0 to 1.

    `own` is how much was asked of it in a second, `others` how much of each other node.
    """
    asked = sorted((own, *others))
    spare = rate - sum(asked)
    if spare >= 0.0:
        return (own + spare / len(asked)) / rate
    left, bound = rate, 0.0
    for place, one in enumerate(asked):
        bound = left / (len(asked) - place)
        if one > bound:
            break
        left -= one
    return min(own, bound) / rate
