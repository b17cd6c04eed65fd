"""Search for a ranker's parameters by cross-validation, with pruning and resuming (Optuna)."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from plackett._optional import require
from plackett.data.formats.atomic import atomic_write
from plackett.errors import ConfigurationError
from plackett.experiment.grid import Fold
from plackett.experiment.search_space import SearchSpace, default_space
from plackett.rankers.base import Ranker
from plackett.rankers.parameters import has_text_form

__all__ = ["TuningResult", "tune"]

DATABASE = "tuning.db"


@dataclass(frozen=True)
class TuningResult:
    """What the search found; prints as a short table.

    Attributes
    ----------
    best : the ranker with the best parameters, not fitted.
    value : the mean of its measure over the folds' test queries, greater is better.
    parameters : the tuned ones.
    trials : `(value, parameters)` of every finished trial, best first.
    pruned, failed : trials stopped early because others were better, and trials whose parameters
        the ranker refused.
    """

    best: Ranker
    value: float
    parameters: dict[str, Any]
    trials: tuple[tuple[float, dict[str, Any]], ...]
    pruned: int
    failed: int

    def __str__(self) -> str:
        lines = [f"best of {len(self.trials)} finished trials: {self.value:.4f}"]
        lines += [f"    {name} = {_shown(value)}" for name, value in self.parameters.items()]
        lines.append(f"({self.pruned} pruned, {self.failed} refused)")
        return "\n".join(lines)

    def to_json(self) -> str:
        """The result as JSON."""
        content = {
            "ranker": repr(self.best),
            "value": self.value,
            "parameters": self.parameters,
            "trials": [{"value": value, "parameters": tried} for value, tried in self.trials],
            "pruned": self.pruned,
            "failed": self.failed,
        }
        return json.dumps(content, indent=1, default=repr)


def _shown(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def tune(
    ranker: Ranker,
    folds: Sequence[Fold],
    folder: str | Path,
    *,
    space: SearchSpace | None = None,
    trials: int = 50,
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> TuningResult:
    """Try parameters and keep the best mean of the ranker's `measure` over the folds.

    Trials are proposed by a tree-structured Parzen estimator; one is pruned when, after a fold, it
    is below the median of the earlier ones. Every trial is kept in `folder/tuning.db`, and the
    same call goes on from there until `trials` are done. `folder/best.json` is written at the end,
    and when Ctrl-C ends the search.

    Choosing the best of many trials makes its value optimistic: report the measure on queries that
    no fold has seen.

    Parameters
    ----------
    space : what to try; by default `search_spaces.toml`'s entry for the ranker.
    trials : how many in all, those of earlier calls included.

    Raises
    ------
    ConfigurationError : no parameter of the ranker has a name of `space`, or the database is of
        another ranker or other data, or every trial was refused.
    """
    optuna = require("optuna", extra="tune", purpose="search for parameters")
    space = default_space(type(ranker).__name__) if space is None else space
    unknown = space.keys() - ranker.get_params().keys()
    if unknown:
        raise ConfigurationError(f"{type(ranker).__name__} has no parameters {sorted(unknown)}.")
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    study = _study(optuna, ranker, folds, space, folder, seed)
    finished = len(study.trials)

    def objective(trial: Any) -> float:
        chosen = {name: choice.suggest(trial, name) for name, choice in space.items()}
        return _cross_validated(optuna, trial, _with(ranker, chosen), folds)

    def after(study: Any, trial: Any) -> None:
        if progress is not None:
            progress(len(study.trials), trials)

    try:
        if trials > finished:
            study.optimize(
                objective, trials - finished, catch=(ConfigurationError,), callbacks=[after]
            )
    finally:
        if _values(optuna, study):
            found = _result(optuna, study, ranker)
            with atomic_write(folder / "best.json") as file:
                file.write(found.to_json().encode())
    return _result(optuna, study, ranker)


def _study(
    optuna: Any,
    ranker: Ranker,
    folds: Sequence[Fold],
    space: SearchSpace,
    folder: Path,
    seed: int,
) -> Any:
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    database = f"sqlite:///{(folder / DATABASE).resolve()}"
    storage = optuna.storages.RDBStorage(database)
    names = [study.study_name for study in optuna.study.get_all_study_summaries(storage)]
    done = len(optuna.load_study(study_name="tune", storage=storage).trials) if names else 0
    study = optuna.create_study(
        study_name="tune",
        storage=storage,
        direction="maximize",
        load_if_exists=True,
        # A search that goes on must not propose what its first trials were.
        sampler=optuna.samplers.TPESampler(seed=seed + done),
        pruner=optuna.pruners.MedianPruner(n_startup_trials=8),
    )
    rows = sum(len(part) for fold in folds for part in fold if part is not None)
    identity = f"{ranker!r} on {len(folds)} folds of {rows} rows: {dict(space)!r}"
    known = study.user_attrs.get("identity", identity)
    if known != identity:
        raise ConfigurationError(
            f"{folder / DATABASE} holds another search ({known}); choose another folder, or "
            "delete it to start again."
        )
    study.set_user_attr("identity", identity)
    return study


def _with(ranker: Ranker, chosen: dict[str, Any]) -> Ranker:
    parameters = {
        name: repr(value) if has_text_form(value) else value
        for name, value in ranker.get_params().items()
    }
    return type(ranker)().set_params(**{**parameters, **chosen})


def _cross_validated(optuna: Any, trial: Any, ranker: Ranker, folds: Sequence[Fold]) -> float:
    values: list[float] = []
    weights: list[int] = []
    for number, fold in enumerate(folds):
        values.append(ranker.fit(fold.train, fold.valid).score(fold.test))
        weights.append(fold.test.n_queries)
        mean = float(np.average(values, weights=weights))
        trial.report(mean, number)
        if number + 1 < len(folds) and trial.should_prune():
            raise optuna.TrialPruned
    return float(np.average(values, weights=weights))


def _values(optuna: Any, study: Any) -> list[Any]:
    complete = optuna.trial.TrialState.COMPLETE
    return sorted(
        (trial for trial in study.trials if trial.state == complete), key=lambda t: -t.value
    )


def _result(optuna: Any, study: Any, ranker: Ranker) -> TuningResult:
    found = _values(optuna, study)
    states = [trial.state for trial in study.trials]
    failed = states.count(optuna.trial.TrialState.FAIL)
    if not found:
        raise ConfigurationError(f"all {failed} trials were refused; narrow the search.")
    best = dict(found[0].params)
    return TuningResult(
        best=_with(ranker, best),
        value=float(found[0].value),
        parameters=best,
        trials=tuple((float(trial.value), dict(trial.params)) for trial in found),
        pruned=states.count(optuna.trial.TrialState.PRUNED),
        failed=failed,
    )
