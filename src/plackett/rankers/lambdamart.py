"""LambdaMART: boosted regression trees on the gradient of a ranking measure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt

from plackett.data.dataset import RankingDataset
from plackett.errors import ConfigurationError, CorruptFileError, DataError
from plackett.metrics.base import Measure, parse_measure
from plackett.rankers.base import Ranker
from plackett.rankers.boosting import boost, directions, lightgbm_dataset, load_booster
from plackett.rankers.explain import Contributions
from plackett.rankers.forests.scoring import ForestScores, lightgbm_forest
from plackett.rankers.gains import (
    HIGHEST_EXPONENTIAL,
    Gain,
    grade_classes,
    integer_grades,
)
from plackett.rankers.lambda_gradient import LambdaGradient, Objective
from plackett.rankers.loss_objective import LossObjective, parsed_loss
from plackett.rankers.objective import GroupedRows, MeanMeasure, grouped
from plackett.rankers.parameters import check_choice, check_number
from plackett.rankers.registry import register
from plackett.rankers.weighting import query_weights, required_positions, weights_differ

if TYPE_CHECKING:
    from plackett.losses.base import Loss

__all__ = ["LambdaMART"]

OBJECTIVES = ("lambdarank", "fast_lambdarank", "rank_xendcg")
# What only lambdarank reads, with the defaults; elsewhere another value would do nothing.
OF_LAMBDARANK: dict[str, Any] = {
    "truncation": 30,
    "normalise": True,
    "sigmoid": 1.0,
    "gain": "exponential",
    "position_bias": False,
    "position_bias_l2": 0.0,
}
MODEL = "model.txt"
LONGEST_LIST = 10_000  # LightGBM's own limit for lambdarank


@register
class LambdaMART(ForestScores, Ranker):
    """Gradient-boosted trees that learn to rank, grown by LightGBM.

    The score of a document is the sum of `trees` regression trees. With `objective="lambdarank"`
    each tree follows the gradient of the pairwise logistic loss, where a pair's weight is the
    change of nDCG that exchanging the two documents would make (Burges, "From RankNet to LambdaRank
    to LambdaMART: an overview", Microsoft Research MSR-TR-2010-82). With `"rank_xendcg"` it follows
    a listwise cross-entropy that bounds nDCG (Bruch, "An alternative cross entropy loss for
    learning-to-rank", WWW 2021). With a `loss` it follows that one.

    The same seed gives the same model whatever the number of threads. With LightGBM's objectives
    the model is LightGBM's own for the same parameters. Rows in another order give sums in another
    order: another order of the queries may change the scores in the last digits, or the choice
    between equally good splits.

    The weights of a dataset count as `losses` have it: a pair by the weight of its preferred
    document. LightGBM multiplies the derivatives of each row instead, which is the same only where
    all rows of a query weigh alike; elsewhere "lambdarank" takes the gradient of "fast_lambdarank",
    and "rank_xendcg" is an error.

    Parameters
    ----------
    objective : "lambdarank", LightGBM's; "fast_lambdarank", the same gradient computed by plackett
        (`LambdaGradient`), which takes a fraction of the time and lists of any length; or
        "rank_xendcg", LightGBM's, which needs integer grades up to 30 and has exponential gain
        only.
    loss : a loss of `plackett.losses` or its text, such as "ListNet", in place of the objective.
        `LossObjective` says how its gradient and curvature are taken. It needs torch, the extra
        "neural".
    trees : the most trees to grow.
    leaves : the most leaves of a tree.
    learning_rate : the factor of each tree's values.
    min_documents_in_leaf, min_hessian_in_leaf : the least a leaf must hold.
    max_depth : the most levels of a tree; None: no limit.
    max_bins : the most distinct values kept of a feature.
    feature_fraction : the share of features drawn for each tree.
    bagging_fraction, bagging_frequency : the share of rows drawn anew every so many trees; a
        frequency of 0 means no bagging. One without the other is an error.
    l1, l2 : regularisation of the leaf values.
    truncation : pairs count where one document of the two stands this high or higher.
    normalise : weigh the queries' gradients alike.
    sigmoid : the steepness of the pairwise logistic.
    gain : "exponential" (2^grade - 1), "linear" (grade), or a tuple with the gain of each grade 0,
        1, 2, ... Grades may be fractions, except with a tuple; exponential gain takes grades up to
        30. That is what the trees learn by; `measure` has its own gain. With "rank_xendcg" or a
        loss, which do not read them, another truncation, normalise, sigmoid or gain than the
        default is an error.
    position_bias : of "lambdarank": the labels are clicks, and the dataset has positions. While it
        grows trees, LightGBM learns a number a position, which is added to the scores in training
        only, so that the trees need not explain what the position does (an additive bias, learned
        by Newton steps). Any positions will do. Weights must be one a query then.
    position_bias_l2 : the regularisation of these numbers towards 0.
    monotone : `{feature: 1}` for a score that never falls as the feature grows, -1 for one that
        never rises.
    measure : what early stopping and `score` read, a measure or its text.
    early_stopping : with a validation set, stop after so many trees without a better measure and
        keep the trees up to the best; None keeps all trees.
    seed : of all random choices.
    threads : how many to train and predict with; 0: all cores. With less than about 50,000 rows,
        or cores that others use too, 1 is often fastest.
    deterministic : the same model whatever the number of threads; costs a little time.
    progress : called as `progress(trees_grown, trees)` after each tree.

    Attributes
    ----------
    trees_ : how many trees the model keeps.
    history_ : the measure on the validation set after each tree grown.
    booster_ : the `lightgbm.Booster`.

    >>> from plackett.data.dataset import RankingDataset
    >>> X = np.array([[3.0], [1.0], [2.0]] * 20, dtype=np.float32)
    >>> train = RankingDataset(X, y=[2, 0, 1] * 20, qid=np.repeat(np.arange(20), 3))
    >>> ranker = LambdaMART(trees=20, min_documents_in_leaf=1).fit(train)
    >>> np.argsort(-ranker.predict(train)[:3])
    array([0, 2, 1])
    """

    libraries: ClassVar[tuple[str, ...]] = ("lightgbm",)
    weighted: ClassVar[bool] = True

    trees_: int
    history_: tuple[float, ...]
    booster_: Any

    def __init__(
        self,
        *,
        objective: Literal["lambdarank", "fast_lambdarank", "rank_xendcg"] = "lambdarank",
        loss: str | Loss | None = None,
        trees: int = 300,
        leaves: int = 31,
        learning_rate: float = 0.05,
        min_documents_in_leaf: int = 20,
        min_hessian_in_leaf: float = 1e-3,
        max_depth: int | None = None,
        max_bins: int = 255,
        feature_fraction: float = 1.0,
        bagging_fraction: float = 1.0,
        bagging_frequency: int = 0,
        l1: float = 0.0,
        l2: float = 0.0,
        truncation: int = 30,
        normalise: bool = True,
        sigmoid: float = 1.0,
        gain: Gain = "exponential",
        position_bias: bool = False,
        position_bias_l2: float = 0.0,
        monotone: Mapping[str, int] | None = None,
        measure: str | Measure = "nDCG@10",
        early_stopping: int | None = 50,
        seed: int = 0,
        threads: int = 0,
        deterministic: bool = True,
        progress: Callable[[int, int], None] | None = None,
    ) -> None:
        self.objective, self.loss = objective, loss
        self.trees, self.leaves, self.learning_rate = trees, leaves, learning_rate
        self.min_documents_in_leaf = min_documents_in_leaf
        self.min_hessian_in_leaf = min_hessian_in_leaf
        self.max_depth, self.max_bins = max_depth, max_bins
        self.feature_fraction = feature_fraction
        self.bagging_fraction, self.bagging_frequency = bagging_fraction, bagging_frequency
        self.l1, self.l2 = l1, l2
        self.truncation, self.normalise, self.sigmoid = truncation, normalise, sigmoid
        self.gain, self.monotone = gain, monotone
        self.position_bias, self.position_bias_l2 = position_bias, position_bias_l2
        self.measure, self.early_stopping = measure, early_stopping
        self.seed, self.threads, self.deterministic = seed, threads, deterministic
        self.progress = progress

    def importance(self, kind: Literal["gain", "split"] = "gain") -> dict[str, float]:
        """How much the trees rely on each feature, greatest first.

        Parameters
        ----------
        kind : "gain", the total improvement of the splits on it; "split", their number.
        """
        self._check_fitted()
        check_choice("kind", kind, ("gain", "split"))
        values = self.booster_.feature_importance(importance_type=kind)
        order = np.argsort(-values, kind="stable")
        return {self.feature_names_[f]: float(values[f]) for f in order}

    @property
    def weighs_rows(self) -> bool:
        """By a loss or by lambdarank without position_bias."""
        return self.loss is not None or not (self.objective == "rank_xendcg" or self.position_bias)

    def check_parameters(self) -> None:
        check_choice("objective", self.objective, OBJECTIVES)
        for name, low in (
            ("trees", 1),
            ("leaves", 2),
            ("min_documents_in_leaf", 0),
            ("max_bins", 2),
            ("bagging_frequency", 0),
            ("truncation", 1),
            ("seed", 0),
            ("threads", 0),
        ):
            check_number(name, getattr(self, name), low=low, high=2**31 - 1, integer=True)
        for name in ("max_depth", "early_stopping"):
            if getattr(self, name) is not None:
                check_number(name, getattr(self, name), low=1, high=2**31 - 1, integer=True)
        for name in ("min_hessian_in_leaf", "l1", "l2", "position_bias_l2"):
            check_number(name, getattr(self, name), low=0)
        for name in ("learning_rate", "sigmoid"):
            check_number(name, getattr(self, name), low=0, above=True)
        for name in ("feature_fraction", "bagging_fraction"):
            check_number(name, getattr(self, name), low=0, high=1, above=True)
        parse_measure(self.measure)
        _check_gain(self.gain)
        self._check_idle()
        for name in ("deterministic", "normalise", "position_bias"):
            if getattr(self, name) not in (True, False):
                raise ConfigurationError("deterministic, normalise, position_bias: True or False.")

    def _check_idle(self) -> None:
        """Raise ConfigurationError for an option that would do nothing."""
        learns_by = f'objective="{self.objective}"'
        if self.loss is not None:
            if self.objective != OBJECTIVES[0]:
                raise ConfigurationError(
                    f"objective={self.objective!r} and loss={self.loss!r}; expected one of them."
                )
            learns_by = f"loss={parsed_loss(self.loss)!r}"
        if self.loss is not None or self.objective == "rank_xendcg":
            for name, default in OF_LAMBDARANK.items():
                if getattr(self, name) != default:
                    raise ConfigurationError(
                        f"{name}={getattr(self, name)!r} with {learns_by}, which does not read it; "
                        'expected the default, or objective="lambdarank".'
                    )
        if self.objective == "fast_lambdarank" and self.position_bias:
            raise ConfigurationError(
                'position_bias=True with objective="fast_lambdarank", which does not read it; '
                'expected objective="lambdarank".'
            )
        if self.position_bias_l2 and not self.position_bias:
            raise ConfigurationError(
                f"position_bias_l2={self.position_bias_l2!r} with position_bias=False, which does "
                "not read it; expected 0."
            )
        if (self.bagging_fraction < 1) != (self.bagging_frequency > 0):
            raise ConfigurationError(
                f"bagging_fraction={self.bagging_fraction!r} with "
                f"bagging_frequency={self.bagging_frequency!r}; expected a fraction below 1 and a "
                "frequency of at least 1, or neither: one alone does nothing."
            )

    def _learn(self, train: RankingDataset, valid: RankingDataset | None) -> bool:
        rows = grouped(train)
        objective = self._own_objective(rows)
        label, parameters = self._labels_and_parameters(
            rows, tuple(train.feature_names), objective is not None
        )
        weights, position = None, None
        if objective is None:
            weights = None if query_weights(rows, self._named()) is None else rows.weights
            position = required_positions(rows, "position_bias") if self.position_bias else None
        data = lightgbm_dataset(rows, label, parameters, weights=weights, position=position)
        valid_data, measure = None, None
        if valid is not None:
            valid_rows = grouped(valid)
            measure = MeanMeasure(self.measure, valid_rows.y, valid_rows.offsets)
            # The measure has the grades; LightGBM needs labels but never looks at them.
            valid_data = lightgbm_dataset(
                valid_rows, np.zeros_like(valid_rows.y), parameters, reference=data
            )
        result = boost(
            parameters,
            data,
            valid_data,
            measure,
            objective=objective,
            trees=self.trees,
            patience=self.early_stopping,
            progress=self.progress,
        )
        # Reading the text back leaves a booster without training data, as `load` would make.
        self.booster_ = load_booster(result.model)
        self.trees_, self.history_ = result.trees, result.history
        return not result.interrupted

    def _named(self) -> str:
        """The objective as messages call it."""
        return f'objective="{self.objective}"' + (" with position_bias" * self.position_bias)

    def _own_objective(self, rows: GroupedRows) -> Objective | None:
        """What computes the gradient in LightGBM's place, or None."""
        if self.loss is not None:
            return LossObjective(
                parsed_loss(self.loss), rows.y, rows.offsets, seed=self.seed, weights=rows.weights
            )
        if self.objective == "rank_xendcg" or self.position_bias:
            return None
        if self.objective == "lambdarank" and not weights_differ(rows):
            return None
        return LambdaGradient(
            rows.y,
            rows.offsets,
            gain=self.gain,
            truncation=self.truncation,
            sigmoid=self.sigmoid,
            normalise=self.normalise,
            threads=self.threads,
            weights=rows.weights,
        )

    def _labels_and_parameters(
        self, rows: GroupedRows, feature_names: tuple[str, ...], given_derivatives: bool
    ) -> tuple[npt.NDArray[np.float32], dict[str, Any]]:
        """The labels and the parameters in LightGBM's own words."""
        parameters: dict[str, Any] = {
            "objective": self.objective,
            "num_leaves": self.leaves,
            "learning_rate": self.learning_rate,
            "min_data_in_leaf": self.min_documents_in_leaf,
            "min_sum_hessian_in_leaf": self.min_hessian_in_leaf,
            "max_depth": -1 if self.max_depth is None else self.max_depth,
            "max_bin": self.max_bins,
            "feature_fraction": self.feature_fraction,
            "bagging_fraction": self.bagging_fraction,
            "bagging_freq": self.bagging_frequency,
            "lambda_l1": self.l1,
            "lambda_l2": self.l2,
            "seed": self.seed,
            "num_threads": self.threads,
            "metric": "None",
            "verbosity": -1,
        }
        if self.deterministic:
            parameters |= {"deterministic": True, "force_row_wise": True}
        if self.monotone:
            parameters["monotone_constraints"] = directions(self.monotone, feature_names)
        if given_derivatives:
            parameters["objective"] = "none"  # LightGBM is given derivatives, and reads no label
            return np.zeros_like(rows.y), parameters
        if self.objective == "rank_xendcg":
            integer_grades(rows.y, HIGHEST_EXPONENTIAL, "rank_xendcg reads it as 2^grade")
            return rows.y, parameters
        longest = int(np.diff(rows.offsets).max())
        if longest > LONGEST_LIST:
            raise DataError(
                f"a query with {longest} rows",
                expected=f"at most {LONGEST_LIST}, the limit of LightGBM's lambdarank",
                remedy='use objective="fast_lambdarank", or keep fewer candidates a query',
            )
        label, gains = grade_classes(rows.y, self.gain)
        parameters |= {
            "label_gain": gains.tolist(),
            "lambdarank_truncation_level": self.truncation,
            "lambdarank_norm": self.normalise,
            "sigmoid": self.sigmoid,
        }
        if self.position_bias:
            parameters["lambdarank_position_bias_regularization"] = self.position_bias_l2
        return label, parameters

    def _scores(self, dataset: RankingDataset) -> npt.NDArray[np.float64]:
        return self._forest_scores(self.booster_, lightgbm_forest, dataset.X)

    def _contributions(self, dataset: RankingDataset) -> Contributions:
        parts = self.booster_.predict(dataset.X, pred_contrib=True, num_threads=self.threads)
        # The last column is the mean score over the training data, the same in every row.
        return Contributions(np.ascontiguousarray(parts[:, :-1]), float(parts[0, -1]))

    def _save_model(self) -> tuple[dict[str, Any], dict[str, bytes]]:
        learned = {"trees": self.trees_, "history": list(self.history_)}
        return learned, {MODEL: self.booster_.model_to_string().encode()}

    def _load_model(
        self, learned: Mapping[str, Any], files: Mapping[str, bytes], folder: Path
    ) -> None:
        if MODEL not in files:
            raise CorruptFileError("no trees", expected=f"the file {MODEL}", path=folder)
        self.booster_ = load_booster(files[MODEL].decode(), folder)
        self.trees_, self.history_ = int(learned["trees"]), tuple(learned["history"])


def _check_gain(gain: Gain) -> None:
    if isinstance(gain, tuple):
        if not gain:
            raise ConfigurationError("gain=(); expected the gain of grade 0, 1, ...")
        for grade, value in enumerate(gain):
            check_number(f"gain[{grade}]", value, low=0)
    else:
        check_choice("gain", gain, ("exponential", "linear"))
