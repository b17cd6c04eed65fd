"""A cutoff predicted for every query from the shape of its scores."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from plackett.data.formats.atomic import atomic_write
from plackett.data.qrels import Qrels
from plackett.data.run import Run
from plackett.errors import ConfigurationError, CorruptFileError, DataError, NotFittedError
from plackett.selection.base import Selector, cut, judged_lists
from plackett.selection.cutoff_prediction import standardise
from plackett.selection.cutoff_values import CutoffValue, check_value, value_table
from plackett.selection.registry import register

__all__ = ["LearnedCutoff", "cutoff_features", "expected_loss"]

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

FORMAT = "plackett cutoff"
VERSION = 1


def cutoff_features(scores: npt.ArrayLike, variance: npt.ArrayLike | None = None) -> Floats:
    """What the scores of a list say of each cutoff k = 0..n.

    Scores are standardised per list first. The columns: is k = 0; the score of the last kept and
    of the first dropped document; the drop between them; the means of the kept and of the dropped;
    their difference; for k = 0 the top score, its lead and its lead over the median; with variances
    (of several passes of one model), the logarithms of those of the last kept, the first dropped
    and of the mean of the kept.

    Parameters
    ----------
    scores, variance : `float[n]`, best first.

    Returns
    -------
    `float64[n + 1, 10 or 13]`.

    >>> cutoff_features([2.0, 1.0, 0.0]).shape
    (4, 10)
    """
    z = standardise(scores)
    n = len(z)
    columns = np.zeros((n + 1, 10))
    columns[0, 0] = 1.0
    if n:
        kept = np.append(z[0], z)  # of k = 0 the top score stands for the kept
        dropped = np.append(z, z[-1])
        running = np.append(0.0, np.cumsum(z))
        depth = np.arange(n + 1)
        above = running / np.maximum(depth, 1)
        above[0] = z[0]
        below = (running[-1] - running) / np.maximum(n - depth, 1)
        below[-1] = z[-1]
        columns[:, 1:7] = np.stack(
            [kept, dropped, kept - dropped, above, below, above - below], axis=1
        )
        columns[0, 7:] = z[0], z[0] - (z[1] if n > 1 else z[0]), z[0] - np.median(z)
    if variance is None:
        return columns
    spread = np.asarray(variance, dtype=np.float64)
    if spread.shape != z.shape or not (np.isfinite(spread) & (spread >= 0)).all():
        raise DataError(
            f"variances of shape {spread.shape} for {n} scores",
            expected="one finite number of 0 or more a score",
        )
    own = np.append(spread[:1], spread)
    following = np.append(spread, spread[-1:])
    mean = np.append(own[:1], np.cumsum(spread) / np.arange(1, n + 1))
    if not n:
        own = following = mean = np.zeros(1)
    return np.hstack([columns, np.log(np.stack([own, following, mean], axis=1) + 1e-6)])


def expected_loss(probability: npt.ArrayLike, values: npt.ArrayLike) -> float:
    """Minus the expected value of a cut drawn from p: `- mean over lists of sum_k p_k C_k`.

    Parameters
    ----------
    probability, values : `float[q, m]`, each row of the first summing to 1.

    >>> expected_loss([[0.25, 0.75]], [[0.0, 1.0]])
    -0.75
    """
    p, c = np.asarray(probability, dtype=np.float64), np.asarray(values, dtype=np.float64)
    return float(-(p * c).sum(axis=-1).mean())


class _Weights(NamedTuple):
    """u_k = bias_k + output . tanh(features_k @ hidden + shift)."""

    bias: Floats
    hidden: Floats
    shift: Floats
    output: Floats

    @classmethod
    def unpack(cls, flat: Floats, positions: int, width: int, units: int) -> _Weights:
        parts = np.split(flat, np.cumsum([positions, width * units, units]))
        return cls(parts[0], parts[1].reshape(width, units), parts[2], parts[3])


@register
class LearnedCutoff(Selector):
    """Predicts a cutoff for every query from the shape of its scores, 0 among them.

    A network of one hidden layer gives every cutoff k a number u_k from `cutoff_features` and a
    bias of its own; p = softmax(u) over k = 0..n. Training makes `expected_loss` small, so that the
    expected value of the cut, F1 by default, is large; prediction takes the likeliest k. Where the
    scores say nothing, what remains are the biases, and so greedy-k.

    After Lien, Cohen & Croft, "An assumption-free approach to the dynamic truncation of ranked
    lists" (BiCut), ICTIR 2019, and Bahri, Tay, Zheng, Metzler & Tomkins, "Choppy", SIGIR 2020, with
    a network for hundreds of judged queries in place of thousands. Variances as features: Cohen,
    Mitra, Lesota, Rekabsaz & Eickhoff, "Not all relevance scores are equal", SIGIR 2021.

    Parameters
    ----------
    value : what a cutoff is worth: "F1", "DCG" or "recall".
    depth : the longest cutoff; of longer lists the rest is neither looked at nor kept.
    hidden : units of the hidden layer.
    ridge : weight of the squared weights in the loss; more of it is nearer to greedy-k.
    relevant : the lowest grade that counts as relevant.
    seed : of the first weights.

    Raises
    ------
    ConfigurationError : a parameter out of its range.

    >>> run = Run.from_dict({"q": {"a": 3.0, "b": 2.0, "c": 1.0}})
    >>> learned = LearnedCutoff(hidden=2).fit(run, Qrels.from_dict({"q": {"a": 1, "b": 1}}))
    >>> learned(run).to_dict()
    {'q': {'a': 3.0, 'b': 2.0}}
    """

    def __init__(
        self,
        *,
        value: CutoffValue = "F1",
        depth: int = 100,
        hidden: int = 8,
        ridge: float = 1e-3,
        relevant: float = 1.0,
        seed: int = 0,
    ) -> None:
        check_value(value)
        if depth < 1 or hidden < 1 or not ridge >= 0:
            raise ConfigurationError(
                f"depth={depth}, hidden={hidden}, ridge={ridge}; expected depth and hidden of 1 or "
                "more and ridge of 0 or more."
            )
        self.value, self.depth, self.hidden = value, depth, hidden
        self.ridge, self.relevant, self.seed = ridge, relevant, seed
        self._path: str | None = None

    def fit(
        self, run: Run, qrels: Qrels, *, variance: npt.ArrayLike | None = None
    ) -> LearnedCutoff:
        """Learn from the judged queries of a run.

        Parameters
        ----------
        variance : `float[n]`, of each score, in the run's row order; then needed to predict too.

        Raises
        ------
        DataError : no judged query, or variances that do not fit the run.
        """
        from scipy.optimize import minimize

        lists = judged_lists(run, qrels, relevant=self.relevant)
        features, where = self._features(run, variance, [each.segment for each in lists])
        self._uses_variance = variance is not None
        self._centre = features[where].mean(axis=0)
        spread = features[where].std(axis=0)
        self._scale = np.where(spread > 1e-9, spread, 1.0)
        inputs = (features - self._centre) / self._scale
        values = value_table(lists, self.value, self.depth)
        units, width = self.hidden, inputs.shape[-1]
        rng = np.random.default_rng(self.seed)
        first = np.concatenate(
            [
                np.zeros(self.depth + 1),
                rng.normal(0.0, width**-0.5, width * units),
                np.zeros(units),
                rng.normal(0.0, 0.1 * units**-0.5, units),
            ]
        )
        found = minimize(
            _loss_and_gradient,
            first,
            args=(inputs, where, values, units, self.ridge),
            jac=True,
            method="L-BFGS-B",
            options={"maxiter": 300},
        )
        self._weights = _Weights.unpack(found.x, self.depth + 1, width, units)
        self._path = None
        return self

    def probabilities(self, run: Run, *, variance: npt.ArrayLike | None = None) -> Floats:
        """How likely each cutoff is: `float64[q, depth + 1]`, 0 beyond the end of a list."""
        if "_weights" not in vars(self):
            raise NotFittedError(f"{self!r} is not fitted: call fit(run, qrels) first.")
        if self._uses_variance != (variance is not None):
            raise DataError(
                f"{'no ' if variance is None else ''}variances",
                expected=f"{'' if self._uses_variance else 'no '}variances, as in training",
            )
        features, where = self._features(run, variance, range(len(run)))
        return _softmax((features - self._centre) / self._scale, where, self._weights)[0]

    def cutoffs(self, run: Run, *, variance: npt.ArrayLike | None = None) -> npt.NDArray[np.int64]:
        """The likeliest cutoff of every list: `int64[q]`."""
        likeliest: npt.NDArray[np.int64] = self.probabilities(run, variance=variance).argmax(axis=1)
        return likeliest

    def rerank(self, run: Run) -> Run:
        """The predicted head of every list."""
        return cut(run, self.cutoffs(run))

    def _features(
        self, run: Run, variance: npt.ArrayLike | None, segments: Sequence[int]
    ) -> tuple[Floats, Bools]:
        spread = None if variance is None else np.asarray(variance, dtype=np.float64)
        if spread is not None and spread.shape != run.score.shape:
            raise DataError(
                f"variances of shape {spread.shape}", expected=f"one for {len(run.score)} rows"
            )
        features = np.zeros((len(segments), self.depth + 1, 10 if spread is None else 13))
        where = np.zeros(features.shape[:2], dtype=bool)
        for row, segment in enumerate(segments):
            a, b = (int(bound) for bound in run.offsets[segment : segment + 2])
            b = min(b, a + self.depth)
            known = cutoff_features(run.score[a:b], None if spread is None else spread[a:b])
            features[row, : len(known)], where[row, : len(known)] = known, True
        return features, where

    def save(self, path: str | Path) -> None:
        """Write what was learned as JSON, atomically."""
        if "_weights" not in vars(self):
            raise NotFittedError(f"{self!r} is not fitted: call fit(run, qrels) first.")
        content = {
            "format": FORMAT,
            "version": VERSION,
            "parameters": self._parameters(),
            "uses_variance": self._uses_variance,
            "centre": self._centre.tolist(),
            "scale": self._scale.tolist(),
            "weights": {name: part.tolist() for name, part in self._weights._asdict().items()},
        }
        with atomic_write(path) as file:
            file.write(json.dumps(content).encode())
        self._path = str(path)

    @classmethod
    def load(cls, path: str | Path) -> LearnedCutoff:
        """Read what `save` wrote.

        Raises
        ------
        CorruptFileError : the file is no such JSON.
        """
        try:
            content = json.loads(Path(path).read_bytes())
            if (content["format"], content["version"]) != (FORMAT, VERSION):
                raise ValueError(f"{content['format']} {content['version']}")
            made = cls(**content["parameters"])
            made._uses_variance = bool(content["uses_variance"])
            made._centre, made._scale = (
                np.array(content[name], dtype=np.float64) for name in ("centre", "scale")
            )
            width, units = len(made._centre), made.hidden
            shapes = ((made.depth + 1,), (width, units), (units,), (units,))
            parts = [np.array(content["weights"][name], dtype=float) for name in _Weights._fields]
            if tuple(part.shape for part in parts) != shapes:
                raise ValueError("weights of other shapes")
        except (ValueError, KeyError, TypeError) as error:
            raise CorruptFileError(
                f"no learned cutoff ({error})", expected=f"{FORMAT} {VERSION} as JSON", path=path
            ) from error
        made._weights, made._path = _Weights(*parts), str(path)
        return made

    def _parameters(self) -> dict[str, Any]:
        names = ("value", "depth", "hidden", "ridge", "relevant", "seed")
        return {name: getattr(self, name) for name in names}

    def __repr__(self) -> str:
        if self._path is not None:
            return f"LearnedCutoff.load({self._path!r})"
        defaults = LearnedCutoff.__init__.__kwdefaults__ or {}
        parts = [f"{n}={v!r}" for n, v in self._parameters().items() if v != defaults[n]]
        return f"LearnedCutoff({', '.join(parts)})"


def _softmax(inputs: Floats, where: Bools, weights: _Weights) -> tuple[Floats, Floats]:
    """p over the cutoffs of every list, and the hidden layer: `[q, m]` and `[q, m, units]`."""
    layer = np.tanh(inputs @ weights.hidden + weights.shift)
    logits = np.where(where, weights.bias + layer @ weights.output, -np.inf)
    exponentials = np.exp(logits - logits.max(axis=1, keepdims=True))
    return exponentials / exponentials.sum(axis=1, keepdims=True), layer


def _loss_and_gradient(
    flat: Floats, inputs: Floats, where: Bools, values: Floats, units: int, ridge: float
) -> tuple[float, Floats]:
    """`expected_loss` plus the ridge, and its gradient by all weights."""
    weights = _Weights.unpack(flat, values.shape[1], inputs.shape[-1], units)
    p, layer = _softmax(inputs, where, weights)
    expected = (p * values).sum(axis=1, keepdims=True)
    by_logit = -p * (values - expected) / len(values)  # [q, m]
    by_layer = by_logit[:, :, None] * weights.output * (1.0 - layer**2)  # [q, m, units]
    gradient = np.concatenate(
        [
            by_logit.sum(axis=0),
            np.einsum("qmf,qmu->fu", inputs, by_layer).ravel(),
            by_layer.sum(axis=(0, 1)),
            np.einsum("qm,qmu->u", by_logit, layer),
        ]
    )
    loss = -float(expected.mean()) + 0.5 * ridge * float(flat @ flat)
    return loss, gradient + ridge * flat
