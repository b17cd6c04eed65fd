"""Block designs: which documents to show together, so that few blocks compare many pairs.

v items are put into blocks of k. A design is stated for items 0 to v - 1 without order; which
document is which item is drawn, so that nothing depends on the first stage's order.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from itertools import combinations
from math import isqrt
from typing import Literal, TypeAlias, get_args

import numpy as np
import numpy.typing as npt

from plackett.errors import ConfigurationError

__all__ = [
    "Blocks",
    "Design",
    "balanced_blocks",
    "block_design",
    "check_design",
    "connected",
    "coverage",
    "equi_replicate_blocks",
    "lattice_blocks",
    "random_blocks",
    "replications",
    "triangular_blocks",
]

Blocks: TypeAlias = list[tuple[int, ...]]

Design = Literal["equi-replicate", "random", "lattice", "triangular", "balanced"]

_TRIES = 20  # draws until the comparisons of a random design are connected


def block_design(
    design: Design, items: int, size: int, replicates: int = 2, *, seed: int = 0
) -> Blocks:
    """Blocks of at most `size` of the items 0 to `items` - 1, in a random order drawn by `seed`.

    All items in one block, where they fit into one. A lattice, triangular or balanced design that
    does not exist for these numbers is replaced by an equi-replicate one, of which one block may
    be short. Random ones are drawn again, a few times, while their comparisons are not connected.

    Parameters
    ----------
    design : "equi-replicate", "random", "lattice" (items = size^2), "triangular"
        (items = size (size + 1) / 2) or "balanced" (items = size^2, or size^2 - size + 1).
    replicates : how many blocks an item is in, for the first two; the others have their own number.

    Raises
    ------
    ConfigurationError : an unknown design, or numbers too small.

    >>> [len(block) for block in block_design("equi-replicate", 10, 4, 2)]
    [4, 4, 4, 4, 4]
    """
    check_design(design)
    if items < 1 or size < 2 or replicates < 1:
        raise ConfigurationError(
            f"{items} items in blocks of {size}, each in {replicates}; expected at least 1 item, "
            "blocks of 2 and 1 block an item."
        )
    generator = random.Random(f"{seed} {design} {items} {size} {replicates}")
    if items <= size:
        return [tuple(generator.sample(range(items), items))]
    fixed = _FIXED.get(design)
    blocks = None if fixed is None else fixed(items, size)
    if blocks is not None:
        return _renamed(blocks, items, generator)
    draw = random_blocks if design == "random" else equi_replicate_blocks
    for _ in range(_TRIES):
        blocks = draw(items, size, replicates, generator)
        if connected(blocks, items):
            return blocks
    return draw(items, size, replicates, generator)


def check_design(design: str) -> None:
    """Refuse a design of another name."""
    if design not in get_args(Design):
        raise ConfigurationError(
            f"design = {design!r}; expected one of {', '.join(get_args(Design))}."
        )


def equi_replicate_blocks(
    items: int, size: int, replicates: int, generator: random.Random
) -> Blocks:
    """Every item in exactly `replicates` blocks, never twice in one; ceil(items r / size) blocks.

    Shuffled items are dealt into blocks, again and again; a block that is completed from the next
    shuffle leaves out what it already has. All blocks have `size` items but the last, which has
    the rest (and, were that a single one, takes a second from the block before if that has three).
    """
    size = min(size, items)
    blocks: list[list[int]] = [[]]
    for _ in range(replicates):
        waiting = generator.sample(range(items), items)
        while waiting:
            if len(blocks[-1]) == size:
                blocks.append([])
            block = blocks[-1]
            present = set(block)
            taken = [each for each in waiting if each not in present][: size - len(block)]
            block += taken
            gone = set(taken)
            waiting = [each for each in waiting if each not in gone]
    last = blocks[-1]
    if len(last) == 1 < size - 1 and len(blocks) > 1:
        place = next(i for i, each in enumerate(blocks[-2]) if each != last[0])
        last.append(blocks[-2].pop(place))
    return [tuple(block) for block in blocks]


def random_blocks(items: int, size: int, replicates: int, generator: random.Random) -> Blocks:
    """As many blocks as an equi-replicate design has, each drawn alone; an item may be in none."""
    count = -(-items * replicates // size)
    return [tuple(generator.sample(range(items), min(size, items))) for _ in range(count)]


def lattice_blocks(items: int, size: int) -> Blocks | None:
    """Rows and columns of a square of items = size^2: every item in 2 blocks, 2 size blocks.

    None where the numbers do not fit.

    >>> lattice_blocks(4, 2)
    [(0, 1), (2, 3), (0, 2), (1, 3)]
    """
    if items != size * size:
        return None
    rows = [tuple(range(row * size, (row + 1) * size)) for row in range(size)]
    return rows + [tuple(range(column, items, size)) for column in range(size)]


def triangular_blocks(items: int, size: int) -> Blocks | None:
    """Items are the pairs of size + 1 points, blocks the pairs through a point.

    Every item is in 2 blocks, there are size + 1, and any two of them share one item. None where
    items is not size (size + 1) / 2.

    >>> triangular_blocks(6, 3)
    [(0, 1, 2), (0, 3, 4), (1, 3, 5), (2, 4, 5)]
    """
    if items != size * (size + 1) // 2:
        return None
    pairs = list(combinations(range(size + 1), 2))
    return [tuple(i for i, pair in enumerate(pairs) if point in pair) for point in range(size + 1)]


def balanced_blocks(items: int, size: int) -> Blocks | None:
    """Every two items together in exactly one block: the lines of a finite plane.

    Of the affine plane of a prime order q, with items = q^2 and size = q; or the projective one,
    with items = q^2 + q + 1 and size = q + 1, of which q = 2 is the Fano plane. None where items
    and size are not these.

    >>> balanced_blocks(7, 3)
    [(0, 2, 4), (1, 3, 4), (0, 3, 5), (1, 2, 5), (0, 1, 6), (2, 3, 6), (4, 5, 6)]
    """
    projective = items == size * size - size + 1
    order = size - 1 if projective else size
    if not _is_prime(order) or not (projective or items == size * size):
        return None
    families = [[_line(order, slope, rise) for rise in range(order)] for slope in range(order)]
    families.append([tuple(range(x * order, (x + 1) * order)) for x in range(order)])
    if not projective:
        return [line for family in families for line in family]
    # Parallel lines meet in a point at infinity; these points make up one more line.
    infinite = range(order * order, items)
    lines = [
        (*line, point) for family, point in zip(families, infinite, strict=True) for line in family
    ]
    return [*lines, tuple(infinite)]


def _line(order: int, slope: int, rise: int) -> tuple[int, ...]:
    """The points (x, slope x + rise) of a plane over the integers modulo a prime order."""
    return tuple(x * order + (slope * x + rise) % order for x in range(order))


def coverage(blocks: Sequence[Sequence[int]], items: int) -> float:
    """The share of all pairs of items that are together in some block; 1 for a single item.

    >>> coverage(triangular_blocks(10, 4), 10), coverage(lattice_blocks(16, 4), 16)
    (0.6666666666666666, 0.4)
    """
    if items < 2:
        return 1.0
    return int(_together(blocks, items).sum()) / (items * (items - 1))


def connected(blocks: Sequence[Sequence[int]], items: int) -> bool:
    """Whether every item can be compared with every other, if by way of others.

    >>> connected([(0, 1), (1, 2)], 3), connected([(0, 1), (2, 3)], 4)
    (True, False)
    """
    group = list(range(items))

    def root(item: int) -> int:
        while group[item] != item:
            group[item] = group[group[item]]
            item = group[item]
        return item

    for block in blocks:
        for item in block[1:]:
            group[root(item)] = root(block[0])
    return len({root(item) for item in range(items)}) <= 1


def replications(blocks: Sequence[Sequence[int]], items: int) -> list[int]:
    """In how many blocks each item is.

    >>> replications([(0, 1), (1, 2)], 4)
    [1, 2, 1, 0]
    """
    counts = [0] * items
    for block in blocks:
        for item in block:
            counts[item] += 1
    return counts


def _together(blocks: Sequence[Sequence[int]], items: int) -> npt.NDArray[np.bool_]:
    found = np.zeros((items, items), dtype=bool)
    for block in blocks:
        found[np.ix_(list(block), list(block))] = True
    np.fill_diagonal(found, False)
    return found


def _renamed(blocks: Blocks, items: int, generator: random.Random) -> Blocks:
    """The same design with its items, blocks and places in a random order."""
    names = generator.sample(range(items), items)
    renamed = [[names[item] for item in block] for block in blocks]
    for block in renamed:
        generator.shuffle(block)
    generator.shuffle(renamed)
    return [tuple(block) for block in renamed]


def _is_prime(number: int) -> bool:
    return number > 1 and all(number % divisor for divisor in range(2, isqrt(number) + 1))


_FIXED: dict[str, Callable[[int, int], Blocks | None]] = {
    "lattice": lattice_blocks,
    "triangular": triangular_blocks,
    "balanced": balanced_blocks,
}
