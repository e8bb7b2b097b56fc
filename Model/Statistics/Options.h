// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstdint>

// Every choice a measurement of a microstructure can make, and the only copy of each default. A row
// of Source/OptionTable.h has the label and the range of each.
namespace vae
{

/// Which voxels are the phase that is measured (the pore, in a rock).
enum class Phase
{
  Automatic = 0, ///< of two values, see statistics::automaticPhase()
  Label = 1,     ///< equal to the value
  Below = 2,     ///< smaller than the value
  AtOrAbove = 3  ///< the value or larger
};

/// Which voxels of the phase touch: 6 by faces, 18 also by edges, 26 also by corners. The other
/// phase then has the dual one: 26, 6 (18 has no dual; 6 is taken), 6.
enum class Connectivity
{
  Faces = 6,
  Edges = 18,
  Corners = 26
};

/// What Microstructure Statistics does.
struct StatisticsOptions
{
  Phase phase = Phase::Automatic;
  double value = 0;      ///< label or threshold, see Phase
  bool periodic = false; ///< S2: the volume repeats; otherwise pairs inside it are counted
  int maximumLag = 0;    ///< voxels; 0: half the smallest side, at most 100
  Connectivity connectivity = Connectivity::Faces;
  int cubeSize = 32;   ///< voxels; measurement cells of the local porosity distribution
  int blockSize = 0;   ///< voxels; blocks of the bands; 0: half the smallest side
  int thresholds = 16; ///< of grey data, for curves over the threshold; 0 for none
  bool radial = true;  ///< S2 over the distance, by FFT
  bool cluster = true; ///< two-point cluster function
  bool poreSize = true;
  bool localPercolation = true;
  bool tortuosity = false; ///< solves Laplace's equation along each axis
  int threads = 0;         ///< 0: as many as there are cores
};

/// Along which axis the pressure drops.
enum class FlowDirection
{
  X = 0,
  Y = 1,
  Z = 2,
  All = 3 ///< one after the other
};

/// What is at the faces of the volume.
enum class FlowBoundary
{
  Walls = 0,   ///< pressures at the two ends, no-slip walls at the four sides: a core in a holder
  Slip = 1,    ///< pressures at the two ends, planes of symmetry at the four sides
  Periodic = 2 ///< the volume repeats in all directions
};

/// What Microstructure Permeability does.
struct PermeabilityOptions
{
  Phase phase = Phase::Automatic;
  double value = 0;
  FlowDirection direction = FlowDirection::All;
  FlowBoundary boundary = FlowBoundary::Walls;
  double tolerance = 1e-3; ///< relative change of the permeability, and relative residual
  int maximumIterations = 500;
  double spacingInMetres = 1e-6; ///< metres that one unit of the spacing stands for
  bool tortuosity = true;        ///< of diffusion, by Laplace's equation in the same phase
  int threads = 0;
};

} // namespace vae
