"""Grades as what LightGBM can take: small integers and the gain of each."""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from plackett.errors import DataError

__all__ = ["Gain", "GradeClasses", "gains_of", "grade_classes", "integer_grades"]

Gain = Literal["exponential", "linear"] | tuple[float, ...]

# Above, 2^grade - 1 swamps every smaller grade: such numbers are counts or scores, not grades.
HIGHEST_EXPONENTIAL = 30
# LightGBM keeps a table of all classes for every query.
MOST_CLASSES = 10_000


class GradeClasses(NamedTuple):
    """`label` is `float32[rows]`, the rank of each row's grade among the distinct grades, from 0;
    `gain` is `float64[classes]`, the gain of each, ascending with the grade."""

    label: npt.NDArray[np.float32]
    gain: npt.NDArray[np.float64]


def grade_classes(y: npt.NDArray[np.float32], gain: Gain) -> GradeClasses:
    """Number the distinct grades, so that fractions and any number of grades serve as labels.

    Raises
    ------
    DataError : a grade has no gain under `gain`, or there are over 10,000 distinct grades.

    >>> classes = grade_classes(np.array([0.5, 0, 2, 0.5], dtype=np.float32), "linear")
    >>> classes.label, classes.gain
    (array([1., 0., 2., 1.], dtype=float32), array([0. , 0.5, 2. ]))
    """
    distinct, inverse = np.unique(y, return_inverse=True)
    if len(distinct) > MOST_CLASSES:
        raise DataError(
            f"{len(distinct)} distinct grades",
            expected=f"at most {MOST_CLASSES}",
            remedy="round the grades",
        )
    return GradeClasses(inverse.astype(np.float32), gains_of(distinct, gain))


def gains_of(grades: npt.NDArray[np.float32], gain: Gain) -> npt.NDArray[np.float64]:
    """The gain of each grade, `float64[n]`: `2^g - 1`, `g`, or the entry of a tuple.

    A negative grade gains nothing.

    Raises
    ------
    DataError : a grade has no gain.

    >>> gains_of(np.array([0, 1, 2], dtype=np.float32), "exponential")
    array([0., 1., 3.])
    """
    wide = grades.astype(np.float64)
    if isinstance(gain, tuple):
        positions = integer_grades(grades, len(gain) - 1, "the gain tuple has no entry for it")
        return np.asarray(gain, dtype=np.float64)[positions]
    positive = np.maximum(wide, 0.0)
    if gain == "linear":
        return positive
    highest = positive.max(initial=0.0)
    if highest > HIGHEST_EXPONENTIAL:
        raise DataError(
            f"grade {highest:g} with exponential gain",
            expected=f"grades of at most {HIGHEST_EXPONENTIAL}, because the gain is 2^grade - 1",
            remedy='pass gain="linear", or a tuple with the gain of each grade',
        )
    return np.exp2(positive) - 1.0


def integer_grades(
    grades: npt.NDArray[np.float32],
    highest: int,
    reason: str,
    remedy: str = 'map the grades, or use objective="lambdarank" with gain="linear"',
) -> npt.NDArray[np.int64]:
    """The grades as integers, `int64[n]`.

    Raises
    ------
    DataError : one is a fraction, negative or above `highest`; `reason` says why that matters, and
        `remedy` what to do.
    """
    wrong = np.flatnonzero((grades != np.floor(grades)) | (grades < 0) | (grades > highest))
    if len(wrong):
        raise DataError(
            f"grade {grades[wrong[0]]:g} ({reason})",
            expected=f"integers from 0 to {highest}",
            remedy=remedy,
        )
    return grades.astype(np.int64)
