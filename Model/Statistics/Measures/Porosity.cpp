// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
//
// How much of the volume the phase is.
#include "Measures.h"

namespace vae::statistics
{

const Family measures::Porosity{ .share = 0,
  .measure = [](const Subject& s, Collector& add, const Work&)
{
  add.scalar({ .name = "Porosity" }, s.porosity);
  add.scalar(
    { .name = "Voxels of the Phase", .verdict = Verdict::Shown }, static_cast<double>(s.pores));
} };

} // namespace vae::statistics
