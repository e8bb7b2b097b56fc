// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#include "PretendedCuda.h"

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/Context.h>
#include <ATen/Functions.h>
#include <ATen/TensorIndexing.h>
#include <ATen/TensorOperators.h>
#include <ATen/detail/CUDAHooksInterface.h>
#include <ATen/ops/_fused_adamw.h>
#include <c10/core/Event.h>
#include <c10/core/InferenceMode.h>
#include <c10/core/StreamGuard.h>
#include <c10/core/impl/VirtualGuardImpl.h>
#include <torch/nn.h>

#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <thread>

#include <dlfcn.h>

namespace
{

using at::Tensor;

const c10::Device Gpu(c10::kCUDA, 0), SecondGpu(c10::kCUDA, 1), Cpu(c10::kCPU);

at::TensorOptions on(const c10::Device& device)
{
  return at::TensorOptions(at::kFloat).device(device);
}

Tensor numbers(c10::IntArrayRef size, std::uint64_t seed = 1)
{
  auto generator = at::detail::createCPUGenerator(seed);
  return at::randn(size, generator);
}

bool same(const Tensor& a, const Tensor& b)
{
  return a.scalar_type() == b.scalar_type() && at::equal(a.cpu(), b.cpu());
}

/// The message of what is thrown, in its first line; empty if nothing is.
template <class Call>
std::string thrownBy(Call call)
{
  try
  {
    call();
  }
  catch (const std::exception& e)
  {
    const std::string what = e.what();
    return what.substr(0, what.find('\n'));
  }
  return "";
}

constexpr const char* Mixed = "same device";

/// Each test starts from counts of zero and fails where races are left.
class PretendedCuda : public testing::Test
{
protected:
  void SetUp() override
  {
    c10::impl::VirtualGuardImpl(c10::kCUDA).synchronizeDevice(0);
    c10::impl::VirtualGuardImpl(c10::kCUDA).synchronizeDevice(1);
    pretended_cuda::resetCounts();
  }
  void TearDown() override { EXPECT_EQ(this->Races, pretended_cuda::counts().races); }
  std::int64_t Races = 0; ///< that a test makes
};

struct Net : torch::nn::Module
{
  Net()
  {
    namespace nn = torch::nn;
    this->First = this->register_module("first", nn::Conv3d(nn::Conv3dOptions(4, 8, 3).padding(1)));
    this->Down = this->register_module("down", nn::Conv3d(nn::Conv3dOptions(8, 8, 2).stride(2)));
    this->Up = this->register_module(
      "up", nn::ConvTranspose3d(nn::ConvTranspose3dOptions(8, 4, 2).stride(2)));
    this->Norm = this->register_module("norm", nn::GroupNorm(2, 8));
    this->Last = this->register_module("last", nn::Linear(8, 8));
  }
  Tensor forward(const Tensor& x)
  {
    const Tensor y = at::silu(this->Norm(this->First(x)));
    return this->Last(this->Up(at::gelu(this->Down(y))));
  }
  torch::nn::Conv3d First{ nullptr }, Down{ nullptr };
  torch::nn::ConvTranspose3d Up{ nullptr };
  torch::nn::GroupNorm Norm{ nullptr };
  torch::nn::Linear Last{ nullptr };
};

} // namespace

TEST_F(PretendedCuda, IsFoundByLibTorch)
{
  EXPECT_TRUE(at::hasCUDA());
  EXPECT_EQ(at::detail::getCUDAHooks().deviceCount(), 2);
  const Tensor x = numbers({ 2, 3 }), y = x.to(c10::kCUDA);
  EXPECT_EQ(y.device(), Gpu);
  EXPECT_TRUE(same(x, y));
}

TEST_F(PretendedCuda, HostCannotReadItsMemory)
{
  const Tensor y = at::full({ 4 }, 3.f, on(Gpu));
  EXPECT_EQ(*static_cast<const float*>(pretended_cuda::kernelAddress(y.const_data_ptr())), 3.f);
  EXPECT_DEATH({ [[maybe_unused]] volatile const float f = *y.const_data_ptr<float>(); }, "");
}

