// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "Closing.h"
#include "Torch/Data/TrainingSet.h"
#include "Torch/Grid/Boxes.h"
#include "Torch/Inference/Calibration.h"
#include "Torch/Networks/Network.h"

#include <random>

namespace vae
{

/// Measures what generating and judging need beside the network, on a training volume. What was
/// learned is left as it is: the result is a value of its own.
class Calibrator
{
public:
  /// \param begun with the learned prior, if there is one
  /// \param data whose measured() part is looked at; must outlive this
  Calibrator(const ModelInfo& info, const NetworkPtr& network, Calibration begun,
    const TrainingSet& data, const RunOptions& run);

  /// The latent field alone, as it is: of a block in the middle of the volume with about `most`
  /// voxels, or of all of it where that is 0.
  Calibration fieldOnly(std::int64_t most, const Monitor& monitor);

  /// All there is, one part after the other. What cannot be measured is told in leftOut, and
  /// nothing is thrown.
  /// \param left seconds that are left; empty: there is no limit, and the same comes out each time
  Calibration all(const Monitor& monitor, std::function<double()> left = {});

private:
  ///@{
  /// In the order of their weight.
  void field(Closing::Turn& turn);
  void matchField(Closing::Turn& turn);
  /// The flow makes a little more of long waves of the local mean than it should.
  void matchLearned(Closing::Turn& turn);
  void spread(Closing::Turn& turn);
  void anomalies(Closing::Turn& turn);
  void texture(Closing::Turn& turn);
  /// What is rebuilt has other Euler numbers than what is drawn, so where there is a flow that has
  /// learned something, what it draws is made to have the data's.
  void textureOfDrawn(Closing::Turn& turn);
  ///@}

  ComputeDevice place() const;
  /// Encode a part, and fit the field of it, and of the same part of `more` volumes.
  void encode(const Box& part, const std::vector<const Volume*>& more, const Monitor& monitor);
  /// What a random field decodes to, seen from afar. `looked` is set to the voxels of it.
  LatentField::Observed observe(
    const at::Tensor& field, const Monitor& monitor, std::int64_t& looked) const;
  /// Cells of a field of `edge` cells along each axis, and the decoder's halo around them.
  std::array<std::int64_t, 3> sizeOfLook(double edge) const;
  /// A block in the middle of what is encoded, with about `most` voxels, or as many as can be
  /// decoded `passes` times in the time that is left.
  Box block(std::int64_t most, double passes, Closing::Turn& turn) const;
  SurfaceMeasure surfaceOfData(const Index3& tile, const Monitor& monitor) const;

  ModelInfo Info;
  NetworkPtr Net;
  Calibration Found;
  const TrainingSet& Set;
  const Volume& Data; ///< the measured part
  RunOptions Run;
  Frame Grid;
  Latent Cells;                ///< of the whole volume, but 0 where it is not encoded
  Box Part;                    ///< that is
  Index3 Tile{};               ///< of the texture
  double Pace = 0;             ///< seconds to decode a voxel, if time matters
  std::mt19937_64 Random{ 0 }; ///< of samples of the learned prior
};

} // namespace vae
