// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
//
// Generates a volume with Model alone: no VTK, no ParaView, LibTorch only at run time. TestGenerate
// compares its bytes with those of VAE Generate.
//
// usage: generate_alone MODEL OUTPUT [name=value...]
//   dims=X,Y,Z  prior=N  seed=N  realization=N  periodic=X,Y,Z  texture=N
//   fraction=N  target=F  phase=LABEL   the FractionMode, its fraction, its phase
//   trend=FILE  float32, one a voxel    known=FILE  uint8 values of all voxels, then the mask
// OUTPUT: the values of the first channel in its own type, [z][y][x], then the probability as
// float32 where there are two phases.
#include "Backend.h"
#include "Generator.h"

#include <cstdio>
#include <fstream>
#include <map>
#include <sstream>

namespace
{

std::vector<std::int64_t> numbers(const std::string& text)
{
  std::vector<std::int64_t> all;
  std::istringstream in(text);
  for (std::string one; std::getline(in, one, ',');)
  {
    all.push_back(std::stoll(one));
  }
  return all;
}

template <typename T>
std::vector<T> read(const std::string& file, std::int64_t count)
{
  std::vector<T> all(static_cast<std::size_t>(count));
  std::ifstream(file, std::ios::binary)
    .read(
      reinterpret_cast<char*>(all.data()), static_cast<std::streamsize>(all.size() * sizeof(T)));
  return all;
}

template <typename T>
void write(std::ofstream& out, const std::vector<T>& values)
{
  out.write(reinterpret_cast<const char*>(values.data()),
    static_cast<std::streamsize>(values.size() * sizeof(T)));
}

void make(const std::string& file, const std::string& output,
  const std::map<std::string, std::string>& given)
{
  const std::shared_ptr<const vae::Model> model = vae::backend().load(file);
  const vae::Generator generator(*model);
  vae::GenerateRequest request;
  const auto set = [&](const char* key, const auto& use)
  {
    if (const auto found = given.find(key); found != given.end())
    {
      use(found->second);
    }
  };
  const auto setNumber = [&](const char* key, auto& to)
  {
    set(key, [&](const std::string& text)
    { to = static_cast<std::remove_reference_t<decltype(to)>>(std::stod(text)); });
  };
  set("dims", [&](const std::string& text)
  {
    const auto n = numbers(text);
    request.dims = { n.at(0), n.at(1), n.at(2) };
  });
  set("periodic", [&](const std::string& text)
  {
    const auto n = numbers(text);
    request.options.periodic = { n.at(0) != 0, n.at(1) != 0, n.at(2) != 0 };
  });
  setNumber("prior", request.options.prior);
  setNumber("seed", request.options.seed);
  setNumber("realization", request.options.realization);
  setNumber("texture", request.options.texture);
  setNumber("fraction", request.fraction.fractionMode);
  setNumber("target", request.fraction.targetFraction);
  set("phase", [&](const std::string& text) { request.fraction.phase = text; });
  set("trend", [&](const std::string& text)
  {
    vae::TrendMap& map = request.trend.emplace();
    map.dims = generator.dims(request);
    map.values = read<float>(text, vae::voxels(map.dims));
  });
  std::vector<std::uint8_t> scan;
  set("known", [&](const std::string& text)
  {
    const std::int64_t n = vae::voxels(request.dims);
    scan = read<std::uint8_t>(text, 2 * n);
    vae::Volume& known = request.known.emplace();
    known.dims = request.dims;
    known.spacing = model->info().spacing;
    vae::Channel& values = known.channels.emplace_back();
    values.type = known.mask.type = vae::ScalarType::UInt8;
    values.data = scan.data();
    known.mask.data = scan.data() + n;
  });

  const auto count = static_cast<std::size_t>(vae::voxels(generator.dims(request)));
  const vae::ScalarType type = model->info().channels.at(0).type;
  std::vector<char> values(count * vae::dispatch(type, [](auto t) { return sizeof t; }));
  std::vector<float> probability;
  vae::Outputs outputs;
  outputs.values.resize(1);
  outputs.values[0].data = values.data();
  outputs.values[0].type = type;
  if (model->info().likelihood == vae::Likelihood::Bernoulli)
  {
    probability.resize(count);
    outputs.probability.resize(1);
    outputs.probability[0].data = probability.data();
  }
  vae::RunOptions run;
  run.device = "cpu";
  generator.generate(request, outputs, run);
  std::ofstream out(output, std::ios::binary);
  write(out, values);
  write(out, probability);
}

} // namespace

int main(int argc, char** argv)
{
  try
  {
    std::map<std::string, std::string> given;
    for (int i = 3; i < argc; ++i)
    {
      const std::string text = argv[i];
      given[text.substr(0, text.find('='))] = text.substr(text.find('=') + 1);
    }
    make(argc > 2 ? argv[1] : "", argc > 2 ? argv[2] : "", given);
    return 0;
  }
  catch (const std::exception& e)
  {
    std::fprintf(stderr, "%s\n", e.what());
    return 1;
  }
}
