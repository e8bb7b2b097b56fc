// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#include "Experience.h"

#include "Snapshot.h"
#include "Source/OwnFolder.h"
#include "StepScale.h"
#include "Torch/Data/TrainingData.h"
#include "Torch/Inference/TorchModel.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace vae
{
namespace
{

/// Why the weights cannot be those of a training; empty where they can.
std::string misfitOf(const ModelInfo& experience, const ModelInfo& training)
{
  if (training.likelihood != experience.likelihood)
  {
    return std::string("it is of two phases, and this training has the likelihood ") +
      name(training.likelihood);
  }
  const std::string difference = differenceOf(training.network, experience.network);
  return difference.empty() ? "" : "it has " + difference;
}

std::string contentOf(const std::string& file)
{
  std::ifstream in(file, std::ios::binary);
  return { std::istreambuf_iterator<char>(in), {} };
}

} // namespace

std::string experienceFile()
{
  const char* named = std::getenv("VAE_EXPERIENCE_FILE");
  return named ? named : folderOfThisLibrary() + "/experience.safetensors";
}

Experience experienceFor(const DataSet& data, const TrainOptions& options, const std::string& file)
{
  const bool asked = options.startFrom == StartFrom::Experience;
  const auto without = [asked](const std::string& why)
  {
    Experience none;
    none.refusal = asked ? "It began with random weights: " + why + "." : "";
    return none;
  };
  std::error_code error;
  if (options.startFrom == StartFrom::RandomWeights ||
    options.network.architecture != Architecture::Field)
  {
    return without("experience is of the Network Field");
  }
  if (!std::filesystem::exists(file, error))
  {
    return without("no experience is installed (" + file + ")");
  }
  if (!asked && leavesScaleOpen(options) &&
    !chooseDevice(options.device, options.precision, options.threads).onCpu())
  {
    return {}; // a larger network may be chosen for a GPU
  }
  try
  {
    Experience found{ TorchModel::load(file), hashOf(contentOf(file)), "" };
    TrainOptions plain = options; // variograms take time, and what is compared does not need them
    plain.symmetry = Symmetry::None;
    const std::string misfit = misfitOf(found.model->info(), describeTraining(data, plain));
    return misfit.empty() ? found : without("experience does not fit; " + misfit);
  }
  catch (const std::runtime_error& e)
  {
    return without(e.what());
  }
}

} // namespace vae
