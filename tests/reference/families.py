"""Writes families.json: the values that src/metrics must give, from the field's own libraries.

Run: python3 tests/reference/families.py, with
numpy 2.4.6, scipy 1.17.1, statsmodels 0.15.0, properscoring 0.1, xskillscore 0.0.29, xarray 2026.9.0, eofs 2.0.0,
scikit-learn 1.9.1. The inputs are made by `Numbers` from a seed; tests/metrics_reference.rs makes the same ones.
"""

import json
import pathlib
import warnings

import numpy as np
import properscoring
import xarray as xr
import xskillscore as xs
from eofs.standard import Eof
from scipy import linalg, stats
from sklearn.calibration import calibration_curve
from sklearn.metrics import brier_score_loss, root_mean_squared_error
from statsmodels.tsa.stattools import acf

warnings.simplefilter("ignore")
NY, NX = 6, 8
LAT = -90 + (np.arange(NY) + 0.5) * 180 / NY
COS = np.cos(np.radians(LAT))


class Numbers:
    """A linear congruential generator: 24-bit numbers in [0, 1), the same in any language."""

    def __init__(self, seed):
        self.state = seed

    def uniform(self, n):
        out = np.empty(n)
        for i in range(n):
            self.state = (1664525 * self.state + 1013904223) % 2**32
            out[i] = (self.state >> 8) / 2**24
        return out

    def bell(self, n):
        """Sum of four, minus 2: nearly normal, std 0.577."""
        u = self.uniform(4 * n).reshape(n, 4)
        return u[:, 0] + u[:, 1] + u[:, 2] + u[:, 3] - 2.0

    def series(self, frames, cells, memory):
        """Frames with memory, as f32."""
        out, z = [], np.zeros(cells)
        for _ in range(frames):
            z = memory * z + self.bell(cells)
            out.append(z.astype(np.float32))
        return np.array(out)

    def rain(self, frames, cells):
        """Mostly dry: what exceeds 0.3, squared and times 10."""
        z = self.series(frames, cells, 0.5).astype(float) - 0.3
        return np.where(z > 0, 10.0 * z * z, 0.0).astype(np.float32)


def wide(x):
    return np.asarray(x, np.float64)


def grid(x):
    """[..., cells] as DataArray with lat and lon last."""
    x = wide(x).reshape(*x.shape[:-1], NY, NX)
    names = ["time", "lat", "lon"][-x.ndim :] if x.ndim < 4 else ["member", "time", "lat", "lon"]
    return xr.DataArray(x, dims=names)


def mean_over_cells(values, rows=COS):
    values = np.asarray(values).reshape(NY, NX)
    live = ~np.isnan(values)
    w = np.broadcast_to(rows[:, None], values.shape)
    return (w * np.where(live, values, 0)).sum() / (w * live).sum()


result = {}
weights = xr.DataArray(np.broadcast_to(COS[:, None], (NY, NX)), dims=["lat", "lon"])

# Pointwise: truth without, model with an offset; cell 5 constant in both.
truth = Numbers(1).series(60, NY * NX, 0.8)
model = (Numbers(2).series(60, NY * NX, 0.6).astype(float) * 1.25 + 0.125).astype(np.float32)
truth[:, 5], model[:, 5] = 7.5, 7.25
y, x = grid(truth), grid(model)
w3 = weights.expand_dims(time=60)
result["pointwise"] = {
    "rmse": float(xs.rmse(x, y, dim=["time", "lat", "lon"], weights=w3)),
    "rmse_even": root_mean_squared_error(wide(truth).ravel(), wide(model).ravel()),
    "bias": xs.me(x, y, dim="time").values.ravel().tolist(),
    "absolute_bias": float(np.abs(xs.me(x, y, dim="time")).weighted(weights).mean()),
    "variance": wide(model).var(0).tolist(),
    "mean": float(x.weighted(w3).mean()),
    "std": float(x.weighted(w3).std()),
}


