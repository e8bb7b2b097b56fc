// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <vector>

// Views of the user's arrays. Nothing here copies voxels or owns more than a reference.
namespace vae
{

/// Scalar types a volume may hold; the names are the ones written to model files.
enum class ScalarType
{
  Int8,
  UInt8,
  Int16,
  UInt16,
  Int32,
  UInt32,
  Int64,
  UInt64,
  Float32,
  Float64
};

/// Call f with a value of the C++ type that `type` stands for.
template <typename F>
decltype(auto) dispatch(ScalarType type, F&& f)
{
  switch (type)
  {
    case ScalarType::Int8:
      return f(std::int8_t{});
    case ScalarType::UInt8:
      return f(std::uint8_t{});
    case ScalarType::Int16:
      return f(std::int16_t{});
    case ScalarType::UInt16:
      return f(std::uint16_t{});
    case ScalarType::Int32:
      return f(std::int32_t{});
    case ScalarType::UInt32:
      return f(std::uint32_t{});
    case ScalarType::Int64:
      return f(std::int64_t{});
    case ScalarType::UInt64:
      return f(std::uint64_t{});
    case ScalarType::Float32:
      return f(float{});
    case ScalarType::Float64:
      return f(double{});
  }
  throw std::invalid_argument("unknown scalar type");
}

/// The T that is nearest to a number.
template <typename T>
T toScalar(double v)
{
  if constexpr (std::is_integral_v<T>)
  {
    // The largest 64-bit integers are not doubles; compare before the conversion.
    constexpr double low = static_cast<double>(std::numeric_limits<T>::lowest());
    constexpr double high = static_cast<double>(std::numeric_limits<T>::max());
    v = std::nearbyint(v);
    return v >= high ? std::numeric_limits<T>::max()
      : v > low      ? static_cast<T>(v)
                     : std::numeric_limits<T>::lowest(); // also of what is no number
  }
  else
  {
    return static_cast<T>(v);
  }
}

/// One component of one array over a grid: element i is data[i * stride].
template <typename Pointer>
struct BasicChannel
{
  Pointer data = nullptr;
  ScalarType type = ScalarType::Float32;
  std::ptrdiff_t stride = 1;         ///< elements from one voxel to the next
  std::shared_ptr<const void> owner; ///< keeps the array alive, may be empty
  std::string array;                 ///< name of the array
  int component = 0;
  int components = 1; ///< of the array
};
using Channel = BasicChannel<const void*>;
using OutputChannel = BasicChannel<void*>;

using Dims = std::array<std::int64_t, 3>; ///< voxels along x, y, z; x runs fastest

/// "64 x 64 x 93"
std::string toString(const Dims& dims);

/// \throws std::invalid_argument if they are so many that a kibibyte of each is beyond 64 bits
inline std::int64_t voxels(const Dims& d)
{
  constexpr std::int64_t most = std::int64_t{ 1 } << 52;
  std::int64_t count = 0;
  if (__builtin_mul_overflow(d[0], d[1], &count) || __builtin_mul_overflow(count, d[2], &count) ||
    count > most)
  {
    throw std::invalid_argument(toString(d) + " voxels are too many");
  }
  return count;
}

/// A volume to read: every channel has dims[0] * dims[1] * dims[2] elements.
struct Volume
{
  Dims dims{ 0, 0, 0 };
  std::array<double, 3> spacing{ 1, 1, 1 };
  std::vector<Channel> channels;
  Channel mask; ///< training patches lie where it is not zero; no data: everywhere
  bool cellData = false;
};

/// What overwrite() found.
struct Overwritten
{
  std::int64_t known = 0; ///< values that are known, of all channels
  std::int64_t equal = 0; ///< of them, how many were there already
  double squares = 0;     ///< sum of the squared differences
};
/// Put the values of `known` where its mask is not 0 into arrays of its size, one a channel.
Overwritten overwrite(const Volume& known, const std::vector<OutputChannel>& arrays);

/// Data with more distinct values than these have no phases.
constexpr std::size_t MostPhases = 16;

/// What is in one channel.
struct ChannelSummary
{
  std::int64_t count = 0; ///< of the values that were looked at
  double minimum = 0, maximum = 0, mean = 0, stddev = 0;
  std::int64_t notFinite = 0;    ///< NaN and infinite values
  std::vector<double> values;    ///< the distinct ones, ascending; empty if more than MostPhases
  std::vector<double> fractions; ///< of each of them
  std::uint64_t hash = 0;        ///< of all values, for fingerprints
};
/// \param mask values are looked at where it is not 0; without data everywhere
ChannelSummary summarise(const Channel& channel, std::int64_t count, const Channel& mask = {});

/// Of each volume, each channel within its mask, and the mask where it has one.
std::vector<std::vector<ChannelSummary>> summarise(const std::vector<Volume>& volumes);

} // namespace vae
