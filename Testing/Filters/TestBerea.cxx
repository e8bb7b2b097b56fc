// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
//
// The measures against published values of Berea sandstone, 400^3 (Mosser, Dubrule and Blunt 2017;
// Testing/README.md says where the data are). VAE_SHARED_DATA, in the environment or when CMake
// runs, names the folder that holds berea_400/.
#include "Backend.h"
#include "Statistics/LocalPorosity.h"
#include "Statistics/Minkowski.h"
#include "Statistics/Radial.h"
#include "Statistics/Report.h"
#include "Statistics/Transport.h"

#include "vtkImageData.h"
#include "vtkMetaImageReader.h"
#include "vtkNew.h"

#include <gtest/gtest.h>

#include <chrono>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

using namespace vae;
using namespace vae::statistics;

namespace
{

std::string Folder()
{
  const char* set = std::getenv("VAE_SHARED_DATA");
  return std::string(set && *set ? set : VAE_SHARED_DATA) + "/berea_400";
}

class Berea : public testing::Test
{
protected:
  void SetUp() override
  {
    if (!std::filesystem::exists(Folder() + "/berea_400.mhd"))
    {
      GTEST_SKIP() << "no " << Folder()
                   << "/berea_400.mhd; set VAE_SHARED_DATA to the folder of the volumes";
    }
    if (Pore.data.empty())
    {
      vtkNew<vtkMetaImageReader> reader;
      reader->SetFileName((Folder() + "/berea_400.mhd").c_str());
      reader->Update();
      vtkImageData* image = reader->GetOutput();
      image->GetDimensions(Size);
      Pore.dims = { Size[0], Size[1], Size[2] };
      const auto* voxels = static_cast<const std::uint8_t*>(image->GetScalarPointer());
      Pore.data.resize(static_cast<std::size_t>(Pore.count()));
      Solid = Pore;
      for (std::size_t i = 0; i < Pore.data.size(); ++i)
      {
        Pore.data[i] = voxels[i] == 0;
        Solid.data[i] = voxels[i] != 0;
      }
    }
    this->Start = std::chrono::steady_clock::now();
  }
  void TearDown() override { this->RecordProperty("seconds", std::to_string(this->Seconds())); }
  double Seconds() const
  {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - this->Start).count();
  }
  std::chrono::steady_clock::time_point Start;
  static inline Mask Pore, Solid;
  static inline int Size[3];
};

/// Rows of a CSV file of numbers, without its head.
std::vector<std::vector<double>> Rows(const std::string& name)
{
  std::ifstream file(Folder() + "/" + name);
  std::vector<std::vector<double>> rows;
  std::string line, cell;
  std::getline(file, line);
  while (std::getline(file, line))
  {
    std::istringstream cells(line);
    rows.emplace_back();
    while (std::getline(cells, cell, ','))
    {
      rows.back().push_back(std::stod(cell));
    }
  }
  return rows;
}

Mask Block(const Mask& mask, int i)
{
  return boxOf(mask, { i % 3 * 128, i / 3 % 3 * 128, i / 9 * 128 }, { 128, 128, 128 });
}

} // namespace

TEST_F(Berea, PorosityAndTwoPointProbabilityOfThePublishedTables)
{
  EXPECT_EQ(volumeOf(Pore), 12572994);
  for (const bool pore : { true, false })
  {
    const auto rows = Rows(pore ? "berea_S2_pore_published.csv" : "berea_S2_grain_published.csv");
    ASSERT_GE(rows.size(), 100u);
    const auto lags = static_cast<std::int64_t>(rows.size());
    const PairCounts pairs =
      countPairs(pore ? Pore : Solid, std::min<std::int64_t>(lags, 400) - 1, false, Work());
    double worst = 0;
    for (std::size_t r = 0; r < rows.size(); ++r)
    {
      for (int a = 0; a < 3; ++a)
      {
        // Their x, y, z are our z, x, y.
        const double published = rows[r][static_cast<std::size_t>((a + 1) % 3)];
        worst = std::max(worst, std::abs(pairs.s2(a, static_cast<std::int64_t>(r)) - published));
      }
    }
    std::cout << rows.size() << " lags, largest difference " << worst << "\n";
    EXPECT_LT(worst, 1e-8);
  }
}

