// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "LatentField.h"
#include "Model.h"
#include "Torch/Grid/Blocks.h"
#include "Torch/Networks/VelocityUNet.h"
#include "Torch/Runtime/Device.h"

namespace vae
{

/// A latent field to draw. Sizes and axes are slowest first (z, y, x). Tensors are on any device.
struct FieldRequest
{
  std::array<std::int64_t, 3> size{}; ///< cells
  double temperature = 1;             ///< factor on the noise
  std::array<bool, 3> periodic{};
  bool corrected = true; ///< a local mean that is drawn is ConditioningMean, not LocalMean
  at::Tensor trend;      ///< [1, size...] in normalised data, or undefined
  /// Without a trend: the group from which the local mean is drawn, with a box of this field.
  /// Empty: the local mean is drawn by itself.
  std::optional<LatentField::Group> local;
  ///@{
  /// Known local means, as localMean() computes them, [1, size...], where `localWhere`, [size...],
  /// is true; the others are drawn to fit them. Undefined: none is known.
  at::Tensor localKnown;
  at::Tensor localWhere;
  ///@}
  at::Tensor known; ///< [channels, size...]: latent vectors known at `where`, or undefined
  at::Tensor where; ///< [size...], bool
};

/// A second generative model, of latent fields instead of voxels (two stages: Dai and Wipf 2019):
/// a velocity v(x, t) that carries noise at t = 0 to latent fields at t = 1 (flow matching, Lipman
/// et al. 2023, Eq. 23; rectified flow, Liu et al. 2023). From v both ends of the path follow; each
/// step draws part of the noise again (ancestral sampling: Song et al. 2021, DDIM, Eq. 16 with
/// eta = 1).
/// The network is trained on crops, which do not contain longer waves. So the local mean of the
/// data is drawn first, as a random field, or given by the user, and v is conditioned on it,
/// smoothed.
class LearnedPrior
{
public:
  LearnedPrior(int dimensions, int latentChannels, int width);

  /// A field [channels, size...], float32, on the place's device, where all is computed. Known
  /// latent vectors are kept, the others are drawn to fit them.
  /// \param local if not null: receives the local mean that was used, [1, size...], there as well
  at::Tensor sample(const FieldRequest& request, at::Generator generator,
    const ComputeDevice& place, const Monitor& monitor, at::Tensor* local = nullptr) const;

  /// Smooth per-cell values, [1, z, y, x], over about six cells. At the border the average is over
  /// the cells that exist.
  static at::Tensor smooth(const at::Tensor& cells, const std::array<bool, 3>& periodic = {});

  int width() const; ///< of its network

  /// With a network of its own, on a device.
  std::shared_ptr<LearnedPrior> copy(const at::Device& device) const;

  State state() const;
  /// \throws std::runtime_error if a tensor is missing, or has the wrong shape or values, or if
  ///         its network would be larger than its tensors
  static std::shared_ptr<const LearnedPrior> fromState(
    const TensorReader& state, int dimensions, int latentChannels);

  std::shared_ptr<VelocityUNet> Net;
  at::Tensor Mean, Scale; ///< [channels]: of the latent vectors
  /// Random fields of the local mean (one channel): the data's own, and the one that the network is
  /// conditioned on, which is compensated for the flow's gain at long wavelengths. Both are drawn
  /// from the same noise. They are smoothed after drawing, because the network undoes part of the
  /// smoothing and would sharpen errors of a field that was drawn smooth.
  LatentField LocalMean, ConditioningMean;
  at::Tensor TrendScale; ///< [2]: mean and standard deviation of the smoothed local mean

private:
  /// A field's cells for the network, which halves it once: even along each axis.
  struct Cells
  {
    std::array<std::int64_t, 3> even;
    Wrapped wrapped;
  };
  Cells cellsFor(const FieldRequest& request) const;
  ///@{
  /// The smoothed local mean that the field is drawn for, [1, even...].
  static at::Tensor givenTrend(
    const FieldRequest& request, const Cells& cells, const at::Device& device);
  at::Tensor drawnTrend(const FieldRequest& request, const Cells& cells,
    const at::Generator& generator, const at::Device& device, at::Tensor* local) const;
  ///@}

  int Dimensions;
};

} // namespace vae
