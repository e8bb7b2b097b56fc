// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#include "Backend.h"

#include "Check.h"
#include "Interface.h"
#include "Torch/Comparison/TwoSample.h"
#include "Torch/Data/TrainingData.h"
#include "Torch/Grid/Correlation.h"
#include "Torch/Inference/TorchModel.h"
#include "Torch/Runtime/Device.h"
#include "Torch/Training/Experience.h"
#include "Torch/Training/Speed.h"
#include "Torch/Training/TorchTrainer.h"

#include <torch/version.h>

namespace vae
{
namespace
{

class TorchBackend : public Backend
{
public:
  std::unique_ptr<Trainer> train(const TrainingStart& start) override
  {
    return std::make_unique<TorchTrainer>(start);
  }
  TrainingStart startOf(std::shared_ptr<const DataSet> data, const TrainOptions& asked,
    std::shared_ptr<const Model> initial, bool again) override
  {
    const TrainOptions options = this->complete(asked);
    const Experience experience = initial ? Experience() : experienceFor(*data, options);
    return { std::move(data), options, std::move(initial), again, experience };
  }
  TrainOptions complete(TrainOptions options) override
  {
    completeOptions(options);
    check(options);
    return options;
  }
  double measureSpeed(
    const std::string& device, Precision precision, int threads, const Monitor& monitor) override
  {
    return vae::measureSpeed(device, precision, threads, monitor);
  }
  std::shared_ptr<const Model> load(const std::string& path, const LoadOptions& options) override
  {
    return TorchModel::load(path, options);
  }
  statistics::RadialS2 radialS2(const statistics::Mask& mask, std::int64_t maximumLag,
    bool periodic, const RunOptions& run, const Monitor& monitor) override
  {
    return vae::radialS2(mask, maximumLag, periodic, run, monitor);
  }
  TwoSampleResult twoSampleTest(const TwoSampleInput& input, const TwoSampleOptions& options,
    const RunOptions& run, const Monitor& monitor) override
  {
    return vae::twoSampleTest(input, options, run, monitor);
  }
  std::string describe() override
  {
    return std::string("LibTorch ") + TORCH_VERSION +
      "\nauto device: " + chooseDevice("auto", Precision::Automatic, 0).reason +
      "\nCUDA in this LibTorch: " + (builtWithCuda() ? "yes" : "no");
  }
};

} // namespace
} // namespace vae

/// To be asked first: what the other function gives is of use to the same build only.
extern "C" __attribute__((visibility("default"))) const char* vae_torch_interface()
{
  return VAE_INTERFACE;
}

extern "C" __attribute__((visibility("default"))) vae::Backend* vae_torch_backend()
{
  static vae::TorchBackend backend;
  return &backend;
}
