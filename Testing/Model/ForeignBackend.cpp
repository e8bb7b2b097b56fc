// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
//
// A backend of another build: whoever takes what its entry gives crashes. With VAE_OTHER_INTERFACE
// it says so; without, it is older than the question.
#include <cstdlib>

#define EXPORTED extern "C" __attribute__((visibility("default")))

#ifdef VAE_OTHER_INTERFACE
EXPORTED const char* vae_torch_interface() { return VAE_OTHER_INTERFACE; }
#endif

EXPORTED void* vae_torch_backend() { std::abort(); }