TEST_F(PretendedCuda, MixedDevicesThrow)
{
  const Tensor g = at::ones({ 4 }, on(Gpu)), second = at::ones({ 4 }, on(SecondGpu)),
               c = at::ones({ 4 });
  const auto expectMixed = [](auto call)
  { EXPECT_NE(thrownBy(call).find(Mixed), std::string::npos); };
  expectMixed([&] { return g + c; });
  expectMixed([&] { return c + g; });
  expectMixed([&] { return g + second; });
  expectMixed([&] { return at::ones({ 4 }).add_(g); });
  expectMixed([&] { return at::cat({ g, c }); });
  expectMixed([&] { return at::matmul(at::ones({ 2, 2 }, on(Gpu)), at::ones({ 2, 2 })); });
  expectMixed(
    [&] { return at::conv3d(at::ones({ 1, 1, 4, 4, 4 }, on(Gpu)), at::ones({ 1, 1, 3, 3, 3 })); });
  EXPECT_TRUE(same(g * at::scalar_tensor(2.), at::full({ 4 }, 2.f))); // as on a real device
}

TEST_F(PretendedCuda, HasTwoDevices)
{
  const Tensor a = at::ones({ 4 }, on(SecondGpu));
  const c10::DeviceGuard guard(SecondGpu);
  const Tensor b = at::ones({ 4 }, at::kCUDA);
  EXPECT_EQ((a + b).device(), SecondGpu);
  EXPECT_TRUE(same(a.to(Gpu), b));
  const std::string third =
    thrownBy([] { return at::ones({ 4 }, on(c10::Device(c10::kCUDA, 2))); });
  EXPECT_NE(third.find("invalid device ordinal"), std::string::npos) << third;
}

TEST_F(PretendedCuda, NetworkEqualsTheCpuBitByBit)
{
  for (const at::ScalarType type : { at::kFloat, at::kDouble })
  {
    Net net;
    net.to(type);
    const Tensor x = numbers({ 2, 4, 8, 8, 8 }).to(type);
    const auto run = [&](const c10::Device& device)
    {
      net.zero_grad();
      net.to(device);
      std::vector<Tensor> results{ net.forward(x.to(device)) };
      results[0].pow(2).mean().backward();
      for (const Tensor& p : net.parameters())
      {
        EXPECT_EQ(p.grad().device(), device);
        results.push_back(p.grad().clone());
      }
      return results;
    };
    const auto expected = run(Cpu), found = run(Gpu);
    for (std::size_t i = 0; i < expected.size(); ++i)
    {
      EXPECT_TRUE(same(expected[i], found[i])) << type << " " << i;
    }
  }
}

TEST_F(PretendedCuda, ConvolvesInBFloat16WhereThatIsAllowed)
{
  const auto convolved = []
  {
    const at::TensorOptions options = on(Gpu).dtype(at::kBFloat16);
    return at::conv3d(at::ones({ 1, 1, 4, 4, 4 }, options), at::ones({ 1, 1, 3, 3, 3 }, options));
  };
  EXPECT_NE(thrownBy(convolved).find("NOT_SUPPORTED"), std::string::npos);
  pretended_cuda::allowBFloat16(true);
  EXPECT_TRUE(same(convolved(), at::full({ 1, 1, 2, 2, 2 }, 27, at::kBFloat16)));
  pretended_cuda::allowBFloat16(false);
}

TEST_F(PretendedCuda, FourierTransformsAndCholesky)
{
  const Tensor x = numbers({ 8, 8, 8 });
  const Tensor spectrum = at::fft_rfftn(x.to(Gpu));
  EXPECT_EQ(spectrum.device(), Gpu);
  EXPECT_TRUE(same(spectrum, at::fft_rfftn(x)));
  EXPECT_TRUE(same(at::fft_irfftn(spectrum * spectrum.conj()),
    at::fft_irfftn(at::fft_rfftn(x) * at::fft_rfftn(x).conj())));

  Tensor m = numbers({ 6, 6 }).to(at::kDouble);
  m = m.mm(m.t()) + at::eye(6, at::kDouble);
  EXPECT_TRUE(same(at::linalg_cholesky(m.to(Gpu)), at::linalg_cholesky(m)));
  EXPECT_NE(thrownBy([&] { return at::linalg_cholesky(-m.to(Gpu)); }), "");
}

