"""The driver's work at ten million failures: ``python -m benchmarks.driver``.

The driver receives only patterns and counts, whatever the number of failures, so its time should
not grow. Patterns are drawn from a tenant's usual ones and from a spray's, over the model's five
properties and over the notebook's nine features. Then one of the notebook's five starts is run on
one row per failure, for the numbers at which that still runs.
"""

import argparse
import resource
import time

import numpy as np

from benchmarks.elbo import notebook
from lowslow_assets.detection.mixture import fit_by_births
from lowslow_assets.detection.patterns import MODEL_PROPERTIES
from lowslow_assets.detection.pruning import PruningRules, assign
from lowslow_assets.lake.tables import NOTEBOOK_FEATURES

_RUNS = 3
_FAILURES = (10_000, 100_000, 1_000_000, 10_000_000)
_BITS = (len(MODEL_PROPERTIES), len(NOTEBOOK_FEATURES))
# In proportion, ten times as many would take half an hour and 34 GB.
_MOST_ROWS = 1_000_000


def main() -> None:
    """Print the median time of three fits per number of failures and bits, then that on rows."""
    argparse.ArgumentParser(prog="python -m benchmarks.driver").parse_args()
    print("| failures | bits | distinct patterns | components | median seconds | peak MB |")
    print("| --- | --- | --- | --- | --- | --- |")
    medians = {}
    for failures in _FAILURES:
        for bits in _BITS:
            patterns, counts = _draw(failures, bits)
            masks = [int(mask) for mask in patterns @ (1 << np.arange(bits))]
            seconds, components = [], 0
            for _ in range(_RUNS):
                began = time.perf_counter()
                fit, _ = fit_by_births(patterns, counts)
                assign(fit, masks, patterns, PruningRules())
                seconds.append(time.perf_counter() - began)
                components = len(fit.weights)
            medians[failures, bits] = float(np.median(seconds))
            print(
                f"| {failures:,} | {bits} | {len(patterns)} | {components} "
                f"| {medians[failures, bits]:.2f} | {_peak_mb():,.0f} |",
                flush=True,
            )
    print("\n| failures | bits | one start on rows, seconds | times ours | peak MB |")
    print("| --- | --- | --- | --- | --- |")
    for (failures, bits), median in medians.items():
        if failures <= _MOST_ROWS:
            patterns, counts = _draw(failures, bits)
            began = time.perf_counter()
            notebook(np.repeat(patterns, counts, axis=0), seed=0)
            took = time.perf_counter() - began
            cells = [f"{failures:,}", bits, f"{took:.1f}", f"{took / median:,.0f}"]
            print(f"| {' | '.join(map(str, cells))} | {_peak_mb():,.0f} |", flush=True)


def _peak_mb() -> float:
    """The peak memory of this process so far, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _draw(failures: int, bits: int) -> tuple[np.ndarray, np.ndarray]:
    """Distinct patterns and how often each occurs."""
    rng = np.random.default_rng(0)
    profiles = rng.beta(0.3, 0.7, (4, bits))
    weights = np.array([0.9, 0.07, 0.029, 0.001])
    patterns = (np.arange(1 << bits)[:, None] >> np.arange(bits)) & 1
    probability = weights @ np.prod(
        np.where(patterns[None], profiles[:, None], 1 - profiles[:, None]), axis=2
    )
    counts = rng.multinomial(failures, probability / probability.sum())
    return patterns[counts > 0] == 1, counts[counts > 0]


if __name__ == "__main__":
    main()
