// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "Lineage.h"
#include "Torch/Grid/Boxes.h"

#include <mutex>

namespace vae
{

/// The mean of a volume's first channel in each latent cell, [1, z, y, x]: of normalised grey
/// values, or the fraction of all phases but that of the lowest label.
at::Tensor localMean(const Volume& volume, const ModelInfo& info);

/// What a training learns from, and what its parts need to know of it: computed once, and what
/// takes long when it is first asked for, by any thread.
class TrainingSet
{
public:
  /// \param info as describeTraining() makes it of the data
  TrainingSet(std::shared_ptr<const DataSet> data, const ModelInfo& info);

  const std::vector<Volume>& volumes() const { return this->Data->volumes; }

  ///@{
  /// Of each volume: insideMask() and maskedBox().
  const at::Tensor& inside(std::size_t volume) const { return this->Parts[volume].inside; }
  const Box& box(std::size_t volume) const { return this->Parts[volume].box; }
  ///@}

  /// localMean() of a volume.
  const at::Tensor& localMean(std::size_t volume) const;

  ///@{
  /// The part of the data for statistics of neighbouring voxels, and its local mean: the largest
  /// box(), without a mask. Voxels outside a mask (air around a core) are no data. Where there is
  /// no mask it is of the same arrays as the volume, else of copies.
  /// \throws std::invalid_argument if no volume has a cell in its mask
  const Volume& measured() const;
  at::Tensor measuredMean() const;
  ///@}
  /// Voxels at the end of measured(), along its last axis in use, that are held out.
  std::int64_t measuredHeldOut() const;

  /// Further volumes of the size of measured(), where that alone has too few latent cells for
  /// statistics of them: an image of many that is a block of the network, and so has one cell.
  /// Spread evenly over the data; none where it has a mask.
  std::vector<const Volume*> besideMeasured() const;

private:
  struct Part
  {
    at::Tensor inside;
    Box box;
    at::Tensor mean;
  };
  Frame frame(std::size_t volume) const;

  std::shared_ptr<const DataSet> Data;
  ModelInfo Info;
  std::size_t Largest = 0; ///< the volume with the largest box
  mutable std::mutex Lock; ///< of what is computed late
  mutable std::vector<Part> Parts;
  mutable std::optional<Volume> Measured;
};

} // namespace vae
