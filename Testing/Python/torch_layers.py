# SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
# SPDX-License-Identifier: BSD-3-Clause
"""The layers of the plugin's networks in Python PyTorch, for what is compared with it."""
import torch.nn.functional as F
from torch import nn


class CellNorm(nn.LayerNorm):
    def forward(self, x):
        return super().forward(x.movedim(1, -1)).movedim(-1, 1)


class Residual(nn.Module):
    def __init__(self, n, dimensions):
        super().__init__()
        conv = {2: nn.Conv2d, 3: nn.Conv3d}[dimensions]
        self.norm = CellNorm(n)
        self.first, self.second = conv(n, n, 3, padding=1), conv(n, n, 3, padding=1)
        nn.init.zeros_(self.second.weight)
        nn.init.zeros_(self.second.bias)

    def forward(self, x):
        return x + self.second(F.silu(self.first(F.silu(self.norm(x)))))
