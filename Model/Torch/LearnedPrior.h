// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "../Model.h"
#include "Blocks.h"
#include "Device.h"
#include "FlowNetwork.h"
#include "LatentField.h"

namespace vae
{

/// A latent field to draw. Sizes and axes are slowest first (z, y, x).
struct FieldRequest
{
  std::array<std::int64_t, 3> size{}; ///< cells
  double temperature = 1;             ///< factor on the noise
  std::array<bool, 3> periodic{};
  at::Tensor trend; ///< [1, size...] in normalised data, or undefined
  /// Of the local mean, where no trend is given: one of these samples, whose box is of the field,
  /// or just one of its own.
  std::optional<LatentField::Group> local;
  ///@{
  /// The data's mean in each cell as localMean() has it, [1, size...], is given where `localWhere`,
  /// [size...], is true, and the rest of it drawn around that; or undefined.
  at::Tensor localKnown;
  at::Tensor localWhere;
  ///@}
  at::Tensor known; ///< [channels, size...]: a field that is given where `where`, or undefined
  at::Tensor where; ///< [size...], bool
};

/// A second generative model, of latent fields instead of voxels (two stages: Dai and Wipf 2019):
/// a velocity v(x, t) that carries noise at t = 0 to latent fields at t = 1 (flow matching, Lipman
/// et al. 2023, Eq. 23; rectified flow, Liu et al. 2023). It tells where a field that is part noise
/// goes to and comes from; each step towards it draws some of the noise anew (ancestral sampling:
/// Song et al. 2021, DDIM, Eq. 16 with eta = 1).
/// Because crops that fit a small network know nothing of waves that are longer, the local mean of
/// the data is drawn first, as a random field, and v depends on it, smoothed; a user can give it
/// instead.
class LearnedPrior
{
public:
  LearnedPrior(int dimensions, int latentChannels, int width);

  /// [channels, size...], float32 on the CPU. Where the field is known it stays so, and the rest is
  /// drawn to fit it.
  /// \param local if not null: the data's mean in each cell that it was drawn for, [1, size...]
  at::Tensor sample(const FieldRequest& request, at::Generator generator, const Place& place,
    const Monitor& monitor, at::Tensor* local = nullptr) const;

  /// The mean of a volume's first channel in each latent cell, [1, z, y, x]: of normalised grey
  /// values, or of where a phase is not that of the lowest label.
  static at::Tensor localMean(const Volume& volume, const ModelInfo& info);

  /// Data a local mean is made of, averaged over each cell, [1, z, y, x]: smoothed over about six
  /// cells. Where the field ends the average is over what there is.
  static at::Tensor smooth(const at::Tensor& cells, const std::array<bool, 3>& periodic = {});

  std::map<std::string, at::Tensor> tensors() const; ///< what a model file stores
  /// Whether its network may have so many channels.
  static bool possible(std::int64_t width) { return width >= 1 && width <= 4096; }
  /// \throws std::runtime_error if a tensor is missing, or has the wrong shape or values
  static std::shared_ptr<const LearnedPrior> fromTensors(
    const std::map<std::string, at::Tensor>& tensors, int dimensions, int latentChannels);

  std::shared_ptr<FlowNetwork> Net;
  at::Tensor Mean, Scale; ///< [channels]: of the latent vectors
  /// The mean of the data in each cell, one channel, as it is, and as the network is to be told it,
  /// so that what it makes of that is as it is: drawn with the same noise. Smoothed after it is
  /// drawn, since of a field that is drawn smooth the network would sharpen what little the drawing
  /// got wrong.
  LatentField Local, Told;
  at::Tensor TrendScale; ///< [2]: mean and standard deviation of the smoothed local mean

private:
  int Dimensions;
};

} // namespace vae
