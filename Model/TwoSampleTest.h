// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "Model.h"

#include <array>
#include <cmath>

// The classifier two-sample test (Lopez-Paz and Oquab 2017, "Revisiting Classifier Two-Sample
// Tests", ICLR): a network is trained to tell blocks of two inputs apart, and tested on blocks that
// it has not seen. Accuracy .5: it cannot. Backend::twoSampleTest runs it.
namespace vae
{

/// Edge of the blocks that Two-Sample Test tells apart, voxels.
enum class BlockEdge
{
  Automatic = 0, ///< 64, or 32 where fewer than 128 blocks of 64 could be tested
  Voxels16 = 16,
  Voxels32 = 32,
  Voxels48 = 48,
  Voxels64 = 64,
  Voxels96 = 96,
  Voxels128 = 128
};

/// What Two-Sample Test does.
struct TwoSampleOptions
{
  BlockEdge blockSize = BlockEdge::Automatic;
  int steps = 200;       ///< of the optimiser, in each training
  bool control = true;   ///< also a half of the real input against the other half
  bool distances = true; ///< also of the measures of blocks, which need no training
  int surestBlocks = 4;  ///< of each kind that are handed out with their saliency
  Symmetry symmetry = Symmetry::Automatic;
  std::int64_t seed = 0;
};

/// \throws std::invalid_argument: label, value, what is allowed
void check(const TwoSampleOptions& options);

/// What is compared: volumes with the same arrays, spacing and kind of values.
struct TwoSampleInput
{
  std::vector<Volume> real, candidate;
};

/// A block that the classifier was tested on. It is blockDims of the result wide.
struct TestedBlock
{
  bool candidate = false;    ///< whose it is, else the real input's
  std::size_t volume = 0;    ///< of that input
  Dims origin{ 0, 0, 0 };    ///< its first voxel, along x, y, z
  double logit = 0;          ///< log odds, by the classifier, that it is the candidate's
  double probability() const ///< of the same
  {
    return 1 / (1 + std::exp(-this->logit));
  }
  bool right() const { return (this->logit > 0) == this->candidate; }
};

/// A block with where the classifier looked.
struct SureBlock : TestedBlock
{
  /// Absolute gradient of the logit by each voxel, in standard deviations of the data (of n phases:
  /// the sum over the phases' indicators), [z][y][x], x fastest (Simonyan, Vedaldi and Zisserman
  /// 2014: a saliency map).
  std::vector<float> saliency;
};

/// How many of the tested blocks of each class there were, and how many were told rightly.
struct ClassCount
{
  std::int64_t tested = 0, right = 0;
};

/// Mean over both classes of the fraction that was told rightly, so that one class that has more
/// blocks, or that is guessed more often, changes nothing. NaN: there was no test.
struct Accuracy
{
  double value = std::nan("");
  /// Binomial, of blocks that do not overlap: sqrt(sum p (1 - p) / n) / 2 with p = (right + 1) /
  /// (n + 2) of each class (Laplace's rule: all right is no proof that none would be wrong).
  double standardError = std::nan("");
  double standardErrorAtChance = std::nan(""); ///< the same for p = 1/2
  double pValue = std::nan(""); ///< of an accuracy this large by chance; normal distribution
  std::int64_t tested = 0;      ///< blocks of both classes, each counted once
};

/// \param counts real (or its first half), candidate (or the real input's second half); of each
/// training
/// \param distinct blocks that are there at all: no more than these are taken for independent,
/// where several trainings have tested the same voxels
Accuracy accuracyOf(const std::vector<std::array<ClassCount, 2>>& counts, std::int64_t distinct);

/// A row of the history: means over some steps.
struct TwoSampleRecord
{
  int step = 0;                      ///< the last of them
  double loss = std::nan("");        ///< cross entropy, nats a block
  double accuracy = std::nan("");    ///< in the batches that it learns from
  double controlLoss = std::nan(""); ///< the same, mean over the control's trainings
  double controlAccuracy = std::nan("");
};

struct TwoSampleResult
{
  Dims blockDims{ 0, 0, 0 };    ///< voxels of a block along x, y, z
  std::int64_t parameters = 0;  ///< of the classifier
  Accuracy accuracy;            ///< real against candidate
  Accuracy control;             ///< a half of the real input against the other half
  std::vector<double> controls; ///< accuracy of each training of the control
  std::vector<TwoSampleRecord> history;
  std::vector<TestedBlock> tested; ///< real against candidate
  std::vector<SureBlock> surest;   ///< the most like the candidate first, then the most like real
  std::string symmetry;            ///< what blocks were turned by, and why, in words
  std::string note;                ///< what was left out, or done elsewhere, and why; may be empty
};

} // namespace vae
