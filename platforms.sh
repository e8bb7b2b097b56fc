# SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
# SPDX-License-Identifier: BSD-3-Clause
#
# The platforms this project supports, and what it needs on each: the only place where
# versions and package names are written down. Sourced by ./dev.

# Debian suite -> what it carries. The first one is the home platform.
VAE_SUITES="trixie testing"
VAE_DEFAULT_SUITE=trixie
vae_suite_versions() {
  case "$1" in
    trixie)  echo "Debian 13: ParaView 5.13.2, VTK 9.3, Qt 6.8, LibTorch 2.6, g++ 14" ;;
    testing) echo "Debian testing: ParaView 6.1.1, VTK 9.6, Qt 6.11, LibTorch 2.14, g++ 16" ;;
    *) return 1 ;;
  esac
}

# The oldest ParaView the plugin builds against; hosts that offer it use their own packages.
VAE_MINIMUM_PARAVIEW=5.13

# What find_package(ParaView), find_package(Torch) and the tests need. Debian's paraview-dev
# does not pull in the development packages that its own CMake files look for, and without
# libopenblas0-pthread the matrix products of LibTorch run thirty times slower.
vae_packages() {
  echo \
    g++ cmake ninja-build ccache git paraview paraview-dev python3-paraview \
    libtorch-dev libopenblas0-pthread libgtest-dev \
    qt6-base-dev qt6-tools-dev qt6-svg-dev qt6-svg-plugins qt6-5compat-dev \
    mpi-default-bin mpi-default-dev python3-mpi4py python3-numpy python3-scipy \
    libdouble-conversion-dev libutfcpp-dev libogg-dev libtheora-dev libgl2ps-dev libglew-dev \
    libxcursor-dev libxt-dev libavcodec-dev libavformat-dev libavutil-dev libswscale-dev \
    libjsoncpp-dev libfreetype-dev liblz4-dev liblzma-dev libhdf5-mpi-dev libnetcdf-dev \
    libproj-dev libpugixml-dev libsqlite3-dev nlohmann-json3-dev libcgns-dev \
    libxkbcommon-dev libegl-dev libgmsh-dev libboost-dev \
    xvfb xauth libgl1-mesa-dri openbox xdotool x11-utils imagemagick fonts-dejavu-core \
    gdb clang-format
  case "$1" in
    testing) echo xsltproc libvtk9-dev libvtk9-qt-dev ;;
  esac
}

# Debian's paraview-dev (13 and testing) is broken as shipped: its CMake files name
# vtkmodules/vtkCommonCore.so, the package installs vtkCommonCore.cpython-*.so. Print one
# shell command that mends an installation below the folder $1 ("" is the system itself).
vae_mend_command() {
  cat <<MEND
cd "$1/usr/lib/python3/dist-packages" && find vtkmodules paraview -name '*.cpython-*.so' |
while read -r f; do ln -sf "\$(basename "\$f")" "\${f%%.cpython-*}.so"; done
MEND
}