TEST_F(PretendedCuda, OptimiserAndListsOfTensorsAreOneLaunch)
{
  const Tensor start = numbers({ 100 }), gradient = numbers({ 100 }, 2);
  const auto step = [&](const c10::Device& device)
  {
    std::vector<Tensor> p{ start.to(device, at::kFloat, false, true) }, g{ gradient.to(device) };
    std::vector<Tensor> m{ at::zeros({ 100 }, on(device)) }, v{ at::zeros({ 100 }, on(device)) };
    std::vector<Tensor> steps{ at::ones({}, on(device)) };
    pretended_cuda::resetCounts();
    at::_fused_adamw_(p, g, m, v, {}, steps, 1e-3, 0.9, 0.999, 0.01, 1e-8, false, false);
    return p[0];
  };
  const Tensor expected = step(Cpu), found = step(Gpu);
  EXPECT_EQ(pretended_cuda::counts().launches, 1);
  EXPECT_TRUE(same(found, expected));

  const std::vector<Tensor> list{ at::ones({ 3 }, on(Gpu)), at::ones({ 2, 2 }, on(Gpu)) };
  pretended_cuda::resetCounts();
  at::_foreach_add_(list, 2);
  at::_foreach_mul_(list, list);
  EXPECT_EQ(pretended_cuda::counts().launches, 2);
  EXPECT_TRUE(same(list[1], at::full({ 2, 2 }, 9.f)));
}

TEST_F(PretendedCuda, ViewsShareMemoryAndResultsGrow)
{
  const auto change = [](const c10::Device& device)
  {
    const Tensor y = at::arange(24, on(device)).view({ 2, 3, 4 });
    y.transpose(0, 2).select(0, 1).zero_();
    y.unfold(2, 2, 2).select(3, 0).fill_(7);
    return y;
  };
  EXPECT_TRUE(same(change(Gpu), change(Cpu)));

  Tensor out = at::empty({ 0 }, on(Gpu));
  const Tensor alias = out;
  at::add_out(out, at::ones({ 3, 3 }, on(Gpu)), at::ones({ 3, 3 }, on(Gpu)));
  EXPECT_TRUE(same(alias, at::full({ 3, 3 }, 2.f)));
  const Tensor set = at::empty({ 0 }, on(Gpu)).set_(out.storage(), 1, { 2 }, { 1 });
  set.fill_(5);
  EXPECT_EQ(out[0][1].item<float>(), 5.f);
}

TEST_F(PretendedCuda, IndexingEqualsTheCpu)
{
  const Tensor x = numbers({ 5, 4 }), y = x.to(Gpu), rows = at::arange(3);
  EXPECT_TRUE(same(y.index({ rows.to(Gpu) }), x.index({ rows })));
  EXPECT_TRUE(same(y.index({ rows }), x.index({ rows })));
  pretended_cuda::resetCounts();
  EXPECT_TRUE(same(y.index({ y > 0 }), x.index({ x > 0 })));
  EXPECT_GE(pretended_cuda::synchronizationsByOperator()["index"], 1); // for the shape
  y.index_put_({ rows.to(Gpu) }, at::zeros({ 3, 4 }, on(Gpu)));
  EXPECT_EQ(y.slice(0, 0, 3).abs().sum().item<float>(), 0);
  EXPECT_TRUE(same(std::get<0>(y.cumsum(0).sort()), std::get<0>(y.cpu().cumsum(0).sort())));
}

TEST_F(PretendedCuda, CountsWaits)
{
  const Tensor y = at::full({}, 2.5f, on(Gpu));
  pretended_cuda::resetCounts();
  EXPECT_EQ(y.item<float>(), 2.5f);
  EXPECT_EQ(pretended_cuda::counts().synchronizations, 1);
  EXPECT_EQ(pretended_cuda::counts().launches, 0);
  EXPECT_EQ((y + y).cpu().item<float>(), 5);
  EXPECT_EQ(pretended_cuda::counts().launches, 1);
  EXPECT_EQ(pretended_cuda::counts().synchronizations, 2);
  EXPECT_EQ(pretended_cuda::counts().bytesToHost, 4);
}

