// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
//
// Prints every number that the measures of microstructure make of a few small volumes, as
// hexadecimal floating point: run it before and after a change of their code and compare the two.
//   statistics_tables [THREADS] > before.txt
#include "Rock.h"
#include "Statistics/Report.h"
#include "Statistics/Transport.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <limits>
#include <random>

using namespace vae;
using namespace vae::statistics;

namespace
{

int Threads = 2;

void print(const char* what, const std::string& name, const std::vector<double>& values)
{
  std::printf("%s %s:", what, name.c_str());
  for (const double v : values)
  {
    std::printf(" %a", v);
  }
  std::printf("\n");
}

void print(const Table& table)
{
  std::printf("table %s\n", table.name.c_str());
  for (const Column& c : table.columns)
  {
    print("column", c.name + " [" + c.measure + "]", c.values);
    print("beyond", "", { c.beyond });
  }
}

void print(const Report& report)
{
  for (const Table& table : report.tables)
  {
    print(table);
  }
  for (const Scalar& s : report.scalars)
  {
    print("scalar", s.name + " [" + s.measure + "]", { s.value });
  }
}

/// In place of the Fourier transforms, which need LibTorch: any numbers at uneven places.
RadialS2 someRadial(const Mask& mask, std::int64_t maximumLag, bool, const Monitor&)
{
  const double unit = std::min({ mask.spacing[0], mask.spacing[1], mask.spacing[2] });
  RadialS2 r;
  for (std::int64_t i = 0; i < maximumLag; ++i)
  {
    r.distance.push_back(static_cast<double>(i) * unit * 1.03);
    r.s2.push_back(1. / static_cast<double>(i + 1));
  }
  return r;
}

void report(const char* title, const Mask& mask, const Mask* reference, StatisticsOptions o)
{
  std::printf("== %s\n", title);
  o.threads = Threads;
  const auto measured = measureAgainst(mask, reference, o, someRadial, {});
  print(measured.report);
  std::printf("reference\n");
  print(measured.reference);
  for (const auto& c : measured.comparisons)
  {
    print("comparison", c.name + " [" + c.measure + "]",
      { c.value, c.mean, c.stddev, c.reference, c.referenceMean, c.referenceStddev, c.relativeError,
        c.hellinger, c.score });
  }
  print("score", "",
    { measured.score, static_cast<double>(measured.blocks),
      static_cast<double>(measured.referenceBlocks) });
}

Mask rockMask(int size, std::uint64_t seed, const Spacing& spacing = { 1, 1, 1 })
{
  Mask m;
  m.dims = { size, size, size };
  m.spacing = spacing;
  for (const std::uint8_t g : rock::cementedGrains({ size, 0.3, 5, seed }))
  {
    m.data.push_back(g == 0);
  }
  return m;
}

Mask noise(const Dims& dims, double fraction, const Spacing& spacing = { 1, 1, 1 })
{
  std::mt19937 random(7);
  Mask m;
  m.dims = dims;
  m.spacing = spacing;
  for (std::int64_t i = 0; i < voxels(dims); ++i)
  {
    m.data.push_back((random() & 0xffff) < fraction * 0x10000);
  }
  return m;
}

/// Grey or phases; NaN outside a ball where `masked`.
void values(const char* title, const Dims& dims, int phases, bool masked, Phase phase, double value)
{
  std::mt19937 random(11);
  std::vector<float> data;
  float last = 0;
  for (std::int64_t i = 0; i < voxels(dims); ++i)
  {
    last = 0.7f * last + 0.3f * static_cast<float>(random() & 0xff);
    const double x = static_cast<double>(i % dims[0]) / static_cast<double>(dims[0]) - 0.5;
    const double z =
      static_cast<double>(i / dims[0] / dims[1]) / static_cast<double>(dims[2]) - 0.5;
    data.push_back(masked && x * x + z * z > 0.2 ? std::numeric_limits<float>::quiet_NaN()
        : phases > 0                             ? static_cast<float>(int(last) * phases / 256)
                                                 : last);
  }
  Volume volume;
  volume.dims = dims;
  volume.spacing = { 0.5, 0.5, 0.75 };
  Channel channel;
  channel.data = data.data();
  channel.array = "rock";
  volume.channels = { channel };
  const ChannelSummary summary = summarise(channel, voxels(dims));
  const PhaseChoice choice = choosePhase(channel, summary, phase, value);
  StatisticsOptions o;
  o.cubeSize = 6;
  report((std::string(title) + ", " + choice.text).c_str(), maskOf(volume, choice), nullptr, o);
  print(measureThresholds(volume, summary, o, Work(Threads)));
  for (const auto& [at, fraction] : phaseFractions(volume, Work(Threads)))
  {
    print("fraction", "", { at, fraction });
  }
}

void flow(const char* title, const Mask& mask, FlowBoundary boundary)
{
  PermeabilityOptions o;
  o.boundary = boundary;
  const Flow f = solveFlow(mask, 2, o, Work(Threads));
  print("flow", title, { f.permeability[0], f.permeability[1], f.permeability[2], f.tortuosity });
  print("history", "", f.history);
  print("residual", "", f.residual);
  double velocity = 0, pressure = 0;
  for (std::size_t i = 0; i < f.pressure.size(); ++i)
  {
    pressure += f.pressure[i] * static_cast<double>(i % 101);
    velocity += f.velocity[3 * i + i % 3] * static_cast<double>(i % 97);
  }
  print("sums", "", { velocity, pressure });
  const Diffusion d = diffuse(mask, 1, Work(Threads));
  print("diffusion", "", { d.tortuosity, d.formationFactor, static_cast<double>(d.iterations) });
}

} // namespace

