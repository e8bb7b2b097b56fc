// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#include "Noise.h"

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>

#include <mutex>
#include <numbers>

namespace vae
{
namespace
{

/// The finaliser of SplitMix64 (Steele et al. 2014), in place. Tensors know signed integers only,
/// whose bits are the same.
class Scramble
{
public:
  static constexpr std::uint64_t Step = 0x9e3779b97f4a7c15ull, First = 0xbf58476d1ce4e5b9ull,
                                 Second = 0x94d049bb133111ebull;

  std::uint64_t operator()(std::uint64_t x) const
  {
    x += Step;
    x = (x ^ (x >> 30)) * First;
    x = (x ^ (x >> 27)) * Second;
    return x ^ (x >> 31);
  }

  at::Tensor operator()(at::Tensor x) const
  {
    x.add_(bits(Step));
    x.bitwise_xor_(shifted(x, 30)).mul_(bits(First));
    x.bitwise_xor_(shifted(x, 27)).mul_(bits(Second));
    return x.bitwise_xor_(shifted(x, 31));
  }

  static std::int64_t bits(std::uint64_t x) { return static_cast<std::int64_t>(x); }

  /// Zeros come in from the left.
  static at::Tensor shifted(const at::Tensor& x, int by)
  {
    return at::__rshift__(x, by).bitwise_and_(bits(~std::uint64_t{ 0 } >> by));
  }
};

} // namespace

at::Tensor gridNoise(const Box& box, const Index3& grid, std::int64_t channels, std::int64_t seed,
  std::int64_t sample, const at::Device& device)
{
  const Scramble scramble;
  const std::uint64_t stream =
    scramble(scramble(static_cast<std::uint64_t>(seed)) + static_cast<std::uint64_t>(sample));
  const at::TensorOptions integers = at::TensorOptions(device).dtype(at::kLong);
  at::Tensor place = at::arange(channels, integers).view({ 1, channels, 1, 1, 1 });
  for (int a = 0; a < 3; ++a)
  {
    std::vector<std::int64_t> shape(5, 1);
    shape[static_cast<std::size_t>(a) + 2] = box.size[a];
    place = place * grid[a] +
      at::arange(box.origin[a], box.origin[a] + box.size[a], integers)
        .remainder(grid[a])
        .view(shape);
  }
  const at::Tensor a = scramble(scramble(place).bitwise_xor_(Scramble::bits(stream)));
  // Box and Muller (1958); 53 bits, and never the logarithm of 0.
  const at::Tensor u = Scramble::shifted(a, 11).to(at::kDouble).add_(0.5).mul_(0x1p-53);
  const at::Tensor v = Scramble::shifted(scramble(a), 11).to(at::kDouble).mul_(0x1p-53);
  return u.log_().mul_(-2).sqrt_().mul_(v.mul_(2 * std::numbers::pi).cos_()).to(at::kFloat);
}

at::Tensor streamNoise(
  const std::array<std::int64_t, 4>& size, at::Generator generator, const at::Device& device)
{
  if (device.is_cpu())
  {
    return at::randn(size, generator);
  }
  auto* numbers = at::check_generator<at::CPUGeneratorImpl>(generator);
  const std::scoped_lock lock(numbers->mutex_);
  const auto seed = static_cast<std::int64_t>(numbers->random64());
  const Index3 grid{ size[1], size[2], size[3] };
  return gridNoise({ {}, grid }, grid, size[0], seed, 0, device)[0];
}

} // namespace vae
