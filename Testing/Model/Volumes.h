// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "Rock.h"
#include "Volume.h"

#include <memory>

// Volumes for tests that own their voxels.
namespace test
{

template <typename T>
constexpr vae::ScalarType scalarType()
{
  return std::is_same_v<T, std::uint8_t> ? vae::ScalarType::UInt8
    : std::is_same_v<T, std::uint16_t>   ? vae::ScalarType::UInt16
    : std::is_same_v<T, std::int16_t>    ? vae::ScalarType::Int16
    : std::is_same_v<T, double>          ? vae::ScalarType::Float64
                                         : vae::ScalarType::Float32;
}

template <typename T>
vae::Volume volume(std::vector<T> values, const vae::Dims& dims)
{
  auto owned = std::make_shared<std::vector<T>>(std::move(values));
  vae::Channel channel;
  channel.data = owned->data();
  channel.owner = owned;
  channel.type = scalarType<T>();
  channel.array = "v";
  vae::Volume v;
  v.dims = dims;
  v.channels = { channel };
  return v;
}

inline vae::Volume rockVolume(int size, std::uint64_t seed = 1, double radius = 6)
{
  rock::Options options;
  options.size = size;
  options.radius = radius;
  options.seed = seed;
  return volume(rock::cementedGrains(options), { size, size, size });
}

template <typename T>
vae::OutputChannel output(std::vector<T>& values)
{
  vae::OutputChannel channel;
  channel.data = values.data();
  channel.type = scalarType<T>();
  return channel;
}

} // namespace test
