// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#include "Rock.h"

#include <cstdio>
#include <cstdlib>
#include <exception>
#include <stdexcept>
#include <string>

int main(int argc, char** argv)
{
  const char* usage = "usage: vae_make_rock grains|spheres [--size N] [--porosity P] [--radius R] "
                      "[--seed S] [--spacing H] OUTPUT.mhd\n";
  try
  {
    rock::Options options;
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
    if (output.empty() || (kind != "grains" && kind != "spheres"))
    {
      std::fputs(usage, stderr);
      return 2;
    }
    const rock::Voxels voxels =
      kind == "grains" ? rock::cementedGrains(options) : rock::overlappingSpheres(options);
    rock::writeMetaImage(output, voxels, options.size, spacing);
    return 0;
  }
  catch (const std::exception& e)
  {
    std::fprintf(stderr, "vae_make_rock: %s\n%s", e.what(), usage);
    return 2;
  }
}
