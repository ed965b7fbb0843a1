"""The networks of a shipped model in PyTorch: do the outputs agree, and how long do both take?

    python benches/pytorch.py [--model models/vorticity] [--binary target/release/eddyscope] [--repeats 30] [--threads 2]

needs torch, numpy and safetensors. The program and PyTorch take turns, round after round, with the same number of
threads; PyTorch runs eager, with channels_last, and with torch.compile (which needs a C++ compiler). Prints the medians, and
the ratio of each round's times with its quartiles. The last row is a whole training step of the denoiser.
"""
import argparse
import json
import os
import statistics
import subprocess
import tempfile
import time
import tomllib

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.numpy import load_file


class Net:
    """A U-Net (or its way down) with the parameters of a safetensors file."""

    def __init__(self, config, weights, prefix):
        self.c = config
        self.w = {k[len(prefix):]: torch.from_numpy(v.astype(np.float32)) for k, v in weights.items()
                  if k.startswith(prefix)}

    def conv(self, name, x, stride=1):
        w = self.w[name + ".weight"]
        if w.shape[2] == 3:
            x = self.pad(x)
        return F.conv2d(x, w, self.w[name + ".bias"], stride=stride)

    def pad(self, x):
        rows, columns = self.c["padding"]
        if rows == "pole":
            turn = lambda line: torch.roll(line, x.shape[3] // 2, 3)
            x = torch.cat([turn(x[:, :, :1]), x, turn(x[:, :, -1:])], 2)
        elif rows == "circular":
            x = F.pad(x, (0, 0, 1, 1), mode="circular")
        else:
            x = F.pad(x, (0, 0, 1, 1))
        return F.pad(x, (1, 1, 0, 0), mode="circular") if columns == "circular" else F.pad(x, (1, 1, 0, 0))

    def norm(self, name, x):
        return F.group_norm(x, self.c["groups"], self.w[name + ".scale"], self.w[name + ".shift"], 1e-5)

    def linear(self, name, x):
        return F.linear(x, self.w[name + ".weight"], self.w[name + ".bias"])

    def block(self, name, x, e):
        h = self.conv(name + ".conv1", F.silu(self.norm(name + ".norm1", x)))
        h = self.norm(name + ".norm2", h)
        if e is not None:
            a, b = self.linear(name + ".modulation", e)[:, :, None, None].chunk(2, 1)
            h = h * (1 + a) + b
        h = self.conv(name + ".conv2", F.silu(h))
        return h + (self.conv(name + ".skip", x) if name + ".skip.weight" in self.w else x)

    def attention(self, name, x):
        n, c, h, w = x.shape
        qkv = self.conv(name + ".qkv", self.norm(name + ".norm", x))
        q, k, v = qkv.reshape(n, 3, self.c["heads"], c // self.c["heads"], h * w).transpose(3, 4).unbind(1)
        o = F.scaled_dot_product_attention(q, k, v)
        return x + self.conv(name + ".out", o.transpose(2, 3).reshape(n, c, h, w))

    def trunk(self, x, c_noise, p="trunk."):
        e = None
        if c_noise is not None:
            f = torch.exp(torch.linspace(np.log(0.5), np.log(16.0), 32, dtype=torch.float64)).float()
            phase = c_noise[:, None] * f[None]
            e = torch.cat([phase.sin(), phase.cos()], 1)
            e = F.silu(self.linear(p + "embedding.linear1", e))
            e = F.silu(self.linear(p + "embedding.linear2", e))
        x = self.conv(p + "stem", F.pixel_unshuffle(x, self.c["patch"]))
        states = []
        last = len(self.c["channels"]) - 1
        for level, n in enumerate(self.c["blocks"]):
            if level:
                x = self.conv(f"{p}levels.{level}.enter", x, 2)
            if f"{p}positions.{level}" in self.w:
                x = x + self.w[f"{p}positions.{level}"]
            attend = (n + 1) // 2 if level == last else n
            for i in range(n):
                x = self.block(f"{p}levels.{level}.blocks.{i}", x, e)
                if self.c["attention"][level] and i + 1 == attend:
                    x = self.attention(f"{p}levels.{level}.attention", x)
            states.append(x)
        return states, e

    def unet(self, x, c_noise=None):
        states, e = self.trunk(x, c_noise)
        x = states.pop()
        for level in reversed(range(len(states))):
            x = torch.cat([F.interpolate(x, scale_factor=2, mode="nearest"), states.pop()], 1)
            for i in range(self.c["up_blocks"][level]):
                x = self.block(f"up.{level}.blocks.{i}", x, e)
                if self.c["attention"][level] and i + 1 == self.c["up_blocks"][level]:
                    x = self.attention(f"up.{level}.attention", x)
        x = self.conv("output", F.silu(self.norm("norm", x)))
        return F.pixel_shuffle(x, self.c["patch"])


class Denoiser:
    def __init__(self, config, weights, sigma_data):
        self.net, self.data = Net(config, weights, "unet."), sigma_data

    def __call__(self, x, sigma):
        total = sigma**2 + self.data**2
        f = self.net.unet(x / total**0.5, (sigma.log() / 4))
        return x * (self.data**2 / total) + f * (sigma * self.data / total**0.5)


class Encoder:
    """Logit and its gradient with respect to the candidate, history length 3."""

    def __init__(self, card, weights):
        config = {k: card[k] for k in ("channels", "blocks", "attention", "patch", "heads", "groups", "padding")}
        self.net, self.card = Net(config, weights, ""), card

    def logit(self, x, history, sigma):
        data = self.card["sigma_data"]
        scaled = lambda floor: (sigma**2 + floor**2) ** 0.5
        parts = [x / scaled(data)]
        if self.card["increments"]:
            parts += [(x - history[:, :1]) / scaled(0.2), (history[:, :1] - history[:, 1:2]) / 0.2]
        parts += [history / data, torch.ones_like(history[:, :3])]
        states, _ = self.net.trunk(torch.cat(parts, 1), sigma.log() / 4)
        h = F.silu(self.net.norm("norm", states[-1])).mean((2, 3))
        return self.net.linear("logit", F.silu(self.net.linear("hidden", h)))[:, 0]

    def __call__(self, x, history, sigma):
        x = x.detach().requires_grad_(True)
        logit = self.logit(x, history, sigma)
        return logit.detach(), torch.autograd.grad(logit.sum(), x)[0]


def training_step(card, weights, batch, side):
    """A training step of the denoiser as `train denoiser` makes it: batch, loss with the weights of Karras et al. 2022, gradient,
    clipping, AdamW and a moving average of the weights."""
    model = Denoiser(card["network"], weights, card["sigma_data"])
    model.net.w = {k: v.clone().requires_grad_(True) for k, v in model.net.w.items()}
    parameters = list(model.net.w.values())
    average = [p.detach().clone() for p in parameters]
    optimizer = torch.optim.AdamW(parameters, lr=1e-4, betas=(0.9, 0.99), weight_decay=0.01)
    data = card["sigma_data"]
    frames = data * torch.randn(64, 1, *side)

    def loss(x, noise, sigma):
        s = sigma[:, None, None, None]
        total = s**2 + data**2
        noised = x + s * noise
        f = model.net.unet(noised / total**0.5, sigma.log() / 4)
        denoised = noised * (data**2 / total) + f * (s * data / total**0.5)
        return ((denoised - x) ** 2 * total / (s * data) ** 2).mean()

    def step(loss):
        x = frames[torch.randint(64, (batch,))]
        value = loss(x, torch.randn_like(x), torch.exp(1.3 * torch.randn(batch) - 1))
        optimizer.zero_grad(set_to_none=True)
        value.backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        with torch.no_grad():
            torch._foreach_lerp_(average, parameters, 1e-3)
        return value.item()

    return step, loss


def time_training(card, weights, ask, a):
    batch = 16
    side = ask(f"training {batch}")["shape"]
    step, loss = training_step(card, weights, batch, side)
    ways = {"eager": loss}
    if not a.no_compile:
        try:
            compiled = torch.compile(loss)
            step(compiled)
            ways["compile"] = compiled
        except Exception as e:  # noqa: BLE001 - whatever keeps it from compiling is worth telling
            print(f"  torch.compile: {type(e).__name__}: {str(e).splitlines()[0][:100]}")
    times = {w: [] for w in ("ours", *ways)}
    for round_ in range(a.repeats + 2):
        took = {"ours": ask(f"training {batch}")["seconds"]}
        for way, f in ways.items():
            step(f)
            began = time.perf_counter()
            step(f)
            took[way] = time.perf_counter() - began
        if round_ >= 2:
            for way, t in took.items():
                times[way].append(1e3 * t)
    medians = {w: statistics.median(t) for w, t in times.items()}
    best = min(ways, key=lambda w: medians[w])
    q = statistics.quantiles([o / t for o, t in zip(times["ours"], times[best])], n=4)
    cell = lambda w: f"{medians[w]:8.1f}" if w in medians else f"{'-':>8}"
    print(f"{'training step, batch 16':24} {'-':>8} {cell('ours')} {cell('eager')} {'-':>8} {cell('compile')}"
          f"   {q[1]:.2f} ({q[0]:.2f}-{q[2]:.2f})")


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--model", default="models/vorticity")
    p.add_argument("--binary", default="target/release/eddyscope")
    p.add_argument("--repeats", type=int, default=30)
    p.add_argument("--threads", type=int, default=2)
    p.add_argument("--no-compile", action="store_true")
    a = p.parse_args()
    torch.set_num_threads(a.threads)
    with open(os.path.join(a.model, "model.toml"), "rb") as f:
        card = tomllib.load(f)
    load = lambda name: load_file(os.path.join(a.model, name + ".safetensors"))
    denoiser = Denoiser(card["denoiser"]["network"], load("denoiser"), card["denoiser"]["sigma_data"])
    tower = Net(card["two_tower"]["network"], load("tower"), "unet.")
    encoder = Encoder(card["encoder"]["network"], load("encoder")) if "encoder" in card else None

    folder = tempfile.mkdtemp()
    env = dict(os.environ, RAYON_NUM_THREADS=str(a.threads))
    child = subprocess.Popen([a.binary, "bench", "--model", a.model, "--device", "cpu", "--serve", folder],
                             stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=env)
    ask = lambda line: (child.stdin.write(line + "\n"), child.stdin.flush(), json.loads(child.stdout.readline()))[2]
    read = lambda name, shape: torch.from_numpy(np.fromfile(os.path.join(folder, name), "<f4").reshape(shape))

    print(f"torch {torch.__version__}, {a.threads} threads, {a.repeats} rounds, model {card['name']}")
    one = torch.ones(1)
    cases = []
    for rows in (1, 8):
        cases.append((f"denoiser, batch {rows}", f"denoiser {rows}", lambda x, h: denoiser(x, one), False, rows))

    def forecast(x, h):
        season = torch.zeros(len(h), tower.c["in_channels"] - 7, *h.shape[2:])
        u = tower.unet(torch.cat([2 * h, torch.ones_like(h[:, :3]), season], 1))
        kept = 1.0 if tower.c["out_channels"] == 1 else 0.5
        return kept * h[:, :1] + 0.4 * u[:, :1]

    cases.append(("tower, batch 1", "tower 1", forecast, False, 1))
    if encoder:
        cases.append(("encoder, gradient", "encoder 1", lambda x, h: encoder(x, h, one)[1], True, 1))

    print(f"{'':24} {'agree':>8} {'ours':>8} {'eager':>8} {'ch.last':>8} {'compile':>8}   ours / best (quartiles)")
    for name, command, run, gradient, rows in cases:
        answer = ask(command)
        shape = answer["shape"]
        x, h = read("x", [rows, 1, *shape]), read("history", [rows, 4, *shape])
        guard = torch.enable_grad() if gradient else torch.no_grad()
        with guard:
            theirs = run(x, h)
            ours = read("out", theirs.shape)
            agree = float((ours - theirs).abs().max() / theirs.abs().max())
            last = [t.contiguous(memory_format=torch.channels_last) for t in (x, h)]
            ways = {"eager": lambda: run(x, h)}
            def weights_last(on):
                form = torch.channels_last if on else torch.contiguous_format
                for net in (denoiser.net, tower) + ((encoder.net,) if encoder else ()):
                    for k, v in net.w.items():
                        if v.dim() == 4:
                            net.w[k] = v.contiguous(memory_format=form)
            ways["channels_last"] = lambda: run(*last)
            if not a.no_compile and not gradient:
                try:
                    compiled = torch.compile(run)
                    compiled(x, h)
                    ways["compile"] = lambda: compiled(x, h)
                except Exception as e:  # noqa: BLE001 - whatever keeps it from compiling is worth telling
                    print(f"  torch.compile: {type(e).__name__}: {str(e).splitlines()[0][:100]}")
            times = {w: [] for w in ("ours", *ways)}
            for round_ in range(a.repeats + 3):
                took = {"ours": ask(command)["seconds"]}
                for way, f in ways.items():
                    weights_last(way == "channels_last")
                    f()
                    began = time.perf_counter()
                    f()
                    took[way] = time.perf_counter() - began
                if round_ >= 3:
                    for way, t in took.items():
                        times[way].append(1e3 * t)
            medians = {w: statistics.median(t) for w, t in times.items()}
            best = min((w for w in ways), key=lambda w: medians[w])
            ratios = [o / t for o, t in zip(times["ours"], times[best])]
            q = statistics.quantiles(ratios, n=4)
            cell = lambda w: f"{medians[w]:8.2f}" if w in medians else f"{'-':>8}"
            print(f"{name:24} {agree:8.1e} {cell('ours')} {cell('eager')} {cell('channels_last')} {cell('compile')}"
                  f"   {q[1]:.2f} ({q[0]:.2f}-{q[2]:.2f})")
    if "globe" not in card["data"]:
        time_training(card["denoiser"], load("denoiser"), ask, a)
    child.stdin.close()
    child.wait()


if __name__ == "__main__":
    main()
