// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#pragma once

namespace vae
{

/// Lets so many threads compute for a hundredth of a second and counts those that nothing kept from
/// it; at least 1. They are LibTorch's own, which would else wait, spinning, on the same cores.
int freeCores(int threads);

/// What freeCores() has found within the last second, or finds now.
int freeCoresLately(int threads);

} // namespace vae
