"""What the driver does at a million failures: ``python -m benchmarks.driver``.

Only patterns and counts come to it, whatever the number of failures, so the time should not grow.
Patterns are drawn from a tenant's usual ones and a spray's, over the model's five properties and
over the notebook's nine features.
"""

import resource
import time

import numpy as np

from lowslow_assets.detection.mixture import fit_by_births
from lowslow_assets.detection.patterns import PROPERTIES
from lowslow_assets.detection.pruning import PruningRules, assign
from lowslow_assets.signins.features import FEATURES

_RUNS = 3


def main() -> None:
    """Print the median time of three fits per number of failures and of bits."""
    print("| failures | bits | distinct patterns | components | median seconds | peak MB |")
    print("| --- | --- | --- | --- | --- | --- |")
    for failures in (10_000, 100_000, 1_000_000, 10_000_000):
        for bits in (len(PROPERTIES), len(FEATURES)):
            patterns, counts = _draw(failures, bits)
            masks = [int(mask) for mask in patterns @ (1 << np.arange(bits))]
            seconds = []
            for _ in range(_RUNS):
                began = time.perf_counter()
                fit, _ = fit_by_births(patterns, counts)
                assign(fit, masks, patterns, PruningRules())
                seconds.append(time.perf_counter() - began)
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
            print(
                f"| {failures:,} | {bits} | {len(patterns)} | {len(fit.weights)} "
                f"| {np.median(seconds):.2f} | {peak:,.0f} |",
                flush=True,
            )


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
