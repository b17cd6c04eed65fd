"""Listwise re-ranking behind one server, beside RankLLM and `rerankers`: who waits less?

    python benchmarks/rerankers_server.py --setup          # once: the peers' environment
    python benchmarks/rerankers_server.py                  # 40 queries x 100 documents
    python benchmarks/rerankers_server.py --peers /tmp/peers --json figures.json

All ask one server of this script, in a process of its own, that speaks OpenAI's chat protocol and
answers each question after 100 ms, as many at once as are asked. It orders the passages of a prompt
by a number that it makes of each passage's name, so that every system has the same model. All run
the same strategy: windows of 20 with stride 10, back to front, 9 calls a query.

- plackett: `Reranker("rank-gpt")`, with its usual 8 calls at once and with 40.
- rank_llm: `SafeOpenai.rerank_batch`, its way to OpenAI's protocol. `--setup` installs it without
  vLLM, torch, transformers and faiss (several gigabytes), which this way does not use; modules that
  its package imports all the same are stood in for by empty ones. Its token counts need a file from
  the network; in its place, words are counted, which is quicker.
- rerankers: `RankGPTRanker`, by LiteLLM. It has no windows of its own (a call ranks the part from
  `rank_start` to `rank_end`), so the script slides them.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import importlib.abc
import importlib.machinery
import json
import logging
import os
import re
import subprocess
import sys
import tempfile
import time
import types
import urllib.request
import venv
from importlib.metadata import version
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
PEERS = HERE / ".venv-rerankers-server"
PACKAGES = ["openai", "litellm", "tiktoken", "tqdm", "python-dotenv", "ftfy", "dacite", "pandas"]
BARE_PACKAGES = ["rank_llm==0.25.7", "rerankers==0.10.0"]
WINDOW, STRIDE, WORDS = 20, 10, 60
MODEL = "gpt-4o-mini"
UNUSED = [
    "torch",
    "transformers",
    "vllm",
    "rank_llm.rerank.listwise.rank_fid",
    "rank_llm.rerank.listwise.rank_listwise_os_llm",
    "rank_llm.rerank.listwise.vicuna_reranker",
    "rank_llm.rerank.listwise.zephyr_reranker",
    "rank_llm.rerank.pairwise",
    "rank_llm.rerank.pointwise",
]
"""What RankLLM imports, but does not use on its way to OpenAI's protocol."""

PASSAGE = re.compile(r"\[(\d+)\]\s+(item-\d+-\d+)")


def worth(name: str) -> int:
    """What the server's model thinks of a passage of this name."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:6], "big")


def order_of(body: dict[str, Any]) -> str:
    """The answer: the numbers of the prompt's passages, best first."""
    text = "\n".join(message["content"] for message in body["messages"])
    found = dict(PASSAGE.findall(text))
    return " > ".join(f"[{n}]" for n in sorted(found, key=lambda n: -worth(found[n])))


