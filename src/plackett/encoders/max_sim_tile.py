"""Products of a few vectors with many, held in the processor's registers (compiled).

A compiler that is given three nested loops makes of them a sum along each vector, and adds up the
parts of a register for every product. Here every lane of a register belongs to another column, and
a row's component is multiplied with all lanes at once: nothing is left to add up. So the products
are taken at the processor's own rate, as by a linear algebra library, and never written to memory.

A product is a sum over the components in their order. It does not depend on the tile it is in.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir  # type: ignore[import-untyped]
from numba import types
from numba.extending import intrinsic

from plackett.encoders.max_sim import LANES

__all__ = ["ROWS", "tile_products"]

ROWS = 6
"""So many rows are multiplied with `LANES` columns at a time."""
WIDTH = 16
"""Numbers in a register; a processor with narrower ones takes several for each."""
# Six rows and two registers are twelve sums: enough to hide how long one addition takes, and few
# enough for all of them to stay in the registers of a processor with wide ones.


def _tile_products(
    typing: Any, rows: Any, columns: Any, depth: Any, last: Any, out: Any
) -> Any:  # pragma: no cover
    """out[r, c] = sum over i of rows[min(r, last), i] * columns[i, c], in compiled code.

    Parameters
    ----------
    rows : `float32[>= last + 1, depth]`, contiguous. Rows after the last one are the last one once
        more, which changes no maximum.
    columns : `float32[depth, LANES]`, contiguous, of `in_lanes`.
    depth, last : `int64`; depth is at least 1.
    out : `float32[ROWS, LANES]`, contiguous.
    """
    signature = types.void(rows, columns, depth, last, out)

    def generate(context: Any, builder: Any, called: Any, arguments: Any) -> Any:
        pointers = [
            context.make_array(called.args[i])(context, builder, arguments[i]).data
            for i in (0, 1, 4)
        ]
        _emit(builder, pointers[0], pointers[1], pointers[2], arguments[2], arguments[3])
        return context.get_dummy_value()

    return signature, generate


tile_products: Any = intrinsic(_tile_products)


def _emit(
    builder: Any, rows: Any, columns: Any, out: Any, depth: Any, last: Any
) -> None:  # pragma: no cover
    """The loop over components, with one register for `WIDTH` products of each row."""
    word = ir.IntType(64)
    register = ir.VectorType(ir.FloatType(), WIDTH)
    parts = LANES // WIDTH
    starts = []
    for r in range(ROWS):
        row = ir.Constant(word, r)
        row = builder.select(builder.icmp_signed("<", row, last), row, last)
        starts.append(builder.gep(rows, [builder.mul(row, depth)]))
    before = builder.block
    loop, done = builder.append_basic_block("components"), builder.append_basic_block("done")
    builder.branch(loop)
    builder.position_at_end(loop)
    i = builder.phi(word)
    i.add_incoming(ir.Constant(word, 0), before)
    sums = [builder.phi(register) for _ in range(ROWS * parts)]
    column = builder.mul(i, ir.Constant(word, LANES))
    loaded = [_register(builder, columns, column, part) for part in range(parts)]
    added = []
    for r in range(ROWS):
        value = _in_every_lane(builder, builder.load(builder.gep(starts[r], [i])))
        for part in range(parts):
            product = builder.fmul(value, loaded[part], flags=("contract",))
            added.append(builder.fadd(product, sums[r * parts + part], flags=("contract",)))
    following = builder.add(i, ir.Constant(word, 1))
    i.add_incoming(following, loop)
    for total, more in zip(sums, added, strict=True):
        total.add_incoming(ir.Constant(register, [0.0] * WIDTH), before)
        total.add_incoming(more, loop)
    builder.cbranch(builder.icmp_signed("<", following, depth), loop, done)
    builder.position_at_end(done)
    for place, total in enumerate(added):
        target = builder.gep(out, [ir.Constant(word, place * WIDTH)])
        builder.store(total, builder.bitcast(target, register.as_pointer()), align=4)


def _register(builder: Any, pointer: Any, start: Any, part: int) -> Any:  # pragma: no cover
    """`WIDTH` neighbouring numbers."""
    at = builder.add(start, ir.Constant(ir.IntType(64), part * WIDTH))
    register = ir.VectorType(ir.FloatType(), WIDTH)
    target = builder.bitcast(builder.gep(pointer, [at]), register.as_pointer())
    return builder.load(target, align=4)


def _in_every_lane(builder: Any, value: Any) -> Any:  # pragma: no cover
    """A register that holds one number in all lanes."""
    index = ir.IntType(32)
    nothing = ir.Constant(ir.VectorType(ir.FloatType(), WIDTH), ir.Undefined)
    first = builder.insert_element(nothing, value, ir.Constant(index, 0))
    everywhere = ir.Constant(ir.VectorType(index, WIDTH), [0] * WIDTH)
    return builder.shuffle_vector(first, nothing, everywhere)
