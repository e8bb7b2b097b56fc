// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#include "Lineage.h"

#include "ModelFile.h"

#include <filesystem>
#include <stdexcept>

namespace vae
{

DataSet::DataSet(std::vector<Volume> of)
  : volumes(std::move(of))
  , summaries(summarise(this->volumes))
  , hash(dataHash(this->volumes, this->summaries))
{
}

bool isOf(const ModelInfo& model, const DataSet& data)
{
  // Older files do not say; a training from nothing shows it by its fingerprint.
  return model.lineage.data.empty()
    ? model.fingerprint == fingerprint(data.volumes, data.summaries, model.options)
    : model.lineage.data == data.hash;
}

TrainingStart::TrainingStart(std::shared_ptr<const DataSet> of, const TrainOptions& asked,
  std::shared_ptr<const Model> from, bool again, const Experience& experience)
  : data(std::move(of))
  , options(asked)
  , initial(std::move(from))
  , lineage{ Beginning::Fresh, this->data->hash, hashOf(toText(asked)), {}, {} }
  , fingerprint(vae::fingerprint(this->data->volumes, this->data->summaries, asked))
{
  if (!this->initial)
  {
    this->reason = experience.refusal;
    if (experience.model)
    {
      this->initial = experience.model;
      this->lineage.kind = Beginning::Experienced;
      this->lineage.experience = experience.hash;
      this->fingerprint = hashOf(this->fingerprint + experience.hash);
      this->reason = "It began with the weights of experience.";
    }
    return;
  }
  const ModelInfo& info = this->initial->info();
  const std::string theirs =
    info.lineage.options.empty() ? hashOf(toText(info.options)) : info.lineage.options;
  const bool same =
    isOf(info, *this->data) && hashOf(toText(withLimitsOf(asked, info.options))) == theirs;
  const bool ended = info.ending != Ending::None && info.ending != Ending::Stopped;
  const bool result = same && ended && this->lineage.options == theirs;
  this->over = result && !again;
  if (this->over || (same && !result && this->initial->hasTrainingState()))
  {
    this->lineage.kind = Beginning::Resumed;
    this->lineage.parent = info.lineage.parent;
    this->lineage.experience = info.lineage.experience;
    this->reason = info.startReason;
  }
  else
  {
    const EpochRecord last = info.history.empty() ? EpochRecord() : info.history.back();
    this->lineage.kind = Beginning::FineTuned;
    this->lineage.parent =
      info.fingerprint + std::to_string(last.step) + std::to_string(info.bestEpoch);
  }
  const std::string before = this->lineage.parent + this->lineage.experience;
  if (!before.empty())
  {
    this->fingerprint = hashOf(this->fingerprint + before);
  }
}

ModelInfo modelInfoIn(const std::string& path)
{
  return modelInfoOf(path, ModelFileReader(path).metadata());
}

void checkReplaceable(const std::string& path, const DataSet& data,
  const std::function<ModelInfo(const std::string&)>& read)
{
  namespace fs = std::filesystem;
  std::error_code none;
  if (fs::status(path, none).type() == fs::file_type::not_found)
  {
    return;
  }
  std::string reason;
  try
  {
    if (isOf(read(path), data))
    {
      return;
    }
    reason = path + ": is a model of other data";
  }
  catch (const std::exception& e)
  {
    reason = e.what();
    reason = reason.substr(0, reason.find('\n'));
  }
  throw std::invalid_argument("Model File is kept as it is (" + reason +
    "); choose another name, or switch on Overwrite Model File");
}

} // namespace vae
