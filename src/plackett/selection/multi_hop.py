"""A made collection whose questions need known sets of passages: chains of facts among distractors.

With it a selector can be tested without any model: what a question needs is known, passages that
share its names but not its answer stand beside it, and a scripted reader answers exactly when it
was given enough and nothing that contradicts.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np

from plackett.data.run import Run
from plackett.data.texts import Corpus, Queries
from plackett.errors import ConfigurationError

__all__ = ["MultiHopCollection", "multi_hop_collection"]

_RELATIONS = (
    "teacher",
    "neighbour",
    "employer",
    "rival",
    "physician",
    "publisher",
    "landlord",
    "translator",
)
_SYLLABLES = ("ba", "do", "ki", "lu", "mer", "no", "pil", "ra", "sen", "tor", "vi", "zan")


@dataclass(frozen=True, eq=False)
class MultiHopCollection:
    """Questions, their passages, and what each of them needs.

    Parameters
    ----------
    queries, corpus : the texts.
    run : the passages of every query in a drawn order, with queries and corpus linked.
    needed : of each query, the ids that it needs, in the order of the chain: the only set that
        suffices.
    contradicting : of each query, ids of passages that deny a fact of its chain.
    answers : of each query, the answer.
    """

    queries: Queries
    corpus: Corpus
    run: Run
    needed: dict[str, tuple[str, ...]]
    contradicting: dict[str, tuple[str, ...]]
    answers: dict[str, str]

    def read(self, query: str, chosen: Collection[str]) -> str:
        """What a reader answers from the chosen passages: the answer, or "" where it cannot.

        It answers if every fact of the chain is there and none that denies one.
        """
        given = set(chosen)
        enough = given.issuperset(self.needed[query])
        return self.answers[query] if enough and not given & {*self.contradicting[query]} else ""


def multi_hop_collection(
    questions: int = 30,
    *,
    hops: Sequence[int] = (1, 2, 3),
    distractors: int = 8,
    contradictions: int = 1,
    seed: int = 0,
) -> MultiHopCollection:
    """Draw a collection; the same arguments give the same one.

    A question of h hops asks for the end of a chain of h facts, each in a passage of its own. Each
    of its distractors is a true fact about a name of the chain that does not lead on.

    Parameters
    ----------
    questions : how many.
    hops : how many facts their chains have, in turn; 1 to 4 each.
    distractors, contradictions : passages a question beside the needed ones.

    Raises
    ------
    ConfigurationError : no questions, or hops out of their range.

    >>> made = multi_hop_collection(2, hops=(1, 2), seed=7)
    >>> [len(needed) for needed in made.needed.values()]
    [1, 2]
    >>> made.read("q2", made.needed["q2"]) == made.answers["q2"]
    True
    """
    if questions < 1 or not hops or not all(1 <= h <= 4 for h in hops):
        raise ConfigurationError(
            f"questions={questions}, hops={tuple(hops)}; expected questions, and 1 to 4 hops each."
        )
    rng = np.random.default_rng(seed)
    names = _Names(rng)
    texts: dict[str, str] = {}
    asked: dict[str, str] = {}
    lists: dict[str, dict[str, float]] = {}
    needed: dict[str, tuple[str, ...]] = {}
    denied: dict[str, tuple[str, ...]] = {}
    answers: dict[str, str] = {}
    for i in range(questions):
        query, length = f"q{i + 1}", hops[i % len(hops)]
        chain = [next(names) for _ in range(length + 1)]
        relations = [str(word) for word in rng.choice(_RELATIONS, length, replace=False)]
        facts = [_fact(chain[j], relations[j], chain[j + 1]) for j in range(length)]
        others = _distractors(rng, names, chain, relations, distractors)
        broken = rng.integers(0, length, contradictions).tolist()
        denials = [_denial(chain[j], relations[j], chain[j + 1], next(names)) for j in broken]
        ids = [f"{query}-{j + 1}" for j in range(length + len(others) + len(denials))]
        # The id must not tell the place in the chain.
        ids = [ids[j] for j in rng.permutation(len(ids)).tolist()]
        texts.update(zip(ids, [*facts, *others, *denials], strict=True))
        asked[query] = _question(chain[0], relations)
        lists[query] = {ids[j]: float(rank) for rank, j in enumerate(rng.permutation(len(ids)), 1)}
        needed[query] = tuple(ids[:length])
        denied[query] = tuple(ids[length + len(others) :])
        answers[query] = chain[-1]
    queries, corpus = Queries.from_texts(asked), Corpus.from_texts(texts)
    run = Run.from_dict(lists, name="drawn").replace(queries=queries, corpus=corpus)
    return MultiHopCollection(queries, corpus, run, needed, denied, answers)


class _Names:
    """Names that never come twice."""

    def __init__(self, rng: np.random.Generator) -> None:
        self._rng = rng
        self._used: set[str] = set()

    def __next__(self) -> str:
        while True:
            name = "".join(self._rng.choice(_SYLLABLES, 4)).capitalize()
            if name not in self._used:
                self._used.add(name)
                return name


def _fact(subject: str, relation: str, value: str) -> str:
    return f"The {relation} of {subject} is {value}."


def _denial(subject: str, relation: str, value: str, other: str) -> str:
    return f"The {relation} of {subject} is not {value} but {other}."


def _question(start: str, relations: Sequence[str]) -> str:
    chain = " ".join(f"the {relation} of" for relation in reversed(relations))
    return f"Who is {chain} {start}?"


def _distractors(
    rng: np.random.Generator,
    names: _Names,
    chain: Sequence[str],
    relations: Sequence[str],
    wanted: int,
) -> list[str]:
    """Facts about names of the chain by relations that the question does not ask for."""
    free = [relation for relation in _RELATIONS if relation not in relations]
    pairs = [(subject, relation) for subject in chain for relation in free]
    drawn = [pairs[i] for i in rng.permutation(len(pairs)).tolist()[:wanted]]
    # Beyond what can be said of the chain's names without contradiction: facts about others.
    drawn += [(next(names), free[0]) for _ in range(wanted - len(drawn))]
    return [_fact(subject, relation, next(names)) for subject, relation in drawn]