def cell_acf(frames, lags):
    out = np.full((lags + 1, frames.shape[1]), np.nan)
    for c in range(frames.shape[1]):
        if np.ptp(frames[:, c]) > 1e-9:
            out[:, c] = acf(frames[:, c], adjusted=False, nlags=lags, fft=False)
    return out


maps = cell_acf(wide(model), 10)
months = np.arange(60) // 5 % 12
anomalies = wide(model).copy()
for m in range(12):
    anomalies[months == m] -= anomalies[months == m].mean(0)
even = np.ones(NY)
result["acf"] = {
    "cell_3": maps[:, 3].tolist(),
    "cell_47": maps[:, 47].tolist(),
    "even": [mean_over_cells(m, even) for m in maps],
    "weighted": [mean_over_cells(m) for m in maps],
    "anomalies": [mean_over_cells(m) for m in cell_acf(anomalies, 10)],
}

# Ensembles: 4 starts x 7 members; start 3 is rain that ties with truth in many cells.
members = np.stack([Numbers(10 + b).series(3, NY * NX, 0.5) for b in range(7)])
target = Numbers(20).series(3, NY * NX, 0.5)
wet = np.stack([Numbers(30 + b).rain(1, NY * NX) for b in range(7)])
members = np.concatenate([members, wet], 1)
target = np.concatenate([target, Numbers(40).rain(1, NY * NX)])
m, t = grid(members), grid(target)


def scores(m, t):
    """m [member, time, lat, lon]"""
    b = m.sizes["member"]
    biased = xs.crps_ensemble(t, m, dim=["lat", "lon"], weights=weights).values
    e = np.moveaxis(m.values, 0, -1)
    assert np.allclose(
        biased,
        (properscoring.crps_ensemble(t.values, e) * COS[:, None]).sum((1, 2)) / (COS.sum() * NX),
    )
    pairs = np.abs(e[..., :, None] - e[..., None, :]).sum((-1, -2))
    pairs = (pairs * COS[:, None]).sum((1, 2)) / (COS.sum() * NX)
    fair = biased + pairs / (2 * b * b) - pairs / (2 * b * (b - 1)) if b > 1 else biased * np.nan
    return biased.tolist(), fair.tolist()


biased, fair = scores(m, t)
spread = float(np.sqrt(m.var("member", ddof=1).weighted(weights).mean(["lat", "lon"]).mean()))
w4 = weights.expand_dims(time=4)
skill = float(xs.rmse(m.mean("member"), t, dim=["time", "lat", "lon"], weights=w4))
ranks = np.zeros(8)
for start in range(4):
    both = np.concatenate([target[start][None], members[:, start]]).astype(float)
    low = stats.rankdata(both, "min", axis=0)[0].astype(int)
    high = stats.rankdata(both, "max", axis=0)[0].astype(int)
    if start < 3:
        # Without ties: xskillscore's own counts.
        ours = np.bincount(low - 1, minlength=8)
        theirs = xs.rank_histogram(t.isel(time=start), m.isel(time=start), dim=["lat", "lon"])
        assert (ours == theirs.values).all() and (low == high).all()
    for a, b in zip(low, high):
        # xskillscore draws one of the tied ranks; these are the expected counts.
        ranks[a - 1 : b] += 1 / (b - a + 1)
single = scores(m.isel(member=slice(0, 1)), t)[0]
result["ensemble"] = {
    "biased": biased,
    "fair": fair,
    "single": single,
    "spread": spread,
    "skill": skill,
    "ratio": np.sqrt(8 / 7) * spread / skill,
    "ranks": ranks.tolist(),
}

