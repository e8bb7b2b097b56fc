// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
//
// A network trained on 256^3 voxels of Berea sandstone with a planted defect: tiles against the
// whole, and where the defect ranks. The data are those of TestBerea.cxx.
#include "Backend.h"

#include "vtkImageData.h"
#include "vtkMetaImageReader.h"
#include "vtkNew.h"
#include "vtkPNGWriter.h"
#include "vtkSmartPointer.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <random>

using namespace vae;

namespace
{

constexpr std::int64_t Edge = 256;
constexpr std::size_t Count = Edge * Edge * Edge;

std::string File()
{
  const char* set = std::getenv("VAE_SHARED_DATA");
  return std::string(set && *set ? set : VAE_SHARED_DATA) + "/berea_400/berea_400.mhd";
}

template <typename T>
OutputChannel To(std::vector<T>& values, ScalarType type)
{
  values.assign(Count, T());
  OutputChannel channel;
  channel.data = values.data();
  channel.type = type;
  return channel;
}

class BereaNetwork : public testing::Test
{
protected:
  void SetUp() override
  {
    if (!std::filesystem::exists(File()))
    {
      GTEST_SKIP() << "no " << File() << "; set VAE_SHARED_DATA to the folder of the volumes";
    }
    if (!Trained)
    {
      Prepare();
    }
  }

  /// A ball of 12 voxels of noise in the middle, then a training on all of it.
  static void Prepare()
  {
    vtkNew<vtkMetaImageReader> reader;
    reader->SetFileName(File().c_str());
    reader->Update();
    const auto* from = static_cast<const std::uint8_t*>(reader->GetOutput()->GetScalarPointer());
    Voxels.resize(Count);
    Planted.resize(Count);
    std::mt19937 random(1);
    for (std::int64_t i = 0; i < static_cast<std::int64_t>(Count); ++i)
    {
      const std::int64_t x = i % Edge, y = i / Edge % Edge, z = i / Edge / Edge;
      const auto at = static_cast<std::size_t>(i);
      Voxels[at] = from[(z * 400 + y) * 400 + x] ? 255 : 0;
      const double dx = static_cast<double>(x) - 130.5, dy = static_cast<double>(y) - 117.5,
                   dz = static_cast<double>(z) - 101.5;
      if (dx * dx + dy * dy + dz * dz < 36)
      {
        Planted[at] = true;
        Voxels[at] = random() % 2 ? 255 : 0;
      }
    }
    Channel& channel = Rock.channels.emplace_back();
    channel.data = Voxels.data();
    channel.type = ScalarType::UInt8;
    channel.array = "rock";
    Rock.dims = { Edge, Edge, Edge };
    TrainOptions options;
    options.timeBudget = 0;
    options.priorShare = 0;
    options.epochs = 60;
    options.device = "cpu";
    auto trainer = backend().train(
      { std::make_shared<const DataSet>(std::vector{ Rock }), backend().complete(options) });
    while (!trainer->step().finished)
    {
    }
    Trained = trainer->model();
  }

  static inline std::vector<std::uint8_t> Voxels;
  static inline std::vector<bool> Planted;
  static inline Volume Rock;
  static inline std::shared_ptr<const Model> Trained;
};

} // namespace

TEST_F(BereaNetwork, TilesEqualTheWhole)
{
  struct Result
  {
    std::vector<std::uint8_t> labels;
    std::vector<float> probability;
    std::size_t tiles = 0;
  };
  const auto with = [&](double budget)
  {
    Result result;
    ReconstructOutputs outputs;
    outputs.values = { To(result.labels, ScalarType::UInt8) };
    outputs.probability = { To(result.probability, ScalarType::Float32) };
    RunOptions run;
    run.device = "cpu";
    run.precision = Precision::Float32;
    run.memoryBudget = budget;
    Monitor monitor;
    monitor.progress = [&](double) { ++result.tiles; };
    std::cout << Trained->memoryPlan(Rock.dims, run) << "\n";
    Trained->reconstruct(Rock, {}, outputs, run, monitor);
    return result;
  };
  const Result whole = with(1e6), tiled = with(100);
  EXPECT_EQ(whole.tiles, 4u);
  EXPECT_GT(tiled.tiles, 20u);
  double right = 0, largest = 0;
  std::size_t flipped = 0;
  // The difference where the tiles meet would be bright lines in this slice.
  vtkNew<vtkImageData> picture;
  picture->SetDimensions(2 * Edge, Edge, 1);
  picture->AllocateScalars(VTK_UNSIGNED_CHAR, 1);
  auto* pixels = static_cast<std::uint8_t*>(picture->GetScalarPointer());
  double brightest = 0;
  for (std::size_t i = 0; i < Count; ++i)
  {
    const double d = std::abs(whole.probability[i] - tiled.probability[i]);
    largest = std::max(largest, d);
    // Between two labels equally likely rounding decides.
    flipped += whole.labels[i] != tiled.labels[i] && std::abs(whole.probability[i] - 0.5) > 1e-5;
    right += whole.labels[i] == Voxels[i];
    const std::size_t x = i % Edge, y = i / Edge % Edge, z = i / Edge / Edge;
    if (z == Edge / 2)
    {
      pixels[y * 2 * Edge + x] = static_cast<std::uint8_t>(255 * tiled.probability[i]);
      const double shown = std::min(255., 255 * d / 1e-5);
      pixels[y * 2 * Edge + Edge + x] = static_cast<std::uint8_t>(shown);
      brightest = std::max(brightest, shown);
    }
  }
  vtkNew<vtkPNGWriter> writer;
  writer->SetFileName("berea_tiles.png");
  writer->SetInputData(picture);
  writer->Write();
  std::cout << "accuracy " << right / Count << ", largest difference of probabilities " << largest
            << ", labels that differ " << flipped << ", brightest pixel " << brightest
            << " of 255\n";
  EXPECT_EQ(flipped, 0u);
  EXPECT_LT(largest, 1e-5);
  EXPECT_GT(right / Count, 0.93);
}

TEST_F(BereaNetwork, APlantedDefectIsInTheTopThousandth)
{
  for (const AnomalyMeasure measure :
    { AnomalyMeasure::ReconstructionError, AnomalyMeasure::KLDivergence, AnomalyMeasure::Product })
  {
    std::vector<float> cell, percentile;
    ReconstructOutputs outputs;
    outputs.cellAnomaly = To(cell, ScalarType::Float32);
    outputs.cellAnomalyPercentile = To(percentile, ScalarType::Float32);
    ReconstructOptions options;
    options.anomalyMeasure = measure;
    RunOptions run;
    run.device = "cpu";
    Trained->reconstruct(Rock, options, outputs, run);
    float inside = 0, seen = 0;
    for (std::size_t i = 0; i < Count; ++i)
    {
      inside = Planted[i] ? std::max(inside, cell[i]) : inside;
      seen = Planted[i] ? std::max(seen, percentile[i]) : seen;
    }
    const double above =
      static_cast<double>(std::ranges::count_if(cell, [&](float v) { return v > inside; })) / Count;
    std::cout << "measure " << static_cast<int>(measure) << ": score " << inside << ", percentile "
              << seen << ", fraction of the volume above it " << above << "\n";
    if (measure == AnomalyMeasure::ReconstructionError)
    {
      EXPECT_LT(above, 0.001);
      EXPECT_GT(seen, 99.9);
    }
  }
}
