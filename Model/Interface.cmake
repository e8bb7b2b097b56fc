# SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
# SPDX-License-Identifier: BSD-3-Clause
#
# What plugin and backend must agree on, as a hash: every header that Backend.h brings, and what else
# decides about the layout of the objects that cross the border.
function(vae_interface_headers out header)
  set(found "${header}")
  file(STRINGS "${header}" includes REGEX "^#include \"")
  get_filename_component(folder "${header}" DIRECTORY)
  foreach (line IN LISTS includes)
    string(REGEX REPLACE "^#include \"(.*)\".*" "\\1" name "${line}")
    get_filename_component(path "${folder}/${name}" ABSOLUTE)
    vae_interface_headers(more "${path}")
    list(APPEND found ${more})
  endforeach ()
  set(${out} ${found} PARENT_SCOPE)
endfunction()
vae_interface_headers(interface_headers "${CMAKE_CURRENT_SOURCE_DIR}/Backend.h")
list(REMOVE_DUPLICATES interface_headers)
set(interface "${PROJECT_VERSION} ${CMAKE_CXX_COMPILER_ID} ${CMAKE_SIZEOF_VOID_P}")
foreach (header IN LISTS interface_headers)
  file(SHA256 "${header}" hash)
  string(APPEND interface " ${hash}")
endforeach ()
string(SHA256 VAE_INTERFACE "${interface}")
string(SUBSTRING "${VAE_INTERFACE}" 0 16 VAE_INTERFACE)
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${interface_headers})
configure_file(Interface.h.in "${CMAKE_CURRENT_BINARY_DIR}/generated/Interface.h" @ONLY)
