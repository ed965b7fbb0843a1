"""Writes rain.json: inputs and the values that src/metrics/rain must give, from numpy and scipy alone.

Run: python3 tests/reference/rain.py (numpy, scipy)
"""

import json
import pathlib

import numpy as np
from scipy.ndimage import gaussian_filter
from scipy.stats import linregress

rng = np.random.default_rng(509089)
NY, NX, DAYS, MEMBERS, LAGS = 6, 8, 90, 2, 10
LAT = -90 + (np.arange(NY) + 0.5) * 180 / NY
EDGES = np.radians(np.linspace(-90, 90, NY + 1))
ROWS = np.diff(np.sin(EDGES)) / 2 * NY
W = np.repeat(ROWS[:, None], NX, 1)


def rain(frames):
    """Amounts with dry cells and a heavy tail, correlated in time; one cell is always dry."""
    x = gaussian_filter(rng.standard_normal((frames + 20, NY, NX)), (1.5, 0.7, 0.7), mode="wrap")[20:]
    x = np.maximum(12 * x, 0) ** 1.5
    x[:, 2, 3] = 0
    return x.astype(np.float32)


runs = np.stack([rain(DAYS) for _ in range(MEMBERS)])
x = runs.astype(float)
# Three months in turn, so that pairs cross from one to the next.
months = (np.arange(DAYS) // 7) % 3 + 4
climatology = np.full((12, NY, NX), np.nan)
for m in range(4, 7):
    climatology[m] = x[:, months == m].mean((0, 1)) * 0.9
climatology = climatology.astype(np.float32)


def acf(series, weights):
    """series [member][day][cell]: sums pooled over members, denominator N, cells without variance left out."""
    n = series.shape[0] * series.shape[1]
    d = series - series.mean((0, 1))
    variance = (d * d).sum((0, 1)) / n
    live = variance > 1e-12
    out = []
    for j in range(LAGS + 1):
        c = (d[:, j:] * d[:, : d.shape[1] - j]).sum((0, 1)) / n
        out.append(float((weights * live * c / np.where(live, variance, 1)).sum() / (weights * live).sum()))
    return out


def mean(f):
    return (f * W).mean((-2, -1))


anomalies = (x - climatology[months]).reshape(MEMBERS, DAYS, -1)
global_anomalies = mean(x) - mean(climatology.astype(float))[months]
tropics = np.where(np.abs(LAT) <= 20, ROWS, 0)[:, None] * np.ones(NX)
power = np.abs(np.fft.rfft(x, axis=-1) / NX) ** 2
zonal_power = (power * ROWS[:, None]).mean(-2)
percents = [75, 90, 95, 99, 99.9]
band = np.abs(LAT) <= 10 if (np.abs(LAT) <= 10).any() else np.arange(NY) == np.abs(LAT).argmin()
day = x[0, 5]

yearly = rng.standard_normal(9) + 0.3 * np.arange(9)
line = linregress(np.arange(9), yearly)
cycle = rng.uniform(0, 6, 12)
harmonic = np.fft.fft(cycle)[1] / 6

target = x[0, 40]
ensemble = x[1, :7]
b = len(ensemble)
error = np.abs(ensemble - target).mean(0)
pairs = np.abs(ensemble[:, None] - ensemble[None]).sum((0, 1))
skill2 = ((target - ensemble.mean(0)) ** 2 * W).mean()
spread2 = (ensemble.var(0, ddof=1) * W).mean()

numbers = lambda a: [float(v) for v in np.asarray(a).ravel()]
result = {
    "ny": NY,
    "nx": NX,
    "days": DAYS,
    "runs": [float(v) for v in runs.ravel()],
    "months": months.tolist(),
    "climatology": [None if np.isnan(v) else float(v) for v in climatology.ravel()],
    "yearly": numbers(yearly),
    "cycle": numbers(cycle),
    "expected": {
        "row_weights": numbers(ROWS),
        "day": {
            "global_mean": mean(day),
            "wet_fraction": mean((day >= np.float32(0.1)).astype(float)),
            "wet_cells": (day >= np.float32(0.1)).mean(),
            "percentiles": numbers(np.percentile(day, percents)),
            "zonal_mean": numbers(day.mean(-1)),
            "power": numbers(zonal_power[0, 5]),
            "hovmoeller": numbers((day * ROWS[:, None])[band].sum(0) / ROWS[band].sum()),
        },
        "run": {
            "global_mean": mean(x).mean(),
            "wet_fraction": mean((x >= np.float32(0.1)).astype(float)).mean(),
            "wet_cells": (x >= np.float32(0.1)).mean(),
            "percentiles": numbers(np.percentile(x, percents)),
            "zonal_mean": numbers(x.mean((0, 1, 3))),
            "spectrum": numbers(zonal_power.mean((0, 1))),
            "acf": acf(anomalies, W.ravel()),
            "tropics_acf": acf(anomalies, tropics.ravel()),
            "global_acf": acf(global_anomalies[..., None], np.ones(1)),
        },
        "spectrum_error": np.abs(np.log10(zonal_power[0].mean(0) / zonal_power[1].mean(0)))[1:4].mean(),
        "trend": {"slope": line.slope, "standard_error": line.stderr},
        "cycle": {
            "mean": cycle.mean(),
            "amplitude": np.abs(harmonic),
            "peak": (-np.angle(harmonic) * 12 / (2 * np.pi)) % 12,
        },
        "weighted": {
            "rmse": np.sqrt((((x[0] - x[1]) ** 2) * W).mean()),
            "bias": (np.abs(x[1].mean(0) - x[0].mean(0)) * W).mean(),
            "crps": ((error - pairs / (2 * b * b)) * W).mean(),
            "crps_fair": ((error - pairs / (2 * b * (b - 1))) * W).mean(),
            "ratio": np.sqrt((b + 1) / b * spread2 / skill2),
        },
    },
}
path = pathlib.Path(__file__).with_name("rain.json")
path.write_text(json.dumps(result, indent=None, default=float) + "\n")
print(path, path.stat().st_size)
