// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "Network.h"

namespace vae
{

/// Fully convolutional encoder and decoder over folded space, without normalisation over
/// space, so that blocks with the true halo equal the whole. A latent field.
NetworkPtr makeFieldNetwork(const NetworkOptions& options);

/// Convolutions down to one latent vector for a block, and back (a fully convolutional trunk, as
/// Nugroho et al. 2020). Blocks know nothing of each other.
NetworkPtr makeVectorNetwork(const NetworkOptions& options);

/// x - hidden - latent - hidden - x with ReLU, one latent vector for a block (Kingma and Welling
/// 2014, appendix C.1; 784-400-20-400-784 is PyTorch's example). Without hidden units it is linear,
/// whose optimum is probabilistic principal component analysis (Lucas et al. 2019).
NetworkPtr makeDenseNetwork(const NetworkOptions& options);

/// The user's own pair of TorchScript modules. encoder: [batch, channels, block...] to [batch, 2
/// latent] (means, then log variances); decoder: [batch, latent] to [batch, channels, block...].
/// \throws std::invalid_argument naming the file and what is wrong with it
NetworkPtr makeScriptNetwork(const NetworkOptions& options, std::shared_ptr<const Scripts> scripts);
/// Of the files that the options name. \throws the same
std::shared_ptr<const Scripts> readScripts(const NetworkOptions& options);

///@{
/// Between a volume of blocks and a batch of them: [batch, channels, cells * size...] and [batch *
/// cells, channels, size...].
at::Tensor cutBlocks(const at::Tensor& whole, std::int64_t size);
at::Tensor joinBlocks(const at::Tensor& blocks, const std::vector<std::int64_t>& cells);
///@}

} // namespace vae
