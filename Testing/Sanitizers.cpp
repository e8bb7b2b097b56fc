// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
//
// What the sanitizers ask a program when it starts. LibTorch and ParaView keep some memory for
// ever, and the plugin and its backend each have Model's globals.
extern "C" const char* __asan_default_options()
{
  return "detect_leaks=0:detect_odr_violation=0:allocator_may_return_null=1";
}

extern "C" const char* __ubsan_default_options() { return "print_stacktrace=1"; }

// Nothing of LibTorch, VTK or OpenMP was compiled for the thread sanitizer: it does not see how
// they wait for each other.
extern "C" const char* __tsan_default_options() { return "ignore_noninstrumented_modules=1"; }
