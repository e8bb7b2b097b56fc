// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#include "Materials.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <format>
#include <stdexcept>
#include <string>

int main(int argc, char** argv)
{
  std::string usage = "usage: vae_make_rock MATERIAL [--size N] [--porosity P] [--radius R] "
                      "[--seed S] [--spacing H] OUTPUT.mhd\n"
                      "  size 192, seed 0, spacing 1; porosity and radius (voxels):\n";
  for (const rock::Material& m : rock::materials())
  {
    usage += std::format("  {:10} {:.2f} {:5.1f}  {}\n", m.name, m.porosity, m.radius, m.words);
  }
  try
  {
    rock::Options options{ .size = 192, .porosity = 0, .radius = 0 };
    double spacing = 1;
    std::string kind, output;
    for (int i = 1; i < argc; ++i)
    {
      const std::string word = argv[i];
      if (word.rfind("--", 0) == 0)
      {
        if (i + 1 == argc)
        {
          throw std::runtime_error(word + " needs a value");
        }
        const double value = std::atof(argv[++i]);
        if (word == "--size" && value >= 8 && value <= 2048)
        {
          options.size = static_cast<int>(value);
        }
        else if (word == "--porosity" && value > 0 && value < 1)
        {
          options.porosity = value;
        }
        else if (word == "--radius" && value > 0)
        {
          options.radius = value;
        }
        else if (word == "--seed")
        {
          options.seed = std::strtoull(argv[i], nullptr, 10);
        }
        else if (word == "--spacing" && value > 0)
        {
          spacing = value;
        }
        else
        {
          throw std::runtime_error("cannot use " + word + " " + argv[i]);
        }
      }
      else
      {
        (kind.empty() ? kind : output) = word;
      }
    }
    const auto materials = rock::materials();
    const auto material = std::find_if(
      materials.begin(), materials.end(), [&](const rock::Material& m) { return m.name == kind; });
    if (output.empty() || material == materials.end())
    {
      std::fputs(usage.c_str(), stderr);
      return 2;
    }
    options.porosity = options.porosity > 0 ? options.porosity : material->porosity;
    options.radius = options.radius > 0 ? options.radius : material->radius;
    const rock::Voxels voxels = material->make(options);
    rock::writeMetaImage(output, voxels, options.size, spacing);
    return 0;
  }
  catch (const std::exception& e)
  {
    std::fprintf(stderr, "vae_make_rock: %s\n%s", e.what(), usage.c_str());
    return 2;
  }
}
