// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "Options.h"
#include "Statistics/Options.h"

#include <string>
#include <type_traits>
#include <vector>

// Checks of values that users, scripts and state files set. A wrong value throws
// std::invalid_argument: one sentence with its label, the value and what is allowed. The ranges are
// those of Source/OptionTable.h. Ranges of property domains in the XML do not bind scripts.
namespace vae
{

/// Ten digits at most: "0.1", "2147483647", "1e+300", "nan".
std::string inWords(double value);

/// "Steps is 1; it must be in [2, 100000]"; not a number is in no range.
void require(const std::string& label, double value, double low, double high);

/// One of the entries 0 to `last`.
template <typename Enumeration>
  requires std::is_enum_v<Enumeration>
void require(const std::string& label, Enumeration value, Enumeration last)
{
  require(label, static_cast<int>(value), 0, static_cast<int>(last));
}

/// "Latent Stride is 2; it must be 4, 8, 16 or 32"
void requireOneOf(const std::string& label, int value, const std::vector<int>& allowed);

/// Any number but infinite ones and not a number.
void requireFinite(const std::string& label, double value);

/// \param what takes so many bytes of memory: "The output of 64 x 64 x 64 voxels"
void requireMemory(const std::string& what, double bytes);

/// Voxels along an axis of a volume to be made; three of them, and 2^13 bytes a voxel, are less
/// than 2^63.
inline constexpr int MostVoxels = 100000;
/// Time steps that a filter offers.
inline constexpr int MostSteps = 100000;
inline constexpr int MostThreads = 1024;
inline constexpr double MostSeconds = 1e7;

/// Dimensions of a volume to be made.
void requireDimensions(const int dimensions[3]);

/// Offsets of latent channels, in standard deviations. Channels beyond the most do not exist.
inline constexpr int MostOffsets = 4096;
void requireOffsets(const std::vector<double>& offsets);

/// How many threads a number of threads to use stands for: 0 is one for each core; no more than
/// four for each core, which is the slowest that is still sensible.
int threadsOf(int wanted);

/// All but the parameters of the objective (completeObjective), and what the network does not use.
void check(const TrainOptions& options);
void check(const SessionOptions& options);
void check(const RunOptions& options);
void check(const ReconstructOptions& options);
void check(const GenerateOptions& options);
void check(const FractionOptions& options);
void check(const RealizationOptions& options);
void check(const WalkOptions& options);
void check(const ExplorerOptions& options);
void check(const FeatureOptions& options);
/// What does not depend on the volume; see also Statistics/Report.h and Transport.h.
void check(const StatisticsOptions& options);
void check(const PermeabilityOptions& options);

} // namespace vae
