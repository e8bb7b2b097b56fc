// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#include "TrendMap.h"

#include <gtest/gtest.h>

using namespace vae;

namespace
{

/// x + 10 y + 100 z on a grid of 4 x 3 x 2 values that are two voxels apart, the first on voxel 1.
TrendMap map()
{
  TrendMap m;
  m.dims = { 4, 3, 2 };
  for (int z = 0; z < 2; ++z)
  {
    for (int y = 0; y < 3; ++y)
    {
      for (int x = 0; x < 4; ++x)
      {
        m.values.push_back(static_cast<float>(x + 10 * y + 100 * z));
      }
    }
  }
  m.first = { -0.5, -0.5, -0.5 };
  m.steps = { { { 0.5, 0, 0 }, { 0, 0.5, 0 }, { 0, 0, 0.5 } } };
  return m;
}

} // namespace

TEST(TrendMap, IsLinearInsideAndConstantBeyond)
{
  const TrendMap m = map();
  EXPECT_EQ(m.at({ 1, 1, 1 }), 0);
  EXPECT_EQ(m.at({ 2, 1, 1 }), 0.5);
  EXPECT_EQ(m.at({ 3, 4, 2 }), 1 + 15 + 50);
  EXPECT_EQ(m.at({ -7, 0, 1 }), 0);
  EXPECT_EQ(m.at({ 100, 100, 100 }), 3 + 20 + 100);
  std::array<double, 5> row{};
  m.row(2, 3, 1, row);
  EXPECT_EQ(row, (std::array<double, 5>{ 10.5, 11, 11.5, 12, 12.5 }));
}

TEST(TrendMap, OnCellsIsWhatTheirMiddlesSee)
{
  const TrendMap m = map();
  NetworkOptions network;
  network.latentStride = 4;
  const std::vector<float> cells = m.onCells({ 8, 4, 4 }, network, 1, { true, false, false });
  ASSERT_EQ(cells.size(), 4u * 3 * 3);
  // The middle of cell 0 is between voxels 1 and 2, that of cell 1 between 5 and 6.
  const std::size_t row = (1 * 3 + 1) * 4;
  EXPECT_EQ(cells[row + 1], static_cast<float>(m.at({ 1.5, 1.5, 1.5 })));
  EXPECT_EQ(cells[row + 2], static_cast<float>(m.at({ 5.5, 1.5, 1.5 })));
  EXPECT_EQ(cells[row], cells[row + 2]) << "periodic";
  EXPECT_EQ(cells[row + 3], cells[row + 1]);
  EXPECT_EQ(cells[1], static_cast<float>(m.at({ 1.5, -2.5, -2.5 })));
}