TEST_F(Berea, LinesFacesAndChords)
{
  const Runs runs = countRuns(Pore, Work());
  const auto path = [&](std::size_t a, std::int64_t r)
  { return Runs::linealPath(runs.all[a], r, 400, 160000); };
  const double expected[4][3] = { { .155904224, .154506046, .153789698 },
    { .058697179, .056016987, .056206266 }, { .018423668, .017094589, .017154753 },
    { .002143160, .001787986, .001851476 } };
  const std::int64_t lags[4] = { 2, 10, 20, 40 };
  for (int i = 0; i < 4; ++i)
  {
    for (std::size_t a = 0; a < 3; ++a)
    {
      EXPECT_NEAR(path(a, lags[i]), expected[i][a], 5e-10) << lags[i] << " " << a;
    }
  }
  const double all[3] = { 9.2804, 8.9774, 8.8062 }, interior[3] = { 9.2759, 8.9748, 8.8182 };
  for (std::size_t a = 0; a < 3; ++a)
  {
    EXPECT_NEAR(Runs::mean(runs.all[a]), all[a], 5e-5);
    EXPECT_NEAR(Runs::mean(runs.interior[a]), interior[a], 5e-5);
    EXPECT_GT(Runs::mean(runs.otherAll[a]), 33);
    EXPECT_LT(Runs::mean(runs.otherAll[a]), 36);
  }
  EXPECT_EQ(runs.faces[0] + runs.faces[1] + runs.faces[2], 8185614);
}

TEST_F(Berea, EulerSurfaceAndComponents)
{
  const auto functionals = [](const Mask& m)
  { return minkowski(countConfigurations(m, Work()), countRuns(m, Work()).faces, m.spacing); };
  const Minkowski pore = functionals(Pore), solid = functionals(Solid);
  EXPECT_EQ(pore.euler26, -4393);
  EXPECT_EQ(pore.euler6, -4370);
  EXPECT_EQ(solid.euler26, -5459);
  EXPECT_EQ(solid.euler6, -5423);
  EXPECT_NEAR(pore.surfaceFaces * 2 / 3 / 64e6, 0.0852668, 5e-8);
  EXPECT_EQ(pore.volume, 12572994);

  const Components six = findComponents(Pore, Connectivity::Faces, Work());
  EXPECT_EQ(six.count(), 2741);
  EXPECT_NEAR(static_cast<double>(six.largest()) / 12572994, 0.993724, 5e-7);
  EXPECT_EQ(findComponents(Pore, Connectivity::Corners, Work()).count(), 2251);
  for (int a = 0; a < 3; ++a)
  {
    EXPECT_EQ(six.spanning(a), 1);
    EXPECT_NEAR(static_cast<double>(six.spanningVoxels(a)) / 64e6, 0.195220, 5e-7);
  }

  // The first octant, whose functionals are published (MorphoLibJ).
  const Mask octant = boxOf(Solid, { 0, 0, 0 }, { 200, 200, 200 });
  EXPECT_EQ(volumeOf(octant), 6430006);
  const Minkowski k = functionals(octant);
  std::cout << "octant: surface " << k.surfaceCrofton13 << ", Euler interior " << k.euler26Interior
            << " (26) " << k.euler6Interior << " (6)\n";
  EXPECT_NEAR(k.surfaceCrofton13 / 660561.8, 1, 0.01);
  EXPECT_NEAR(k.euler26Interior, -583.5, 0.01);
  EXPECT_NEAR(k.euler6Interior, -579, 0.51);
}

