"""The solver's step beside the same step in numpy and scipy: do they agree, and how long do both take?

    python benches/solver.py [--binary target/release/eddyscope] [--repeats 20]

needs numpy and scipy. Both make unforced steps from one field at 64 x 64 and 256 x 256 cells, in f64, on one thread,
turn by turn. numpy's and scipy's transforms are of real fields; the step is written as a careful user would: work arrays
kept, the flux form with four transforms a slope (`solver::slope`).
"""
import argparse
import json
import os
import statistics
import subprocess
import time

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "RAYON_NUM_THREADS"):
    os.environ[name] = "1"

import numpy as np
import scipy.fft


class Step:
    """Runge-Kutta of fourth order with an integrating factor, as `sim::solver` has it."""

    def __init__(self, p, fft):
        n, length = p["n"], p["length"]
        self.n, self.dt, self.fft = n, p["dt"], fft
        k = 2 * np.pi / length * np.fft.fftfreq(n, 1 / n)
        kx, ky = k[None, : n // 2 + 1].copy(), k[:, None]
        kx[0, -1] = abs(kx[0, -1])
        k2 = kx**2 + ky**2
        limit = 2 * np.pi / length * (n // 3)
        keep = (np.abs(kx) <= limit) & (np.abs(ky) <= limit) & (k2 > 0)
        inverse = np.where(keep, 1 / np.where(k2 > 0, k2, 1), 0)
        rate = p["nu"] * k2 ** p["nu_order"] + p["mu"]
        self.whole = np.where(keep, np.exp(-rate * self.dt), 0)
        self.half = np.where(keep, np.exp(-rate * self.dt / 2), 0)
        self.to_u, self.to_v = 1j * ky * inverse, -1j * kx * inverse
        self.p, self.q = np.where(keep, kx**2 - ky**2, 0), np.where(keep, kx * ky, 0)
        self.keep = keep

    def slope(self, c):
        u = self.fft.irfft2(c * self.to_u, s=(self.n, self.n))
        v = self.fft.irfft2(c * self.to_v, s=(self.n, self.n))
        return self.fft.rfft2(u * v) * self.p + self.fft.rfft2(v * v - u * u) * self.q

    def __call__(self, c):
        dt, w, h = self.dt, self.whole, self.half
        k1 = self.slope(c)
        k2 = self.slope((c + k1 * (0.5 * dt)) * h)
        k3 = self.slope(c * h + k2 * (0.5 * dt))
        k4 = self.slope(c * w + k3 * (dt * h))
        return c * w + (k1 * w + (k2 + k3) * (2 * h) + k4) * (dt / 6)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary", default="target/release/eddyscope")
    parser.add_argument("--repeats", type=int, default=20)
    args = parser.parse_args()
    for side in (64, 256):
        ask = [args.binary, "bench", "--solver", str(side), "--repeats", "8"]
        first = json.loads(subprocess.run(ask, check=True, capture_output=True).stdout)
        steps = first["steps"]
        times = {"eddyscope": [], "numpy": [], "scipy": []}
        agree = 0.0
        for _ in range(args.repeats):
            ours = json.loads(subprocess.run(ask, check=True, capture_output=True).stdout)
            times["eddyscope"] += [statistics.median(ours["seconds"])]
            for name, fft in (("numpy", np.fft), ("scipy", scipy.fft)):
                step = Step(ours["params"], fft)
                start = fft.rfft2(np.array(ours["start"]).reshape(side, side)) * step.keep
                step(start)
                c, spent = start, []
                for _ in range(steps):
                    began = time.perf_counter()
                    c = step(c)
                    spent.append(time.perf_counter() - began)
                times[name].append(statistics.median(spent))
                end = np.array(ours["end"])
                agree = max(agree, np.abs(fft.irfft2(c, s=(side, side)).ravel() - end).max() / np.abs(end).max())
        ratios = [a / min(b, c) for a, b, c in zip(*times.values())]
        low, middle, high = statistics.quantiles(ratios, n=4)
        medians = ", ".join(f"{name} {statistics.median(t) * 1e3:.3f} ms" for name, t in times.items())
        print(f"{side} x {side}: {medians}; eddyscope / best of both {middle:.2f} ({low:.2f}-{high:.2f}); agree to {agree:.1e} after {steps} steps")


main()
