// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#include "Operators.h"

#include "CpuCall.h"
#include "Generators.h"
#include "Memory.h"

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/core/LegacyTypeDispatch.h>
#include <c10/util/Exception.h>
#include <c10/util/ScopeExit.h>

#include <array>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

namespace pretended_cuda
{
namespace
{

struct Lack
{
  bool planned = false;
  int after = 0;
};

bool bFloat16IsAllowed = false;

/// By Library.
std::array<Lack, 3>& lacks()
{
  static std::array<Lack, 3> all;
  return all;
}

std::optional<Library> libraryOf(const std::string& name)
{
  static const std::set<std::string> products{ "mm", "addmm", "bmm", "baddbmm", "dot", "mv",
    "addmv" };
  return name.starts_with("convolution") || name.starts_with("cudnn_convolution")
    ? std::optional(Library::CuDnn)
    : products.contains(name)   ? std::optional(Library::CuBlas)
    : name.starts_with("_fft_") ? std::optional(Library::CuFft)
                                : std::nullopt;
}

/// In the words of LibTorch 2.6 to 2.11 with cuDNN 9, cuBLAS 12 and cuFFT 11.
const char* wordsOf(Library library)
{
  switch (library)
  {
    case Library::CuDnn:
      return "GET was unable to find an engine to execute this computation";
    case Library::CuBlas:
      return "CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`";
    case Library::CuFft:
      return "cuFFT error: CUFFT_ALLOC_FAILED";
  }
  return "";
}

struct Operator
{
  std::string name;
  bool isView = false;      ///< it launches nothing
  bool waits = false;       ///< the host needs a value for the shape of the result
  bool readsScalar = false; ///< `_local_scalar_dense`, a copy
  bool indexes = false;     ///< its indices may be on the CPU
  bool random = false;
  std::optional<Library> library{};
  std::vector<bool> writes{}, isGenerator{}; ///< of each argument
};

const Operator& describe(const c10::OperatorHandle& op)
{
  static const std::set<std::string> waiting{ "nonzero", "masked_select", "_unique", "_unique2",
    "unique_dim", "unique_consecutive", "unique_dim_consecutive", "equal", "_local_scalar_dense",
    "bincount", "repeat_interleave", "histogramdd", "linalg_eigh", "_linalg_eigh", "is_nonzero" };
  thread_local std::unordered_map<const c10::FunctionSchema*, Operator> known;
  const c10::FunctionSchema& schema = op.schema();
  const auto [found, isNew] = known.try_emplace(&schema);
  Operator& o = found->second;
  if (!isNew)
  {
    return o;
  }
  o.name = schema.name().substr(schema.name().rfind(':') + 1);
  o.readsScalar = o.name == "_local_scalar_dense";
  o.waits = waiting.contains(o.name);
  o.indexes = o.name.find("index") != std::string::npos;
  o.random = op.hasTag(at::Tag::nondeterministic_seeded);
  o.library = libraryOf(o.name);
  for (const c10::Argument& argument : schema.arguments())
  {
    o.writes.push_back(argument.alias_info() && argument.alias_info()->isWrite());
    o.isGenerator.push_back(argument.type()->str().starts_with("Generator"));
    o.random = o.random || o.isGenerator.back();
  }
  for (const c10::Argument& result : schema.returns())
  {
    o.isView = o.isView || (result.alias_info() && !result.alias_info()->isWrite());
  }
  return o;
}

/// The same value with each tensor, in lists as well, through a function.
template <class Change>
c10::IValue withTensors(const c10::IValue& value, Change change)
{
  if (value.isTensor())
  {
    return change(value.toTensor());
  }
  if (value.isTensorList())
  {
    c10::List<at::Tensor> changed;
    for (const c10::IValue& element : value.toListRef())
    {
      changed.push_back(change(element.toTensor()));
    }
    return changed;
  }
  if (value.isOptionalTensorList())
  {
    c10::List<std::optional<at::Tensor>> changed;
    for (const c10::IValue& element : value.toListRef())
    {
      changed.push_back(
        element.isTensor() ? std::optional<at::Tensor>(change(element.toTensor())) : std::nullopt);
    }
    return changed;
  }
  return value;
}

/// The device of the arguments, their memory, and whether the host has to wait.
struct Inspection
{
  int device = -1;
  bool waits = false, bFloat16 = false;
  at::MemoryFormat format = at::MemoryFormat::Contiguous; ///< channels last if one argument is
  Blocks blocks{};
};

Inspection inspect(const c10::OperatorHandle& op, const Operator& o, const c10::IValue* arguments)
{
  Inspection result{ .waits = o.waits };
  std::string odd; // what is not where the first is
  for (std::size_t k = 0; k < o.writes.size(); ++k)
  {
    const bool index = o.indexes && op.schema().arguments()[k].name() == "indices";
    withTensors(arguments[k], [&](const at::Tensor& t)
    {
      if (t.defined() && t.is_cuda())
      {
        if (result.device >= 0 && result.device != t.get_device())
        {
          odd = t.device().str();
        }
        result.device = result.device < 0 ? t.get_device() : result.device;
        result.blocks[t.storage().data()] |= o.writes[k];
        result.bFloat16 |= t.scalar_type() == at::kBFloat16;
        if (const at::MemoryFormat format = t.suggest_memory_format();
          format != at::MemoryFormat::Contiguous)
        {
          result.format = format;
        }
      }
      else if (t.defined() && t.is_cpu() && (t.dim() > 0 || o.writes[k]) && !index)
      {
        odd = "cpu"; // a tensor without dimensions passes, as it does on a real device
      }
      result.waits |= index && t.defined() && (t.is_cpu() || t.scalar_type() == at::kBool);
      return t;
    });
  }
  TORCH_CHECK(odd.empty() || result.device < 0,
    "Expected all tensors to be on the same device, but found at least two devices, cuda:",
    result.device, " and ", odd, "! (aten::", o.name, ")");
  for (std::size_t k = 0; k < o.writes.size() && result.device < 0; ++k)
  {
    if (arguments[k].isDevice())
    {
      const c10::Device asked = arguments[k].toDevice();
      result.device = asked.has_index() ? asked.index() : currentDevice();
    }
  }
  result.device = result.device < 0 ? currentDevice() : result.device;
  return result;
}

/// What a convolution gives lies in memory as its arguments do, gradients of weights as well
/// (cudnn_conv_suggest_memory_format). On a CPU that depends on its instructions.
at::Tensor laidOut(const at::Tensor& result, at::MemoryFormat format)
{
  const std::int64_t dimensions = format == at::MemoryFormat::ChannelsLast ? 4
    : format == at::MemoryFormat::ChannelsLast3d                           ? 5
                                                                           : 0;
  return result.defined() && result.dim() == dimensions ? result.contiguous(format) : result;
}

void failWherePlanned(const Operator& o, bool bFloat16)
{
  if (!o.library)
  {
    return;
  }
  const Lock lock = locked();
  TORCH_CHECK(!bFloat16 || bFloat16IsAllowed || o.library != Library::CuDnn,
    "cuDNN error: CUDNN_STATUS_NOT_SUPPORTED");
  Lack& lack = lacks()[static_cast<std::size_t>(*o.library)];
  if (lack.planned && lack.after-- == 0)
  {
    lack.planned = false;
    TORCH_CHECK(false, wordsOf(*o.library));
  }
}

/// The state of a device's generator in a CPU generator, for as long as this lives.
class Numbers
{
public:
  Numbers(at::Generator device, at::Generator cpu) : Device(std::move(device)), Cpu(std::move(cpu))
  {
    this->swap();
  }
  ~Numbers() { this->swap(); }
  Numbers(const Numbers&) = delete;
  void operator=(const Numbers&) = delete;

private:
  void swap()
  {
    const at::Tensor state = this->Device.get_state();
    this->Device.set_state(this->Cpu.get_state());
    this->Cpu.set_state(state);
  }
  at::Generator Device, Cpu;
};

} // namespace

void failOnce(Library library, int after)
{
  const Lock lock = locked();
  lacks()[static_cast<std::size_t>(library)] = { true, after };
}

void allowBFloat16(bool allowed)
{
  const Lock lock = locked();
  bFloat16IsAllowed = allowed;
}

void runOnCpu(const c10::OperatorHandle& op, torch::jit::Stack* stack)
{
  const Operator& o = describe(op);
  c10::IValue* arguments = stack->data() + stack->size() - o.writes.size();
  const Inspection found = inspect(op, o, arguments);
  failWherePlanned(o, found.bFloat16);
  launch(o.name, found.device, found.blocks, !o.isView && !o.readsScalar);

  thread_local const at::Generator scratch = at::detail::createCPUGenerator();
  at::Generator numbers = defaultGenerator(found.device);
  at::Generator standIn = at::detail::getDefaultCPUGenerator(); // of kernels without an argument
  CpuCall call(found.device);
  for (std::size_t k = 0; k < o.writes.size(); ++k)
  {
    c10::IValue& argument = arguments[k];
    if (argument.isTensor() || argument.isList())
    {
      argument = withTensors(argument, [&](const at::Tensor& t) { return call.toCpu(t); });
    }
    else if (argument.isDevice())
    {
      argument = c10::Device(c10::kCPU);
    }
    else if (o.isGenerator[k])
    {
      numbers = argument.isNone() ? numbers : argument.toGenerator();
      TORCH_CHECK(numbers.device() == cuda(found.device),
        "Expected a 'cuda' device type for generator but found '", numbers.device(), "'");
      standIn = scratch;
      argument = standIn;
    }
  }
  {
    const at::AutoDispatchBelowADInplaceOrView below;
    std::optional<Numbers> random;
    if (o.random)
    {
      random.emplace(numbers, standIn);
    }
    op.callBoxed(stack);
  }
  call.finish();
  const bool convolves = o.library == Library::CuDnn;
  const std::size_t results = op.schema().returns().size();
  for (std::size_t k = stack->size() - results; k < stack->size(); ++k)
  {
    (*stack)[k] = withTensors((*stack)[k],
      [&](const at::Tensor& t) { return call.toDevice(convolves ? laidOut(t, found.format) : t); });
  }
  if (found.waits)
  {
    waitForStream(currentStream(found.device), o.name);
  }
}

} // namespace pretended_cuda
