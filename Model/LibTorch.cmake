# SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
# SPDX-License-Identifier: BSD-3-Clause
#
# vae_libtorch: headers, libraries and flags of the LibTorch to build against.

set(VAE_TORCH_WHEEL "" CACHE PATH "Folder of the torch package that pip installed, instead of Torch_DIR")

add_library(vae_libtorch INTERFACE)
# at::parallel_for lies in a header: compiled without this flag it is a plain loop.
find_package(OpenMP REQUIRED COMPONENTS CXX)
separate_arguments(openmp_flags UNIX_COMMAND "${OpenMP_CXX_FLAGS}")
set(openmp_libraries ${OpenMP_CXX_LIBRARIES})
if (VAE_TORCH_WHEEL)
  # LibTorch's own runtime: a second one would have threads of its own.
  file(GLOB bundled "${VAE_TORCH_WHEEL}/lib/libgomp*.so*")
  if (bundled)
    set(openmp_libraries ${bundled})
  endif ()
  # The CMake files of a CUDA wheel ask for nvcc and the whole CUDA toolkit. Nothing here is compiled for a
  # GPU, so its headers and libraries are enough.
  file(READ "${VAE_TORCH_WHEEL}/version.py" version)
  if (NOT version MATCHES "__version__ = '([^']+)'")
    message(FATAL_ERROR "VAE_TORCH_WHEEL is '${VAE_TORCH_WHEEL}'; version.py there has no __version__. It must be "
      "what python3 -c \"import torch; print(torch.__path__[0])\" prints.")
  endif ()
  set(Torch_VERSION "${CMAKE_MATCH_1}")
  target_include_directories(vae_libtorch SYSTEM INTERFACE
    "${VAE_TORCH_WHEEL}/include" "${VAE_TORCH_WHEEL}/include/torch/csrc/api/include")
  # libtorch.so refers to nothing; it brings the GPU's library with it. It also has functions of
  # std::filesystem that crash outside of it (2.11): the compiler's own library comes first.
  target_link_libraries(vae_libtorch INTERFACE
    -Wl,--push-state,--no-as-needed -lstdc++ "${VAE_TORCH_WHEEL}/lib/libtorch.so" -Wl,--pop-state
    "${VAE_TORCH_WHEEL}/lib/libtorch_cpu.so" "${VAE_TORCH_WHEEL}/lib/libc10.so")
else ()
  find_package(Torch REQUIRED)
  separate_arguments(flags UNIX_COMMAND "${TORCH_CXX_FLAGS}")
  target_compile_options(vae_libtorch INTERFACE ${flags})
  target_link_libraries(vae_libtorch INTERFACE ${TORCH_LIBRARIES})
  target_include_directories(vae_libtorch SYSTEM INTERFACE ${TORCH_INCLUDE_DIRS})
endif ()
target_compile_options(vae_libtorch INTERFACE ${openmp_flags})
target_link_libraries(vae_libtorch INTERFACE ${openmp_libraries})

# Headers of CUDA, for CUDA graphs (Torch/Training/StepGraph.cpp): the toolkit's, or those that pip brings with torch,
# where they are whole: of CUDA 13 the folder crt is missing.
set(torch_cuda "")
if (VAE_TORCH_WHEEL AND EXISTS "${VAE_TORCH_WHEEL}/lib/libtorch_cuda.so")
  set(torch_cuda "${VAE_TORCH_WHEEL}/lib/libtorch_cuda.so" "${VAE_TORCH_WHEEL}/lib/libc10_cuda.so")
elseif (TARGET torch_cuda AND TARGET c10_cuda)
  set(torch_cuda torch_cuda c10_cuda)
endif ()
if (torch_cuda AND Torch_VERSION VERSION_GREATER_EQUAL 2.11)
  file(GLOB pip "${VAE_TORCH_WHEEL}/../nvidia/*/include")
  find_path(VAE_CUDA_HEADERS crt/host_defines.h HINTS ${pip} ENV CUDA_PATH ENV CUDA_HOME PATHS /usr/local/cuda
    PATH_SUFFIXES include DOC "Folder with CUDA's cuda_runtime_api.h, for steps of a training as CUDA graphs")
  file(GLOB pip "${VAE_TORCH_WHEEL}/../nvidia/*/lib")
  find_library(VAE_CUDA_RUNTIME NAMES cudart libcudart.so.13 libcudart.so.12 HINTS ${pip} ENV CUDA_PATH ENV CUDA_HOME
    PATHS /usr/local/cuda PATH_SUFFIXES lib64 lib DOC "CUDA's libcudart.so, which LibTorch's headers call")
  if (VAE_CUDA_HEADERS AND VAE_CUDA_RUNTIME)
    target_link_libraries(vae_libtorch INTERFACE ${torch_cuda} "${VAE_CUDA_RUNTIME}")
  else ()
    message(STATUS "CUDA's headers or runtime were not found: steps of a training cannot be CUDA graphs")
  endif ()
endif ()