# Hovmoeller: 12 x 14 fields; rows one after another.
tall = Numbers(50).series(5, 12 * 14, 0.7).reshape(5, 12, 14)
rows = wide(tall[:, :, 2:12]).mean(2).astype(np.float32).astype(float)
place = np.arange(12) / 12
w1 = {"mass": [], "mass-periodic": [], "value": []}
for p, q in zip(rows, rows[1:]):
    a, b = np.abs(p) / np.abs(p).sum(), np.abs(q) / np.abs(q).sum()
    d = np.cumsum(a) - np.cumsum(b)
    w1["mass"].append(stats.wasserstein_distance(place, place, a, b))
    w1["mass-periodic"].append(np.abs(d - np.median(d)).mean())
    w1["value"].append(stats.wasserstein_distance(a, b))
result["hovmoeller"] = {"row": rows[2].tolist(), "w1": w1}

# Distributions.
u, v = Numbers(60).bell(37), Numbers(61).bell(53) + 0.25
uw, vw = Numbers(62).uniform(37), Numbers(63).uniform(53)
counts, edges = np.histogram(np.append(u, [1.0, -1.0, 0.5]), bins=8, range=(-1, 1))
density, _ = np.histogram(np.append(u, [1.0, -1.0, 0.5]), bins=8, range=(-1, 1), density=True)
many = Numbers(64).rain(200, NY * NX).ravel()
other = Numbers(65).rain(150, NY * NX).ravel()
result["distributions"] = {
    "w1": stats.wasserstein_distance(u, v),
    "w1_weighted": stats.wasserstein_distance(u, v, uw, vw),
    "counts": counts.tolist(),
    "edges": edges.tolist(),
    "density": density.tolist(),
    "quantiles": np.quantile(wide(many), [0.5, 0.9, 0.99, 0.999]).tolist(),
    "signed_quantiles": np.quantile(wide(model), [0.01, 0.3, 0.5, 0.9]).tolist(),
    "mean": wide(many).mean(),
    "w1_counts": stats.wasserstein_distance(wide(many), wide(other)),
}

# Waiting times.
rain = Numbers(70).rain(400, NY * NX)
run = Numbers(71).rain(300, NY * NX)
threshold = np.percentile(wide(rain), 95, axis=0)


def gaps(frames):
    out = []
    for c in range(frames.shape[1]):
        out += np.diff(np.flatnonzero(wide(frames[:, c]) > threshold[c])).tolist()
    return out


truth_gaps, run_gaps = gaps(rain), gaps(run)
result["waiting"] = {
    "threshold": threshold.tolist(),
    "threshold_60": np.percentile(wide(rain), 60, axis=0).tolist(),
    "counts": np.bincount(truth_gaps).tolist(),
    "mean": np.mean(truth_gaps),
    "longer_20": np.mean(np.array(truth_gaps) > 20),
    "histogram": np.histogram(truth_gaps, [1, 2, 5, 20, 1000])[0].tolist(),
    "w1": stats.wasserstein_distance(truth_gaps, run_gaps),
}

# Spectra of 16 x 16 fields, mean over frames.
fields = wide(Numbers(80).series(4, 256, 0.5)).reshape(4, 16, 16)
ky, kx = np.meshgrid(np.fft.fftfreq(16, 1 / 16), np.fft.fftfreq(16, 1 / 16), indexing="ij")
k2 = kx**2 + ky**2
shell = np.rint(np.sqrt(k2)).astype(int)
power = (np.abs(np.fft.fft2(fields) / 256) ** 2).mean(0)
inverse = np.where(k2 > 0, 1 / np.where(k2 > 0, k2, 1), 0)
result["spectra"] = {
    "energy": np.bincount(shell.ravel(), (0.5 * power * inverse).ravel()).tolist(),
    "enstrophy": np.bincount(shell.ravel(), (0.5 * power).ravel()).tolist(),
}
# Budget with mu 0.1, nu 1e-4 of order 2 on the modes that a solver with 16 points carries (|k| <= 5).
live = (np.abs(kx) <= 5) & (np.abs(ky) <= 5) & (k2 > 0)
each = np.where(live, np.abs(np.fft.fft2(fields) / 256) ** 2, 0)
energy, enstrophy = 0.5 * (each * inverse).sum((1, 2)), 0.5 * each.sum((1, 2))
result["budget"] = {
    "energy": energy.mean(),
    "enstrophy": enstrophy.mean(),
    "drag": [-0.2 * energy.mean(), -0.2 * enstrophy.mean()],
    "hyperviscosity": [
        -1e-4 * (k2 * each).sum((1, 2)).mean(),
        -1e-4 * (k2**2 * each).sum((1, 2)).mean(),
    ],
    "stored": [(energy[-1] - energy[0]) / 3, (enstrophy[-1] - enstrophy[0]) / 3],
}


