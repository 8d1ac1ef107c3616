# SPDX-License-Identifier: GPL-2.0
"""Student's t and Holm's correction, for a few differences that were measured in pairs.

The t distribution is computed here, in its closed form for whole degrees of freedom (Abramowitz
and Stegun 26.7.3 and 26.7.4). scipy would add 100 MB to the lab's root for this one function. The
root would also have to be built again, with newer versions of all packages, and that would change
the figures.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

LEVEL = 0.05  # the significance level: intervals are 95 % intervals


@dataclass(frozen=True)
class Estimate:
    """The mean of some differences, its interval and its p value."""

    mean: float
    low: float  # the ends of its 95 % interval
    high: float
    p: float  # two-sided: the probability of a mean at least as far from 0 without any difference


def t_within(t: float, freedom: int) -> float:
    """The probability that a t-distributed value lies between -t and t."""
    if freedom < 1 or t < 0:
        raise ValueError(f"t {t} with {freedom} degrees of freedom")
    angle = math.atan2(t, math.sqrt(freedom))
    cosine, odd = math.cos(angle), freedom % 2
    term, total = (cosine if odd else 1.0), 0.0
    for k in range(2 + odd, freedom + 1, 2):
        total += term
        term *= cosine**2 * (k - 1) / k
    if odd:
        return 2 / math.pi * (angle + math.sin(angle) * total)
    return math.sin(angle) * total


def t_quantile(within: float, freedom: int) -> float:
    """The t for which t_within() returns @within."""
    low, high = 0.0, 1.0
    while t_within(high, freedom) < within:
        high *= 2
    for _ in range(100):
        middle = (low + high) / 2
        if t_within(middle, freedom) < within:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def paired(differences: Sequence[float]) -> Estimate:
    """Tests paired differences, one a boot, against 0. There must be at least two."""
    n = len(differences)
    if n < 2:
        raise ValueError("one difference has no interval")
    mean = math.fsum(differences) / n
    error = math.sqrt(math.fsum((d - mean) ** 2 for d in differences) / (n - 1) / n)
    reach = t_quantile(1 - LEVEL, n - 1) * error
    p = 1 - t_within(abs(mean) / error, n - 1) if error else float(mean == 0)
    return Estimate(mean, mean - reach, mean + reach, max(p, 0.0))


def holm(p: Sequence[float]) -> list[float]:
    """Holm's correction: returns p values, each of which may be compared with LEVEL by itself."""
    adjusted, largest = [0.0] * len(p), 0.0
    for done, i in enumerate(sorted(range(len(p)), key=p.__getitem__)):
        largest = max(largest, min(1.0, (len(p) - done) * p[i]))
        adjusted[i] = largest
    return adjusted
