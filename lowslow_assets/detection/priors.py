"""The priors of the mixture, and when its fit has converged."""

WEIGHT_CONCENTRATION = 1e-5
ANOMALY_PRIOR = 0.5
# In nats per sweep. The bound can rise by tens of nats on plateaus of 1e-3 per sweep.
CONVERGED_GAIN = 1e-6
MAX_SWEEPS = 20_000
