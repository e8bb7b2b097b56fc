// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "RankedPhase.h"
#include "Tiles.h"
#include "Torch/Grid/DeviceBlocks.h"
#include "Torch/Losses/Likelihood.h"
#include "Torch/Networks/Network.h"

#include <c10/core/InferenceMode.h>

namespace vae
{

/// A field of latent vectors, [channels, z, y, x], whose first cell is `low`.
struct LatentGrid
{
  at::Tensor values;
  Index3 low{};

  Index3 high() const;
};

/// A network at work on one volume's grid: on a device, in tiles that fit into the memory. As long
/// as one lives, its thread is in inference mode and LibTorch has the threads asked for, or as many
/// as cores are free.
class Inference
{
public:
  Inference(
    const ModelInfo& info, const NetworkPtr& network, const Frame& frame, const RunOptions& run);

  ///@{
  /// Cells of a tile. `more`: bytes a voxel that are used beside the network's own.
  TileSize encodeTile(const Index3& cells) const;
  TileSize decodeTile(const Index3& cells, double more = 0) const;
  ///@}
  /// Of what is made of a decoded tile, bytes a voxel.
  double outputBytes(const Outputs& outputs) const
  {
    return outputBytesPerVoxel(this->Info, outputs, this->Where);
  }

  /// q(z|x) of a box of cells, on the CPU, [1, channels, z, y, x].
  Posterior encode(const Volume& volume, const Box& box);

  /// The same of a box of any size, in tiles: [channel][z][y][x].
  Latent encodeTiles(const Volume& volume, const Box& box, const Monitor& monitor);

  /// What a box of cells decodes to, float32, folded, channels last, on the network's device.
  at::Tensor decode(const LatentGrid& field, const Box& box);

  /// The same of a box that may be larger than a tile, for what must be seen whole.
  at::Tensor decodeInTiles(const LatentGrid& field, const Box& box);

  /// The data of a box of cells, normalised and folded, on the network's device.
  at::Tensor read(const Volume& volume, const Box& box) const;

  ///@{
  /// Write what was decoded as values and probabilities; or one of `channels` values a voxel, which
  /// are folded alike. From a GPU it is written when it has arrived: while the GPU decodes what
  /// comes next, or when flush() is called.
  /// \param ranked if not null: gets the first channel's phases, which are not written
  void write(const Box& box, const at::Tensor& decoded, const Outputs& outputs,
    RankedPhase* ranked = nullptr);
  /// \param shift see writeFolded()
  void write(const Box& box, const at::Tensor& folded, std::size_t channels, std::size_t channel,
    Decode what, const OutputChannel& to, float shift = -0.F);
  void flush() { this->Writes.flush(); }
  ///@}

  /// Bytes of the memory budget that decoding the whole volume, in tiles, leaves.
  double spareBytes(double more) const;

  /// Tiles and memory, in words.
  std::string plan() const;

  const Frame& frame() const { return this->Grid; }
  const at::Device& device() const { return this->Where.device; }
  /// p(x|z), on the network's device.
  const ObservationModel& observation() const { return *this->Observation; }
  int decodeHalo() const { return this->Net->decodeHalo(); }

private:
  /// \throws std::bad_alloc if there is no memory for a box of cells
  void reserveFor(const Box& wide) const;
  TileSize tile(const Index3& cells, int halo, double bytes) const;
  /// Bytes that decoding a tile takes, with its halo inside `cells`.
  double tileBytes(const Index3& cells, const Index3& tile, double more) const;

  CudaCacheReleaser Returned;
  const ModelInfo& Info;
  ComputeDevice Where;
  Frame Grid;
  Budget Limit;
  RunScope Scope;
  c10::InferenceMode Mode;
  NetworkPtr Net;
  std::unique_ptr<ObservationModel> Observation;
  FoldedWrites Writes;
};

} // namespace vae
