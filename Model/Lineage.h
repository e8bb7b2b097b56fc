// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "Model.h"

namespace vae
{

/// The training data, read and summarised once.
struct DataSet
{
  DataSet(std::vector<Volume> volumes); // NOLINT(google-explicit-constructor)

  std::vector<Volume> volumes;
  std::vector<std::vector<ChannelSummary>> summaries; ///< see summarise()
  std::string hash;
};

/// Weights that have seen many materials, which trainings may start from (Data/README.md).
struct Experience
{
  std::shared_ptr<const Model> model; ///< null: there are none, or they do not fit
  std::string hash;                   ///< of its file
  std::string refusal; ///< why there is no model, where one was asked for; a sentence
};

/// A training before it starts. Here alone is decided whether it is fresh, resumed or fine-tuned.
struct TrainingStart
{
  /// \param options as Backend::complete gives them
  /// \param initial a model to start from, or null
  /// \param again train even if the initial model is already the result
  /// \param experience where there is no initial model
  TrainingStart(std::shared_ptr<const DataSet> data, const TrainOptions& options,
    std::shared_ptr<const Model> initial = nullptr, bool again = false,
    const Experience& experience = {});

  std::shared_ptr<const DataSet> data;
  TrainOptions options;
  std::shared_ptr<const Model> initial; ///< or the experience
  Lineage lineage;
  std::string reason;      ///< see ModelInfo::startReason
  std::string fingerprint; ///< see ModelInfo
  bool over = false;       ///< nothing is left to train: the initial model is the result
};

/// What a file says of its model. \throws std::runtime_error naming the file and what is wrong
ModelInfo modelInfoIn(const std::string& path);

/// Whether a model was trained on this data.
bool isOf(const ModelInfo& model, const DataSet& data);

/// \throws std::invalid_argument with one sentence, if there is a file that a training on this data
/// must not replace: it is no model, damaged, of another format, or of other data
/// \param read what the file says of its model; throws if it is none
void checkReplaceable(const std::string& path, const DataSet& data,
  const std::function<ModelInfo(const std::string&)>& read = modelInfoIn);

} // namespace vae
