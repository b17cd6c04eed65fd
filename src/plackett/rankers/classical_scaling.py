"""Points whose distances are those of grades: classical multidimensional scaling."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from plackett.errors import DataError

__all__ = ["Scaling", "classical_scaling", "grade_targets"]

Floats = npt.NDArray[np.float64]

_FLAT = 1e-9  # eigenvalues below this share of the largest are rounding
_MOST_GRADES = 256


class Scaling(NamedTuple):
    """Coordinates, `float64[n, d]`, and the eigenvalue of each of the d axes, greatest first."""

    coordinates: Floats
    eigenvalues: Floats


def classical_scaling(
    distances: npt.ArrayLike, *, weights: npt.ArrayLike | None = None, dimensions: int | None = None
) -> Scaling:
    """Points whose Euclidean distances come closest to the given ones.

    B = -J D2 J / 2 with D2 the squared distances and J the centring; the coordinates are B's
    eigenvectors times the roots of their positive eigenvalues. They are centred, and unique up to
    rotation. With weights each point stands for so many equal ones, at the cost of one.

    Parameters
    ----------
    distances : `float[n, n]`, symmetric.
    weights : `float[n]`, above 0.
    dimensions : keep at most so many axes.

    Raises
    ------
    DataError : not a symmetric matrix of finite numbers from 0 up.

    Torgerson, "Multidimensional scaling: I. Theory and method", Psychometrika 1952.

    >>> y = np.array([0.0, 1.0, 3.0, 4.0])
    >>> found = classical_scaling(np.abs(y[:, None] - y))
    >>> found.eigenvalues.round(6), np.abs(found.coordinates[:, 0]).round(6)
    (array([10.]), array([2., 1., 1., 2.]))
    """
    D = np.asarray(distances, dtype=np.float64)
    if D.ndim != 2 or D.shape[0] != D.shape[1]:
        raise DataError(f"distances of shape {D.shape}", expected="a square matrix")
    if not (np.isfinite(D).all() and (D >= 0).all() and np.allclose(D, D.T)):
        raise DataError("distances that are none", expected="a symmetric matrix from 0 up")
    mass = np.ones(len(D)) if weights is None else np.asarray(weights, dtype=np.float64)
    if mass.shape != (len(D),) or not (mass > 0).all():
        raise DataError(f"weights of shape {mass.shape}", expected=f"{len(D)} weights above 0")
    if len(D) == 0:
        return Scaling(np.zeros((0, 0)), np.zeros(0))
    centring = np.eye(len(D)) - mass / mass.sum()
    root = np.sqrt(mass)
    B = -0.5 * centring @ np.square(D) @ centring.T
    values, vectors = np.linalg.eigh(root[:, None] * B * root)
    values, vectors = values[::-1], vectors[:, ::-1]
    kept = values > _FLAT * max(float(np.abs(values).max()), np.finfo(np.float64).tiny)
    if dimensions is not None:
        kept[dimensions:] = False
    # The sign of an eigenvector is free; fixed, equal input gives equal output on any machine.
    vectors = vectors[:, kept] / root[:, None]
    largest = np.abs(vectors).argmax(axis=0)
    vectors = vectors * np.sign(vectors[largest, np.arange(vectors.shape[1])])
    return Scaling(vectors * np.sqrt(values[kept]), values[kept])


def grade_targets(y: npt.ArrayLike, *, power: float = 1.0, dimensions: int = 8) -> Floats:
    """A target point for every row, such that two rows lie |y_i - y_j|^power apart.

    With power 1 the points are the centred grades on a line. With a smaller power every step from
    one grade to the next has a direction of its own. Rows of one grade share a point, so the cost
    depends on the number of different grades; of more than 256, as many are taken evenly from
    the sorted ones, and those between are interpolated.

    Returns
    -------
    `float64[rows, d]`; d is 0 where all grades are equal.

    >>> np.abs(grade_targets([0, 1, 3, 4])).round(6).tolist()
    [[2.0], [1.0], [1.0], [2.0]]
    """
    grades = np.asarray(y, dtype=np.float64)
    distinct, inverse, counts = np.unique(grades, return_inverse=True, return_counts=True)
    anchors, mass = distinct, counts.astype(np.float64)
    if len(distinct) > _MOST_GRADES:
        chosen = np.linspace(0, len(distinct) - 1, _MOST_GRADES).round().astype(np.int64)
        anchors = distinct[chosen]
        mass = np.add.reduceat(mass, chosen)
    # Distances relative to the span neither overflow nor vanish.
    span = float(distinct[-1] - distinct[0]) if len(distinct) else 0.0
    if span == 0.0:
        return np.zeros((len(grades), 0))
    relative = (anchors - anchors[0]) / span
    gaps = np.abs(relative[:, None] - relative) ** power
    points = classical_scaling(gaps, weights=mass, dimensions=dimensions).coordinates
    along = [np.interp(distinct, anchors, axis) for axis in points.T]
    return np.asarray(np.stack(along, axis=1)[inverse.reshape(-1)] * span**power)
