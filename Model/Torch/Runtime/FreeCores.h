// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#pragma once

namespace vae
{

/// Number of free cores: so many threads compute for a hundredth of a second, and those that were
/// not interrupted count; at least 1. They are LibTorch's own threads, which would otherwise spin
/// on the same cores.
int freeCores(int threads);

/// What freeCores() has found within the last second, or finds now.
int freeCoresLately(int threads);

} // namespace vae
