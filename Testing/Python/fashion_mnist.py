# SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
# SPDX-License-Identifier: BSD-3-Clause
"""fashion_mnist.py PROGRAM [STEPS SEEDS]: the plugin's trainer beside PyTorch, same network and
schedule, on Fashion-MNIST (Debian package dataset-fashion-mnist), pixels above 127 as ones. The
evidence lower bounds of the test images must agree to 0.5 %. Exits with 77 (skipped) without PyTorch
or the data; VAE_FASHION_MNIST names their folder if it is not that of the package."""
import gzip
import math
import os
import subprocess
import sys
import tempfile

folder = os.environ.get("VAE_FASHION_MNIST", "/usr/share/datasets/fashion-mnist")
try:
    import torch
    import torch.nn.functional as F
    from torch import nn
    from torch_layers import Residual
except ImportError:
    print("Skipped: there is no PyTorch for this Python")
    sys.exit(77)
if not os.path.isdir(folder):
    print(f"Skipped: there is no {folder}")
    sys.exit(77)

PROGRAM = sys.argv[1]
STEPS = int(sys.argv[2]) if len(sys.argv) > 2 else 3000
SEEDS = int(sys.argv[3]) if len(sys.argv) > 3 else 2


def images(name):
    with gzip.open(os.path.join(folder, name)) as file:
        data = bytearray(file.read()[16:])
    return (torch.frombuffer(data, dtype=torch.uint8).view(-1, 784) > 127).to(torch.uint8)


class Dense(nn.Module):
    def __init__(self):
        super().__init__()
        self.inner, self.head = nn.Linear(784, 400), nn.Linear(400, 40)
        self.outer, self.out = nn.Linear(20, 400), nn.Linear(400, 784)

    def encode(self, x):
        return self.head(F.relu(self.inner(x))).chunk(2, 1)

    def decode(self, z):
        return self.out(F.relu(self.outer(z)))


class Vector(nn.Module):
    """Blocks of 28: 7 x 7 cells of 16 folded pixels, which no stride of 2 divides."""

    def __init__(self, width=32):
        super().__init__()
        self.stem, self.encoder = nn.Conv2d(16, width, 3, padding=1), Residual(width, 2)
        self.head, self.foot = nn.Linear(width * 49, 40), nn.Linear(20, width * 49)
        self.decoder = nn.Sequential(Residual(width, 2), Residual(width, 2))
        self.out = nn.Conv2d(width, 16, 3, padding=1)
        with torch.no_grad():
            self.head.bias[20:] = -4  # posteriors start narrow

    def encode(self, x):
        h = self.encoder(self.stem(F.pixel_unshuffle(x.view(-1, 1, 28, 28), 4)))
        return self.head(F.silu(h).flatten(1)).chunk(2, 1)

    def decode(self, z):
        h = self.decoder(self.foot(z).view(len(z), -1, 7, 7))
        return F.pixel_shuffle(self.out(F.silu(h)), 4).flatten(1)


def bound(net, x):
    """Nats an image, one sample each."""
    mean, log_variance = net.encode(x)
    z = mean + torch.randn_like(mean) * (0.5 * log_variance).exp()
    nll = F.binary_cross_entropy_with_logits(net.decode(z), x, reduction="sum")
    kl = 0.5 * (mean**2 + log_variance.exp() - log_variance - 1).sum()
    return -(nll + kl) / len(x)


def reference(kind, train, test, seed):
    torch.manual_seed(seed)
    net = {"dense": Dense, "vector": Vector}[kind]()
    optimiser = torch.optim.AdamW(net.parameters(), lr=1e-3, betas=(0.9, 0.95), weight_decay=0.01)
    for step in range(STEPS):
        cosine = 0.5 * (1 + math.cos(math.pi * step / STEPS))
        for group in optimiser.param_groups:
            group["lr"] = 1e-3 * min(1, (step + 1) / 30) * (1 / 200 + (1 - 1 / 200) * cosine)
        x = train[torch.randint(len(train), (128,))].float()
        optimiser.zero_grad()
        (-bound(net, x) / 784).backward()
        nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimiser.step()
    with torch.no_grad():
        return sum(float(bound(net, test.float())) for _ in range(5)) / 5


train, test = images("train-images-idx3-ubyte.gz"), images("t10k-images-idx3-ubyte.gz")
failed = False
print(f"test ELBO, nats an image; {STEPS} steps of 128; PyTorch {torch.__version__}")
print("network seed plugin PyTorch difference")
with tempfile.TemporaryDirectory() as scratch:
    paths = []
    for name, data in (("train", train), ("test", test)):
        paths.append(os.path.join(scratch, name))
        data.numpy().tofile(paths[-1])
    for kind in ("dense", "vector"):
        ours, theirs = [], []
        for seed in range(SEEDS):
            run = subprocess.run([PROGRAM, *paths, kind, str(STEPS), str(seed)], check=True,
                                 capture_output=True, text=True)
            ours.append(float(run.stdout))
            theirs.append(reference(kind, train, test, seed))
            print(f"{kind} {seed} {ours[-1]:.2f} {theirs[-1]:.2f} "
                  f"{100 * (ours[-1] / theirs[-1] - 1):+.2f} %", flush=True)
        ratio = sum(ours) / sum(theirs) - 1
        print(f"{kind} mean {sum(ours) / SEEDS:.2f} {sum(theirs) / SEEDS:.2f} {100 * ratio:+.2f} %")
        failed = failed or abs(ratio) > 0.005
sys.exit(failed)