TEST_F(PretendedCuda, HasGeneratorsOfItsOwn)
{
  const auto from = [](std::uint64_t seed, const c10::Device& device, std::int64_t count = 4)
  {
    at::Generator g = at::globalContext().defaultGenerator(device).clone();
    g.set_current_seed(seed);
    return at::randn({ count }, g, on(device));
  };
  EXPECT_TRUE(same(from(3, Gpu), from(3, SecondGpu)));
  EXPECT_FALSE(same(from(3, Gpu), from(4, Gpu)));

  at::Generator g = at::globalContext().defaultGenerator(SecondGpu);
  g.set_current_seed(9);
  at::randn({ 3 }, g, on(SecondGpu)); // an odd number: a normal is kept for the next
  const Tensor state = g.get_state();
  const Tensor first = at::randn({ 4 }, g, on(SecondGpu));
  g.set_state(state);
  EXPECT_TRUE(same(at::randn({ 4 }, g, on(SecondGpu)), first));

  at::Generator cpu = at::detail::getDefaultCPUGenerator();
  cpu.set_current_seed(5);
  const Tensor expected = at::randn({ 4 });
  cpu.set_current_seed(5);
  at::randn({ 4 }, on(Gpu));
  EXPECT_TRUE(same(at::randn({ 4 }), expected)) << "drawing on a device moved the CPU's generator";
  EXPECT_NE(
    thrownBy([&] { return at::randn({ 4 }, cpu, on(Gpu)); }).find("generator"), std::string::npos);
}

TEST_F(PretendedCuda, PinnedCopiesArriveWhenTheHostWaits)
{
  const Tensor pinned = numbers({ 4 }).pin_memory();
  EXPECT_TRUE(pinned.is_pinned());
  EXPECT_FALSE(at::ones({ 4 }).is_pinned());
  const Tensor y = pinned.to(Gpu, at::kFloat, /*non_blocking=*/true);
  const Tensor back = at::empty({ 4 }, at::TensorOptions(at::kFloat).pinned_memory(true));
  back.copy_(y, /*non_blocking=*/true);
  EXPECT_EQ(pretended_cuda::counts().synchronizations, 0);
  EXPECT_TRUE(back.isnan().all().item<bool>()) << "read before it arrived";
  c10::impl::VirtualGuardImpl(c10::kCUDA).synchronizeDevice(0);
  EXPECT_TRUE(same(back, pinned));
  numbers({ 4 }).to(Gpu, at::kFloat, /*non_blocking=*/true);
  EXPECT_EQ(pretended_cuda::counts().pageable, 1);
}

TEST_F(PretendedCuda, PinnedSourceMustNotChangeTooEarly)
{
  const Tensor pinned = numbers({ 4 }).pin_memory();
  const Tensor y = pinned.to(Gpu, at::kFloat, /*non_blocking=*/true);
  pinned.zero_();
  c10::impl::VirtualGuardImpl(c10::kCUDA).synchronizeDevice(0);
  this->Races = 1;
}

TEST_F(PretendedCuda, StreamsHaveToWaitForEachOther)
{
  const c10::impl::VirtualGuardImpl device(c10::kCUDA);
  const c10::Stream side = device.getStreamFromGlobalPool(Gpu);
  const auto doubleOnSide = [&](const Tensor& x)
  {
    const c10::StreamGuard guard(side);
    x.mul_(2);
  };
  const Tensor x = at::ones({ 4 }, on(Gpu));
  doubleOnSide(x);
  this->Races = 1;
  EXPECT_EQ(pretended_cuda::counts().races, 1) << "the stream did not wait";
  side.synchronize();

  x.add_(1);
  c10::Event event(c10::DeviceType::CUDA);
  event.record(device.getDefaultStream(Gpu));
  event.block(side);
  doubleOnSide(x);
  side.synchronize();
  x.add_(1);
  EXPECT_EQ(pretended_cuda::counts().races, 1) << "the stream waited";

  pretended_cuda::throwOnRaces(true);
  this->Races = 2;
  const std::string race = thrownBy([&] { doubleOnSide(x); });
  pretended_cuda::throwOnRaces(false);
  EXPECT_NE(race.find("does not wait"), std::string::npos) << race;
  side.synchronize(); // before the memory is freed
}

