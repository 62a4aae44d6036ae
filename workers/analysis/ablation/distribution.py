"""How a figure is spread over the classes."""

import numpy as np
from numpy.typing import NDArray

QUANTILES = {"low": 0.0, "p05": 0.05, "p25": 0.25, "median": 0.5, "p75": 0.75, "p95": 0.95, "high": 1.0}


def spread(values: NDArray[np.float64]) -> dict[str, float]:
    """Mean, lowest, highest and quantiles of the values (C,) of at least one class."""
    quantiles = np.quantile(values, list(QUANTILES.values())).tolist()
    return {"mean": float(values.mean()), **dict(zip(QUANTILES, quantiles, strict=True))}
