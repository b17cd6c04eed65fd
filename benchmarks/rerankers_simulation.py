"""Every strategy that asks a language model, against a judge with known errors, on DL19.

    python benchmarks/rerankers_simulation.py DATA [--candidates bm25] [--depth 100 ...]
        [--noise 0 0.1 0.2] [--bias 0] [--seeds 3] [--json FILE] [--only NAME ...]

DATA is a folder that holds `dl19/`: judgments, and the 100 candidates of each of 43 queries with
their texts. The judge answers by the judgments, and errs as stated. A call takes 0.1 s and 16 are
under way at once; a token of the judge is four bytes. The table gives quality and what a query
costs; the front says which strategies no other beats.
"""

from __future__ import annotations

import argparse
import gzip
import json
import time
from pathlib import Path

from plackett import Corpus, Qrels, Queries, Run
from plackett.rerankers import names, parse
from plackett.rerankers.planning.simulator import Simulation, simulate
from plackett.rerankers.registry import get
from plackett.rerankers.strategy import StrategyReranker

NOT_SIMULATED = ("autocast", "rank-fusion")  # these need dates, and other rankers


def candidates(folder: Path, first_stage: str) -> Run:
    """The candidates of a first stage, with their texts."""
    with gzip.open(folder / first_stage / "candidates.json.gz", "rt", encoding="utf-8") as file:
        rows = json.load(file)
    lists: dict[str, dict[str, float]] = {}
    queries, texts = {}, {}
    for row in rows:
        name = str(row["hits"][0]["qid"])
        queries[name] = row["query"]
        lists[name] = {hit["docid"]: -float(hit["rank"]) for hit in row["hits"]}
        texts.update({hit["docid"]: hit["content"] for hit in row["hits"]})
    run = Run.from_dict(lists, name=first_stage)
    return run.replace(queries=Queries.from_texts(queries), corpus=Corpus.from_texts(texts))


def strategies(only: list[str] | None) -> dict[str, StrategyReranker]:
    """Every strategy by name, as it is by default."""
    found = {}
    for name in only or names():
        if issubclass(get(name), StrategyReranker) and name not in NOT_SIMULATED:
            strategy = parse(f"{name}(model='Oracle({{}})')")
            assert isinstance(strategy, StrategyReranker)
            found[name] = strategy
    return found


def main() -> None:
    """Simulate, print the table and the front, and keep the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--candidates", default="bm25")
    parser.add_argument("--depth", type=int, nargs="+", default=[100])
    parser.add_argument("--noise", type=float, nargs="+", default=[0.0, 0.1, 0.2])
    parser.add_argument("--bias", type=float, nargs="+", default=[0.0])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--only", nargs="+")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    folder = arguments.data / "dl19"
    run = candidates(folder, arguments.candidates)
    qrels = Qrels.read(folder / "qrels.dl19-passage.txt")
    started = time.perf_counter()
    simulation: Simulation = simulate(
        strategies(arguments.only),
        run,
        qrels,
        noise=arguments.noise,
        order_bias=arguments.bias,
        seeds=range(arguments.seeds),
        depths=arguments.depth,
    )
    print(simulation.table())
    for cost in ("calls", "tokens", "seconds"):
        front = simulation.pareto(cost)
        print(f"\nunbeaten by {cost}:")
        print("\n".join(f"  noise {row.noise:g}: {row.strategy}" for row in front))
    print(f"\n{time.perf_counter() - started:.0f} s for all of it")
    if arguments.json is not None:
        arguments.json.write_text(simulation.to_json() + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
