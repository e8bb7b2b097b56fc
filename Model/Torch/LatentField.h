// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "../Model.h"
#include "Blocks.h"

#include <ATen/core/Generator.h>
#include <ATen/core/Tensor.h>

#include <functional>
#include <map>
#include <string>

namespace vae
{

/// A stationary random field with the statistics of a measured one: each channel's marginal
/// distribution, and its covariance across channels and lags, by way of normal scores whose own
/// gives it. Sampled spectrally, at any size (Gaussian anamorphosis, its Hermite expansion, and
/// spectral simulation, standard in geostatistics: Chiles and Delfiner, Geostatistics, 2012).
class LatentField
{
public:
  /// Measure `mean`: [channels, z, y, x]. The log variance, of the same shape or undefined, is for
  /// statistics(). Beyond `maximumLag` cells the field is taken for uncorrelated.
  static LatentField fit(
    const at::Tensor& mean, const at::Tensor& logVariance = {}, std::int64_t maximumLag = 12);

  /// What a field decodes to, seen from afar.
  struct Observed
  {
    at::Tensor means;     ///< of each cell, [1, z, y, x]
    double threshold = 0; ///< of the log odds of the first phase, where its fraction is the data's
  };
  /// Change the covariance, by a factor for each wave number, until what samples decode to has the
  /// covariance of what is wanted (iterative translation approximation, Shields et al. 2011), and
  /// the amplitude of its normal scores, until it has the variance: a decoder is no linear filter,
  /// and makes fragments of a field that has only the right covariance. Samples are few, so steps
  /// become smaller and smaller and their noise averages out (Robbins and Monro 1951).
  /// \param wanted the means of the data in each cell, [1, z, y, x]
  /// \param observe for samples of [channels, size...]; called twice a round, and once more
  void match(const at::Tensor& wanted, const std::function<Observed(const at::Tensor&)>& observe,
    const std::array<std::int64_t, 3>& size, at::Generator generator, int rounds = MatchRounds);
  static constexpr int MatchRounds = 24;

  /// The field goes into something that passes on waves in part, and adds others: change the
  /// covariance, where waves are passed on, so that what comes out has the one it has now.
  /// \param pairs [2, z, y, x] each: what went in, with that covariance, and what came out
  void compensate(const std::vector<at::Tensor>& pairs);

  /// Where samples decode to the data's fraction of the first phase, as match() found it.
  double threshold() const { return this->Threshold; }

  std::vector<LatentStatistics> statistics() const; ///< of each channel

  /// A field of [channels, size...]. `temperature` scales deviations from the median. Along a
  /// periodic axis its end meets its beginning.
  at::Tensor sample(const std::array<std::int64_t, 3>& size, at::Generator generator,
    double temperature, const std::array<bool, 3>& periodic = {}) const;

  /// Samples in pairs, one for each generator, of opposite normal scores: where one of a pair is
  /// rich the other is poor (antithetic variates, Hammersley and Morton 1956).
  struct Group
  {
    std::vector<at::Generator> generators; ///< left as they are
    std::size_t member = 0;                ///< 0 and 1 are of the first pair
    Box box;                               ///< of a sample
  };
  /// One of a group whose normal scores are shifted, all by the same, until the mean of the first
  /// channel in all their boxes is its expectation: the mean of few samples is that of many.
  at::Tensor sample(const std::array<std::int64_t, 3>& size, const Group& group, double temperature,
    const std::array<bool, 3>& periodic = {}) const;

  /// The same where nothing is known, and the values [channels, size...] of `known` where `where`,
  /// [size...], is true: a free sample is corrected by the simple kriging of its misfit there
  /// (conditional simulation: Chiles and Delfiner, section 7.3.1), on normal scores.
  at::Tensor sampleGiven(const at::Tensor& known, const at::Tensor& where, at::Generator generator,
    double temperature) const;
  at::Tensor sampleGiven(
    const at::Tensor& known, const at::Tensor& where, const Group& group, double temperature) const;

  std::map<std::string, at::Tensor> tensors() const; ///< what a model file stores
  /// \throws std::runtime_error if they are not those of a field of so many channels (0: any)
  static LatentField fromTensors(const at::Tensor& quantiles, const at::Tensor& covariance,
    const at::Tensor& posteriorVariance = {}, double amplitude = 1, double threshold = 0,
    std::int64_t channels = 0);

private:
  /// A Gaussian field on a periodic grid of some size: the factors that colour white noise, one
  /// matrix L a frequency, [frequencies, channels, channels]; L L^H is its spectrum.
  struct Spectrum
  {
    std::vector<std::int64_t> sizes;
    at::Tensor factors;

    at::Tensor draw(const std::array<std::int64_t, 3>& size, at::Generator generator) const;
  };
  Spectrum spectrum(
    const std::array<std::int64_t, 3>& size, const std::array<bool, 3>& periodic) const;
  at::Tensor scores(const Spectrum& spectrum, const std::array<std::int64_t, 3>& size,
    const Group& group, double temperature) const;
  at::Tensor given(const at::Tensor& known, const at::Tensor& where, const Spectrum& spectrum,
    const at::Tensor& free) const;
  std::array<std::int64_t, 3> radius() const; ///< of the lags
  /// Of normal scores, so that values have this one: [channels, channels, lags...].
  at::Tensor covarianceOfScores(const at::Tensor& values) const;
  at::Tensor scoresOf(const at::Tensor& values) const;
  at::Tensor valuesAt(const at::Tensor& scores) const;

  at::Tensor Quantiles;  ///< [channels, scores]: values at equally spaced normal scores
  at::Tensor Covariance; ///< [channels, channels, 2 Rz + 1, 2 Ry + 1, 2 Rx + 1]
  double Amplitude = 1;  ///< of the normal scores
  double Threshold = 0;
  at::Tensor PosteriorVariance; ///< [channels]: mean of Var[z|x]
};

} // namespace vae