async def serve(latency: float) -> None:
    """Answer until killed; the port is the first line of output. GET tells the calls so far."""
    calls = at_once = most = 0

    async def answer(method: str, content: bytes) -> dict[str, Any]:
        nonlocal calls, at_once, most
        if method == "GET":
            told = {"calls": calls, "most_at_once": most}
            calls = most = 0
            return told
        calls, at_once = calls + 1, at_once + 1
        most = max(most, at_once)
        await asyncio.sleep(latency)
        at_once -= 1
        message = {"role": "assistant", "content": order_of(json.loads(content))}
        return {
            "id": "x",
            "object": "chat.completion",
            "created": 0,
            "model": MODEL,
            "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
            "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
        }

    async def connection(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                length = re.search(r"content-length: *(\d+)", head, re.IGNORECASE)
                content = await reader.readexactly(int(length[1]) if length else 0)
                body = json.dumps(await answer(head.split(" ", 1)[0], content)).encode()
                start = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"
                writer.write(f"{start}content-length: {len(body)}\r\n\r\n".encode() + body)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    server = await asyncio.start_server(connection, "127.0.0.1", 0, limit=2**24, backlog=512)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


def generate(queries: int, documents: int) -> list[dict[str, Any]]:
    """Queries with named texts of 60 words."""
    filler = " ".join(f"word{i % 7}" for i in range(WORDS))
    return [
        {"query": f"question {q}", "texts": [f"item-{q}-{d} {filler}" for d in range(documents)]}
        for q in range(queries)
    ]


def run_plackett(url: str, data: list[dict[str, Any]], concurrency: int) -> list[list[str]]:
    """Our order of each query's texts."""
    from plackett.llm.openai.model import OpenAI
    from plackett.rerankers.listwise.sliding_window import RankGPT

    model = OpenAI(MODEL, url=url, key=None, context=32_768, concurrency=concurrency)
    reranker = RankGPT(model, window=WINDOW, stride=STRIDE)
    ranked = reranker.rank_many([row["query"] for row in data], [row["texts"] for row in data])
    return [[document.text for document in each] for each in ranked]


def run_rank_llm(url: str, data: list[dict[str, Any]], concurrency: int) -> list[list[str]]:
    """RankLLM's order."""
    logging.disable(logging.INFO)  # it logs every request
    sys.meta_path.insert(0, StandIns(UNUSED))
    importlib.import_module("torch").cuda = types.SimpleNamespace(is_available=lambda: False)
    import tiktoken

    words = types.SimpleNamespace(encode=str.split)
    tiktoken.get_encoding = lambda name: words
    from rank_llm.data import Candidate, Query, Request
    from rank_llm.rerank.listwise.rank_gpt import SafeOpenai
    from rank_llm.rerank.rankllm import PromptMode

    ranker = SafeOpenai(
        MODEL,
        32_768,
        prompt_mode=PromptMode.RANK_GPT,
        window_size=WINDOW,
        stride=STRIDE,
        keys="none",
        base_url=f"{url}/",
    )
    requests = [
        Request(
            Query(row["query"], q),
            [Candidate(d, -float(d), {"text": text}) for d, text in enumerate(row["texts"])],
        )
        for q, row in enumerate(data)
    ]
    results = ranker.rerank_batch(requests, rank_end=len(data[0]["texts"]))
    return [[candidate.doc["text"] for candidate in result.candidates] for result in results]


def run_rerankers(url: str, data: list[dict[str, Any]], concurrency: int) -> list[list[str]]:
    """The order of `rerankers`."""
    os.environ |= {"OPENAI_API_BASE": url, "LITELLM_LOCAL_MODEL_COST_MAP": "True"}
    from rerankers.models.rankgpt_rankers import RankGPTRanker

    ranker = RankGPTRanker(MODEL, "none", verbose=0)
    orders = []
    for row in data:
        texts, end = row["texts"], len(row["texts"])
        while True:
            start = max(0, end - WINDOW)
            results = ranker.rank(row["query"], texts, rank_start=start, rank_end=end)
            texts = [result.document.text for result in results.results]
            if start == 0:
                break
            end -= STRIDE
        orders.append(texts)
    return orders


class StandIn(types.ModuleType):
    """An empty module for one that is imported but not used; any name in it is an empty class."""

    __path__: list[str] = []  # noqa: RUF012 - what makes a module a package

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return type(name, (), {})


class StandIns(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Finds a stand-in for some packages that are not installed."""

    def __init__(self, names: list[str]) -> None:
        self.names = names

    def find_spec(self, name: str, path: object, target: object = None) -> Any:
        known = any(f"{name}.".startswith(f"{known}.") for known in self.names)
        return importlib.machinery.ModuleSpec(name, self) if known else None

    def create_module(self, spec: Any) -> types.ModuleType:
        return StandIn(spec.name)

    def exec_module(self, module: types.ModuleType) -> None:
        """Nothing to run."""


SYSTEMS = {"plackett": run_plackett, "rank_llm": run_rank_llm, "rerankers": run_rerankers}


def measure(system: str, url: str, data: list[dict[str, Any]], concurrency: int) -> dict[str, Any]:
    """Seconds and orders of one system, what it imports once not counted."""
    run = SYSTEMS[system]
    run(url, [{**row, "texts": row["texts"][:2]} for row in data[:1]], concurrency)
    ask_server(url)
    started = time.perf_counter()
    orders = run(url, data, concurrency)
    seconds = time.perf_counter() - started
    names = ["httpx"] if system == "plackett" else [system, "openai", "litellm"]
    return {
        "seconds": seconds,
        **ask_server(url),
        "orders": [[text.split()[0] for text in order] for order in orders],
        "versions": {name: version(name) for name in names},
    }


def ask_server(url: str) -> dict[str, int]:
    """Calls since the last time it was asked, and how many were under way at once."""
    with urllib.request.urlopen(url) as reply:
        return json.load(reply)


def in_process(python: Path, system: str, url: str, data: Path, concurrency: int) -> dict[str, Any]:
    """`measure` in a process of the system's own environment."""
    command = [python, __file__, "--measure", system, "--url", url, "--data", data]
    done = subprocess.run(
        [*map(str, command), "--concurrency", str(concurrency)],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "TQDM_DISABLE": "1"},
    )
    return json.loads(done.stdout.splitlines()[-1])


def compare(options: argparse.Namespace) -> dict[str, Any]:
    """All systems in turn before one server."""
    server = subprocess.Popen(
        [sys.executable, __file__, "--serve", str(options.latency)],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        url = f"http://127.0.0.1:{int(server.stdout.readline())}/v1"
        with tempfile.TemporaryDirectory() as folder:
            data = Path(folder) / "data.json"
            data.write_text(json.dumps(generate(options.queries, options.documents)))
            peer = options.peers / "bin" / "python"
            figures = {}
            for concurrency in (8, 40):
                name = f"plackett, {concurrency} at once"
                ours = in_process(Path(sys.executable), "plackett", url, data, concurrency)
                figures[name] = ours
            for system in options.systems:
                figures[system] = in_process(peer, system, url, data, 1)
    finally:
        server.kill()
        server.wait()
        server.stdout.close()
    return figures


def show(figures: dict[str, dict[str, Any]]) -> None:
    """Print the table; ratios are to our usual setting, the first row."""
    ours = next(iter(figures.values()))
    expected = ours["orders"]
    print(f"{'':24}{'seconds':>9}{'calls':>8}{'at once':>9}{'times ours':>12}  same order")
    for name, row in figures.items():
        row["ratio"] = row["seconds"] / ours["seconds"]
        row["same_order"] = row.pop("orders") == expected
        print(
            f"{name:24}{row['seconds']:9.2f}{row['calls']:8}{row['most_at_once']:9}"
            f"{row['ratio']:12.1f}  {'yes' if row['same_order'] else 'NO'}"
        )


def main() -> None:
    """Parse the command line and run."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--setup", action="store_true", help="make the peers' environment")
    parser.add_argument("--peers", type=Path, default=PEERS, help="the folder of the environment")
    parser.add_argument("--queries", type=int, default=40)
    parser.add_argument("--documents", type=int, default=100)
    parser.add_argument("--latency", type=float, default=0.1, help="seconds of every answer")
    parser.add_argument(
        "--systems", nargs="*", choices=["rank_llm", "rerankers"], default=["rank_llm", "rerankers"]
    )
    parser.add_argument("--json", type=Path, help="write the figures here")
    parser.add_argument("--serve", type=float, help=argparse.SUPPRESS)
    parser.add_argument("--measure", choices=list(SYSTEMS), help=argparse.SUPPRESS)
    parser.add_argument("--url", help=argparse.SUPPRESS)
    parser.add_argument("--data", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--concurrency", type=int, default=8, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve is not None:
        asyncio.run(serve(options.serve))
    elif options.measure:
        data = json.loads(options.data.read_text())
        print(json.dumps(measure(options.measure, options.url, data, options.concurrency)))
    elif options.setup:
        venv.create(options.peers, with_pip=True)
        pip = [options.peers / "bin" / "python", "-m", "pip", "install", "-q"]
        subprocess.run([*pip, *PACKAGES], check=True)
        subprocess.run([*pip, "--no-deps", *BARE_PACKAGES], check=True)
    else:
        if options.systems and not options.peers.exists():
            sys.exit("the peers are not installed: run with --setup first")
        figures = compare(options)
        show(figures)
        if options.json:
            options.json.write_text(json.dumps(figures, indent=1) + "\n")


if __name__ == "__main__":
    main()
