// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#include "Transport.h"

#include "Components.h"
#include "StaggeredGrid.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace vae::statistics
{
namespace
{

/// Numbers of cells and of their faces are 32 bits wide.
constexpr std::int64_t MostNumbers = std::numeric_limits<std::int32_t>::max();

void requireVoxels(std::int64_t voxels, std::int64_t most, const char* what)
{
  if (voxels > most)
  {
    throw std::invalid_argument("The phase has " + std::to_string(voxels) + " voxels; " + what +
      " is solved for up to " + std::to_string(most));
  }
}

std::vector<float> vectorOf(std::int64_t rows)
{
  return std::vector<float>(static_cast<std::size_t>(rows) + 1, 0);
}

} // namespace

Diffusion diffuse(const Mask& mask, int axis, const Work& work)
{
  const std::int64_t pores = volumeOf(mask);
  requireVoxels(pores, MostNumbers, "diffusion");
  const double porosity = static_cast<double>(pores) / static_cast<double>(mask.count());
  const Components components = findComponents(mask, Connectivity::Faces, work.part(0, 0.05));
  Diffusion result;
  if (components.spanningVoxels(axis) == 0)
  {
    result.tortuosity = result.formationFactor = std::numeric_limits<double>::infinity();
    return result;
  }
  const CellList cells(spanningPart(mask, components, axis), false);
  const auto d = static_cast<std::size_t>(axis);
  const Spacing& h = mask.spacing;
  const double unit = h[d];
  Stencil stencil;
  stencil.resize(cells.size());
  std::vector<float> b = vectorOf(cells.size()), x = vectorOf(cells.size());
  work.part(0.05, 0.1).forRanges(cells.size(), [&](std::int64_t begin, std::int64_t end, int)
  {
    for (std::int64_t c = begin; c < end; ++c)
    {
      const auto i = static_cast<std::size_t>(c);
      for (std::size_t a = 0; a < 3; ++a)
      {
        const double w = unit * unit / (h[a] * h[a]);
        for (const int direction : { -1, 1 })
        {
          const std::int32_t next = cells.next(static_cast<std::int32_t>(c), a, direction);
          if (next >= 0)
          {
            const std::size_t k = 2 * a + (direction > 0);
            stencil.neighbour[i][k] = next;
            stencil.weight[i][k] = static_cast<float>(w);
            stencil.diagonal[i] += static_cast<float>(w);
          }
          else if (next == CellList::Outside && a == d)
          {
            stencil.diagonal[i] += static_cast<float>(2 * w);
            b[i] += direction < 0 ? static_cast<float>(2 * w) : 0.f;
          }
        }
      }
      // From a straight gradient: near the answer, so that float32 is enough.
      const std::int64_t step = d == 0 ? 1 : d == 1 ? mask.dims[0] : mask.dims[0] * mask.dims[1];
      x[i] = static_cast<float>(1 -
        (static_cast<double>(cells.voxel[i] / step % mask.dims[d]) + 0.5) /
          static_cast<double>(mask.dims[d]));
    }
  });
  result.iterations = stencil.solve(b, x, 1e-6, 20000, work.part(0.1, 1));
  // Mean of the flux in and out, for a unit area of the volume and its length.
  double in = 0, out = 0;
  for (std::int64_t c = 0; c < cells.size(); ++c)
  {
    const auto i = static_cast<std::size_t>(c);
    if (cells.next(static_cast<std::int32_t>(c), d, -1) == CellList::Outside)
    {
      in += 2 * (1 - static_cast<double>(x[i]));
    }
    if (cells.next(static_cast<std::int32_t>(c), d, 1) == CellList::Outside)
    {
      out += 2 * static_cast<double>(x[i]);
    }
  }
  const auto n = static_cast<double>(mask.dims[d]);
  const double area = static_cast<double>(mask.count()) / n;
  const double effective = (in + out) / 2 * n / area;
  result.formationFactor = 1 / effective;
  result.tortuosity = porosity / effective;
  work.report(1);
  return result;
}

void check(const PermeabilityOptions& o, const Dims& dims)
{
  if (voxels(dims) < 1 || smallestSide(dims) < 2)
  {
    throw std::invalid_argument(
      "The input has " + toString(dims) + " voxels; flow needs a volume with sides of at least 2");
  }
  vae::check(o);
}

namespace
{

double dot(const std::vector<float>& a, const std::vector<float>& b)
{
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i)
  {
    sum += static_cast<double>(a[i]) * b[i];
  }
  return sum;
}

void addTo(std::vector<float>& to, double factor, const std::vector<float>& from)
{
  for (std::size_t i = 0; i < to.size(); ++i)
  {
    to[i] += static_cast<float>(factor) * from[i];
  }
}

/// The flow through a staggered grid under a unit pressure gradient: of the velocities u under a
/// pressure p, the one for which nothing is left in any cell.
class StokesSolver
{
public:
  /// \param work of which the stop is followed, and the threads are used
  StokesSolver(const StaggeredGrid& grid, const Work& work)
    : Grid(grid)
    , Loop(work.quiet())
    , Force(vectorOf(this->faces()))
    , U(vectorOf(this->faces()))
    , P(vectorOf(this->cells()))
    , R(vectorOf(this->cells()))
  {
    this->assembleDarcy();
  }

  /// \return whether it has converged; permeability and residual of each iteration are added
  bool solve(
    const PermeabilityOptions& options, Flow& flow, const Work& work, const FlowProgress& progress);

  /// Mean velocity along an axis over the whole volume.
  double meanAlong(std::size_t axis) const;
  /// Velocity and pressure at the centres of the voxels, and the tortuosity.
  void describe(const Mask& mask, double unit, Flow& flow) const;

private:
  static constexpr int Inner = 5000; // iterations
  static constexpr double InnerTolerance = 1e-4;

  std::int64_t faces() const { return static_cast<std::int64_t>(this->Grid.Faces.size()); }
  std::int64_t cells() const { return this->Grid.Cells.size(); }

  /// Conductances: the flow in each face under a unit force in its own direction. They are also the
  /// flow without any other pressure along the axis.
  void assembleDarcy();
  /// The true flow under the pressure of the Darcy model, from which the iterations start.
  void start();
  /// Approximately what pressure takes away this divergence: of the Darcy model.
  void precondition(const std::vector<float>& in, std::vector<float>& out, double tolerance) const
  {
    std::fill(out.begin(), out.end(), 0.f);
    this->Darcy.solve(in, out, tolerance, Inner, this->Loop);
  }

  const StaggeredGrid& Grid;
  const Work Loop;
  Stencil Darcy;
  std::vector<float> Force, U; ///< on faces
  std::vector<float> P, R;     ///< in cells: pressure, and what flows in
};

void StokesSolver::assembleDarcy()
{
  const StaggeredGrid& grid = this->Grid;
  std::vector<float> unitForce = vectorOf(this->faces()), conductance = vectorOf(this->faces());
  for (std::size_t f = 0; f < grid.Faces.size(); ++f)
  {
    const StaggeredGrid::Face& face = grid.Faces[f];
    unitForce[f] = static_cast<float>(face.share / grid.area(face.axis) * face.volume);
    this->Force[f] = static_cast<std::size_t>(face.axis) == grid.Axis ? unitForce[f] : 0;
  }
  grid.Viscous.solve(unitForce, conductance, InnerTolerance, Inner, this->Loop);
  this->Darcy.resize(this->cells());
  for (std::int64_t c = 0; c < this->cells(); ++c)
  {
    const auto i = static_cast<std::size_t>(c);
    for (std::size_t k = 0; k < 6; ++k)
    {
      const std::int32_t f = grid.Of[i][k];
      if (f < 0)
      {
        continue;
      }
      const StaggeredGrid::Face& face = grid.Faces[static_cast<std::size_t>(f)];
      const double w = static_cast<double>(conductance[static_cast<std::size_t>(f)]) / face.volume *
        face.share * grid.area(face.axis);
      const std::int32_t to = k % 2 == 0 ? face.low : face.high;
      if (to >= 0)
      {
        this->Darcy.neighbour[i][k] = to;
        this->Darcy.weight[i][k] = static_cast<float>(w);
      }
      this->Darcy.diagonal[i] += static_cast<float>(w);
    }
  }
  for (std::size_t f = 0; f < grid.Faces.size(); ++f)
  {
    this->U[f] = this->Force[f] > 0 ? conductance[f] : 0;
  }
}

double StokesSolver::meanAlong(std::size_t axis) const
{
  const StaggeredGrid& grid = this->Grid;
  double sum = 0;
  for (std::size_t f = 0; f < grid.Faces.size(); ++f)
  {
    if (static_cast<std::size_t>(grid.Faces[f].axis) == axis)
    {
      sum += grid.flux(this->U, static_cast<std::int32_t>(f)) / grid.area(grid.Faces[f].axis) *
        grid.Faces[f].volume;
    }
  }
  return sum / (static_cast<double>(voxels(grid.Cells.dims)) * grid.Volume);
}

void StokesSolver::start()
{
  this->precondition(this->R, this->P, 1e-3);
  std::vector<float> g = vectorOf(this->faces()), load = this->Force;
  this->Grid.gradient(this->P, g, this->Loop);
  addTo(load, -1, g);
  this->Grid.Viscous.solve(load, this->U, InnerTolerance, Inner, this->Loop);
  this->Grid.inflow(this->U, this->R, this->Loop);
}

bool StokesSolver::solve(
  const PermeabilityOptions& options, Flow& flow, const Work& work, const FlowProgress& progress)
{
  const StaggeredGrid& grid = this->Grid;
  std::vector<float>&u = this->U, &r = this->R;
  grid.inflow(u, r, this->Loop);
  // Where the section does not change, as in a duct, that is the flow: what is left is rounding.
  const bool straight = dot(r, r) < 1e-8 * dot(u, u);
  const double first = straight ? 0 : std::sqrt(dot(r, r));
  if (first > 0)
  {
    this->start();
  }
  double residual = first > 0 ? std::sqrt(dot(r, r)) / first : 0;
  double k = this->meanAlong(grid.Axis);
  flow.history.push_back(k);
  flow.residual.push_back(residual);
  bool converged = first == 0;
  std::vector<float> z = vectorOf(this->cells()), s = z, before = z;
  std::vector<float> g = vectorOf(this->faces()), w = g;
  double rz = 0;
  int calm = 0;
  for (int iteration = 1; iteration <= options.maximumIterations && !converged; ++iteration)
  {
    this->precondition(r, z, 1e-2);
    addTo(z, 1 / grid.Volume, r);
    // Flexible conjugate gradients (Polak-Ribiere): the preconditioner is not exact.
    const double rzNew = dot(r, z);
    const double beta = iteration == 1 ? 0 : (rzNew - dot(before, z)) / rz;
    rz = rzNew;
    before = r;
    for (std::size_t i = 0; i < s.size(); ++i)
    {
      s[i] = z[i] + static_cast<float>(beta) * s[i];
    }
    grid.gradient(s, g, this->Loop);
    std::fill(w.begin(), w.end(), 0.f);
    // The smaller the residual, the less its direction's velocity weighs.
    grid.Viscous.solve(
      g, w, std::clamp(InnerTolerance / residual, InnerTolerance, 1e-2), Inner, this->Loop);
    const double curvature = dot(g, w);
    if (!(curvature > 0))
    {
      break;
    }
    const double alpha = dot(r, s) / curvature;
    addTo(this->P, alpha, s);
    addTo(u, -alpha, w);
    grid.inflow(u, r, this->Loop);
    residual = std::sqrt(dot(r, r)) / first;
    const double last = k;
    k = this->meanAlong(grid.Axis);
    flow.history.push_back(k);
    flow.residual.push_back(residual);
    calm = std::abs(k - last) < options.tolerance * std::abs(k) ? calm + 1 : 0;
    converged = residual < options.tolerance && calm >= 2;
    if (progress)
    {
      progress(iteration, k, residual);
    }
    // The residual falls evenly on a logarithmic scale.
    work.report(std::clamp(std::log(residual) / std::log(options.tolerance), 0.02, 0.99));
  }
  return converged;
}

void StokesSolver::describe(const Mask& mask, double unit, Flow& flow) const
{
  const StaggeredGrid& grid = this->Grid;
  const std::size_t d = grid.Axis;
  const double scale = unit * unit;
  flow.velocity.assign(3 * mask.data.size(), 0);
  flow.pressure.assign(mask.data.size(), 0);
  double speed = 0, along = 0;
  const std::int64_t step = d == 0 ? 1 : d == 1 ? mask.dims[0] : mask.dims[0] * mask.dims[1];
  for (std::int64_t c = 0; c < this->cells(); ++c)
  {
    const auto i = static_cast<std::size_t>(c);
    const auto v = static_cast<std::size_t>(grid.Cells.voxel[i]);
    double squares = 0;
    for (std::size_t a = 0; a < 3; ++a)
    {
      const std::int32_t low = grid.Of[i][2 * a], high = grid.Of[i][2 * a + 1];
      const double mean = (grid.flux(this->U, low) + grid.flux(this->U, high)) / 2 /
        grid.area(static_cast<std::int32_t>(a)) * scale;
      flow.velocity[3 * v + a] = static_cast<float>(mean);
      squares += mean * mean;
      along += a == d ? mean : 0;
    }
    speed += std::sqrt(squares);
    // Of the whole pressure: the mean gradient too, 0 at the upper end.
    const double place =
      static_cast<double>(mask.dims[d] - 1 - grid.Cells.voxel[i] / step % mask.dims[d]) + 0.5;
    flow.pressure[v] =
      static_cast<float>((static_cast<double>(this->P[i]) + place * grid.H[d]) * unit);
  }
  flow.tortuosity = speed / along;
}

/// Whether a layer across an axis has no voxel of the phase.
bool hasWallAcross(const Mask& mask, int axis)
{
  const auto a = static_cast<std::size_t>(axis);
  std::int64_t step = 1;
  for (std::size_t b = 0; b < a; ++b)
  {
    step *= mask.dims[b];
  }
  std::vector<bool> open(static_cast<std::size_t>(mask.dims[a]), false);
  for (std::size_t i = 0; i < mask.data.size(); ++i)
  {
    if (mask.data[i])
    {
      open[static_cast<std::size_t>(static_cast<std::int64_t>(i) / step % mask.dims[a])] = true;
    }
  }
  return std::find(open.begin(), open.end(), false) != open.end();
}

/// The voxels that the flow along an axis can reach.
Mask flowingPart(const Mask& mask, int axis, FlowBoundary boundary, const Work& work)
{
  if (boundary == FlowBoundary::Periodic)
  {
    return mask;
  }
  return spanningPart(mask, findComponents(mask, Connectivity::Faces, work), axis);
}

} // namespace

