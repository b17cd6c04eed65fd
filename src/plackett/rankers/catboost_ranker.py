"""Boosted trees grown by CatBoost."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt

from plackett._optional import require
from plackett.data.dataset import RankingDataset
from plackett.errors import ConfigurationError, CorruptFileError, DataError
from plackett.metrics.base import Measure, parse_measure
from plackett.rankers.base import Ranker
from plackett.rankers.boosting import Grown
from plackett.rankers.catboost_losses import OPTIONS, check_options, loss_text
from plackett.rankers.catboost_newton import train_catboost_by_derivatives
from plackett.rankers.catboost_training import (
    catboost_data,
    catboost_forest,
    load_catboost,
    model_bytes,
    train_catboost,
)
from plackett.rankers.explain import Contributions
from plackett.rankers.forests.scoring import ForestScores
from plackett.rankers.gains import gains_of
from plackett.rankers.loss_objective import LossObjective, parsed_loss
from plackett.rankers.objective import GroupedRows, MeanMeasure, grouped
from plackett.rankers.parameters import check_number
from plackett.rankers.registry import register
from plackett.rankers.weighting import query_weights

if TYPE_CHECKING:
    from plackett.losses.base import Loss

__all__ = ["CatBoostRanker"]

MODEL = "model.cbm"
# CatBoost's leaf values overshoot in proportion to the grades; from about 20 they learn no order.
HIGHEST_SOFTMAX = 10


@register
class CatBoostRanker(ForestScores, Ranker):
    """Gradient-boosted symmetric trees that learn to rank, grown by CatBoost.

    The objectives:

    - "YetiRank": neighbours in the order of the scores with random noise make pairs, drawn anew for
      each tree; `target` says by which measure a pair is weighed (Gulin, Kuralenok and Pavlov,
      "Winning the transfer learning track of Yahoo!'s learning to rank challenge with YetiRank",
      JMLR W&CP 14, 2011; Lyzhin et al., "Which tricks are important for learning to rank?", ICML
      2023). "YetiRankPairwise" solves for the values of all leaves together: slower, often better.
    - "StochasticRank": the measure itself, smoothed by noise (Ustimenko and Prokhorenkova, ICML
      2020).
    - "LambdaMart": the pairwise logistic loss, a pair weighed by what exchanging it would change.
    - "PairLogit", "PairLogitPairwise": the pairwise logistic loss; "QueryRMSE": squared error up to
      a number of each query's own; "QuerySoftMax": cross-entropy of the softmax of a query, for
      grades up to 10.

    Or any loss of `plackett.losses` with one output a document: each tree is then fitted to the
    loss's Newton step (or its gradient, where it states no curvature: `LossObjective`), because
    CatBoost would ask a custom objective for some rows at a time, whatever their queries.

    A loss reads the weights of a dataset. The objectives take one weight a query, and other weights
    are an error.

    CatBoost ignores options that a loss does not read; here each is an error. It needs the extra
    "trees". The same seed gives the same model whatever the number of threads. Ctrl-C while a tree
    is grown keeps nothing, or with a loss the trees grown; so does a KeyboardInterrupt of
    `progress`.

    Parameters
    ----------
    objective : one of these.
    loss : a loss of `plackett.losses` or its text, such as "ListNet", in place of the objective;
        `target` and all options of objectives must then be left out.
    target : the measure aimed at. YetiRank: "Classic" (the default), "DCG", "NDCG", "MRR", "MAP",
        "ERR"; StochasticRank: "NDCG" (the default), "DCG", "MRR", "ERR", "PFound", "FilteredDCG";
        LambdaMart: "NDCG" (the default), "DCG", "MRR", "MAP", "ERR". "ERR" and "PFound" need grades
        from 0 to 1; of "MRR" and "MAP" every grade above 0 is relevant.
    trees : the most trees to grow.
    learning_rate : the factor of each tree's values.
    max_depth : the levels of each tree.
    max_bins : the most distinct values kept of a feature.
    feature_fraction : the share of features looked at for each split.
    bagging_fraction : the share of rows drawn for each tree; not of the "...Pairwise" objectives.
    l2 : regularisation of the leaf values; None: CatBoost's default, 0 for some objectives and 3
        for others. With a loss it is in units of the mean curvature of a row, and 3 by default.
    random_strength : the size of the noise on the scores of splits; None: CatBoost's default, 1.
        Not of the "...Pairwise" objectives.
    permutations, decay, neighbors, noise, noise_power : of YetiRank: how many noisy orders, the
        factor from one place to the next ("Classic", and StochasticRank's "PFound"), up to how many
        places apart a pair may be (-1: any), the noise ("Gumbel", "Gauss", "No"), and that of
        "Gauss".
    top : how many places count.
    gain, discount : of DCG and NDCG: "linear" (the default) or "exponential", and "LogPosition"
        (the default) or "Position". Exponential gain takes grades up to 30.
    estimations, mu, nu, penalty : of StochasticRank: how many samples, the shift against ties, the
        size of the scores' noise, and CatBoost's `lambda`.
    sigma : of StochasticRank, the noise; of LambdaMart, the steepness.
    normalise : of LambdaMart: weigh the queries' gradients alike.
    max_pairs : of PairLogit: the most pairs of a query.
    beta : of QuerySoftMax: the factor of the scores.
    measure, early_stopping : as in `LambdaMART`.
    seed : of all random choices.
    threads : how many to train and predict with; 0: all cores.
    progress : called as `progress(trees_grown, trees)` after each tree.

    Attributes
    ----------
    trees_ : how many trees the model keeps.
    history_ : the measure on the validation set after each tree grown.
    model_ : the `catboost.CatBoost`.

    >>> from plackett.data.dataset import RankingDataset
    >>> X = np.array([[3.0], [1.0], [2.0]] * 20, dtype=np.float32)
    >>> train = RankingDataset(X, y=[2, 0, 1] * 20, qid=np.repeat(np.arange(20), 3))
    >>> ranker = CatBoostRanker(target="NDCG", trees=20, threads=1).fit(train)
    >>> np.argsort(-ranker.predict(train)[:3])
    array([0, 2, 1])
    """

    libraries: ClassVar[tuple[str, ...]] = ("catboost",)
    weighted: ClassVar[bool] = True

    trees_: int
    history_: tuple[float, ...]
    model_: Any

    def __init__(
        self,
        *,
        objective: str = "YetiRank",
        loss: str | Loss | None = None,
        target: str | None = None,
        trees: int = 300,
        learning_rate: float = 0.05,
        max_depth: int = 6,
        max_bins: int = 254,
        feature_fraction: float = 1.0,
        bagging_fraction: float = 1.0,
        l2: float | None = None,
        random_strength: float | None = None,
        permutations: int | None = None,
        decay: float | None = None,
        top: int | None = None,
        gain: Literal["linear", "exponential"] | None = None,
        discount: Literal["LogPosition", "Position"] | None = None,
        neighbors: int | None = None,
        noise: Literal["Gumbel", "Gauss", "No"] | None = None,
        noise_power: float | None = None,
        estimations: int | None = None,
        mu: float | None = None,
        sigma: float | None = None,
        nu: float | None = None,
        penalty: float | None = None,
        normalise: bool | None = None,
        max_pairs: int | None = None,
        beta: float | None = None,
        measure: str | Measure = "nDCG@10",
        early_stopping: int | None = 50,
        seed: int = 0,
        threads: int = 0,
        progress: Callable[[int, int], None] | None = None,
    ) -> None:
        self.objective, self.loss, self.target = objective, loss, target
        self.trees, self.learning_rate = trees, learning_rate
        self.max_depth, self.max_bins = max_depth, max_bins
        self.feature_fraction, self.bagging_fraction = feature_fraction, bagging_fraction
        self.l2, self.random_strength = l2, random_strength
        self.permutations, self.decay, self.top = permutations, decay, top
        self.gain, self.discount, self.neighbors = gain, discount, neighbors
        self.noise, self.noise_power, self.estimations = noise, noise_power, estimations
        self.mu, self.sigma, self.nu, self.penalty = mu, sigma, nu, penalty
        self.normalise, self.max_pairs, self.beta = normalise, max_pairs, beta
        self.measure, self.early_stopping = measure, early_stopping
        self.seed, self.threads, self.progress = seed, threads, progress

    def importance(self) -> dict[str, float]:
        """How much predictions change with each feature, in percent, greatest first."""
        self._check_fitted()
        values = self.model_.get_feature_importance(type="PredictionValuesChange")
        order = np.argsort(-np.asarray(values), kind="stable")
        return {self.feature_names_[f]: float(values[f]) for f in order}

    @property
    def weighs_rows(self) -> bool:
        """By a loss; the library's own objectives take one weight a query."""
        return self.loss is not None

    def check_parameters(self) -> None:
        if self.loss is None:
            check_options(self.objective, self.target, self._options())
        else:
            self._check_loss(self.loss)
        for name, low, high in (
            ("trees", 1, 2**31 - 1),
            ("max_depth", 1, 16),
            ("max_bins", 1, 65535),
            ("seed", 0, 2**31 - 1),
            ("threads", 0, 2**31 - 1),
        ):
            check_number(name, getattr(self, name), low=low, high=high, integer=True)
        if self.early_stopping is not None:
            check_number("early_stopping", self.early_stopping, low=1, integer=True)
        check_number("learning_rate", self.learning_rate, low=0, above=True)
        for name in ("feature_fraction", "bagging_fraction"):
            check_number(name, getattr(self, name), low=0, high=1, above=True)
        for name in ("l2", "random_strength"):
            if getattr(self, name) is not None:
                check_number(name, getattr(self, name), low=0)
        parse_measure(self.measure)
        if self.objective.endswith("Pairwise"):
            for name, default in (("bagging_fraction", 1), ("random_strength", None)):
                if getattr(self, name) != default:
                    raise ConfigurationError(
                        f"{name}={getattr(self, name)!r} with objective={self.objective!r}, which "
                        "does not read it; expected the default."
                    )

    def _check_loss(self, loss: str | Loss) -> None:
        """Raise ConfigurationError for options that a loss does not read."""
        parsed = parsed_loss(loss)
        if self.objective != "YetiRank":
            raise ConfigurationError(
                f"objective={self.objective!r} and loss={loss!r}; expected one of them."
            )
        for name, value in {"target": self.target, **self._options()}.items():
            if value is not None:
                raise ConfigurationError(
                    f"{name}={value!r} with loss={parsed!r}, which does not read it; expected None."
                )

    def _options(self) -> dict[str, Any]:
        """The options of the loss, None where CatBoost's default holds."""
        return {name: getattr(self, name) for name in OPTIONS}

    def _learn(self, train: RankingDataset, valid: RankingDataset | None) -> bool:
        require("catboost", extra="trees", purpose="grow trees by CatBoost")
        rows = grouped(train)
        valid_rows, measure = None, None
        if valid is not None:
            valid_rows = grouped(valid)
            measure = MeanMeasure(self.measure, valid_rows.y, valid_rows.offsets)
        if self.loss is None:
            result = self._by_objective(rows, valid_rows, measure)
        else:
            result = train_catboost_by_derivatives(
                self._library_parameters(),
                rows,
                valid_rows,
                measure,
                objective=LossObjective(
                    parsed_loss(self.loss),
                    rows.y,
                    rows.offsets,
                    seed=self.seed,
                    weights=rows.weights,
                ),
                trees=self.trees,
                patience=self.early_stopping,
                progress=self.progress,
            )
        self.model_ = load_catboost(result.model)
        self.trees_, self.history_ = result.trees, result.history
        return not result.interrupted

    def _by_objective(
        self, rows: GroupedRows, valid: GroupedRows | None, measure: MeanMeasure | None
    ) -> Grown[bytes]:
        """Trees by one of CatBoost's own objectives."""
        self._check_grades(rows)
        weights = query_weights(rows, f'objective="{self.objective}"')
        return train_catboost(
            self._library_parameters(),
            catboost_data(rows, rows.y, weights),
            None if valid is None else catboost_data(valid, np.zeros_like(valid.y)),
            measure,
            trees=self.trees,
            patience=self.early_stopping,
            progress=self.progress,
        )

    def _check_grades(self, rows: GroupedRows) -> None:
        """Raise DataError for grades that the target would misread."""
        highest = float(rows.y.max())
        if self.target in ("ERR", "PFound") and highest > 1:
            raise DataError(
                f"grade {highest:g} with target={self.target!r}",
                expected="probabilities from 0 to 1",
                remedy="divide the grades by the highest possible one",
            )
        if self.objective == "QuerySoftMax" and highest > HIGHEST_SOFTMAX:
            raise DataError(
                f"grade {highest:g} with objective='QuerySoftMax'",
                expected=f"grades of at most {HIGHEST_SOFTMAX}: its steps grow with them",
                remedy="divide the grades by the highest possible one",
            )
        if self.gain == "exponential":
            gains_of(rows.y, "exponential")

    def _library_parameters(self) -> dict[str, Any]:
        """The parameters in CatBoost's own words."""
        parameters: dict[str, Any] = {
            "loss_function": (
                "RMSE"
                if self.loss is not None
                else loss_text(self.objective, self.target, self._options())
            ),
            "learning_rate": self.learning_rate,
            "depth": self.max_depth,
            "border_count": self.max_bins,
            "rsm": self.feature_fraction,
            "bootstrap_type": "No",
            "random_seed": self.seed,
            "thread_count": self.threads or -1,
            "allow_const_label": True,
            "allow_writing_files": False,
            "logging_level": "Silent",
        }
        if self.bagging_fraction < 1:
            parameters |= {"bootstrap_type": "Bernoulli", "subsample": self.bagging_fraction}
        if self.l2 is not None:
            parameters["l2_leaf_reg"] = self.l2
        if self.random_strength is not None:
            parameters["random_strength"] = self.random_strength
        return parameters

    def _scores(self, dataset: RankingDataset) -> npt.NDArray[np.float64]:
        return self._forest_scores(self.model_, catboost_forest, dataset.X)

    def _contributions(self, dataset: RankingDataset) -> Contributions:
        import catboost

        parts = self.model_.get_feature_importance(
            catboost.Pool(np.asarray(dataset.X)),
            type="ShapValues",
            thread_count=self.threads or -1,
        )
        # The last column is the mean score over the training data, the same in every row.
        return Contributions(np.ascontiguousarray(parts[:, :-1]), float(parts[0, -1]))

    def _save_model(self) -> tuple[dict[str, Any], dict[str, bytes]]:
        learned = {"trees": self.trees_, "history": list(self.history_)}
        return learned, {MODEL: model_bytes(self.model_)}

    def _load_model(
        self, learned: Mapping[str, Any], files: Mapping[str, bytes], folder: Path
    ) -> None:
        if MODEL not in files:
            raise CorruptFileError("no trees", expected=f"the file {MODEL}", path=folder)
        self.model_ = load_catboost(files[MODEL], folder)
        self.trees_, self.history_ = int(learned["trees"]), tuple(learned["history"])
