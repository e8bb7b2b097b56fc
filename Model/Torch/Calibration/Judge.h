// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "Closing.h"
#include "Statistics/Report.h"
#include "Torch/Grid/Blocks.h"
#include "Verdict.h"

namespace vae
{

/// Judges what a model draws, and what it rebuilds, by blocks of the volume that it was trained on:
/// of the slab that is held out, where that is thick enough, else of all of it.
class Judge
{
public:
  /// \param data of the training, without a mask
  /// \param heldOut voxels at its end of the last axis in use, which no step has seen
  /// All must outlive this.
  Judge(const ModelInfo& info, const Volume& data, std::int64_t heldOut);

  /// Why there can be no verdict, in words; empty: there can.
  const std::string& unfit() const { return this->Unfit; }

  /// \param model of that training, which gives the same each time
  /// \throws OutOfTime, Stopped, std::bad_alloc
  Verdict judge(const Model& model, const RunOptions& run, Closing::Turn& turn) const;

private:
  /// Blocks that do not overlap, side by side.
  struct Lattice
  {
    Index3 origin{}, block{ 1, 1, 1 }, count{ 0, 0, 0 };
    std::int64_t number() const { return this->count[0] * this->count[1] * this->count[2]; }
    Box at(std::int64_t i) const;
    std::vector<Box> spread(std::int64_t most) const; ///< evenly
    Lattice compact(std::int64_t most) const;         ///< as nearly a cube as there is room for
    Box hull() const;
  };
  /// Of each phase, of each block.
  using Reports = std::vector<std::vector<statistics::Report>>;

  /// Of the largest blocks of which there are enough, between two layers of the last axis.
  Lattice blocksBetween(std::int64_t from, std::int64_t to) const;
  Reports measure(
    const std::vector<Volume>& blocks, const RunOptions& run, Closing::Turn& turn) const;
  std::vector<Volume> rebuilt(
    const Model& model, const RunOptions& run, const Monitor& monitor) const;
  std::vector<Volume> drawn(const Model& model, const RunOptions& run, Closing::Turn& turn) const;

  const ModelInfo& Info;
  const Volume& Data;
  Frame Grid;
  int Last;                                    ///< axis in use
  std::vector<statistics::PhaseChoice> Phases; ///< that are measured
  Lattice Real, Rest;                          ///< Rest: none where nothing is held out
  std::string Unfit;
};

} // namespace vae
