"""Boosted trees grown by XGBoost."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt

from plackett._optional import require
from plackett.data.dataset import RankingDataset
from plackett.errors import ConfigurationError, CorruptFileError
from plackett.metrics.base import Measure, parse_measure
from plackett.rankers.base import Ranker
from plackett.rankers.boosting import directions
from plackett.rankers.explain import Contributions
from plackett.rankers.forests.scoring import ForestScores
from plackett.rankers.gains import HIGHEST_EXPONENTIAL, integer_grades
from plackett.rankers.loss_objective import LossObjective, parsed_loss
from plackett.rankers.objective import GroupedRows, MeanMeasure, grouped
from plackett.rankers.parameters import check_choice, check_number
from plackett.rankers.registry import register
from plackett.rankers.weighting import by_position, query_weights
from plackett.rankers.xgboost_training import (
    load_xgboost,
    train_xgboost,
    xgboost_data,
    xgboost_forest,
)

if TYPE_CHECKING:
    from plackett.losses.base import Loss

__all__ = ["XGBoostRanker"]

OBJECTIVES = ("rank:ndcg", "rank:map", "rank:pairwise")
MODEL = "model.ubj"
# What XGBoost's ranking objectives read, with the defaults; with a loss another value does nothing.
OF_OBJECTIVES: dict[str, Any] = {
    "pair_method": "topk",
    "pairs": None,
    "normalise": True,
    "normalise_scores": True,
    "unbiased": False,
    "bias_norm": 1.0,
    "gain": "exponential",
}


@register
class XGBoostRanker(ForestScores, Ranker):
    """Gradient-boosted trees that learn to rank, grown by XGBoost.

    The score of a document is the sum of `trees` regression trees. `objective` weighs the pairs of
    the pairwise logistic loss by the change of nDCG ("rank:ndcg") or of average precision
    ("rank:map") that exchanging the two documents would make, or alike ("rank:pairwise"). With
    `unbiased`, clicks are taken for grades, and the bias of their positions is estimated along with
    the trees (Hu et al., "Unbiased LambdaMART", WWW 2019). Positions are the dataset's, which must
    be 1, 2, ... in every query, or where it has none, the places of the rows in their query.

    A loss reads the weights of a dataset. The objectives take one weight a query, and other weights
    are an error; XGBoost divides them by their mean. Chen and Guestrin, "XGBoost: a scalable tree
    boosting system", KDD 2016.

    It needs the extra "trees". Options that XGBoost would not read are errors. The same seed and
    number of threads give the same model.

    Parameters
    ----------
    objective : "rank:ndcg", "rank:map", whose grades are 0 or 1, or "rank:pairwise".
    loss : a loss of `plackett.losses` or its text, such as "ListNet", in place of the objective;
        `LossObjective` says how its gradient and curvature are taken.
    trees : the most trees to grow.
    leaves : grow the best leaf first up to so many; None: level by level down to `max_depth`.
    learning_rate : the factor of each tree's values.
    min_hessian_in_leaf : the least sum of curvatures that a leaf must hold.
    min_gain : the least improvement that a split must bring.
    max_depth : the most levels of a tree; None: no limit, for which `leaves` must be given.
    max_bins : the most distinct values kept of a feature.
    feature_fraction, bagging_fraction : the shares of features and of rows drawn for each tree.
    l1, l2 : regularisation of the leaf values.
    pair_method : "topk", pairs of each of the first `pairs` documents with all others, or "mean",
        `pairs` pairs drawn for each document.
    pairs : of the pair method; None: XGBoost's default.
    normalise : divide a query's gradients by a function of their sum; of "topk" only.
    normalise_scores : divide a pair's weight by the difference of its scores.
    unbiased, bias_norm : whether to estimate position bias, and the norm that regularises it.
    gain : of "rank:ndcg": "exponential" (2^grade - 1), for whole grades up to 30, or "linear".
    monotone : `{feature: 1}` for a score that never falls as the feature grows, -1 for one that
        never rises.
    measure, early_stopping : as in `LambdaMART`.
    seed : of the draws of rows and features, and of a stochastic loss. The pairs that "mean" draws
        are the same for every seed.
    threads : how many to train and predict with; 0: all cores.
    progress : called as `progress(trees_grown, trees)` after each tree.

    Attributes
    ----------
    trees_ : how many trees the model keeps.
    history_ : the measure on the validation set after each tree grown.
    booster_ : the `xgboost.Booster`.

    >>> from plackett.data.dataset import RankingDataset
    >>> X = np.array([[3.0], [1.0], [2.0]] * 20, dtype=np.float32)
    >>> train = RankingDataset(X, y=[2, 0, 1] * 20, qid=np.repeat(np.arange(20), 3))
    >>> ranker = XGBoostRanker(trees=20, min_hessian_in_leaf=0.1, threads=1).fit(train)
    >>> np.argsort(-ranker.predict(train)[:3])
    array([0, 2, 1])
    """

    libraries: ClassVar[tuple[str, ...]] = ("xgboost",)
    weighted: ClassVar[bool] = True

    trees_: int
    history_: tuple[float, ...]
    booster_: Any

    def __init__(
        self,
        *,
        objective: Literal["rank:ndcg", "rank:map", "rank:pairwise"] = "rank:ndcg",
        loss: str | Loss | None = None,
        trees: int = 300,
        leaves: int | None = None,
        learning_rate: float = 0.05,
        min_hessian_in_leaf: float = 1.0,
        min_gain: float = 0.0,
        max_depth: int | None = 6,
        max_bins: int = 256,
        feature_fraction: float = 1.0,
        bagging_fraction: float = 1.0,
        l1: float = 0.0,
        l2: float = 1.0,
        pair_method: Literal["topk", "mean"] = "topk",
        pairs: int | None = None,
        normalise: bool = True,
        normalise_scores: bool = True,
        unbiased: bool = False,
        bias_norm: float = 1.0,
        gain: Literal["exponential", "linear"] = "exponential",
        monotone: Mapping[str, int] | None = None,
        measure: str | Measure = "nDCG@10",
        early_stopping: int | None = 50,
        seed: int = 0,
        threads: int = 0,
        progress: Callable[[int, int], None] | None = None,
    ) -> None:
        self.objective, self.loss = objective, loss
        self.trees, self.leaves, self.learning_rate = trees, leaves, learning_rate
        self.min_hessian_in_leaf, self.min_gain = min_hessian_in_leaf, min_gain
        self.max_depth, self.max_bins = max_depth, max_bins
        self.feature_fraction, self.bagging_fraction = feature_fraction, bagging_fraction
        self.l1, self.l2 = l1, l2
        self.pair_method, self.pairs = pair_method, pairs
        self.normalise, self.normalise_scores = normalise, normalise_scores
        self.unbiased, self.bias_norm, self.gain = unbiased, bias_norm, gain
        self.monotone, self.measure, self.early_stopping = monotone, measure, early_stopping
        self.seed, self.threads, self.progress = seed, threads, progress

    def importance(self, kind: Literal["gain", "split"] = "gain") -> dict[str, float]:
        """How much the trees rely on each feature, greatest first.

        Parameters
        ----------
        kind : "gain", the total improvement of the splits on it; "split", their number.
        """
        self._check_fitted()
        check_choice("kind", kind, ("gain", "split"))
        known = {"gain": "total_gain", "split": "weight"}[kind]
        found = self.booster_.get_score(importance_type=known)
        names = enumerate(self.feature_names_)
        values = {name: float(found.get(f"f{position}", 0.0)) for position, name in names}
        return dict(sorted(values.items(), key=lambda item: -item[1]))

    @property
    def weighs_rows(self) -> bool:
        """By a loss; the library's own objectives take one weight a query."""
        return self.loss is not None

    def check_parameters(self) -> None:
        check_choice("objective", self.objective, OBJECTIVES)
        check_choice("pair_method", self.pair_method, ("topk", "mean"))
        check_choice("gain", self.gain, ("exponential", "linear"))
        highest = 2**31 - 1
        for name, low in (("trees", 1), ("max_bins", 2), ("seed", 0), ("threads", 0)):
            check_number(name, getattr(self, name), low=low, high=highest, integer=True)
        for name, low in (("leaves", 2), ("max_depth", 1), ("pairs", 1), ("early_stopping", 1)):
            if getattr(self, name) is not None:
                check_number(name, getattr(self, name), low=low, high=highest, integer=True)
        for name in ("min_hessian_in_leaf", "min_gain", "l1", "l2", "bias_norm"):
            check_number(name, getattr(self, name), low=0)
        check_number("learning_rate", self.learning_rate, low=0, above=True)
        for name in ("feature_fraction", "bagging_fraction"):
            check_number(name, getattr(self, name), low=0, high=1, above=True)
        for name in ("normalise", "normalise_scores", "unbiased"):
            if getattr(self, name) not in (True, False):
                raise ConfigurationError(f"{name}={getattr(self, name)!r}; expected True or False.")
        parse_measure(self.measure)
        self._check_idle()

    def _check_idle(self) -> None:
        """Raise ConfigurationError for an option that would do nothing."""
        if self.loss is not None:
            if self.objective != OBJECTIVES[0]:
                raise ConfigurationError(
                    f"objective={self.objective!r} and loss={self.loss!r}; expected one of them."
                )
            learns_by = f"loss={parsed_loss(self.loss)!r}"
            idle = [name for name, value in OF_OBJECTIVES.items() if getattr(self, name) != value]
        else:
            learns_by = (
                f"objective={self.objective!r}, pair_method={self.pair_method!r}, "
                f"unbiased={self.unbiased!r}"
            )
            idle = [
                name
                for name, does_nothing in (
                    ("gain", self.gain != "exponential" and self.objective != "rank:ndcg"),
                    ("normalise", not self.normalise and self.pair_method == "mean"),
                    ("bias_norm", self.bias_norm != 1 and not self.unbiased),
                )
                if does_nothing
            ]
        for name in idle:
            raise ConfigurationError(
                f"{name}={getattr(self, name)!r} with {learns_by}, which does not read it; "
                "expected the default, so leave it out."
            )
        if self.max_depth is None and self.leaves is None:
            raise ConfigurationError("max_depth=None and leaves=None; expected at least one limit.")

    def _learn(self, train: RankingDataset, valid: RankingDataset | None) -> bool:
        require("xgboost", extra="trees", purpose="grow trees by XGBoost")
        rows = grouped(train)
        if self.unbiased and rows.position is not None:
            rows = by_position(rows)
        objective, label, weights = None, rows.y, None
        if self.loss is not None:
            objective = LossObjective(
                parsed_loss(self.loss), rows.y, rows.offsets, seed=self.seed, weights=rows.weights
            )
            label = np.zeros_like(rows.y)
        else:
            self._check_grades(rows)
            weights = query_weights(rows, f'objective="{self.objective}"')
        data = xgboost_data(rows, label, self.max_bins, self.threads, weights=weights)
        valid_data, measure = None, None
        if valid is not None:
            valid_rows = grouped(valid)
            measure = MeanMeasure(self.measure, valid_rows.y, valid_rows.offsets)
            valid_data = xgboost_data(
                valid_rows, np.zeros_like(valid_rows.y), self.max_bins, self.threads, reference=data
            )
        result = train_xgboost(
            self._library_parameters(tuple(train.feature_names)),
            data,
            valid_data,
            measure,
            objective=objective,
            trees=self.trees,
            patience=self.early_stopping,
            progress=self.progress,
        )
        self.booster_ = load_xgboost(result.model, self.threads)
        self.trees_, self.history_ = result.trees, result.history
        return not result.interrupted

    def _check_grades(self, rows: GroupedRows) -> None:
        """Raise DataError for grades that the objective would misread."""
        if self.objective == "rank:map":
            reason = "rank:map knows relevant and not relevant"
            integer_grades(rows.y, 1, reason, 'map the grades, or use objective="rank:ndcg"')
        elif self.objective == "rank:ndcg" and self.gain == "exponential":
            reason = "rank:ndcg reads it as 2^grade"
            integer_grades(rows.y, HIGHEST_EXPONENTIAL, reason, 'map them, or pass gain="linear"')

    def _library_parameters(self, feature_names: tuple[str, ...]) -> dict[str, Any]:
        """The parameters in XGBoost's own words."""
        parameters: dict[str, Any] = {
            # Its scores are plain sums of trees, which is what a loss of ours needs.
            "objective": self.objective if self.loss is None else "reg:squarederror",
            "base_score": 0.0,
            "eta": self.learning_rate,
            "min_child_weight": self.min_hessian_in_leaf,
            "gamma": self.min_gain,
            "max_depth": self.max_depth or 0,
            "max_bin": self.max_bins,
            "colsample_bytree": self.feature_fraction,
            "subsample": self.bagging_fraction,
            "reg_alpha": self.l1,
            "reg_lambda": self.l2,
            "tree_method": "hist",
            "seed": self.seed,
            "nthread": self.threads,
            "verbosity": 0,
        }
        if self.leaves is not None:
            parameters |= {"max_leaves": self.leaves, "grow_policy": "lossguide"}
        if self.monotone:
            parameters["monotone_constraints"] = str(
                tuple(directions(self.monotone, feature_names))
            )
        if self.loss is not None:
            return parameters
        parameters |= {
            "lambdarank_pair_method": self.pair_method,
            "lambdarank_normalization": self.normalise,
            "lambdarank_score_normalization": self.normalise_scores,
            "lambdarank_unbiased": self.unbiased,
            "lambdarank_bias_norm": self.bias_norm,
        }
        if self.pairs is not None:
            parameters["lambdarank_num_pair_per_sample"] = self.pairs
        if self.objective == "rank:ndcg":
            parameters["ndcg_exp_gain"] = self.gain == "exponential"
        return parameters

    def _scores(self, dataset: RankingDataset) -> npt.NDArray[np.float64]:
        return self._forest_scores(self.booster_, xgboost_forest, dataset.X)

    def _contributions(self, dataset: RankingDataset) -> Contributions:
        import xgboost

        self.booster_.set_param({"nthread": self.threads})
        data = xgboost.DMatrix(dataset.X, nthread=self.threads)
        parts = self.booster_.predict(data, pred_contribs=True).astype(np.float64)
        # The last column is the mean score over the training data, the same in every row.
        return Contributions(np.ascontiguousarray(parts[:, :-1]), float(parts[0, -1]))

    def _save_model(self) -> tuple[dict[str, Any], dict[str, bytes]]:
        learned = {"trees": self.trees_, "history": list(self.history_)}
        return learned, {MODEL: bytes(self.booster_.save_raw("ubj"))}

    def _load_model(
        self, learned: Mapping[str, Any], files: Mapping[str, bytes], folder: Path
    ) -> None:
        if MODEL not in files:
            raise CorruptFileError("no trees", expected=f"the file {MODEL}", path=folder)
        self.booster_ = load_xgboost(files[MODEL], self.threads, folder)
        self.trees_, self.history_ = int(learned["trees"]), tuple(learned["history"])
