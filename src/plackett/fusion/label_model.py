"""How good is each of several noisy rankers, and what is the truth, without any label?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from plackett.errors import ConfigurationError, DataError, NotFittedError, UnknownNameError
from plackett.fusion.kemeny import EXACT, Order, kemeny_order
from plackett.fusion.kendall import KendallPairs, kendall_pairs
from plackett.fusion.mallows import agreement_by_gap, falling_root
from plackett.fusion.preferences import Floats, checked_scores, preferences

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["LabelMethod", "RankingLabelModel"]

LabelMethod = Literal["mallows", "products", "distances"]
METHODS = ("mallows", "products", "distances")


class _Moments(NamedTuple):
    """What all examples say: `agreement[a, b]`, the mean product of signs (NaN where two rankers
    have no pair in common), `copies[a]`, how many rankers equal ranker a, `first[a]`, the first of
    them, and `gaps[k - 1]`, the share of pairs that stand k places apart.
    """

    agreement: Floats
    copies: npt.NDArray[np.int64]
    first: npt.NDArray[np.int64]
    gaps: Floats


class RankingLabelModel:
    """Accuracies of noisy rankers from how often they agree, and the order that they point to.

    Every example is a list of items that m rankers order. Ranker a is taken to draw its order from
    a Mallows model around the unknown true one, with its own theta_a and independently of the other
    rankers. The accuracy of a ranker is the mean of sign times true sign over pairs of items: 1 is
    always right, 0 is chance, -1 always wrong (Kendall's tau with the truth). Accuracies come from
    agreements alone, E[g_a g_b] for pairs of rankers; that most rankers are better than chance
    decides the sign. The true order is estimated by the weighted Kemeny order with weights theta_a.

    A ranker that repeats another in every example tells nothing new: the copies count as one ranker
    and share its weight. With only two different rankers their accuracies cannot be told apart and
    come out equal; a single one counts as right.

    Parameters
    ----------
    method : "products": E[g_a g_b] = acc_a acc_b, so |acc_a| is the median over all b, c of
        sqrt(|M_ab M_ac / M_bc|), exact where every pair is equally hard. "distances": with D_ab
        the share of pairs that a and b order differently, D_ab = e_a + e_b approximately, so e_a is
        the median of (D_ab + D_ac - D_bc) / 2; it underrates the errors of bad rankers. "mallows":
        starts at "products" and fits all theta to all agreements, knowing that neighbours in the
        truth are confused more often than distant items; the choice for independent rankers of
        lists. Where rankers repeat each other, "products" and "mallows" overrate those that agree;
        "distances", whose weights differ least, suffers least.
    theta_limit : theta is kept in -theta_limit to theta_limit.
    exact : as in `kemeny_order`.

    Attributes
    ----------
    accuracies_, thetas_ : `float64[m]`.
    weights_ : `float64[m]`, theta divided by the number of copies.

    Shin, Li, Vishwakarma, Roberts & Sala, "Universalizing weak supervision", ICLR 2022.

    >>> lists = [np.array([[4, 3, 2, 1], [4, 3, 1, 2], [3, 4, 2, 1]])]
    >>> model = RankingLabelModel(method="products").fit(lists)
    >>> model.accuracies_.round(3), model.predict(lists)
    (array([1.   , 0.577, 0.577]), [array([0, 1, 2, 3])])
    """

    accuracies_: Floats
    thetas_: Floats
    weights_: Floats

    def __init__(
        self, *, method: LabelMethod = "mallows", theta_limit: float = 10.0, exact: int = EXACT
    ) -> None:
        if method not in METHODS:
            raise UnknownNameError("method", method, METHODS)
        if not 0.0 < theta_limit <= 100.0:
            raise ConfigurationError(f"theta_limit={theta_limit} does not lie above 0 up to 100.")
        self.method, self.theta_limit, self.exact = method, theta_limit, exact

    def fit(self, examples: Sequence[npt.ArrayLike]) -> Self:
        """Estimate the accuracies.

        Parameters
        ----------
        examples : each `float[m, items]`, the scores that m rankers give an example's items, higher
            is better. NaN is an item that a ranker leaves out; equal scores leave a pair open. The
            number of items may differ.

        Raises
        ------
        DataError : no examples, no pair that a ranker orders, or numbers of rankers that differ.
        """
        moments = _moments(examples)
        distinct = np.unique(moments.first)
        agreement = moments.agreement[np.ix_(distinct, distinct)]
        if self.method == "distances" and len(distinct) > 2:
            accuracies = _by_distances(agreement)
        else:
            accuracies = _by_products(agreement)
        thetas = np.array([self._theta(value, moments.gaps) for value in accuracies])
        if self.method == "mallows" and len(distinct) > 2:
            thetas = self._refined(thetas, agreement, moments.gaps)
            accuracies = _mean_agreements(thetas, moments.gaps)
        place = np.searchsorted(distinct, moments.first)
        self.accuracies_, self.thetas_ = accuracies[place], thetas[place]
        self.weights_ = self.thetas_ / moments.copies
        return self

    def predict(self, examples: Sequence[npt.ArrayLike]) -> list[Order]:
        """The estimated true order of each example's items, best first.

        Raises
        ------
        NotFittedError : `fit` has not been called. DataError : another number of rankers.
        """
        if not hasattr(self, "weights_"):
            raise NotFittedError("this RankingLabelModel is not fitted; call fit(examples) first.")
        orders = []
        for example in examples:
            scores = checked_scores(example)
            if len(scores) != len(self.weights_):
                raise DataError(f"{len(scores)} rankers", expected=f"{len(self.weights_)}")
            found = kemeny_order(preferences(scores, self.weights_), exact=self.exact)
            orders.append(found.order)
        return orders

    def __repr__(self) -> str:
        return (
            f"RankingLabelModel(method={self.method!r}, theta_limit={self.theta_limit!r}, "
            f"exact={self.exact!r})"
        )

    def _theta(self, accuracy: float, gaps: Floats) -> float:
        """The theta of which `accuracy` is the mean agreement with the truth."""
        if accuracy == 0.0:
            return 0.0
        size = falling_root(
            lambda theta: -float(_mean_agreements(np.array([theta]), gaps)[0]),
            -abs(accuracy),
            0.0,
            self.theta_limit,
        )
        return size if accuracy >= 0 else -size

    def _refined(self, start: Floats, agreement: Floats, gaps: Floats) -> Floats:
        """Fit all theta to the agreements by robust least squares."""
        from scipy.optimize import least_squares

        first, second = np.triu_indices(len(start), k=1)
        known = np.isfinite(agreement[first, second])
        first, second = first[known], second[known]
        if len(first) == 0:
            return start

        def residuals(thetas: Floats) -> Floats:
            by_gap = _agreements_by_gap(thetas, len(gaps))
            expected = ((by_gap * gaps) @ by_gap.T)[first, second]
            return np.asarray(expected - agreement[first, second])

        limit = self.theta_limit
        inside = np.clip(start, -0.999 * limit, 0.999 * limit)
        # A few dependent rankers agree too well; beyond 0.1 their residuals count linearly.
        found = least_squares(
            residuals, inside, bounds=(-limit, limit), loss="soft_l1", f_scale=0.1
        )
        return np.asarray(found.x, dtype=np.float64)


def _moments(examples: Sequence[npt.ArrayLike]) -> _Moments:
    if len(examples) == 0:
        raise DataError("no examples", expected="at least one")
    lists = [checked_scores(example) for example in examples]
    rankers = len(lists[0])
    if any(len(scores) != rankers for scores in lists):
        raise DataError(
            f"examples of {sorted({len(scores) for scores in lists})} rankers",
            expected="the same rankers in every example",
        )
    total = KendallPairs(np.zeros((rankers, rankers)), np.zeros((rankers, rankers)))
    gaps = np.zeros(max(max(scores.shape[1] for scores in lists) - 1, 0))
    for scores in lists:
        found = kendall_pairs(scores)
        total = KendallPairs(total.agreement + found.agreement, total.pairs + found.pairs)
        apart = scores.shape[1] - 1
        gaps[: max(apart, 0)] += np.arange(apart, 0.0, -1.0)
    if not total.pairs.any():
        raise DataError("no pair of items that a ranker orders", expected="at least one")
    agreement = np.full((rankers, rankers), np.nan)
    np.divide(total.agreement, total.pairs, out=agreement, where=total.pairs > 0)
    own = np.diag(total.pairs)
    alike = (total.agreement == total.pairs) & (own[:, None] == own) & (total.pairs == own)
    alike |= np.eye(rankers, dtype=bool)
    return _Moments(agreement, alike.sum(axis=1), alike.argmax(axis=1), gaps / gaps.sum())


def _by_products(agreement: Floats) -> Floats:
    """Accuracies from products of agreements; 0 for a ranker of which nothing is known."""
    count = len(agreement)
    if count == 1:
        return np.ones(1)
    if count == 2:
        return np.full(2, np.sqrt(max(float(np.nan_to_num(agreement[0, 1])), 0.0)))
    size = np.zeros(count)
    for a in range(count):
        others = np.delete(np.arange(count), a)
        b, c = (others[index] for index in np.triu_indices(count - 1, k=1))
        known = np.isfinite(agreement[a, b] * agreement[a, c] * agreement[b, c])
        b, c = b[known & (agreement[b, c] != 0)], c[known & (agreement[b, c] != 0)]
        if len(b):
            ratio = np.abs(agreement[a, b] * agreement[a, c] / agreement[b, c])
            size[a] = min(float(np.median(np.sqrt(ratio))), 1.0)
    return size * _signs(agreement, size)


def _by_distances(agreement: Floats) -> Floats:
    """Accuracies from sums of distances; 0 for a ranker of which nothing is known."""
    distance = (1.0 - agreement) / 2.0
    errors = np.full(len(distance), 0.5)
    for a in range(len(distance)):
        others = np.delete(np.arange(len(distance)), a)
        b, c = (others[index] for index in np.triu_indices(len(others), k=1))
        found = (distance[a, b] + distance[a, c] - distance[b, c]) / 2.0
        if np.isfinite(found).any():
            errors[a] = float(np.clip(np.nanmedian(found), 0.0, 1.0))
    return 1.0 - 2.0 * errors


def _signs(agreement: Floats, size: Floats) -> Floats:
    """Which rankers err more often than not: who disagrees with the majority of the weight."""
    matrix = np.nan_to_num(agreement.copy())
    np.fill_diagonal(matrix, 0.0)
    vector = np.linalg.eigh(matrix)[1][:, -1]
    signs = np.where(vector < 0, -1.0, 1.0)
    return signs if float(signs @ size) >= 0 else -signs


def _agreements_by_gap(thetas: Floats, gaps: int) -> Floats:
    """`float64[rankers, gaps]`."""
    return np.stack([agreement_by_gap(gaps + 1, float(theta)) for theta in thetas])


def _mean_agreements(thetas: Floats, gaps: Floats) -> Floats:
    return np.asarray(_agreements_by_gap(thetas, len(gaps)) @ gaps)
