"""CatBoost's ranking losses: which options each reads, and its text with them.

CatBoost ignores an option that a loss does not read, so what is read is written down here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from plackett.errors import ConfigurationError
from plackett.rankers.parameters import check_choice, check_number

__all__ = ["LOSSES", "OPTIONS", "check_options", "loss_text", "targets_of"]

YETI = ("YetiRank", "YetiRankPairwise")
PAIRS = ("PairLogit", "PairLogitPairwise")
LOSSES = (*YETI, "StochasticRank", "LambdaMart", *PAIRS, "QueryRMSE", "QuerySoftMax")
CUMULATIVE = ("DCG", "NDCG")

# What `target` may be, the default first, and CatBoost's word for it.
TARGETS: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(YETI, ("Classic", "DCG", "NDCG", "MRR", "MAP", "ERR")),
    "StochasticRank": ("NDCG", "DCG", "MRR", "ERR", "PFound", "FilteredDCG"),
    "LambdaMart": ("NDCG", "DCG", "MRR", "MAP", "ERR"),
}
GAINS = {"exponential": "Exp", "linear": "Base"}
CHOICES: dict[str, tuple[str, ...]] = {
    "gain": tuple(GAINS),
    "discount": ("LogPosition", "Position"),
    "noise": ("Gumbel", "Gauss", "No"),
}
COUNTS = ("permutations", "top", "estimations", "max_pairs")


@dataclass(frozen=True)
class Reading:
    """A loss's word for an option, and the targets with which it reads it (empty: any)."""

    word: str
    losses: tuple[str, ...]
    targets: tuple[str, ...] = ()


NEW_YETI = TARGETS["YetiRank"][1:]
OPTIONS: dict[str, tuple[Reading, ...]] = {
    "permutations": (Reading("permutations", YETI),),
    "decay": (
        Reading("decay", YETI, ("Classic",)),
        Reading("decay", ("StochasticRank",), ("PFound",)),
    ),
    "top": (
        Reading("top", YETI, NEW_YETI),
        Reading("top", ("StochasticRank",)),
        Reading("top", ("LambdaMart",), CUMULATIVE),
    ),
    "gain": (
        Reading("dcg_type", YETI, CUMULATIVE),
        Reading("type", ("StochasticRank",), (*CUMULATIVE, "FilteredDCG")),
        Reading("type", ("LambdaMart",), CUMULATIVE),
    ),
    "discount": (
        Reading("dcg_denominator", YETI, CUMULATIVE),
        Reading("denominator", ("StochasticRank", "LambdaMart"), CUMULATIVE),
    ),
    "neighbors": (Reading("num_neighbors", YETI, NEW_YETI),),
    "noise": (Reading("noise", YETI),),
    "noise_power": (Reading("noise_power", YETI),),
    "estimations": (Reading("num_estimations", ("StochasticRank",)),),
    "mu": (Reading("mu", ("StochasticRank",)),),
    "sigma": (Reading("sigma", ("StochasticRank", "LambdaMart")),),
    "nu": (Reading("nu", ("StochasticRank",), TARGETS["StochasticRank"][:-1]),),
    "penalty": (Reading("lambda", ("StochasticRank",)),),
    "normalise": (Reading("norm", ("LambdaMart",)),),
    "max_pairs": (Reading("max_pairs", PAIRS),),
    "beta": (Reading("beta", ("QuerySoftMax",)),),
}


def targets_of(loss: str) -> tuple[str, ...]:
    """The measures that a loss can aim at, its default first; empty where it has no choice."""
    return TARGETS.get(loss, ())


def check_options(loss: str, target: str | None, options: Mapping[str, Any]) -> None:
    """Check the options of a loss, None standing for CatBoost's default.

    Raises
    ------
    ConfigurationError : an option has a wrong value, or the loss does not read it.
    """
    check_choice("objective", loss, LOSSES)
    if target is not None:
        if not targets_of(loss):
            raise ConfigurationError(
                f"target={target!r} with objective={loss!r}, which has none; expected None."
            )
        check_choice("target", target, targets_of(loss))
    for name, value in options.items():
        if value is None:
            continue
        if _word(name, loss, target) is None:
            aim = _aim(loss, target)
            raise ConfigurationError(
                f"{name}={value!r} with objective={loss!r}"
                f"{f' and target={aim!r}' if aim else ''}, which does not read it; expected None."
            )
        _check_value(name, value)
    if options.get("noise_power") is not None and options.get("noise") != "Gauss":
        raise ConfigurationError(
            f"noise_power={options['noise_power']!r} without noise='Gauss', which alone reads it; "
            "expected None."
        )


def loss_text(loss: str, target: str | None, options: Mapping[str, Any]) -> str:
    """The loss with its options as CatBoost reads them; the options have been checked.

    >>> loss_text("YetiRank", "NDCG", {"top": 10, "gain": "exponential", "decay": None})
    'YetiRank:mode=NDCG;top=10;dcg_type=Exp'
    """
    parts = []
    if targets_of(loss):
        parts.append(f"{'mode' if loss in YETI else 'metric'}={_aim(loss, target)}")
    for name, value in options.items():
        if value is None:
            continue
        if isinstance(value, bool):
            value = str(value).lower()
        parts.append(f"{_word(name, loss, target)}={GAINS.get(value, value)}")
    return loss + (":" + ";".join(parts) if parts else "")


def _aim(loss: str, target: str | None) -> str | None:
    return target or next(iter(targets_of(loss)), None)


def _word(option: str, loss: str, target: str | None) -> str | None:
    """CatBoost's word for an option of this loss and target; None where they do not read it."""
    for reading in OPTIONS[option]:
        if loss in reading.losses and (
            not reading.targets or _aim(loss, target) in reading.targets
        ):
            return reading.word
    return None


def _check_value(name: str, value: Any) -> None:
    if name in CHOICES:
        check_choice(name, value, CHOICES[name])
    elif name == "normalise":
        if value not in (True, False):
            raise ConfigurationError(f"normalise={value!r}; expected True or False.")
    elif name == "neighbors":
        if value != -1:  # -1: all
            check_number(name, value, low=1, integer=True)
    else:
        check_number(name, value, low=1 if name in COUNTS else 0, integer=name in COUNTS)
