"""What the makers of listwise and setwise re-rankers rewarded while they trained them.

Pure functions of an answer and the truth about one list: a training loop of any kind may call them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt

from plackett.errors import DataError
from plackett.metrics import nDCG

__all__ = [
    "cube_reward",
    "group_rank_quality",
    "group_rank_reward",
    "jensen_shannon",
    "rank_r1_reward",
]

BAD_TAGS = -0.5
BAD_JSON = -0.1

_TAGGED = re.compile(
    r"\s*<think>(?P<thought>.*?)</think>\s*<answer>(?P<answer>.*?)</answer>\s*", re.S
)


def rank_r1_reward(answer: str, label: str) -> float:
    """Rank-R1: 1 if the answer is thought and label, each in its tags, and the label is right.

    Nothing is forgiven: no text outside the tags, no other case, no half a point for the form.

    Parameters
    ----------
    label : of the relevant document, as the prompt shows it, such as "[3]".

    Zhuang et al., "Rank-R1: Enhancing Reasoning in LLM-based Document Rerankers via Reinforcement
    Learning", 2025.

    >>> rank_r1_reward("<think>The third.</think> <answer> [3] </answer>", "[3]")
    1.0
    >>> rank_r1_reward("<answer>[3]</answer>", "[3]")
    0.0
    """
    said = _tagged_answer(answer)
    return float(said is not None and said.strip() == label)


def cube_reward(predicted: Iterable[int], gold: Iterable[int], k: int | None = None) -> float:
    """MM-R5: the share of the possible weight 1 / rank^3 that the relevant ids predicted have.

    R = sum_j s_j / j^3 / sum_{j <= min(|gold|, k)} 1 / j^3, s_j being 1 where the id at rank j is
    relevant (and was not named before), over the first k ranks.

    Parameters
    ----------
    predicted : ids, best first.
    gold : the relevant ids.
    k : ranks that count; None for all.

    Raises
    ------
    DataError : no id is relevant.

    Xu et al., "MM-R5: MultiModal Reasoning-Enhanced ReRanker via Reinforcement Learning for
    Document Retrieval", 2025.

    >>> cube_reward([4, 7, 9], {7}), cube_reward([4, 7, 9], {7, 4})
    (0.125, 1.0)
    """
    wanted = set(gold)
    if not wanted:
        raise DataError("no relevant ids", expected="at least one")
    left = set(wanted)
    total = 0.0
    for rank, each in enumerate(predicted, start=1):
        if k is not None and rank > k:
            break
        if each in left:
            left.discard(each)
            total += rank**-3
    ranks = len(wanted) if k is None else min(len(wanted), k)
    return total / sum(rank**-3 for rank in range(1, ranks + 1))


def group_rank_reward(answer: str, gold: npt.ArrayLike, *, k: int = 10) -> float:
    """GroupRank: how good the grades of an answer are, or what its bad form costs.

    -0.5 where the answer is not thought and grades, each in its tags; -0.1 where the grades are no
    JSON object with an integer from 0 to 10 for each document "[1]", "[2]", ... and nothing else;
    else `group_rank_quality`.

    Parameters
    ----------
    gold : `float[n]`, the true grades of the documents, in the order shown.
    k : the cutoff of the measures.

    Sun et al., "GroupRank: A Groupwise Reranking Paradigm Driven by Reinforcement Learning", 2025.

    >>> answer = '<think>One helps.</think><answer>{"[1]": 8, "[2]": 0}</answer>'
    >>> round(group_rank_reward(answer, [8, 0]), 6)
    1.3
    >>> group_rank_reward("[1] is good", [8, 0])
    -0.5
    """
    truth = np.asarray(gold, dtype=np.float64)
    said = _tagged_answer(answer)
    if said is None:
        return BAD_TAGS
    grades = _grades(said, len(truth))
    return BAD_JSON if grades is None else group_rank_quality(grades, truth, k=k)


def group_rank_quality(predicted: npt.ArrayLike, gold: npt.ArrayLike, *, k: int = 10) -> float:
    """nDCG@k + 0.2 Recall@k + 0.1 (1 - JS(P, Q)), 1.3 at best.

    nDCG has the grades themselves for gains; equal grades stay in the order shown. Recall is the
    share of the min(k, R) best places that R documents with a true grade above 0 have; without any
    it is 1, and so is nDCG, as no order is wrong. P and Q are the predicted and the true grades
    divided by their sums, uniform where a sum is 0; JS is their Jensen-Shannon divergence.

    Parameters
    ----------
    predicted, gold : `float[n]`, at least 0.

    Raises
    ------
    DataError : unequal lengths, no documents, or grades that are negative or not finite.

    >>> group_rank_quality([3, 2, 0], [3, 2, 0]) > group_rank_quality([6, 2, 0], [3, 2, 0])
    True
    """
    scores = np.asarray(predicted, dtype=np.float64)
    truth = np.asarray(gold, dtype=np.float64)
    if scores.shape != truth.shape or scores.ndim != 1 or len(scores) == 0:
        raise DataError(
            f"{scores.shape} predicted and {truth.shape} true grades",
            expected="one each, of a list",
        )
    for values in (scores, truth):
        if not (np.isfinite(values).all() and (values >= 0).all()):
            raise DataError("a grade that is negative or not finite", expected="0 or more")
    agreement = 0.1 * (1.0 - jensen_shannon(scores, truth))
    relevant = truth > 0
    if not relevant.any():
        return 1.2 + agreement
    order = np.lexsort((np.arange(len(scores)), -scores))
    ndcg = float((nDCG @ k).of_scores(scores, truth, np.array([0, len(scores)]))[0])
    recall = float(relevant[order[:k]].sum()) / min(k, int(relevant.sum()))
    return ndcg + 0.2 * recall + agreement


def jensen_shannon(first: npt.ArrayLike, second: npt.ArrayLike) -> float:
    """The Jensen-Shannon divergence, in bits, of two lists of weights made to sum to 1: 0 to 1.

    JS(P, Q) = (KL(P, M) + KL(Q, M)) / 2 with M = (P + Q) / 2. Weights that sum to 0 are taken for
    equal ones.

    >>> jensen_shannon([1, 0], [0, 1]), jensen_shannon([1, 3], [2, 6])
    (1.0, 0.0)
    """
    p, q = _shares(first), _shares(second)
    middle = (p + q) / 2
    divergence = (_relative_entropy(p, middle) + _relative_entropy(q, middle)) / 2
    return min(1.0, max(0.0, divergence))


def _shares(weights: npt.ArrayLike) -> npt.NDArray[np.float64]:
    values = np.asarray(weights, dtype=np.float64)
    total = float(values.sum())
    return np.full(len(values), 1.0 / len(values)) if total == 0 else np.asarray(values / total)


def _relative_entropy(p: npt.NDArray[np.float64], q: npt.NDArray[np.float64]) -> float:
    there = p > 0
    return float((p[there] * np.log2(p[there] / q[there])).sum())


def _tagged_answer(text: str) -> str | None:
    """What stands in the answer tags; None where the text is not thought and answer alone."""
    found = _TAGGED.fullmatch(text)
    if found is None or any("<answer>" in part or "<think>" in part for part in found.groups()):
        return None
    return found["answer"]


def _grades(text: str, n: int) -> Sequence[int] | None:
    """The grades 0 to 10 of n documents; None where the text is not exactly these as JSON."""
    try:
        content = json.loads(text)
    except (ValueError, RecursionError):
        return None
    labels = [f"[{i + 1}]" for i in range(n)]
    if not isinstance(content, dict) or set(content) != set(labels):
        return None
    grades = [content[label] for label in labels]
    if any(isinstance(g, bool) or not isinstance(g, int) or not 0 <= g <= 10 for g in grades):
        return None
    return grades
