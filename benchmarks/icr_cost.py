"""What reading attention for ICR costs: time and peak memory beside a plain forward pass.

    python benchmarks/icr_cost.py --model PATH [--documents 5 10 20] [--json FILE]

One prompt of n paragraphs and a query, batch of one. Beside each other, each in a process of its
own so that its peak of memory is its own: "plain", a forward pass of the model's body over all
tokens; "plain and head", the model as it is called, with logits of the last token; "icr", both
requests of one query (content-free and real) through the fast path, which reads the documents once;
"full maps", one pass with `output_attentions=True` in eager attention, as the definition of ICR
needs it twice. Time is CPU time, which other processes disturb least. The attention of "icr" and of
"full maps" is compared. Needs Linux.
"""

from __future__ import annotations

import argparse
import ctypes
import json
import platform
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

WAYS = ("plain", "plain and head", "icr", "full maps")
PARAGRAPH = (
    "The life cycle of a flea can last anywhere from two weeks to many months, depending on the "
    "temperature and the humidity of the place it lives in; its eggs hatch within some days, and "
    "its larvae feed on what they find before they spin a cocoon and wait for a host to come near."
)
QUERIES = ("N/A", "how long is the life cycle of a flea")


def measured(way: str, path: str, documents: int, dtype: str, threads: int, rounds: int) -> Any:
    """Median CPU seconds of one way, its peak of memory, tokens, and attention to documents."""
    import torch

    from plackett.llm.local.attention_rows import attention_of_ends
    from plackett.llm.local.loading import find_folder, read_model
    from plackett.llm.local.transformers_model import Transformers
    from plackett.llm.requests import Attention

    torch.set_num_threads(threads)
    shell = Transformers(path, dtype=dtype)
    model = read_model(
        find_folder(path, revision=None, download=False),
        shell.config,
        dtype=dtype,
        device="cpu",
        trust_remote_code=False,
    )
    if way == "full maps":
        model.set_attn_implementation("eager")
    shown = tuple(f"[{i}] {PARAGRAPH}\n\n" for i in range(1, documents + 1))
    spans = [
        shell.prompts.spans(
            Attention("Below are several paragraphs.\n\n", shown, f"Query: {query}")
        )
        for query in QUERIES
    ]
    tokens = [span.tokens for span in spans]
    ends = [len(span.tokens) - span.starts[-1] for span in spans]
    inputs = torch.tensor([tokens[1]])
    total: list[float] = []

    def once() -> None:
        nonlocal total
        with torch.inference_mode():
            if way == "plain":
                model.base_model(input_ids=inputs, use_cache=False)
            elif way == "plain and head":
                model(input_ids=inputs, use_cache=False, logits_to_keep=1)
            elif way == "icr":
                total = attention_of_ends(model, tokens, ends)[1].tolist()
            else:
                maps = model.base_model(input_ids=inputs, output_attentions=True, use_cache=False)
                rows = [layer[0, :, -ends[1] :].float() for layer in maps.attentions]
                total = sum(row.mean(dim=1).sum(dim=0) for row in rows).tolist()

    model.base_model(input_ids=inputs[:, :64], use_cache=False)
    # The peak from here on: Linux takes back and forgets what loading had needed when asked to.
    ctypes.CDLL(None).malloc_trim(0)
    Path("/proc/self/clear_refs").write_text("5")
    loaded = _status("VmRSS")
    times = []
    for _ in range(rounds):
        started = time.process_time()
        once()
        times.append(time.process_time() - started)
    return {
        "CPU seconds": statistics.median(times),
        "extra MB": (_status("VmHWM") - loaded) / 1024,
        "tokens": len(tokens[1]),
        "attention": total[spans[1].starts[0] : spans[1].starts[-1]],
    }


def _status(name: str) -> int:
    """A figure of this process in kB, as Linux tells it."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{name}:"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", required=True, help="the folder of a causal model")
    parser.add_argument("--name", help="what the figures call the model; its folder by default")
    parser.add_argument("--documents", type=int, nargs="+", default=[5, 10, 20])
    parser.add_argument("--dtype", default="float32", choices=["float32", "bfloat16"])
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    parser.add_argument("--way", choices=WAYS, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.way:
        found = measured(
            arguments.way,
            arguments.model,
            arguments.documents[0],
            arguments.dtype,
            arguments.threads,
            arguments.rounds,
        )
        print(json.dumps(found))
        return
    table = []
    print(f"{'documents':>9}{'tokens':>8}  {'way':16}{'CPU s':>9}{'x plain':>9}{'extra MB':>10}")
    for documents in arguments.documents:
        found = {way: _in_a_process(way, documents, arguments) for way in WAYS}
        reference = found["full maps"].pop("attention")
        differences = [
            abs(a - b) for a, b in zip(found["icr"].pop("attention"), reference, strict=True)
        ]
        for way, figures in found.items():
            figures.pop("attention", None)
            ratio = figures["CPU seconds"] / found["plain"]["CPU seconds"]
            print(
                f"{documents:9d}{figures['tokens']:8d}  {way:16}{figures['CPU seconds']:9.2f}"
                f"{ratio:9.2f}{figures['extra MB']:10.0f}",
                flush=True,
            )
            table.append({"documents": documents, "way": way, "x plain": ratio, **figures})
        print(f"{'':19}largest difference of attention: {max(differences):.1e}", flush=True)
        table.append({"documents": documents, "largest difference": max(differences)})
    if arguments.json:
        about = {
            "model": arguments.name or Path(arguments.model).name,
            "dtype": arguments.dtype,
            "threads": arguments.threads,
            "rounds": arguments.rounds,
            "python": platform.python_version(),
        }
        arguments.json.parent.mkdir(parents=True, exist_ok=True)
        arguments.json.write_text(json.dumps({"about": about, "table": table}, indent=1) + "\n")


def _in_a_process(way: str, documents: int, arguments: argparse.Namespace) -> Any:
    """The figures of one way, in a process whose peak of memory is its own."""
    command = [sys.executable, __file__, "--model", arguments.model, "--way", way]
    for name in ("dtype", "threads", "rounds"):
        command += [f"--{name}", str(getattr(arguments, name))]
    command += ["--documents", str(documents)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


if __name__ == "__main__":
    main()
