// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
//
// A short training, or one use of a model after the other, in a limited address space, for
// short_of_memory.py: short_of_memory train|use MEBIBYTES MODEL (0: no limit). One line for each
// thing that was done; exit status 0 unless what came of it is wrong.
#include "Backend.h"
#include "Session.h"
#include "Volumes.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <string>
#include <vector>

#include <sys/resource.h>

namespace
{

constexpr int Edge = 64;
int Wrong = 0;

bool allFinite(const std::vector<float>& values)
{
  return std::all_of(values.begin(), values.end(), [](float v) { return std::isfinite(v); });
}

/// \return whether it was done; else it was refused with one sentence
bool attempt(const char* what, const std::function<bool()>& work)
{
  std::string problem;
  try
  {
    const bool right = work();
    std::printf("%s: %s\n", what, right ? "done" : "WRONG");
    Wrong += !right;
    return right;
  }
  catch (const std::bad_alloc&)
  {
    problem = "There is not enough memory for this"; // as the filters say it
  }
  catch (const std::exception& e)
  {
    problem = e.what();
    problem = problem.substr(0, problem.find('\n'));
  }
  // Nothing else may be wrong, and nobody understands an "enforce fail at ...".
  const bool sentence = problem.find("memory") != std::string::npos && problem[0] != '[';
  std::printf("%s: %s: %s\n", what, sentence ? "refused" : "WRONG", problem.c_str());
  Wrong += !sentence;
  return false;
}

void train(const std::string& file)
{
  vae::TrainOptions options;
  options.timeBudget = 0;
  options.epochs = 2;
  options.stepsPerEpoch = 3;
  options.priorShare = 0.5;
  options.network.latentChannels = 2; // the prior takes a fraction of the time
  options.network.width = 16;         // and so does what is measured at the end
  vae::SessionOptions driving;
  driving.modelFile = file;
  vae::Session session({ test::rockVolume(Edge) }, options, driving);
  int epochs = 0;
  const auto watch = [&](const vae::Status& s)
  {
    epochs += s.step.epochEnded;
    return std::isfinite(s.step.loss);
  };
  const bool done = attempt("train", [&]
  {
    session.run(watch);
    const vae::Status s = session.status();
    std::printf("%s %s %s\n", vae::name(s.state), s.message.c_str(), s.warning.c_str());
    return session.model() != nullptr && std::isfinite(s.step.loss);
  });
  if (epochs > 0 && !done)
  {
    std::printf("LOST: %d epochs were trained\n", epochs);
    ++Wrong;
  }
}

void use(const std::string& file)
{
  std::shared_ptr<const vae::Model> model;
  if (!attempt("load", [&] { return (model = vae::backend().load(file)) != nullptr; }))
  {
    return;
  }
  const vae::Volume volume = test::rockVolume(Edge);
  const vae::RunOptions run;
  const auto count = static_cast<std::size_t>(vae::voxels(volume.dims));
  std::vector<float> values(count), stddev(count), anomaly(count);
  attempt("encode", [&] { return allFinite(model->encode(volume, run).mean); });
  attempt("reconstruct", [&]
  {
    vae::ReconstructOutputs outputs;
    outputs.probability = { test::output(values) };
    outputs.stddev = { test::output(stddev) };
    if (model->hasAnomalyScale())
    {
      outputs.anomaly = test::output(anomaly);
    }
    model->reconstruct(volume, {}, outputs, run);
    return allFinite(values) && allFinite(stddev) && allFinite(anomaly);
  });
  for (const vae::Prior prior :
    { vae::Prior::Normal, vae::Prior::RandomField, vae::Prior::Learned })
  {
    attempt("generate", [&]
    {
      vae::GenerateOptions options;
      options.prior = prior;
      vae::LatentSample drawn;
      try
      {
        drawn = model->sample({ volume.dims, model->margin(), options }, run);
      }
      catch (const std::invalid_argument&) // a training that was short of memory had none
      {
        return true;
      }
      vae::Outputs outputs;
      outputs.probability = { test::output(values) };
      outputs.thresholds = drawn.thresholds;
      model->decode(drawn.latent, volume.dims, model->margin(), outputs, run);
      return allFinite(drawn.latent.mean) && allFinite(values);
    });
  }
}

} // namespace

int main(int argc, char** argv)
{
  if (argc != 4)
  {
    return 2;
  }
  if (const double mebibytes = std::atof(argv[2]); mebibytes > 0)
  {
    rlimit limit{};
    ::getrlimit(RLIMIT_AS, &limit);
    limit.rlim_cur = static_cast<rlim_t>(mebibytes * 1048576);
    ::setrlimit(RLIMIT_AS, &limit);
  }
  std::setvbuf(stdout, nullptr, _IOLBF, 0);
  std::string(argv[1]) == "train" ? train(argv[3]) : use(argv[3]);
  return Wrong > 0 ? 1 : 0;
}
