// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "Model.h"
#include "Spectrum.h"
#include "Torch/Grid/Blocks.h"
#include "Torch/Runtime/State.h"

#include <ATen/core/Generator.h>
#include <ATen/core/Tensor.h>

#include <functional>
#include <string>

namespace vae
{

/// A stationary random field with the statistics of a measured one: each channel's marginal
/// distribution, and its covariance across channels and lags, by way of normal scores whose own
/// gives it. Sampled spectrally, at any size (Gaussian anamorphosis, its Hermite expansion, and
/// spectral simulation, standard in geostatistics: Chiles and Delfiner, Geostatistics, 2012).
/// All is computed on the device that the field is on, and what it makes is there.
class LatentField
{
public:
  /// Measure `mean`: [channels, z, y, x], or [fields, channels, z, y, x] of several fields of one
  /// size, which are taken for samples of the same. The log variance, of the same shape or
  /// undefined, is for statistics(). Beyond `maximumLag` cells the field is taken for uncorrelated.
  static LatentField fit(
    const at::Tensor& mean, const at::Tensor& logVariance = {}, std::int64_t maximumLag = 12);

  LatentField on(const at::Device& device) const; ///< the same

  /// Local means of the volume that a field decodes to.
  struct Observed
  {
    at::Tensor means; ///< of each cell, [1, z, y, x]
    /// Of the log odds of the first phase, one for each channel of the data, that give the data's
    /// fractions; empty for grey values.
    std::vector<double> thresholds{};
  };
  /// Fit the field until the local means of decoded samples have the data's statistics: a factor
  /// for each wave number is fitted to their covariance (iterative translation approximation,
  /// Shields et al. 2011), and the amplitude of the normal scores to their variance. A decoder is
  /// not a linear filter, so a field with the latents' own covariance decodes to fragments. The
  /// samples are few, so steps become smaller and their noise averages out (Robbins and Monro
  /// 1951).
  /// \param wanted local means of the data, [1, z, y, x]
  /// \param observe decodes a sample [channels, size...]; called twice a round, and once more
  void match(const at::Tensor& wanted, const std::function<Observed(const at::Tensor&)>& observe,
    const std::array<std::int64_t, 3>& size, at::Generator generator, int rounds = MatchRounds);
  static constexpr int MatchRounds = 24;

  /// The field is the input of a system with a gain for each wave and with noise of its own: change
  /// the covariance so that the output has the present one, where waves pass.
  /// \param pairs [2, z, y, x] each: an input with the present covariance, and its output
  void compensate(const std::vector<at::Tensor>& pairs);

  /// Thresholds of the log odds for the data's fractions of the first phase, from match(): one for
  /// each channel of the data, or empty. Older files have one for all channels.
  const std::vector<double>& thresholds() const { return this->Thresholds; }

  std::vector<LatentStatistics> statistics() const; ///< of each channel

  /// A field [channels, size...]. `temperature` scales deviations from the median. Along a periodic
  /// axis its end fits its beginning.
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

  /// A sample with the values of `known`, [channels, size...], where `where`, [size...], is true: a
  /// free sample is corrected by simple kriging of its misfit there
  /// (conditional simulation: Chiles and Delfiner, section 7.3.1), on normal scores.
  at::Tensor sampleGiven(const at::Tensor& known, const at::Tensor& where, at::Generator generator,
    double temperature) const;
  at::Tensor sampleGiven(
    const at::Tensor& known, const at::Tensor& where, const Group& group, double temperature) const;

  State state() const; ///< without what is as in a field that was only measured
  /// \throws std::runtime_error if it is not that of a field of so many channels
  static LatentField fromState(const TensorReader& state, std::int64_t channels);

private:
  std::shared_ptr<const Spectrum> spectrum(
    const std::array<std::int64_t, 3>& size, const std::array<bool, 3>& periodic) const;
  at::Tensor scores(const Spectrum& spectrum, const std::array<std::int64_t, 3>& size,
    const Group& group, double temperature) const;
  /// The shift of `scores`, to 3e-5 of a standard deviation, with which the mean of the first
  /// channel is that of normal scores of a standard deviation of `scale`.
  double shiftOf(const at::Tensor& scores, double scale) const;
  at::Tensor given(const at::Tensor& known, const at::Tensor& where, const Spectrum& spectrum,
    const at::Tensor& free) const;
  void setCovariance(const at::Tensor& covariance);
  std::array<std::int64_t, 3> radius() const; ///< of the lags
  /// Of normal scores, so that values have this one: [channels, channels, lags...].
  at::Tensor covarianceOfScores(const at::Tensor& values) const;
  at::Tensor scoresOf(const at::Tensor& values) const;
  at::Tensor valuesAt(const at::Tensor& scores) const;

  at::Tensor Quantiles;  ///< [channels, scores]: values at equally spaced normal scores
  at::Tensor Covariance; ///< [channels, channels, 2 Rz + 1, 2 Ry + 1, 2 Rx + 1]
  double Amplitude = 1;  ///< of the normal scores
  std::vector<double> Thresholds;
  at::Tensor PosteriorVariance; ///< [channels]: mean of Var[z|x]
  /// Of the covariance, for a grid. Copies share it as long as their covariance is the same.
  std::shared_ptr<LastSpectrum> Kept = std::make_shared<LastSpectrum>();
};

} // namespace vae
