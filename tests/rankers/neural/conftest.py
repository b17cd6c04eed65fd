"""Small data for networks, and one thread: the tests run beside one another."""

from collections.abc import Iterator

import numpy as np
import pytest

from plackett.data.dataset import RankingDataset

torch = pytest.importorskip("torch", reason="needs the extra neural")


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def lists_of(seed: int, queries: int = 24, features: int = 4, longest: int = 9) -> RankingDataset:
    """Lists of 1 to `longest` documents whose grade grows with the first two features."""
    random = np.random.default_rng(seed)
    lengths = random.integers(1, longest + 1, queries)
    qid = np.repeat([f"q{i}" for i in range(queries)], lengths)
    X = random.standard_normal((len(qid), features)).astype(np.float32)
    y = np.clip(np.round(X[:, 0] + X[:, 1] + 1), 0, 4)
    return RankingDataset(X, y, qid=qid)


@pytest.fixture
def train() -> RankingDataset:
    return lists_of(1)


@pytest.fixture
def valid() -> RankingDataset:
    return lists_of(2)


@pytest.fixture
def shuffled() -> RankingDataset:
    """Rows in an order that no query's rows keep together."""
    data = lists_of(3)
    return data.take_rows(np.random.default_rng(0).permutation(len(data)))
