"""Our fit compared with the notebook's setup on the masks of a hunt: bound and time.

``python -m benchmarks.elbo LAKE DAY`` (a hunt with the preset ``notebook``)
"""

import argparse
import time
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.dataset as ds
from bayespy.inference import VB
from bayespy.nodes import Bernoulli, Beta, Categorical, Dirichlet, Mixture

from lowslow_assets.detection.masks import mask_bits
from lowslow_assets.detection.mixture import fit_by_restarts
from lowslow_assets.lake.tables import NOTEBOOK_FEATURES

COMPONENTS, STARTS = 10, 5


def notebook(rows: np.ndarray, seed: int) -> float:
    """The bound at which BayesPy stops with its default tolerance, on one row per failure."""
    np.random.seed(seed)  # noqa: NPY002 (BayesPy draws from the global state)
    weights = Dirichlet(COMPONENTS * [1e-5])
    classes = Categorical(weights, plates=(len(rows), 1))
    anomalous = Beta([0.5, 0.5], plates=(rows.shape[1], COMPONENTS))
    masks = Mixture(classes, Bernoulli, anomalous)
    inference: Any = VB(classes, weights, masks, anomalous)
    anomalous.initialize_from_random()
    masks.observe(rows)
    inference.update(repeat=5000, verbose=False)
    return float(inference.L[inference.iter - 1])


def main() -> None:
    """Print bound and time of both, on the same masks."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.elbo")
    parser.add_argument("lake", type=Path)
    parser.add_argument("day", help="YYYY-MM-DD, of a hunt with the preset notebook")
    options = parser.parse_args()
    folder = options.lake / "mask_patterns" / f"date={options.day}"
    table = ds.dataset(folder, format="parquet").to_table().sort_by("mask")
    bits = mask_bits(table["mask"].to_pylist(), len(NOTEBOOK_FEATURES))
    counts = table["failures"].to_numpy()
    rows = np.repeat(bits, counts, axis=0)

    began = time.perf_counter()
    theirs = max(notebook(rows, seed) for seed in range(STARTS))
    middle = time.perf_counter()
    _, trace = fit_by_restarts(bits, counts, COMPONENTS, restarts=10, seed=0)
    ended = time.perf_counter()
    print(f"failures {len(rows):,}, patterns {len(bits)}")
    print(f"notebook's setup, best of {STARTS}: {theirs:,.3f} nats, {middle - began:.1f} s")
    print(f"ours, best of 10:         {trace.elbo[-1]:,.3f} nats, {ended - middle:.1f} s")
    ratio = (middle - began) / (ended - middle)
    print(f"gained {trace.elbo[-1] - theirs:.3f} nats; time ratio {ratio:.1f}")


if __name__ == "__main__":
    main()
