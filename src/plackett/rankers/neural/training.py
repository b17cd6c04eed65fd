"""The training loop: epochs of packed batches, early stopping, averaging, checkpoints, a log."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn

from plackett.rankers.neural.batches import Batch, Lists, plan_batches
from plackett.rankers.neural.checkpoints import Progress, load_checkpoint, save_checkpoint

__all__ = [
    "AVERAGES",
    "SCHEDULES",
    "Average",
    "Schedule",
    "Settings",
    "StepLoss",
    "Trained",
    "seeded",
    "train",
]

Schedule = Literal["constant", "cosine", "linear", "step"]
Average = Literal["none", "ema", "swa"]
SCHEDULES = ("constant", "cosine", "linear", "step")
AVERAGES = ("none", "ema", "swa")
SWA_START = 0.75  # of the epochs

StepLoss = Callable[[nn.Module, Batch, torch.Generator], Tensor]
Weights = dict[str, Tensor]


@dataclass(frozen=True)
class Settings:
    """How to train; the parameters of `NeuralRanker` of the same names."""

    epochs: int
    learning_rate: float
    weight_decay: float
    schedule: Schedule
    warmup: float
    clip_gradient: float | None
    batch_lists: int
    batch_documents: int
    longest_list: int | None
    average: Average
    average_decay: float
    early_stopping: int | None
    precision: str
    compiled: bool
    seed: int
    checkpoint: Path | None
    checkpoint_steps: int | None
    log: Path | None
    tensorboard: Path | None
    progress: Callable[[int, int], None] | None


@dataclass(frozen=True)
class Trained:
    """What training ended with; the network holds the weights to keep.

    `history` is the measure on the validation set after each epoch, `records` one row an epoch, and
    `epochs` how many epochs the kept weights have seen.
    """

    history: tuple[float, ...]
    records: tuple[dict[str, Any], ...]
    epochs: int
    interrupted: bool


@contextmanager
def seeded(*parts: int) -> Iterator[None]:
    """torch's global generators seeded from some integers inside, and as before after it."""
    devices = list(range(torch.cuda.device_count()))
    with torch.random.fork_rng(devices=devices):
        torch.manual_seed(int(np.random.SeedSequence(parts).generate_state(1, np.uint64)[0] >> 1))
        yield


def learning_rate_factor(schedule: Schedule, warmup: float, share: float) -> float:
    """The factor of the learning rate after `share` of the training, in [0, 1].

    "cosine" and "linear" fall to 0; "step" is a tenth after each half; before `warmup` it rises.

    >>> [learning_rate_factor("cosine", 0.1, share) for share in (0.05, 0.1, 1.0)]
    [0.5, 1.0, 0.0]
    """
    if share < warmup:
        return share / warmup
    rest = (share - warmup) / max(1.0 - warmup, 1e-12)
    if schedule == "cosine":
        return (1 + math.cos(math.pi * rest)) / 2
    if schedule == "linear":
        return 1.0 - rest
    return 0.1 ** int(2 * rest) if schedule == "step" else 1.0


def train(
    network: nn.Module,
    lists: Lists,
    step_loss: StepLoss,
    settings: Settings,
    *,
    identity: str,
    evaluate: Callable[[nn.Module], float] | None,
) -> Trained:
    """Minimise `step_loss` over the lists; leaves the best, or averaged, weights in `network`.

    Parameters
    ----------
    identity : what a checkpoint must agree on to be resumed.
    evaluate : the measure on the validation set, greater is better; None: the last epoch counts.
    """
    run = _Run(network, lists, step_loss, settings, identity, evaluate)
    interrupted = False
    try:
        run.to_the_end()
    except KeyboardInterrupt:
        interrupted = True
    return run.result(interrupted)


