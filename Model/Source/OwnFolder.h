// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <string>

namespace vae
{

/// Where the library or program is that this function was linked into; empty if not known.
std::string folderOfThisLibrary();

} // namespace vae
