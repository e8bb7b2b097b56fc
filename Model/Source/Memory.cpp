// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#include "Memory.h"

#include <algorithm>
#include <format>
#include <fstream>
#include <limits>
#include <sstream>
#include <string>

#include <sys/resource.h>
#include <unistd.h>

namespace vae
{
namespace
{

constexpr double Unlimited = std::numeric_limits<double>::infinity();

/// The number after `key` in a file of "key number" lines, or `otherwise`.
double entry(const std::string& path, const std::string& key, double otherwise)
{
  std::ifstream file(path);
  std::string line, word;
  while (std::getline(file, line))
  {
    std::istringstream words(line);
    double value = 0;
    if (words >> word && word == key && words >> value)
    {
      return value;
    }
  }
  return otherwise;
}

double number(const std::string& path) // "max" is no number: no limit
{
  double value = 0;
  return std::ifstream(path) >> value ? value : Unlimited;
}

/// Left within the limits of the process's control group (version 2) and of those around it.
double leftInControlGroups()
{
  double left = Unlimited;
  std::ifstream file("/proc/self/cgroup");
  std::string line;
  while (std::getline(file, line))
  {
    if (line.rfind("0::/", 0) != 0)
    {
      continue;
    }
    for (std::string group = line.substr(3);; group.erase(group.rfind('/')))
    {
      const std::string folder = "/sys/fs/cgroup" + group;
      const double limit = number(folder + "/memory.max");
      if (limit < Unlimited)
      {
        // The page cache counts as used, and is given back.
        left = std::min(left,
          limit - number(folder + "/memory.current") +
            entry(folder + "/memory.stat", "inactive_file", 0));
      }
      if (group.rfind('/') == std::string::npos)
      {
        break;
      }
    }
  }
  return left;
}

} // namespace

double freeAddressSpace()
{
  rlimit limit{};
  double pages = 0;
  if (getrlimit(RLIMIT_AS, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY ||
    !(std::ifstream("/proc/self/statm") >> pages))
  {
    return Unlimited;
  }
  const double used = pages * static_cast<double>(sysconf(_SC_PAGESIZE));
  return std::max(0., static_cast<double>(limit.rlim_cur) - used);
}

double freeMemory()
{
  constexpr double kibibyte = 1024, guess = 4194304;
  const double available = kibibyte * entry("/proc/meminfo", "MemAvailable:", guess);
  return std::max(0., std::min({ available, leftInControlGroups(), freeAddressSpace() }));
}

std::string mebibytes(double bytes) { return std::format("{:.0f} MiB", bytes / 1048576); }

void checkFree(const std::string& what, double bytes, const std::string& cure)
{
  if (const double left = freeMemory(); !(bytes <= left))
  {
    throw OutOfMemory("There is not enough memory for " + what + ": it takes about " +
      mebibytes(bytes) + " and " + mebibytes(left) + " are free" + cure);
  }
}

} // namespace vae
