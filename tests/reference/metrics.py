"""Writes metrics.json: inputs and the values that src/metrics must give, from numpy and scipy alone.

Run: python3 tests/reference/metrics.py (numpy, scipy)
"""

import json
import pathlib

import numpy as np
from scipy.ndimage import gaussian_filter
from scipy.stats import wasserstein_distance

rng = np.random.default_rng(2505)
T, B, N = 14, 5, 12


def smooth(frames):
    """Correlated in space and time, without mean."""
    x = gaussian_filter(rng.standard_normal((frames + 20, N, N)), (2, 1, 1), mode="wrap")[20:]
    x = 10 * (x - x.mean((1, 2), keepdims=True))
    return x.astype(np.float32)


truth, model = smooth(T), smooth(T) * np.float32(1.2) + np.float32(0.05)
y, x = truth.astype(float), model.astype(float)


def acf(x, lags):
    out = []
    d = x - x.mean(0)
    c0 = (d * d).sum(0)
    live = c0 > 0
    for j in range(lags + 1):
        c = (d[j:] * d[: len(d) - j]).sum(0)
        out.append((c[live] / c0[live]).mean())
    return out


def pooled(x, lags):
    n = len(x)
    return [
        (x[: n - j] * x[j:]).mean() / np.sqrt((x[: n - j] ** 2).mean() * (x[j:] ** 2).mean())
        for j in range(lags + 1)
    ]


def modes(n):
    ky, kx = np.meshgrid(np.fft.fftfreq(n, 1 / n), np.fft.fftfreq(n, 1 / n), indexing="ij")
    return kx, ky


def radial(w):
    kx, ky = modes(N)
    k2 = kx**2 + ky**2
    shell = np.rint(np.sqrt(k2)).astype(int)
    power = np.abs(np.fft.fft2(w) / N**2) ** 2
    energy = 0.5 * power / np.where(k2 > 0, k2, np.inf)
    sums = lambda a: np.bincount(shell.ravel(), a.ravel()).tolist()
    return {"energy": sums(energy), "enstrophy": sums(0.5 * power)}


def shell_power(frames):
    kx, ky = modes(N)
    shell = np.rint(np.hypot(kx, ky)).astype(int)
    live = (np.abs(kx) < N / 3) & (np.abs(ky) < N / 3)
    power = (np.abs(np.fft.fft2(frames, norm="ortho")) ** 2).mean(0)
    return [power[live & (shell == s)].mean() for s in range(1, 5)]


def row(frame):
    return frame[N // 2 - 5 : N // 2 + 5].mean(0).astype(np.float32).astype(float)


def w1(p, q):
    a, b = np.abs(p) / np.abs(p).sum(), np.abs(q) / np.abs(q).sum()
    place = np.arange(N) / N
    d = np.cumsum(a) - np.cumsum(b)
    return {
        "mass": wasserstein_distance(place, place, a, b),
        "periodic": np.abs(d - np.median(d)).mean(),
        "value": wasserstein_distance(a, b),
    }


def crps(members, y):
    b = len(members)
    error = np.abs(members - y).mean(0)
    pairs = np.abs(members[:, None] - members[None]).sum((0, 1))
    return {
        "biased": (error - pairs / (2 * b * b)).mean(),
        "fair": (error - pairs / (2 * b * (b - 1))).mean(),
    }


# The "solver" of the dynamics figures: a shift by one column, times 0.9.
g = (0.9 * np.roll(model, 1, -1)).astype(np.float32).astype(float)
d, e = g[:-1] - x[:-1], x[1:] - x[:-1]
a = (d * e).sum() / (d * d).sum()

members = np.stack([smooth(1)[0] for _ in range(B)]).astype(float)
target = smooth(1)[0].astype(float)
# Some ties with truth, as in a field that is mostly dry.
members[1:3, :3] = target[:3]
ranks = np.zeros(B + 1)
for cell in np.ndindex(target.shape):
    below = (members[(slice(None), *cell)] < target[cell]).sum()
    ties = (members[(slice(None), *cell)] == target[cell]).sum()
    ranks[below : below + ties + 1] += 1 / (ties + 1)
starts = [(members[:, :6], target[:6]), (members[:, 6:], target[6:])]
spread2 = np.mean([m.var(0, ddof=1).mean() for m, _ in starts])
skill2 = np.mean([((t - m.mean(0)) ** 2).mean() for m, t in starts])

flat = lambda a: [float(v) for v in np.asarray(a, np.float32).ravel()]
result = {
    "frames": T,
    "members": B,
    "n": N,
    "truth": flat(truth),
    "model": flat(model),
    "ensemble": flat(members),
    "target": flat(target),
    "expected": {
        "rmse": np.sqrt(((y - x) ** 2).mean()),
        "bias": np.abs(x.mean(0) - y.mean(0)).mean(),
        "std_ratio": x.std() / y.std(),
        "kurtosis": (x**4).mean() / (x**2).mean() ** 2,
        "acf": acf(x, 10),
        "pooled_acf": pooled(x, 10),
        "radial": radial(x[3]),
        "shell_power": shell_power(x),
        "spectrum_error": np.abs(np.log10(np.array(shell_power(x)) / shell_power(y))).mean(),
        "skill": 1 - ((e - d) ** 2).sum() / (e**2).sum(),
        "a": a,
        "residual": np.sqrt(((e - a * d) ** 2).mean()),
        "row": row(model[4]).tolist(),
        "w1": w1(row(model[4]), row(model[5])),
        "crps": crps(members, target),
        "ranks": ranks.tolist(),
        "spread": np.sqrt(spread2),
        "skill_rmse": np.sqrt(skill2),
        "ratio": np.sqrt((B + 1) / B) * np.sqrt(spread2 / skill2),
    },
}
path = pathlib.Path(__file__).with_name("metrics.json")
path.write_text(json.dumps(result, indent=None, default=float) + "\n")
print(path, path.stat().st_size)
