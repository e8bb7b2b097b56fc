// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#include "Faces.h"
#include "Materials.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>

namespace
{

// FNV-1a, 64 bits.
std::uint64_t hashOf(const rock::Voxels& voxels)
{
  std::uint64_t hash = 0xcbf29ce484222325;
  for (const std::uint8_t v : voxels)
  {
    hash = (hash ^ v) * 0x100000001b3;
  }
  return hash;
}

double fractionOf(const rock::Voxels& voxels, std::uint8_t value)
{
  return static_cast<double>(std::count(voxels.begin(), voxels.end(), value)) /
    static_cast<double>(voxels.size());
}

rock::Voxels make(const rock::Material& m, std::uint64_t seed)
{
  return m.make({ .size = 48, .porosity = m.porosity, .radius = m.radius / 2, .seed = seed });
}

} // namespace

// A hash changes only together with a material: then all numbers measured on it are of another one.
TEST(Materials, ASeedGivesTheSameBytes)
{
  const std::map<std::string, std::uint64_t> recorded{
    { "carbonate", 0xe11ac20dedf6b3d8 },
    { "fibres", 0xe2b263435a8058f2 },
    { "layers", 0x9a61d730ed5982a5 },
    { "foam", 0xa33f0aebda70d26f },
    { "phases", 0xa4849517bd9363d8 },
    { "grey", 0xe2692ef100879391 },
  };
  for (const rock::Material& m : rock::materials())
  {
    const rock::Voxels first = make(m, 1);
    EXPECT_EQ(first, make(m, 1)) << m.name;
    EXPECT_NE(first, make(m, 2)) << m.name;
    if (recorded.contains(m.name)) // the others use functions that differ between libraries
    {
      EXPECT_EQ(hashOf(first), recorded.at(m.name)) << m.name;
    }
  }
}

TEST(Materials, HaveTheAskedPorosity)
{
  for (const rock::Material& m : rock::materials())
  {
    const std::string name = m.name;
    if (name == "grey" || name == "spheres") // no phases; a Poisson number of spheres
    {
      continue;
    }
    // The last fibre or small pore is whole: 4 r^2 of 48^3 voxels at most.
    EXPECT_NEAR(fractionOf(make(m, 1), 0), m.porosity, 1e-3) << m.name;
  }
}

TEST(Materials, DifferInKind)
{
  for (const rock::Material& m : rock::materials())
  {
    const std::string name = m.name;
    const rock::Voxels v = make(m, 1);
    const std::set<std::uint8_t> values(v.begin(), v.end());
    EXPECT_EQ(values.size() > 16, name == "grey") << m.name;
    EXPECT_EQ(values.size() == 3, name == "phases") << m.name;
    if (name == "layers" || name == "fibres") // more surface across the layers
    {
      EXPECT_GT(test::faces(v, 48, 48 * 48), 1.25 * test::faces(v, 48, 1)) << m.name;
    }
  }
}
