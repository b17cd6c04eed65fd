"""What every posting of a BM25 index adds to a score: computed, kept on disk, opened again."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from plackett.errors import CorruptFileError
from plackett.retrievers.inverted.arrays import create_array, open_array
from plackett.retrievers.inverted.impacts import ImpactLists
from plackett.retrievers.inverted.index import InvertedIndex
from plackett.retrievers.inverted.storage import MANIFEST, REMEDY
from plackett.retrievers.weighting import Weighting

__all__ = ["compute_impacts", "open_impacts", "save_impacts", "saved_weighting"]

BOUNDS = {"upper": (), "extent": (), "floors": (3,)}


def save_impacts(index: InvertedIndex, weighting: Weighting) -> dict[str, Any]:
    """Write impacts and bounds into the index's folder; returns the manifest's entry."""
    path = index.folder / "impacts.npy"
    if index.n_postings:
        out = create_array(path, np.float32, index.n_postings)
        impacts: npt.NDArray[np.float32] = np.asarray(out)
    else:
        impacts = np.zeros(0, dtype=np.float32)
        np.save(path, impacts)
    lists = compute_impacts(index, weighting, impacts)
    for name in BOUNDS:
        np.save(index.folder / f"{name}.npy", getattr(lists, name))
    return {
        "weighting": {
            "variant": weighting.variant,
            "k1": weighting.k1,
            "b": weighting.b,
            "delta": weighting.delta,
            "floors": len(lists.floors) == index.n_terms,
        }
    }


def compute_impacts(
    index: InvertedIndex, weighting: Weighting, out: npt.NDArray[np.float32] | None = None
) -> ImpactLists:
    """The impacts of every posting under a weighting, in memory or in `out`."""
    impacts = np.empty(index.n_postings, dtype=np.float32) if out is None else out
    weighting.impacts(
        index.posting_offsets,
        index.posting_documents,
        index.posting_frequencies,
        index.document_lengths,
        index.mean_length,
        impacts,
    )
    return ImpactLists.from_postings(
        offsets=index.posting_offsets,
        documents=index.posting_documents,
        impacts=impacts,
        rank=index.document_rank,
    )


def open_impacts(index: InvertedIndex) -> ImpactLists:
    """The impacts that the build saved, memory-mapped."""
    folder, n_terms = index.folder, index.n_terms
    rows = dict.fromkeys(BOUNDS, n_terms)
    if not index.manifest["weighting"].get("floors", True):
        rows["floors"] = 0
    bounds = {
        name: open_array(folder / f"{name}.npy", np.float32, (rows[name], *shape))
        for name, shape in BOUNDS.items()
    }
    return ImpactLists(
        offsets=index.posting_offsets,
        documents=index.posting_documents,
        impacts=open_array(folder / "impacts.npy", np.float32, (index.n_postings,)),
        rank=index.document_rank,
        upper=bounds["upper"],
        extent=bounds["extent"],
        floors=bounds["floors"],
    )


def saved_weighting(index: InvertedIndex) -> Weighting:
    """The variant and parameters that the index was built with."""
    saved = index.manifest.get("weighting")
    try:
        if not isinstance(saved, dict):
            raise TypeError("none")
        return Weighting(saved["variant"], saved["k1"], saved["b"], saved["delta"])
    except (TypeError, KeyError, ValueError) as error:
        raise CorruptFileError(
            f"no BM25 parameters ({error})",
            remedy=REMEDY,
            path=index.folder.parent / MANIFEST,
        ) from error
