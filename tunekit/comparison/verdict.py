"""What to make of a difference, in a sentence."""

import math

from tunekit.comparison.result import SIGNIFICANCE, Difference, Pair


def verdict(pair: Pair, pairs: int = 1) -> str:
    """Whether one system is better, and on what ground; of several pairs with their correction."""
    if pair.identical:
        return f"identical: the same answer to each of {pair.n:,} examples"
    found = pair.differences[0]
    on = f"on {pair.n:,} examples"
    if found.better is not None:
        return f"{ahead(pair)} is better by {amount(found)}{bounds(found)} {on}"
    if not found.differing:
        return f"not distinguishable: both score the same on each of {pair.n:,} examples"
    if not found.value:
        return f"not distinguishable {on}: {found.metric} is the same"
    told = f"not distinguishable {on}: {ahead(pair)} is ahead by {amount(found)}{bounds(found)}"
    if found.p is not None and found.p < SIGNIFICANCE:
        told += f", which is no finding among {pairs} comparisons"
    return told if found.needed is None else f"{told}; {examples(found.needed, pair.n)} would be needed"


def ahead(pair: Pair) -> str:
    """The system with the better value."""
    found = pair.differences[0]
    return pair.b if (found.value < 0) == found.lower_is_better else pair.a


def amount(found: Difference) -> str:
    """How large a difference is, without its sign."""
    kind = "points of " if found.percent else "of "
    return f"{number(abs(found.value), found)} {kind}{found.metric}"


def bounds(found: Difference) -> str:
    """The interval of a difference, turned so that the difference itself is positive, after a blank."""
    if found.low is None or found.high is None:
        return ""
    low, high = (found.low, found.high) if found.value >= 0 else (-found.high, -found.low)
    return f" [{number(low, found)}, {number(high, found)}]"


def number(value: float, found: Difference) -> str:
    """A number of a difference: in points with one digit, or two where it is below one, or three figures."""
    if not found.percent:
        return f"{value:.3g}"
    text = f"{100 * value:.{1 if abs(found.value) >= 0.00995 else 2}f}"
    return text.removeprefix("-") if float(text) == 0 else text


def examples(needed: int, there: int) -> str:
    """A number of examples with two figures."""
    unit = 10 ** max(0, len(str(needed)) - 2)
    rounded = math.ceil(needed / unit) * unit
    return f"about {rounded:,} examples" if rounded > there else "more examples"
