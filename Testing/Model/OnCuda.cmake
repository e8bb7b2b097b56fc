# SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
# SPDX-License-Identifier: BSD-3-Clause
#
# The model's tests once more, on pretended CUDA devices (Testing/PretendedCuda): the same objects, linked with
# those devices, run with VAE_TEST_DEVICE=cuda. Label "cuda".

# Tests that are not run there, and why.
set(not_on_cuda
  # No device takes part.
  AdamW.* Blocks.* FreeCores.* GridNoise.* Json.* LatentField.* LatentMath.* Lineage.* ModelFiles.* ModelInfo.*
  Patches.* Plan.* Rock.* Schedule.* State.* Summary.* TileSize.* TimePlan.* Volume.*
  # Threads, settings and memory of the CPU.
  KeptMemory.* Memory.* NetworkDeathTest.* RunScope.* ThreadChoice.*)
# Tests that are run there with the label "slow" instead: they train or measure for long.
set(slow_on_cuda
  Conditioning.* EachObjective.* PriorTraining.ComesAfter* PriorTraining.SamplesHave* RandomField.*)

# program: its tests on the devices; what follows are its libraries.
function (vae_test_on_cuda program)
  add_executable(${program}OnCuda $<TARGET_OBJECTS:${program}>)
  set_target_properties(${program}OnCuda PROPERTIES LINKER_LANGUAGE CXX)
  target_link_libraries(${program}OnCuda PRIVATE
    ${ARGN} -Wl,--push-state,--no-as-needed pretended_cuda -Wl,--pop-state GTest::gtest_main)
  list(JOIN slow_on_cuda ":" slow)
  list(JOIN not_on_cuda ":" never)
  foreach (label IN ITEMS cuda slow)
    set(filter "-${never}:${slow}")
    if (label STREQUAL "slow")
      set(filter "${slow}")
    endif ()
    gtest_discover_tests(${program}OnCuda
      TEST_PREFIX cuda.
      TEST_FILTER "${filter}"
      PROPERTIES LABELS ${label} TIMEOUT ${VAE_TEST_TIMEOUT} ENVIRONMENT OMP_WAIT_POLICY=passive
                 ENVIRONMENT_MODIFICATION VAE_TEST_DEVICE=set:cuda
      DISCOVERY_MODE PRE_TEST DISCOVERY_TIMEOUT 60)
  endforeach ()
endfunction ()

vae_test_on_cuda(TestModel vae_torch_objects vae_rock nlohmann_json::nlohmann_json)

# What a device is asked to do.
add_executable(TestCuda TestCuda.cpp)
target_link_libraries(TestCuda PRIVATE vae_torch_objects vae_rock vae_warnings
  -Wl,--push-state,--no-as-needed pretended_cuda -Wl,--pop-state GTest::gtest_main)
gtest_discover_tests(TestCuda
  TEST_PREFIX cuda.
  PROPERTIES LABELS cuda TIMEOUT ${VAE_TEST_TIMEOUT} ENVIRONMENT OMP_WAIT_POLICY=passive
  DISCOVERY_MODE PRE_TEST DISCOVERY_TIMEOUT 60)

# A host that opens LibTorch at run time. The devices are there before it does.
gtest_discover_tests(TestOpener
  TEST_PREFIX cuda.
  TEST_FILTER SessionTest.AThread*:SessionTest.StopsAtOnce* # the others are about files
  PROPERTIES LABELS cuda TIMEOUT ${VAE_TEST_TIMEOUT}
             ENVIRONMENT "LD_PRELOAD=${CMAKE_BINARY_DIR}/pretended_cuda/libcuda.so.1"
             ENVIRONMENT_MODIFICATION VAE_TEST_DEVICE=set:cuda
  DISCOVERY_MODE PRE_TEST DISCOVERY_TIMEOUT 60)
add_dependencies(TestOpener pretended_cuda)
