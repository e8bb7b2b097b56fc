# SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
# SPDX-License-Identifier: BSD-3-Clause
"""others.py textbook|autoencoderkl|varautoencoder VOLUME.npy [--target 0.955] [--limit 600]: seconds that what a user
could pick instead takes to a held-out accuracy on a two-phase volume (the last tenth of z is held out). textbook: a
convolutional VAE at full resolution in PyTorch with its defaults; the others are MONAI's, with the settings of
its documentation. Needs PyTorch, and MONAI for its two. The plugin's side: accuracy.py."""
import argparse
import time

import numpy
import torch
import torch.nn.functional as F
from torch import nn

parser = argparse.ArgumentParser()
parser.add_argument("which", choices=["textbook", "autoencoderkl", "varautoencoder"])
parser.add_argument("volume")
parser.add_argument("--target", type=float, default=0.955)
parser.add_argument("--limit", type=float, default=600)
options = parser.parse_args()
EDGE = 64

data = numpy.load(options.volume)
data = torch.from_numpy((data > data.min()).astype(numpy.float32))
cut = int(0.9 * len(data))
training, held = data[:cut], data[cut:]
depth = min(len(held), EDGE) // 8 * 8


class Textbook(nn.Module):
    """Three strided convolutions down, three transposed ones up."""

    def __init__(self):
        super().__init__()
        self.encoder = nn.Sequential(
            nn.Conv3d(1, 32, 4, 2, 1), nn.ReLU(), nn.Conv3d(32, 64, 4, 2, 1), nn.ReLU(),
            nn.Conv3d(64, 128, 4, 2, 1), nn.ReLU(), nn.Conv3d(128, 2 * 8, 3, padding=1))
        self.decoder = nn.Sequential(
            nn.Conv3d(8, 128, 3, padding=1), nn.ReLU(), nn.ConvTranspose3d(128, 64, 4, 2, 1), nn.ReLU(),
            nn.ConvTranspose3d(64, 32, 4, 2, 1), nn.ReLU(), nn.ConvTranspose3d(32, 1, 4, 2, 1))

    def forward(self, x):
        mean, log_variance = self.encoder(x).chunk(2, 1)
        z = mean + torch.randn_like(mean) * (0.5 * log_variance).exp() if self.training else mean
        return self.decoder(z), mean, log_variance


torch.manual_seed(0)
if options.which == "textbook":
    net, lr = Textbook(), 1e-3
    forward = net
elif options.which == "autoencoderkl":
    from monai.networks.nets import AutoencoderKL

    net = AutoencoderKL(spatial_dims=3, in_channels=1, out_channels=1, channels=(32, 64, 64), latent_channels=3,
                        num_res_blocks=1, norm_num_groups=16, attention_levels=(False, False, True))
    lr = 1e-4

    def forward(x):
        mean, sigma = net.encode(x)
        z = net.sampling(mean, sigma) if net.training else mean
        return net.decode(z), mean, 2 * sigma.log()
else:
    from monai.networks.nets import VarAutoEncoder

    net = VarAutoEncoder(spatial_dims=3, in_shape=(1, EDGE, EDGE, EDGE), out_channels=1, latent_size=256,
                         channels=(16, 32, 64), strides=(2, 2, 2))
    lr = 1e-3

    def forward(x):
        out, mean, log_variance, _ = net(x)
        return out, mean, log_variance

optimiser = torch.optim.Adam(net.parameters(), lr=lr)


def patch(source, depth):
    at = [int(torch.randint(n - e + 1, ())) for n, e in zip(source.shape, (depth, EDGE, EDGE))]
    return source[at[0]: at[0] + depth, at[1]: at[1] + EDGE, at[2]: at[2] + EDGE][None, None]


def accuracy():
    net.eval()
    right = []
    with torch.no_grad():
        for _ in range(8):
            x = patch(held, depth if options.which != "varautoencoder" else min(len(held), EDGE))
            if options.which == "varautoencoder":  # it takes one size only
                x = F.pad(x[0], (0, 0, 0, 0, 0, EDGE - x.shape[2]), mode="reflect")[None]
            right.append(float(((forward(x)[0] > 0) == (x > 0.5)).float().mean()))
    net.train()
    return sum(right) / len(right)


spent, steps, best, next_look = 0., 0, 0., 10.
while spent < options.limit:
    begin = time.perf_counter()
    x = patch(training, EDGE)
    logits, mean, log_variance = forward(x)
    nll = F.binary_cross_entropy_with_logits(logits, x, reduction="sum")
    kl = 0.5 * (mean**2 + log_variance.exp() - log_variance - 1).sum()
    optimiser.zero_grad()
    ((nll + kl) / x.numel()).backward()
    optimiser.step()
    spent += time.perf_counter() - begin
    steps += 1
    if spent >= next_look:
        best = accuracy()
        next_look = spent * 1.15
        print(f"{options.which}: {spent:.0f} s, {steps} steps, held-out accuracy {best:.4f}", flush=True)
        if best >= options.target:
            break
print(f"{options.which}: {'reached' if best >= options.target else 'did not reach'} {options.target} in {spent:.0f} s")
