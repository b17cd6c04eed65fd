"""What rankers with an encoder over the list have in common: its parameters and its parts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from torch import nn

from plackett.errors import ConfigurationError
from plackett.rankers.neural.base import NeuralRanker
from plackett.rankers.neural.inputs import InputTransform
from plackett.rankers.neural.networks import EncoderBlock, InputLayer, layers
from plackett.rankers.parameters import check_number

__all__ = ["EncoderParts", "EncoderRanker"]


class EncoderParts(NamedTuple):
    """The inputs, the layers of each document, the blocks over the list, and their width."""

    first: InputLayer
    body: nn.Sequential
    blocks: nn.ModuleList
    width: int


@dataclass(kw_only=True, eq=False, repr=False)
class EncoderRanker(NeuralRanker):
    """A ranker whose documents pass layers of their own, then blocks that see the whole list.

    Parameters
    ----------
    hidden : the widths of the layers before the blocks; the last is that of the blocks.
    blocks, heads, feed_forward : how many blocks, their heads, and the width within them.
    dropout : in the blocks and after the layers before them.
    """

    hidden: tuple[int, ...] = (128,)
    blocks: int = 2
    heads: int = 2
    feed_forward: int = 256
    dropout: float = 0.1

    def check_parameters(self) -> None:
        super().check_parameters()
        if not self.hidden:
            raise ConfigurationError("hidden=(); expected at least the width of the encoder.")
        for width in self.hidden:
            check_number("hidden", width, low=1, integer=True)
        for name, low in (("blocks", 0), ("heads", 1), ("feed_forward", 1)):
            check_number(name, getattr(self, name), low=low, integer=True)
        check_number("dropout", self.dropout, low=0, high=0.99)
        if self.blocks and self.hidden[-1] % self.heads:
            raise ConfigurationError(
                f"heads={self.heads} does not divide the encoder's width {self.hidden[-1]}."
            )

    def _block(self, width: int) -> nn.Module:
        """One block over the list, called as `block(rows[N, width], where[B, L])`."""
        return EncoderBlock(width, self.heads, self.feed_forward, self.dropout)

    def _parts(self, inputs: InputTransform) -> EncoderParts:
        first = InputLayer(inputs.n_numeric, inputs.sizes, self.embedding, self.multiplexed)
        body, width = layers(first.width, self.hidden, function="relu", dropout=self.dropout)
        blocks = nn.ModuleList(self._block(width) for _ in range(self.blocks))
        return EncoderParts(first, body, blocks, width)
