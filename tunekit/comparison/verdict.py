"""What to make of a difference, in a sentence."""

import math

from tunekit.comparison.result import Difference, Pair


def verdict(pair: Pair, pairs: int = 1) -> str:
    """Whether one system is better, and on what ground; of several pairs with their correction."""
    if pair.identical:
        return f"identical: the same answer to each of {pair.n:,} examples"
    found = pair.differences[0]
    on = f"on {pair.n:,} examples"
    if found.better is not None:
        winner = pair.a if found.better == "a" else pair.b
        return f"{winner} is better by {amount(found)} {bounds(found)} {on}"
    if not found.differing:
        return f"not distinguishable: both score the same on each of {pair.n:,} examples"
    told = f"not distinguishable {on}: {found.metric} differs by {amount(found)} {bounds(found)}"
    if found.p is not None and found.p < 0.05:
        told += f", which is no finding among {pairs} comparisons"
    if found.needed is None:
        return told
    return f"{told}; {examples(found.needed, pair.n)} would be needed"


def amount(found: Difference) -> str:
    """How large a difference is, without its sign."""
    return f"{number(abs(found.value), percent=found.percent)} {unit(found)}"


def unit(found: Difference) -> str:
    """What a difference is counted in."""
    return f"points of {found.metric}" if found.percent else f"in {found.metric}"


def bounds(found: Difference) -> str:
    """The interval of a difference, turned so that the difference itself is positive."""
    if found.low is None or found.high is None:
        return ""
    low, high = (found.low, found.high) if found.value >= 0 else (-found.high, -found.low)
    return f"[{number(low, percent=found.percent)}, {number(high, percent=found.percent)}]"


def number(value: float, *, percent: bool) -> str:
    """A difference in points with one digit, or two where it is small; other units with three figures."""
    if not percent:
        return f"{value:.3g}"
    points = 100 * value
    text = f"{points:.1f}" if abs(points) >= 1 or abs(points) < 0.005 else f"{points:.2f}"
    return text.removeprefix("-") if float(text) == 0 else text


def examples(needed: int, there: int) -> str:
    """A number of examples with two figures."""
    digits = max(0, len(str(needed)) - 2)
    rounded = math.ceil(needed / 10**digits) * 10**digits
    return f"about {rounded:,} examples" if rounded > there else "more examples"