TEST_F(PretendedCuda, FreedMemoryMustNotBeInUse)
{
  const c10::impl::VirtualGuardImpl device(c10::kCUDA);
  const c10::Stream side = device.getStreamFromGlobalPool(Gpu);
  for (const bool recorded : { true, false })
  {
    const Tensor x = at::ones({ 4 }, on(Gpu));
    device.synchronizeDevice(0);
    const c10::StreamGuard guard(side);
    const Tensor y = x * 2;
    if (recorded)
    {
      x.record_stream(side);
    }
  }
  this->Races = 1;
}

TEST_F(PretendedCuda, GradientsCrossDevices)
{
  pretended_cuda::throwOnRaces(true);
  const Tensor w = at::ones({ 4 }, on(Gpu)).requires_grad_(true);
  (w * 2).to(SecondGpu).pow(2).sum().backward();
  pretended_cuda::throwOnRaces(false);
  EXPECT_TRUE(same(w.grad(), at::full({ 4 }, 8.f)));
}

TEST_F(PretendedCuda, ThreadsUseADeviceEach)
{
  const auto work = [](const c10::Device& device, Tensor& result)
  {
    const c10::DeviceGuard guard(device);
    const c10::InferenceMode inference;
    Tensor x = at::ones({ 64 }, at::kCUDA);
    for (int i = 0; i < 500; ++i)
    {
      x = x * 1.001 + 0.5;
    }
    result = x.cpu();
  };
  Tensor first, second;
  std::thread other(work, Gpu, std::ref(first));
  work(SecondGpu, second);
  other.join();
  EXPECT_TRUE(same(first, second));
}

TEST_F(PretendedCuda, RunsOutOfMemory)
{
  const std::size_t before = pretended_cuda::memoryInUse(1);
  pretended_cuda::limitMemory(1, before + (1 << 20));
  EXPECT_THROW(at::ones({ 1 << 20 }, on(SecondGpu)), c10::OutOfMemoryError);
  EXPECT_NO_THROW(at::ones({ 1 << 10 }, on(SecondGpu)));
  pretended_cuda::limitMemory(1, std::size_t(-1));
  EXPECT_EQ(pretended_cuda::memoryInUse(1), before);
  EXPECT_EQ(pretended_cuda::mostMemoryInUse(1), before);
}

TEST_F(PretendedCuda, LibrariesRunOutOfMemoryInTheirOwnWords)
{
  using pretended_cuda::Library;
  const Tensor x = at::ones({ 1, 1, 4, 4, 4 }, on(Gpu)), m = at::ones({ 4, 4 }, on(Gpu));
  const auto convolve = [&] { return at::conv3d(x, at::ones({ 1, 1, 3, 3, 3 }, on(Gpu))); };
  pretended_cuda::failOnce(Library::CuDnn, /*after=*/1);
  EXPECT_EQ(thrownBy(convolve), "");
  EXPECT_NE(thrownBy(convolve).find("unable to find an engine"), std::string::npos);
  EXPECT_EQ(thrownBy(convolve), "");
  pretended_cuda::failOnce(Library::CuBlas);
  EXPECT_NE(
    thrownBy([&] { return m.mm(m); }).find("CUBLAS_STATUS_ALLOC_FAILED"), std::string::npos);
  pretended_cuda::failOnce(Library::CuFft);
  EXPECT_NE(
    thrownBy([&] { return at::fft_rfftn(m); }).find("CUFFT_ALLOC_FAILED"), std::string::npos);
}

// A thread has a context, which the driver asks for, once it has used a device.
TEST_F(PretendedCuda, DriverNeedsAContext)
{
  void* driver = dlopen("libcuda.so.1", RTLD_LAZY | RTLD_NOLOAD);
  ASSERT_TRUE(driver);
  using Query = int (*)(std::size_t*, std::size_t*);
  const auto query = reinterpret_cast<Query>(dlsym(driver, "cuMemGetInfo_v2"));
  ASSERT_TRUE(query);
  int without = 0, with = 1;
  std::size_t left = 0, all = 0;
  std::thread([&]
  {
    without = query(&left, &all);
    const Tensor t = at::ones({ 4 }, on(Gpu));
    with = query(&left, &all);
  }).join();
  EXPECT_EQ(without, 201); // CUDA_ERROR_INVALID_CONTEXT
  EXPECT_EQ(with, 0);
  EXPECT_EQ(left, all - pretended_cuda::memoryInUse(0) - 4 * sizeof(float));
  dlclose(driver);
}