Flow solveFlow(const Mask& mask, int axis, const PermeabilityOptions& options, const Work& work,
  const FlowProgress& progress)
{
  check(options, mask.dims);
  if (mask.dims[static_cast<std::size_t>(axis)] < 2)
  {
    throw std::invalid_argument(
      std::string("Direction is ") + "XYZ"[axis] + ", along which the input has only one voxel");
  }
  const Mask part = flowingPart(mask, axis, options.boundary, work.part(0, 0.01));
  const std::int64_t pores = volumeOf(part);
  requireVoxels(pores, MostNumbers / 4, "flow"); // a cell has three faces of its own
  Flow flow;
  if (pores == 0 || (options.boundary == FlowBoundary::Periodic && hasWallAcross(part, axis)))
  {
    flow.converged = flow.blocked = true;
    flow.history.push_back(0);
    flow.residual.push_back(0);
    flow.tortuosity = std::numeric_limits<double>::infinity();
    flow.velocity.assign(3 * mask.data.size(), 0);
    flow.pressure.assign(mask.data.size(), 0);
    work.report(1);
    return flow;
  }
  const StaggeredGrid grid(part, axis, options.boundary);
  StokesSolver solver(grid, work);
  flow.converged = solver.solve(options, flow, work, progress);
  const double unit = std::min({ mask.spacing[0], mask.spacing[1], mask.spacing[2] });
  for (std::size_t a = 0; a < 3; ++a)
  {
    flow.permeability[a] = solver.meanAlong(a) * (unit * unit);
  }
  for (double& v : flow.history)
  {
    v *= unit * unit;
  }
  solver.describe(mask, unit, flow);
  work.report(1);
  return flow;
}

} // namespace vae::statistics
