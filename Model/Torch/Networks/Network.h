// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "Options.h"
#include "Torch/Grid/Blocks.h"
#include "Torch/Runtime/State.h"

#include <ATen/core/Generator.h>

#include <torch/nn/module.h>

#include <map>
#include <mutex>

namespace vae
{

/// q(z|x) = N(mean, exp(logVariance)), both [batch, latent, cells...], float32.
struct Posterior
{
  at::Tensor mean, logVariance;
};

/// Context around a tile: latent cells on the low and on the high side of each axis of a tensor.
struct Halo
{
  std::vector<std::int64_t> low, high;
};

/// What `wide` has around `box`, along the axes of the network's tensors.
Halo around(const Box& box, const Box& wide, int dimensions);

/// A user's own encoder and decoder, as their files have them. They are programs.
struct Scripts
{
  std::string encoder, decoder;
};

/// An encoder and a decoder. Data are folded: [batch, channels * fold^d, size / fold...]; latents
/// are [batch, latent, size / stride...].
class Network : public torch::nn::Module
{
public:
  explicit Network(const NetworkOptions& options); ///< all weights zero

  virtual void initialise(const at::Generator& generator);
  virtual Posterior encode(const at::Tensor& folded) = 0;
  virtual at::Tensor decode(const at::Tensor& latent) = 0; ///< in the type of the input

  ///@{
  /// The same of a tile with a halo, which the result does not have.
  virtual Posterior encodeTile(const at::Tensor& folded, const Halo& halo);
  virtual at::Tensor decodeTile(const at::Tensor& latent, const Halo& halo);
  ///@}

  ///@{
  /// Cells of the latent field beyond which a voxel has no influence on a latent vector, or a
  /// latent vector on a voxel.
  virtual int encodeHalo() const = 0;
  virtual int decodeHalo() const = 0;
  ///@}
  /// Cells beyond which a latent vector has no noticeable influence on a voxel: two cells or 16
  /// voxels, at most decodeHalo().
  int context() const;

  /// Each latent vector replaced by the nearest of the codebook, where there is one (van den Oord,
  /// Vinyals and Kavukcuoglu 2017, Eq. 1-2).
  at::Tensor quantise(const at::Tensor& latent) const;
  /// Indices into the codebook of [rows, latent].
  at::Tensor nearestCodes(const at::Tensor& rows) const;
  at::Tensor codebook; ///< [codes, latent], or undefined
  at::Tensor codeUse;  ///< [codes]: moving average of how often each is the nearest
  at::Tensor codeSum;  ///< [codes, latent]: of the sum of the latent vectors that it is nearest to

  /// What a copy or a file must hold beside the tensors, or null.
  virtual std::shared_ptr<const Scripts> scripts() const { return nullptr; }

  /// Parameters and buffers, in their order.
  std::vector<std::pair<std::string, at::Tensor>> tensors() const;

  /// Everything a copy or a file must hold: tensors() and scripts().
  State state() const;

protected:
  /// Means and log variances from the encoder's last layer, which gives both.
  Posterior split(const at::Tensor& both) const;

  NetworkOptions Options;

private:
  friend std::shared_ptr<Network> onDevice(const std::shared_ptr<Network>& network,
    const NetworkOptions& options, const at::Device& device);
  std::mutex CopiesGuard;
  std::map<std::string, std::shared_ptr<Network>> Copies; ///< by device
};
using NetworkPtr = std::shared_ptr<Network>;

/// Of the architecture that they name. TorchScript: of `scripts`, or else of those in the files
/// that the options name.
NetworkPtr makeNetwork(
  const NetworkOptions& options, std::shared_ptr<const Scripts> scripts = nullptr);
NetworkPtr copyOf(const Network& network, const NetworkOptions& options);

/// The same, whose weights want no gradients: for those of its input.
NetworkPtr frozenCopyOf(const Network& network, const NetworkOptions& options);

/// A network that does not change, on a device: on the CPU itself; on another a frozen copy that is
/// made once and kept as long as the network. Any thread may ask and use it.
NetworkPtr onDevice(
  const NetworkPtr& network, const NetworkOptions& options, const at::Device& device);

/// The same, but on the CPU a frozen copy, too: for gradients of its input.
NetworkPtr frozenOn(
  const NetworkPtr& network, const NetworkOptions& options, const at::Device& device);

/// \param allowTorchScript whether a network that is a program may be made
/// \throws std::runtime_error naming what is missing or wrong, before memory is asked for
NetworkPtr networkFromState(
  const NetworkOptions& options, const TensorReader& state, bool allowTorchScript);

/// Latent vectors as rows: [batch, latent, cells...] to [batch * cells, latent]. Cells of the same
/// patch follow each other.
at::Tensor rowsOf(const at::Tensor& latent);

/// Largest and smallest log variance a posterior may have.
constexpr double MinimumLogVariance = -12, MaximumLogVariance = 6;
/// Posteriors start narrow: while the KL term is still ramped up, noise of unit variance would
/// teach the decoder to ignore the latents, and small batches then never recover.
constexpr double InitialLogVariance = -4;

} // namespace vae
