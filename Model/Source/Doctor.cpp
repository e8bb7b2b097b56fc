// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#include "Backend.h"

#include <iostream>

int main()
{
  try
  {
    std::cout << vae::backend().describe() << "\n";
    return 0;
  }
  catch (const std::exception& e)
  {
    std::cout << e.what() << "\n";
    return 1;
  }
}
