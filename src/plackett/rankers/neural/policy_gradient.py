"""Neural PG-RANK on features: a ranking policy trained by the gradient of a measure."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from plackett.data.dataset import RankingDataset
from plackett.data.run import Run
from plackett.errors import ConfigurationError
from plackett.losses.base import Loss
from plackett.losses.registry import parse_loss
from plackett.losses.sampling import PLRank, PolicyGradient
from plackett.rankers.neural.mlp import MLP
from plackett.rankers.parameters import check_number
from plackett.rankers.registry import register

__all__ = ["PGRank"]


@register
@dataclass(kw_only=True, eq=False, repr=False)
class PGRank(MLP):
    """Neural PG-RANK: a feed-forward network as a Plackett-Luce policy over rankings.

    The policy places documents one after the other, each with probability proportional to
    exp(s / temperature) among those that remain. Training follows the gradient of the expected
    measure, estimated from rankings that the policy draws: the loss `PolicyGradient(measure)`, by
    leave-one-out REINFORCE for any measure, or `PLRank(measure)`, which varies less, for measures
    that are sums over ranks. `predict` and `rank` are greedy; `rank_sampled` draws.

    Gao, Chang, Cardie, Brantley, Joachims, "Policy-gradient training of language models for
    ranking", 2023 (arXiv 2310.04407), here on features.

    The parameters are those of `plackett.rankers.neural.MLP`; `loss` is a `PolicyGradient` or a
    `PLRank`. A batch scores its documents once, however many rankings the loss draws.

    >>> import numpy as np
    >>> from plackett.data.dataset import RankingDataset
    >>> X = np.array([[3.0], [1.0], [2.0]] * 20, dtype=np.float32)
    >>> train = RankingDataset(X, y=[2, 0, 1] * 20, qid=np.repeat(np.arange(20), 3))
    >>> ranker = PGRank(hidden=(8,), epochs=20, learning_rate=0.05).fit(train)
    >>> np.argsort(-ranker.predict(train)[:3])
    array([0, 2, 1])
    """

    loss: str | Loss = "PolicyGradient(nDCG@10)"

    def check_parameters(self) -> None:
        super().check_parameters()
        self._policy()

    def _policy(self) -> PLRank | PolicyGradient:
        loss = parse_loss(self.loss)
        if not isinstance(loss, PLRank | PolicyGradient):
            raise ConfigurationError(
                f"loss={self.loss!r} is no policy gradient; PGRank takes PolicyGradient(measure) "
                "or PLRank(measure), and MLP takes any loss."
            )
        return loss

    def rank_sampled(
        self, dataset: RankingDataset, *, samples: int = 1, seed: int = 0
    ) -> tuple[Run, ...]:
        """Rankings drawn from the policy, by Gumbel noise on the scores.

        Parameters
        ----------
        samples : how many rankings of every query.
        seed : of the noise. The first rankings do not depend on how many follow.

        Raises
        ------
        NotFittedError, DataError : as `predict`.
        """
        check_number("samples", samples, low=1, integer=True)
        check_number("seed", seed, low=0, integer=True)
        logits = self.predict(dataset).astype(np.float64) / self._policy().temperature
        random = np.random.default_rng(seed)
        return tuple(
            dataset.to_run(logits + random.gumbel(size=len(logits))) for _ in range(samples)
        )
