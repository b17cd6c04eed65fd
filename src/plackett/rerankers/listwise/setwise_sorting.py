"""The best k of a list by choices of one from a few: heap sort and bubble sort.

Both are plans (see `rounds`): a question is a group of documents, its reading the one chosen.
"""

from __future__ import annotations

from plackett.rerankers.listwise.rounds import Group, Plan, together
from plackett.rerankers.listwise.window_schedule import apply_windows, back_to_front

__all__ = ["bubble_top", "heap_top"]


def heap_top(n: int, k: int, children: int) -> Plan[Group, int, list[int]]:
    """The best k of n documents, best first, by a heap whose nodes have `children` children.

    A parent and its children are one question. Subtrees of one level are built in the same rounds;
    building takes at most n / (children - 1) questions, with one child n^2 / 2, and every
    extraction at most the depth of the heap. The next best is known, and taken out, while what
    replaced the one before still moves down below; what would move after the last is left alone.

    With choices that follow one order of the documents, the result is exact.

    Zhuang et al., "A Setwise Approach for Effective and Highly Efficient Zero-shot Ranking with
    Large Language Models", SIGIR 2024.
    """
    heap = list(range(n))
    for level in reversed(_levels(n, children)):
        yield from together([_sift_down(heap, node, n, children) for node in level])
    best: list[int] = []
    moving: list[int] = []  # nodes whose documents move down; those of earlier ones are deeper
    size = n
    while len(best) < min(k, n):
        if not any(_touches(node, size - 1, children) for node in moving):
            size -= 1
            best.append(heap[0])
            heap[0] = heap[size]
            moving.append(0)
            continue
        families = [(node, _family(heap, node, size, children)) for node in moving]
        asking = [(node, family) for node, family in families if len(family) > 1]
        moving = []
        if asking:
            winners = yield [family for _, family in asking]
            for (node, family), winner in zip(asking, winners, strict=True):
                if winner != family[0]:
                    moving.append(_swap(heap, node, winner))
    return best


def bubble_top(n: int, k: int, children: int) -> Plan[Group, int, list[int]]:
    """The best k of n documents, best first, by k passes from the back of the list to its front.

    A question is `children` + 1 neighbours, of which the one chosen moves to the front and meets
    the next ones. A pass follows the one before at a distance of two windows, in the same rounds.
    Pass j takes ceil((n - j) / children) questions, j from 1.

    With choices that follow one order of the documents, the result is exact.
    """
    passes = min(k, n - 1)
    windows = [
        window
        for place in range(passes)
        for window in back_to_front(n, children + 1, children, first=place)
    ]
    order = yield from apply_windows(range(n), windows, _winner_first)
    return order[:k]


def _winner_first(group: Group, winner: int) -> list[int]:
    return [winner, *(each for each in group if each != winner)]


def _levels(n: int, children: int) -> list[range]:
    """The nodes of each level of a heap, the root's first."""
    levels, start, width = [], 0, 1
    while start < n:
        levels.append(range(start, min(n, start + width)))
        start, width = start + width, width * children
    return levels


def _touches(node: int, last: int, children: int) -> bool:
    """Whether a document at `node` may yet change the root, its children or the place `last`."""
    if node <= children:
        return True
    while last > node:
        last = (last - 1) // children
    return last == node


def _family(heap: list[int], node: int, size: int, children: int) -> Group:
    """The document of a node and those of its children, among the first `size`."""
    first = children * node + 1
    return (heap[node], *heap[first : min(size, first + children)])


def _swap(heap: list[int], node: int, winner: int) -> int:
    """Exchange a node's document with that of its child that won; the child's node."""
    child = heap.index(winner, node + 1)
    heap[node], heap[child] = heap[child], heap[node]
    return child


def _sift_down(heap: list[int], node: int, size: int, children: int) -> Plan[Group, int, None]:
    """Move a node's document down, among the first `size`, until no child is better."""
    while len(family := _family(heap, node, size, children)) > 1:
        (winner,) = yield [family]
        if winner == family[0]:
            return
        node = _swap(heap, node, winner)
