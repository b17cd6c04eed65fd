"""What the makers of three pointwise re-rankers rewarded while they trained them.

Pure functions of scores and labels: a training loop of any kind may call them. Each takes one
query or one pair at a time, so that nothing is ever ranked across queries.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
import numpy.typing as npt

from plackett.errors import DataError

__all__ = ["erank_reward", "inte_rank_weights", "pro_rank_reward"]

Floats = npt.NDArray[np.float64]


def erank_reward(
    scores: npt.ArrayLike,
    relevant: npt.ArrayLike,
    reference: npt.ArrayLike,
    *,
    shape: Literal["reciprocal", "dcg"] = "reciprocal",
    misplaced: float = -1.0,
    bad_format: float = -2.0,
    scale: float = 10.0,
) -> Floats:
    """The listwise reward of every sampled score of one query's documents.

    All scores of the query are put into one list; a score's rank r is one more than how many
    scores are greater, so that ties share the best rank. Then

    - of a relevant document: 1 / r, or log2(r + 1)^-1 / ideal for `shape="dcg"`, where ideal is
      the sum of log2(i + 1)^-1 over as many ranks i as relevant documents have scores;
    - of another one that stands above some relevant document's score: `misplaced`;
    - of another one below them all: 1 - ((score - reference) / scale)^2;
    - where no score could be read (NaN): `bad_format`.

    The paper's constants are not legible in the copy that was read; these are ours.

    Parameters
    ----------
    scores : `float[n, g]`, g sampled scores of n documents; NaN for an answer of a bad format.
    relevant : `bool[n]`.
    reference : `float[n]`, the score that the model gave before this training.

    Returns
    -------
    `float64[n, g]`.

    Raises
    ------
    DataError : shapes that do not agree.

    Paper: ERank: Fusing SFT and RL for Effective and Efficient Text Reranking (2025).

    >>> erank_reward([[9], [7], [2]], [False, True, False], [8, 8, 3]).ravel()
    array([-1.  ,  0.5 ,  0.99])
    """
    given = np.asarray(scores, dtype=np.float64)
    positive = np.asarray(relevant, dtype=bool)
    expected = np.asarray(reference, dtype=np.float64)
    if given.ndim != 2 or positive.shape != given.shape[:1] or expected.shape != positive.shape:
        raise DataError(
            f"scores {given.shape}, relevant {positive.shape}, reference {expected.shape}",
            expected="shapes [n, g], [n] and [n]",
        )
    known = ~np.isnan(given)
    ascending = np.sort(given[known])
    above = len(ascending) - np.searchsorted(ascending, given, side="right")
    rank = np.where(known, above + 1.0, np.inf)
    of_relevant = known & positive[:, None]
    if shape == "reciprocal":
        reward = 1.0 / rank
    elif shape == "dcg":
        ideal = (1.0 / np.log2(np.arange(of_relevant.sum()) + 2.0)).sum()
        reward = 1.0 / np.log2(rank + 1.0) / max(ideal, np.finfo(np.float64).tiny)
    else:
        raise DataError(f"shape {shape!r}", expected="reciprocal or dcg")
    lowest = rank[of_relevant].max(initial=0.0)
    smooth = 1.0 - ((given - expected[:, None]) / scale) ** 2
    reward = np.where(positive[:, None], reward, np.where(rank < lowest, misplaced, smooth))
    return np.asarray(np.where(known, reward, bad_format), dtype=np.float64)


def pro_rank_reward(
    answer: str, label: int, *, format_weight: float = 1.0, accuracy_weight: float = 1.0
) -> float:
    """The reward of an answer that must be nothing but 0 or 1.

    `format_weight` for one of the two, and `accuracy_weight` more for the right one; 0 for
    anything else, however right it reads.

    Paper: ProRank: Prompt Warmup via Reinforcement Learning for Small Language Models Reranking
    (2025).

    >>> [pro_rank_reward(answer, 1) for answer in ("1", "0", "It is 1.")]
    [2.0, 1.0, 0.0]
    """
    if label not in (0, 1):
        raise DataError(f"label {label!r}", expected="0 or 1")
    given = answer.strip()
    if given not in ("0", "1"):
        return 0.0
    return float(format_weight + accuracy_weight * (given == str(label)))


def inte_rank_weights(
    rewards: npt.ArrayLike,
    *,
    labels: npt.ArrayLike | None = None,
    teacher_label: int | None = None,
    threshold: float = 0.0,
    power: float = 3.0,
) -> Floats:
    """How much each sampled answer to one pair counts in reward-weighted likelihood.

    r = (reward - least) / (greatest - least), or 1 where all rewards are equal; with labels, r is
    multiplied by the share of answers whose label is not the teacher's, which lifts hard pairs.
    What lies below `threshold` weighs 0, the rest r^power. The loss is the mean of weight times
    mean negative log-likelihood of a token; equal rewards make it plain supervised training.

    Parameters
    ----------
    rewards : `float[k]`, one an answer.
    labels : `int[k]`, the label of each answer; given together with `teacher_label` or not at all.
    teacher_label : the teacher's label.

    Returns
    -------
    `float64[k]`, from 0 to 1.

    Raises
    ------
    DataError : rewards that are not finite, or labels without a teacher's or of another length.

    Paper: Distillation and Refinement of Reasoning in Small Language Models for Document
    Re-ranking (2025).

    >>> inte_rank_weights([1.0, 2.0, 3.0])
    array([0.   , 0.125, 1.   ])
    """
    given = np.asarray(rewards, dtype=np.float64)
    if given.ndim != 1 or not np.isfinite(given).all():
        raise DataError(f"rewards {given.tolist()}", expected="a list of finite numbers")
    if (labels is None) != (teacher_label is None):
        raise DataError("labels or a teacher's label alone", expected="both or neither")
    if not len(given):
        return np.zeros(0, dtype=np.float64)
    span = np.ptp(given)
    scaled = (given - given.min()) / span if span > 0 else np.ones_like(given)
    if labels is not None:
        own = np.asarray(labels)
        if own.shape != given.shape:
            raise DataError(f"{len(own)} labels of {len(given)} answers", expected="one each")
        scaled = scaled * float(np.mean(own != teacher_label))
    return np.asarray(np.where(scaled < threshold, 0.0, scaled**power), dtype=np.float64)