int main(int argc, char** argv)
{
  Threads = argc > 1 ? std::atoi(argv[1]) : 2;
  StatisticsOptions all;
  all.tortuosity = true;
  all.cubeSize = 12;
  const Mask rock = rockMask(48, 3), other = rockMask(40, 5);
  report("two phases, no reference", rock, nullptr, all);
  report("two phases, with reference", rock, &other, all);
  StatisticsOptions blocks = all;
  blocks.blockSize = 16;
  blocks.periodic = true;
  blocks.connectivity = Connectivity::Corners;
  blocks.maximumLag = 12;
  report("blocks, periodic, 26", rock, nullptr, blocks);
  StatisticsOptions few;
  few.radial = few.cluster = few.poreSize = few.localPercolation = false;
  report("few measures", rock, &other, few);
  report("anisotropic spacing", rockMask(40, 9, { 1, 0.7, 2.5 }), nullptr, all);
  const Mask anisotropic = noise({ 24, 28, 20 }, 0.6, { 2, 1, 0.3 });
  const Mask shorter = noise({ 20, 16, 24 }, 0.5, { 2, 1, 0.3 });
  report("anisotropic with reference", anisotropic, &shorter, all);
  report("tiny", noise({ 4, 5, 6 }, 0.5), nullptr, all);
  report("a slice", noise({ 33, 21, 1 }, 0.6), nullptr, all);
  report("empty", noise({ 8, 8, 8 }, 0), nullptr, all);
  report("full", noise({ 8, 8, 8 }, 2), nullptr, all);
  const Mask full = noise({ 16, 16, 16 }, 2), half = noise({ 16, 16, 16 }, 0.5);
  report("full with reference", full, &half, all);
  values("three phases", { 22, 18, 20 }, 3, false, Phase::Label, 1);
  values("grey", { 22, 18, 20 }, 0, false, Phase::Below, 110);
  values("grey, masked", { 22, 18, 20 }, 0, true, Phase::AtOrAbove, 110);
  flow("walls", rockMask(40, 9, { 1, 0.7, 1.5 }), FlowBoundary::Walls);
  flow("slip", rock, FlowBoundary::Slip);
  flow("periodic", other, FlowBoundary::Periodic);
  return 0;
}
