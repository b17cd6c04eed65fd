"""A small learnable dataset, shared by the tests of all rankers."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from plackett.data.dataset import RankingDataset

MakeData = Callable[..., RankingDataset]


@pytest.fixture
def make_data() -> MakeData:
    """Lists whose grades follow the first two of four features, with a little noise."""

    def make(
        queries: int = 30, documents: int = 12, seed: int = 0, missing: str = "nan"
    ) -> RankingDataset:
        rng = np.random.default_rng(seed)
        n = queries * documents
        X = rng.normal(size=(n, 4)).astype(np.float32)
        signal = X[:, 0] - 0.5 * X[:, 1] + 0.2 * rng.normal(size=n)
        y = np.clip(np.floor(signal + 1.0), 0, 3)
        return RankingDataset(
            X,
            y,
            qid=[f"q{i}" for i in np.repeat(np.arange(queries), documents)],
            documents=[f"d{i}" for i in range(n)],
            feature_names=("match", "age", "noise one", "noise:two"),
            missing=missing,
        )

    return make
