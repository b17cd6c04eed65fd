"""When to stop growing trees, and which to keep."""

from __future__ import annotations

__all__ = ["EarlyStopping"]


class EarlyStopping:
    """The measure on the validation set after each tree, and the tree where it was best.

    Parameters
    ----------
    patience : stop after so many trees without a better measure; None: never, and keep all trees.

    Attributes
    ----------
    history : the measure after each tree.

    >>> stopping = EarlyStopping(2)
    >>> [stopping.after(value) for value in (0.5, 0.6, 0.6, 0.4)], stopping.kept(4)
    ([False, False, False, True], 2)
    """

    def __init__(self, patience: int | None) -> None:
        self.patience = patience
        self.history: list[float] = []
        self._best = (float("-inf"), 0)

    def after(self, value: float) -> bool:
        """Note the measure after one more tree; True where it is time to stop."""
        self.history.append(value)
        if value > self._best[0]:
            self._best = (value, len(self.history))
        best = self._best[1]
        return self.patience is not None and best > 0 and len(self.history) - best >= self.patience

    def kept(self, grown: int) -> int:
        """How many of the trees grown to keep."""
        best = self._best[1]
        return best if self.patience is not None and best else grown
