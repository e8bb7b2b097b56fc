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
#include <mutex>

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

struct LoadedFile
{
  std::string file;
  std::filesystem::file_time_type written;
  std::uintmax_t size = 0; ///< bytes
  Experience experience;
};

/// Read once as long as the file is not written anew: a training asks for it each time that it is
/// compared with what its pipeline wants. \throws std::runtime_error as TorchModel::load
Experience load(const std::string& file)
{
  static std::mutex mutex;
  static LoadedFile last;
  const std::lock_guard lock(mutex);
  const auto written = std::filesystem::last_write_time(file);
  const auto size = std::filesystem::file_size(file);
  if (last.file != file || last.written != written || last.size != size)
  {
    std::ifstream in(file, std::ios::binary);
    const std::string content{ std::istreambuf_iterator<char>(in), {} };
    last = { file, written, size, { TorchModel::load(file), hashOf(content), "" } };
  }
  return last.experience;
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
    Experience found = load(file);
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