TEST_F(Berea, SlopeFit)
{
  StatisticsOptions options;
  options.maximumLag = 5;
  options.poreSize = options.radial = options.cluster = options.localPercolation = false;
  ComparisonReport measured = measureAgainst(Pore, nullptr, options, {}, {});
  EXPECT_NEAR(measured.report["Mean Chord (S2 Slope over Lags 0-4)"], 10.1518335, 5e-8);
  EXPECT_NEAR(measured.report["Specific Surface (S2 Slope over Lags 0-4)"], .0774059314, 5e-11);
  EXPECT_NEAR(measured.report["Porosity"], 0.19645303125, 1e-15);
  measured = measureAgainst(Solid, nullptr, options, {}, {});
  EXPECT_NEAR(measured.report["Mean Chord (S2 Slope over Lags 0-4)"], 41.462196, 5e-7);
}

TEST_F(Berea, EffectivePorosityOfAllBlocks)
{
  const auto rows = Rows("berea_subvol128_permeability.csv");
  ASSERT_EQ(rows.size(), 27u);
  for (int i = 0; i < 27; ++i)
  {
    const Mask block = Block(Pore, i);
    const Components c = findComponents(block, Connectivity::Faces, Work());
    for (int a = 0; a < 3; ++a)
    {
      EXPECT_NEAR(static_cast<double>(c.spanningVoxels(a)) / 2097152,
        rows[static_cast<std::size_t>(i)][static_cast<std::size_t>(8 + a)], 5.1e-7)
        << i;
    }
  }
}

TEST_F(Berea, RadialTwoPointProbability)
{
  RunOptions run;
  run.device = "cpu";
  const RadialS2 radial = backend().radialS2(Pore, 100, false, run, {});
  EXPECT_NEAR(radial.s2[0], 0.19645303125, 1e-6);
  const PairCounts pairs = countPairs(Pore, 100, false, Work());
  // All directions together lie near the mean of the axes.
  for (const std::size_t r : { 2, 5, 10, 20, 50 })
  {
    const auto lag = static_cast<std::int64_t>(r);
    const double mean = (pairs.s2(0, lag) + pairs.s2(1, lag) + pairs.s2(2, lag)) / 3;
    EXPECT_NEAR(radial.s2[r] / mean, 1, 0.06) << r << " at " << radial.distance[r];
  }
}

TEST_F(Berea, PermeabilityOfThreeBlocks)
{
  const auto rows = Rows("berea_subvol128_permeability.csv");
  std::vector<double> means, published;
  PermeabilityOptions options;
  for (const int i : { 0, 13, 20 })
  {
    const Mask block = Block(Pore, i);
    double mean = 0, meanPublished = 0;
    std::array<double, 3> k{}, p{};
    for (std::size_t a = 0; a < 3; ++a)
    {
      const auto start = std::chrono::steady_clock::now();
      const Flow flow = solveFlow(block, static_cast<int>(a), options, Work());
      const double seconds =
        std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
      EXPECT_TRUE(flow.converged);
      k[a] = flow.permeability[a];
      p[a] = rows[static_cast<std::size_t>(i)][11 + a];
      std::cout << "block " << i << " " << "xyz"[a] << ": " << k[a] << " voxel^2, published "
                << p[a] << ", ratio " << k[a] / p[a] << ", " << flow.history.size() - 1
                << " iterations, " << seconds << " s; first guess " << flow.history[0]
                << ", hydraulic tortuosity " << flow.tortuosity << "\n";
      mean += k[a] / 3;
      meanPublished += p[a] / 3;
    }
    for (std::size_t a = 0; a < 3; ++a)
    {
      EXPECT_NEAR(k[a] / p[a], 1, 0.3) << i << " " << a;
    }
    means.push_back(mean);
    published.push_back(meanPublished);
  }
  // In their order.
  EXPECT_EQ(means[1] > means[0], published[1] > published[0]);
  EXPECT_LT(means[2], means[0]);
  EXPECT_LT(means[2], means[1]);
}
