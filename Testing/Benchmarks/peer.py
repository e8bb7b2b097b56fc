# SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
# SPDX-License-Identifier: BSD-3-Clause
"""peer.py train|infer default|tuned|compiled [EDGE [WIDTH/PATCH/BATCH]]: the plugin's network, the default one unless told, in
Python PyTorch, as JSON on a line. "default" is what PyTorch does unasked: float32, contiguous. "tuned" is what one does by hand: bfloat16
autocast, channels_last_3d, inference_mode, on a GPU also cuDNN's benchmark and a volume that lies there; "compiled" the same by
torch.compile. On the device that VAE_BENCH_DEVICE names, the CPU unless told, for twice VAE_BENCH_SECONDS (6). Exits with 77 where
PyTorch, or that device in it, is not there."""
import json
import os
import statistics
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "Python"))
try:
    import torch
    import torch.nn.functional as F
    from torch import nn
    from torch_layers import Residual
except ImportError:
    sys.exit(77)

what, how = sys.argv[1:3]
edge = int(sys.argv[3]) if len(sys.argv) > 3 else 128
tuned = how != "default"
device = os.environ.get("VAE_BENCH_DEVICE") or "cpu"
torch.backends.cudnn.benchmark = tuned
FOLD, LATENT = 4, 8
WIDTH, PATCH, BATCH = map(int, sys.argv[4].split("/")) if len(sys.argv) > 4 else (32, 48, 2)
SECONDS = 2 * float(os.environ.get("VAE_BENCH_SECONDS") or 6)
if device != "cpu" and not torch.cuda.is_available():
    sys.exit(77)


class Field(nn.Module):
    def __init__(self):
        super().__init__()
        w, folded = WIDTH, FOLD**3
        self.encoder = nn.Sequential(
            nn.Conv3d(folded, w, 3, padding=1), Residual(w, 3), nn.SiLU(), nn.Conv3d(w, 2 * w, 2, 2),
            Residual(2 * w, 3), nn.SiLU(), nn.Conv3d(2 * w, 2 * LATENT, 3, padding=1))
        self.decoder = nn.Sequential(
            nn.Conv3d(LATENT, 2 * w, 3, padding=1), Residual(2 * w, 3), nn.SiLU(),
            nn.ConvTranspose3d(2 * w, w, 2, 2), Residual(w, 3), Residual(w, 3), nn.SiLU(),
            nn.Conv3d(w, folded, 3, padding=1))


def fold(x):
    """[batch, z, y, x] to [batch, fold^3, z / fold, y / fold, x / fold]."""
    b, z, y, x_ = x.shape
    f = FOLD
    x = x.view(b, z // f, f, y // f, f, x_ // f, f).permute(0, 2, 4, 6, 1, 3, 5)
    return x.reshape(b, f**3, z // f, y // f, x_ // f)


def unfold(x):
    b, _, z, y, x_ = x.shape
    f = FOLD
    return x.view(b, f, f, f, z, y, x_).permute(0, 4, 1, 5, 2, 6, 3).reshape(b, z * f, y * f, x_ * f)


def formatted(x):
    return x.to(memory_format=torch.channels_last_3d) if tuned else x


torch.manual_seed(0)
small = (F.avg_pool3d(torch.randn(1, 1, 72, 72, 72), 9, 1)[0, 0] > 0.03).to(torch.uint8)
volume = small.repeat(edge // 64 + 1, edge // 64 + 1, edge // 64 + 1)[:edge, :edge, :edge].contiguous()
volume = volume.to(device) if tuned else volume
net = formatted(Field().to(device))
if how == "compiled":
    # To find a precompiled header in its cache it asks the program openssl, which not every machine has.
    from torch._inductor import config
    config.cpp_cache_precompile_headers = False
    net.encoder, net.decoder = torch.compile(net.encoder), torch.compile(net.decoder)
cast = lambda: torch.autocast(torch.device(device).type, torch.bfloat16, enabled=tuned)


def awaited(work):
    work()
    if device != "cpu":
        torch.cuda.synchronize()


def measured(work):
    begin = time.perf_counter()
    awaited(work)
    first = time.perf_counter() - begin
    every, end = [], time.perf_counter() + SECONDS
    while not every or time.perf_counter() < end:
        begin = time.perf_counter()
        awaited(work)
        every.append(time.perf_counter() - begin)
    return first, statistics.median(every)


def patch():
    at = [int(torch.randint(edge - PATCH + 1, ())) for _ in range(3)]
    p = volume[at[0]: at[0] + PATCH, at[1]: at[1] + PATCH, at[2]: at[2] + PATCH]
    axes = [a for a in range(3) if torch.rand(()) < 0.5]
    return p.flip(axes).permute(*torch.randperm(3).tolist())


def train():
    optimiser = torch.optim.AdamW(net.parameters(), lr=2e-3, betas=(0.9, 0.95))

    def step():
        x = formatted(fold(torch.stack([patch() for _ in range(BATCH)]).to(device).float()))
        optimiser.zero_grad()
        with cast():
            mean, log_variance = net.encoder(x).float().chunk(2, 1)
            z = mean + torch.randn_like(mean) * (0.5 * log_variance).exp()
            logits = net.decoder(z)
        nll = F.binary_cross_entropy_with_logits(logits.float(), x, reduction="sum")
        kl = 0.5 * (mean**2 + log_variance.exp() - log_variance - 1).sum()
        ((nll + kl) / (BATCH * PATCH**3)).backward()
        nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimiser.step()

    first, step_seconds = measured(step)
    return {"voxels_a_second": BATCH * PATCH**3 / step_seconds, "first_step_ms": 1e3 * first,
            "step_ms": 1e3 * step_seconds}


def infer():
    BLOCK = 64  # no halo: less work than the plugin does

    def rebuild():
        out = torch.empty_like(volume)
        for z in range(0, edge, BLOCK):
            for y in range(0, edge, BLOCK):
                for x in range(0, edge, BLOCK):
                    b = slice(z, z + BLOCK), slice(y, y + BLOCK), slice(x, x + BLOCK)
                    with (torch.inference_mode() if tuned else torch.no_grad()), cast():
                        mean = net.encoder(formatted(fold(volume[b][None].to(device).float()))).chunk(2, 1)[0]
                        out[b] = unfold(net.decoder(mean) > 0)[0]
        return out

    return {"reconstruct": edge**3 / measured(rebuild)[1]}


print(json.dumps({"train": train, "infer": infer}[what]()))