class _Run:
    """One training run; `Progress` and the weights are all its state."""

    def __init__(
        self,
        network: nn.Module,
        lists: Lists,
        step_loss: StepLoss,
        settings: Settings,
        identity: str,
        evaluate: Callable[[nn.Module], float] | None,
    ) -> None:
        self.network, self.lists, self.step_loss = network, lists, step_loss
        self.settings, self.identity, self.evaluate = settings, identity, evaluate
        self.called: Any = torch.compile(network, dynamic=True) if settings.compiled else network
        self.optimizer = torch.optim.AdamW(
            network.parameters(),
            lr=settings.learning_rate,
            weight_decay=settings.weight_decay,
            fused=True,
        )
        self.progress = Progress()
        self.kept: dict[str, Weights] = {}
        if settings.checkpoint is not None:
            found = load_checkpoint(settings.checkpoint, identity, network, self.optimizer)
            if found is not None:
                self.progress, self.kept = found
        self.generator = torch.Generator(lists.device)

    def to_the_end(self) -> None:
        while self.progress.epoch < self.settings.epochs and not self.progress.finished:
            self._epoch()

    def _epoch(self) -> None:
        began, epoch = time.perf_counter(), self.progress.epoch
        random = np.random.default_rng([self.settings.seed, epoch])
        lengths = self.lists.lengths
        if self.settings.longest_list is not None:
            lengths = np.minimum(lengths, self.settings.longest_list)
        plan = plan_batches(
            lengths,
            random,
            lists=self.settings.batch_lists,
            documents=self.settings.batch_documents,
        )
        self.network.train()
        for step in range(self.progress.step, len(plan)):
            self._step(plan[step], epoch, step, len(plan))
        self._end_of_epoch(len(plan), time.perf_counter() - began)

    def _step(self, chosen: np.ndarray[Any, Any], epoch: int, step: int, steps: int) -> None:
        settings = self.settings
        share = (epoch + step / steps) / settings.epochs
        factor = learning_rate_factor(settings.schedule, settings.warmup, share)
        for group in self.optimizer.param_groups:
            group["lr"] = settings.learning_rate * factor
        random = np.random.default_rng([settings.seed, epoch, step])
        batch = self.lists.batch(chosen, longest=settings.longest_list, random=random)
        self.generator.manual_seed(int(random.integers(1 << 62)))
        self.optimizer.zero_grad(set_to_none=True)
        with seeded(settings.seed, epoch, step), self._precision():
            loss = self.step_loss(self.called, batch, self.generator)
            loss.backward()  # type: ignore[no-untyped-call]
        if settings.clip_gradient is not None:
            nn.utils.clip_grad_norm_(self.network.parameters(), settings.clip_gradient)
        self.optimizer.step()
        if settings.average == "ema":
            self._average(1.0 - settings.average_decay)
        self.progress.losses += float(loss.detach())
        self.progress.step = step + 1
        if settings.checkpoint_steps and (step + 1) % settings.checkpoint_steps == 0:
            self._save()

    def _precision(self) -> AbstractContextManager[Any]:
        if self.settings.precision == "float32":
            return nullcontext()
        return torch.autocast(self.lists.device.type, dtype=torch.bfloat16)

    @torch.no_grad()
    def _average(self, share: float) -> None:
        """Move the averaged weights by `share` of the way to the current ones."""
        current = self.network.state_dict()
        if "average" not in self.kept:
            self.kept["average"] = {name: value.clone() for name, value in current.items()}
            return
        for name, value in self.kept["average"].items():
            if value.is_floating_point():
                value.lerp_(current[name].to(value.device), share)
            else:
                value.copy_(current[name])

    def _end_of_epoch(self, steps: int, seconds: float) -> None:
        settings, progress = self.settings, self.progress
        epoch = progress.epoch
        if settings.average == "swa" and epoch + 1 >= SWA_START * settings.epochs:
            progress.averaged += 1
            self._average(1.0 / progress.averaged)
        record: dict[str, Any] = {
            "epoch": epoch + 1,
            "loss": progress.losses / steps,
            "learning_rate": self.optimizer.param_groups[0]["lr"],
        }
        if self.evaluate is not None:
            value = self._measured(self.evaluate)
            record["measure"] = value
            best = progress.best_epoch
            if best < 0 or value > progress.history[best]:
                progress.best_epoch = epoch
                self.kept["best"] = _copied(self._final_weights())
            progress.history.append(value)
            patience = settings.early_stopping
            if patience is not None and epoch - progress.best_epoch >= patience:
                progress.finished = True
        progress.records.append(record)
        progress.epoch, progress.step, progress.losses = epoch + 1, 0, 0.0
        self._write_logs({**record, "seconds": round(seconds, 4)})
        if settings.checkpoint is not None:
            self._save()
        if settings.progress is not None:
            settings.progress(progress.epoch, settings.epochs)

    def _final_weights(self) -> Weights:
        current: Weights = self.network.state_dict()
        return self.kept.get("average", current)

    def _measured(self, evaluate: Callable[[nn.Module], float]) -> float:
        """The measure of the weights that would be kept if training ended now."""
        current = _copied(self.network.state_dict())
        self.network.load_state_dict(self._final_weights())
        self.network.eval()
        value = evaluate(self.network)
        self.network.load_state_dict(current)
        return value

    def _save(self) -> None:
        if self.settings.checkpoint is not None:
            save_checkpoint(
                self.settings.checkpoint,
                self.identity,
                self.progress,
                self.network,
                self.optimizer,
                self.kept,
            )

    def _write_logs(self, record: dict[str, Any]) -> None:
        if self.settings.log is not None:
            self.settings.log.parent.mkdir(parents=True, exist_ok=True)
            with self.settings.log.open("a", encoding="utf-8") as file:
                file.write(json.dumps(record) + "\n")
        if self.settings.tensorboard is not None:
            from plackett._optional import require

            board = require(
                "torch.utils.tensorboard", extra="neural", purpose="write a TensorBoard log"
            )
            with board.SummaryWriter(str(self.settings.tensorboard)) as writer:
                for name, value in record.items():
                    if name != "epoch":
                        writer.add_scalar(name, value, record["epoch"])

    def result(self, interrupted: bool) -> Trained:
        weights = self.kept.get("best", self._final_weights())
        self.network.load_state_dict(weights)
        self.network.eval()
        best = self.progress.best_epoch
        return Trained(
            history=tuple(self.progress.history),
            records=tuple(self.progress.records),
            epochs=best + 1 if best >= 0 else self.progress.epoch,
            interrupted=interrupted,
        )


def _copied(weights: Weights) -> Weights:
    return {name: value.detach().clone() for name, value in weights.items()}
