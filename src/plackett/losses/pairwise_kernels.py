"""Compiled loops over the pairs of a list; imported only when a pair loss is computed on a CPU."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
from numba import njit

__all__ = ["fidelity_pair_sums", "logistic_pair_sums"]

Floats = npt.NDArray[np.float64]

# Above this spread of a list's scores, exp(score) no longer stands for them in double precision.
WIDEST = 600.0
# sqrt(Phi(x)) is a polynomial on each of so many intervals to a unit, for x from -END to END.
END = 10
STEPS = 16
TERMS = 8


def root_pieces() -> Floats:
    """The coefficients of sqrt(Phi) on every interval, `[2 END STEPS, TERMS]`, constant first.

    An interval is taken as [-1, 1]. Interpolation at Chebyshev's points leaves a relative error
    below 1e-13.
    """
    nodes = np.cos(np.pi * (np.arange(TERMS) + 0.5) / TERMS)
    starts = np.arange(-END * STEPS, END * STEPS)[:, None] / STEPS
    points = starts + (nodes + 1.0) / (2 * STEPS)
    roots = [math.sqrt(0.5 * math.erfc(-x * math.sqrt(0.5))) for x in points.flat]
    powers = np.vander(nodes, increasing=True)
    fitted: Floats = np.linalg.solve(powers, np.reshape(roots, points.shape).T).T
    return np.ascontiguousarray(fitted)


# Arrays that compiled loops find by name are part of their code.
PIECES = root_pieces()


@njit(
    cache=True,
    nogil=True,
    fastmath={"reassoc", "contract", "nsz"},
    error_model="numpy",
)
def row_of_pairs(  # pragma: no cover
    above: Floats,
    score: Floats,
    label: Floats,
    own: Floats,
    gain: Floats,
    lower: Floats,
    table: Floats,
    powers: Floats,
    flat: float,
    reverse: float,
    tied: float,
    slope: Floats,
    curve: Floats,
    sums: Floats,
) -> None:
    """Add the pairs of one document with those below it to `slope`, `curve` and `sums`.

    The loop is written so that it becomes vector instructions: plain arrays from their beginning,
    choices rather than branches. `above` is the upper document's score, label, own weight, gain,
    `upper` and `share`; `powers` holds e = exp(lower score - upper score). With x = 1 + e and c the
    nearest of 1, sqrt(2) and 2, log(x) is log(c) + 2 artanh((x - c) / (x + c)), whose argument is
    at most 0.087, so that nine terms of the series reach double precision.
    """
    value, own_slope, own_curve = 0.0, 0.0, 0.0
    own_score, own_label, own_own = above[0], above[1], above[2]
    own_gain, own_upper, own_share = above[3], above[4], above[5]
    for j in range(len(score)):
        gap = own_label - label[j]
        place = own_upper - own_share * lower[j]
        place = (place if place > 0.0 else 0.0) + table[j]
        weight = (flat + abs(own_gain - gain[j])) * place
        first = 1.0 if gap > 0.0 else (tied if gap == 0.0 else reverse)
        second = 1.0 if gap < 0.0 else (tied if gap == 0.0 else reverse)
        down = weight * own_own * first
        up = weight * own[j] * second
        e = powers[j]
        x = 1.0 + e
        near_two = x > 1.6817928305074292
        near_one = x < 1.189207115002721
        c = 1.0 if near_one else (2.0 if near_two else 1.4142135623730951)
        log_c = 0.0 if near_one else (0.6931471805599453 if near_two else 0.34657359027997264)
        inverse = 1.0 / (x * (x + c))
        wrong = e * (x + c) * inverse
        z = (e + (1.0 - c)) * x * inverse
        y = z * z
        series = 1.0 / 17.0
        series = series * y + 1.0 / 15.0
        series = series * y + 1.0 / 13.0
        series = series * y + 1.0 / 11.0
        series = series * y + 1.0 / 9.0
        series = series * y + 1.0 / 7.0
        series = series * y + 1.0 / 5.0
        series = series * y + 1.0 / 3.0
        series = series * y + 1.0
        logarithm = log_c + 2.0 * z * series
        value += (down + up) * logarithm + up * (own_score - score[j])
        push = up * (1.0 - wrong) - down * wrong
        bend = (down + up) * wrong * (1.0 - wrong)
        slope[j] -= push
        curve[j] += bend
        own_slope += push
        own_curve += bend
    sums[0] = value
    sums[1] = own_slope
    sums[2] = own_curve


@njit(cache=True, nogil=True, error_model="numpy")
def logistic_pair_sums(  # pragma: no cover
    scores: Floats,
    labels: Floats,
    own: Floats,
    lengths: npt.NDArray[np.int64],
    gain: Floats,
    upper: Floats,
    share: Floats,
    lower: Floats,
    table: Floats,
    flat: float,
    reverse: float,
    tied: float,
    rows: int,
    first: int,
    last: int,
    values: Floats,
    gradient: Floats,
    curvature: Floats,
) -> None:
    """Sums of w_ij log(1 + exp(-(s_i - s_j))) and its derivatives, added to the last three,
    for lists `first` to `last`.

    All arrays are in order of rank; `PairFactors` says what the weights are, and `flat`
    is 1 where there is no gain. A pair whose upper document is not preferred counts `reverse`, one
    of equal labels `tied`.
    """
    longest = scores.shape[1]
    power, inverse, ratio = np.empty(longest), np.empty(longest), np.empty(longest)
    above, sums = np.empty(6), np.empty(3)
    for q in range(first, last):
        n = lengths[q]
        if n < 2:
            continue
        score = scores[q]
        wide = not score[0] - score[n - 1] < WIDEST
        if not wide:
            for k in range(n):
                power[k] = math.exp(score[k] - score[0])
                inverse[k] = math.exp(score[0] - score[k])
        for i in range(min(rows, n - 1)):
            below = slice(i + 1, n)
            if wide:
                for j in range(i + 1, n):
                    ratio[j] = math.exp(score[j] - score[i])
            else:
                for j in range(i + 1, n):
                    ratio[j] = power[j] * inverse[i]
            above[0], above[1], above[2] = score[i], labels[q, i], own[q, i]
            above[3], above[4], above[5] = gain[q, i], upper[q, i], share[q, i]
            row_of_pairs(
                above,
                score[below],
                labels[q, below],
                own[q, below],
                gain[q, below],
                lower[q, below],
                table[1 : n - i],
                ratio[below],
                flat,
                reverse,
                tied,
                gradient[q, below],
                curvature[q, below],
                sums,
            )
            values[q] += sums[0]
            gradient[q, i] += sums[1]
            curvature[q, i] += sums[2]


@njit(cache=True, nogil=True, error_model="numpy")
def root_share(x: float) -> tuple[float, float]:  # pragma: no cover
    """sqrt(Phi(x)) and its derivative; far below 0 by the asymptotic series of Phi."""
    if x >= END:
        return 1.0, 0.0
    if x != x:  # not a number, which has no piece
        return x, x
    if x <= -END:
        tail = 1.0 / (x * x)
        series = 1.0 - tail * (1.0 - 3.0 * tail * (1.0 - 5.0 * tail * (1.0 - 7.0 * tail)))
        root = math.exp(-0.25 * x * x) * math.sqrt(series / (-x * math.sqrt(2.0 * math.pi)))
        return root, -0.5 * root * x / series
    place = (x + END) * STEPS
    piece = int(place)
    t = 2.0 * (place - piece) - 1.0
    root = PIECES[piece, TERMS - 1]
    slope = 0.0
    for k in range(TERMS - 2, -1, -1):
        slope = slope * t + root
        root = root * t + PIECES[piece, k]
    return root, slope * (2.0 * STEPS)


@njit(cache=True, nogil=True, error_model="numpy")
def fidelity_of(margin: float, gap: float, unit: float) -> tuple[float, float]:  # pragma: no cover
    """1 - sqrt(p q) - sqrt((1 - p)(1 - q)) and its derivative by the margin, q = Phi(margin).

    p is Phi(unit gap), or where `unit` is 0, the sign of the gap: 1, 1/2 or 0.
    """
    if unit == 0.0 and gap > 0.0:
        right, right_slope = root_share(margin)
        return 1.0 - right, -right_slope
    if unit == 0.0 and gap < 0.0:
        wrong, wrong_slope = root_share(-margin)
        return 1.0 - wrong, wrong_slope
    win = root_share(unit * gap)[0]
    lose = win if gap == 0.0 else root_share(-unit * gap)[0]
    right, right_slope = root_share(margin)
    wrong, wrong_slope = root_share(-margin)
    value = 1.0 - win * right - lose * wrong
    return (0.0 if value < 0.0 else value), lose * wrong_slope - win * right_slope


@njit(cache=True, nogil=True, error_model="numpy")
def fidelity_pair_sums(  # pragma: no cover
    scores: Floats,
    labels: Floats,
    own: Floats,
    lengths: npt.NDArray[np.int64],
    gain: Floats,
    upper: Floats,
    share: Floats,
    lower: Floats,
    table: Floats,
    flat: float,
    reverse: float,
    tied: float,
    rows: int,
    first: int,
    last: int,
    values: Floats,
    gradient: Floats,
    curvature: Floats,
    unit: float,
) -> None:
    """As `logistic_pair_sums`, of w_ij fidelity_of(s_i - s_j, y_i - y_j, unit).

    The function is the same from either side of a pair, so both directions are one evaluation. It
    is not convex: the curvature is left as it is.
    """
    for q in range(first, last):
        n = lengths[q]
        for i in range(min(rows, n - 1)):
            total, push = 0.0, 0.0
            for j in range(i + 1, n):
                gap = labels[q, i] - labels[q, j]
                down = 1.0 if gap > 0.0 else (tied if gap == 0.0 else reverse)
                up = 1.0 if gap < 0.0 else (tied if gap == 0.0 else reverse)
                place = upper[q, i] - share[q, i] * lower[q, j]
                place = (place if place > 0.0 else 0.0) + table[j - i]
                weight = (flat + abs(gain[q, i] - gain[q, j])) * place
                weight *= down * own[q, i] + up * own[q, j]
                if weight == 0.0:
                    continue
                value, slope = fidelity_of(scores[q, i] - scores[q, j], gap, unit)
                total += weight * value
                push += weight * slope
                gradient[q, j] -= weight * slope
            values[q] += total
            gradient[q, i] += push