# EOFs. Each row of cells has its own size, so that eigenvalues are apart.
def eof(frames, modes):
    solver = Eof(wide(frames).reshape(-1, NY, NX), weights=np.sqrt(COS)[:, None])
    patterns = solver.eofs(neofs=modes).reshape(modes, -1)
    sign = np.sign(patterns[np.arange(modes), np.abs(patterns).argmax(1)])
    return {
        "eigenvalues": solver.eigenvalues(neigs=modes).tolist(),
        "fractions": solver.varianceFraction(neigs=modes).tolist(),
        "total": float(solver.totalAnomalyVariance()),
        "patterns": (patterns * sign[:, None]).tolist(),
        "pcs": (solver.pcs(npcs=modes)[7] * sign).tolist(),
    }


factors = 1 + 0.5 * (np.arange(NY * NX) % 7)
long = (wide(Numbers(90).series(90, NY * NX, 0.9)) * factors + 100).astype(np.float32)
short = (wide(Numbers(91).series(20, NY * NX, 0.9)) * factors).astype(np.float32)
a, b = eof(long, 4), eof(short, 4)
angles = linalg.subspace_angles(np.array(a["patterns"]).T, np.array(b["patterns"]).T)
result["eof"] = {
    "long": a,
    "short": b,
    "cosines": np.sort(np.cos(angles))[::-1].tolist(),
}

# Reliability; the edges of the bins come too.
probability = np.append(Numbers(95).uniform(400), np.arange(11) * (1 / 10))
came = (np.append(Numbers(96).uniform(400), np.full(11, 0.5)) < probability**2).astype(int)
observed, predicted = calibration_curve(came, probability, n_bins=10)
number = np.bincount(np.searchsorted(np.linspace(0, 1, 11)[1:-1], probability), minlength=10)
result["reliability"] = {
    "observed": observed.tolist(),
    "predicted": predicted.tolist(),
    "ece": (number * np.abs(observed - predicted)).sum() / number.sum(),
    "brier": brier_score_loss(came, probability),
}

# Running means, blocks, drift, return levels.
line = Numbers(97).bell(40) + 0.03 * np.arange(40)
fit = stats.linregress(np.arange(40), line)
calm = Numbers(98).bell(12)
maxima = Numbers(99).uniform(30) * 50
maxima = maxima.astype(np.float32).astype(float)
rank = np.arange(1, 31)
levels = np.interp(np.log([1.5, 2, 10, 25, 31]), np.log(31 / rank)[::-1], np.sort(maxima))
blocks = wide(model).reshape(6, 10, NY * NX)
result["series"] = {
    "running": np.convolve(line, np.ones(7) / 7, "valid").tolist(),
    "change": fit.slope * 39,
    "error": fit.stderr * 39,
    "spread": calm.std(ddof=1),
    "offset": line.mean() - calm.mean(),
    "levels": levels.tolist(),
    "block_mean": blocks.mean((1, 2)).tolist(),
    "block_std": blocks.std((1, 2)).tolist(),
}

path = pathlib.Path(__file__).with_name("families.json")
path.write_text(json.dumps(result, default=float) + "\n")
print(path, path.stat().st_size)
