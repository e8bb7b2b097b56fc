// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#include "Transport.h"

#include "Components.h"
#include "Stencil.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace vae::statistics
{
namespace
{

/// The voxels that take part, numbered along x, y, z.
struct CellList
{
  Dims dims;
  bool periodic;
  std::vector<std::int32_t> at; ///< number of a voxel's cell, or -1
  std::vector<std::int64_t> voxel;

  CellList(const Mask& mask, bool isPeriodic)
    : dims(mask.dims)
    , periodic(isPeriodic)
    , at(mask.data.size(), -1)
  {
    for (std::size_t i = 0; i < mask.data.size(); ++i)
    {
      if (mask.data[i])
      {
        this->at[i] = static_cast<std::int32_t>(this->voxel.size());
        this->voxel.push_back(static_cast<std::int64_t>(i));
      }
    }
  }
  std::int64_t size() const { return static_cast<std::int64_t>(this->voxel.size()); }

  static constexpr std::int32_t Wall = -1, Outside = -2;
  /// The cell next to cell c along an axis, or Wall, or Outside the volume.
  std::int32_t next(std::int32_t c, std::size_t axis, int direction) const
  {
    const std::int64_t v = this->voxel[static_cast<std::size_t>(c)];
    const std::int64_t step = axis == 0 ? 1
      : axis == 1                       ? this->dims[0]
                                        : this->dims[0] * this->dims[1];
    const std::int64_t n = this->dims[axis], i = v / step % n;
    std::int64_t to = v + direction * step;
    if (i + direction < 0 || i + direction >= n)
    {
      if (!this->periodic)
      {
        return Outside;
      }
      to -= direction * n * step;
    }
    return this->at[static_cast<std::size_t>(to)];
  }
};

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

/// The staggered grid: for each face between two cells, or between a cell and a reservoir, a
/// velocity. Lengths in the smallest spacing.
class Staggered
{
public:
  Staggered(const Mask& mask, int axis, FlowBoundary boundary)
    : Cells(mask, boundary == FlowBoundary::Periodic)
    , Axis(static_cast<std::size_t>(axis))
  {
    const double unit = std::min({ mask.spacing[0], mask.spacing[1], mask.spacing[2] });
    for (std::size_t a = 0; a < 3; ++a)
    {
      this->H[a] = mask.spacing[a] / unit;
    }
    this->Volume = this->H[0] * this->H[1] * this->H[2];
    this->number();
    this->assemble(boundary);
  }

  const CellList Cells;
  const std::size_t Axis;
  std::array<double, 3> H{};
  double Volume = 0;
  struct Face
  {
    std::int32_t low, high; ///< cells; -1 for the reservoir
    std::int32_t axis;
    float volume; ///< of its control volume
    /// Area of the face times the mean velocity in it, for a velocity of 1 at its centre.
    float share;
  };
  std::vector<Face> Faces;
  /// Faces of each cell: [2 * axis] the lower, [2 * axis + 1] the upper one; -1 is a wall.
  std::vector<std::array<std::int32_t, 6>> Of;
  Stencil Viscous;

  double area(std::int32_t axis) const
  {
    return this->Volume / this->H[static_cast<std::size_t>(axis)];
  }

  /// What flows through a face; 0 through a wall.
  double flux(const std::vector<float>& u, std::int32_t face) const
  {
    return face < 0 ? 0
                    : static_cast<double>(u[static_cast<std::size_t>(face)]) *
        this->Faces[static_cast<std::size_t>(face)].share;
  }

  /// Difference of a pressure across each face, times its share.
  void gradient(const std::vector<float>& p, std::vector<float>& g, const Work& work) const
  {
    work.forRanges(static_cast<std::int64_t>(this->Faces.size()),
      [&](std::int64_t begin, std::int64_t end, int)
    {
      for (std::int64_t f = begin; f < end; ++f)
      {
        const Face& face = this->Faces[static_cast<std::size_t>(f)];
        const float high = face.high < 0 ? 0 : p[static_cast<std::size_t>(face.high)];
        const float low = face.low < 0 ? 0 : p[static_cast<std::size_t>(face.low)];
        g[static_cast<std::size_t>(f)] = (high - low) * face.share;
      }
    });
  }

  /// The transpose: minus what flows out of each cell.
  void inflow(const std::vector<float>& u, std::vector<float>& d, const Work& work) const
  {
    work.forRanges(this->Cells.size(), [&](std::int64_t begin, std::int64_t end, int)
    {
      for (std::int64_t c = begin; c < end; ++c)
      {
        const std::array<std::int32_t, 6>& of = this->Of[static_cast<std::size_t>(c)];
        double sum = 0;
        for (std::size_t a = 0; a < 3; ++a)
        {
          sum += this->flux(u, of[2 * a]) - this->flux(u, of[2 * a + 1]);
        }
        d[static_cast<std::size_t>(c)] = static_cast<float>(sum);
      }
    });
  }

private:
  void number()
  {
    this->Of.assign(static_cast<std::size_t>(this->Cells.size()), { { -1, -1, -1, -1, -1, -1 } });
    for (std::size_t a = 0; a < 3; ++a)
    {
      for (std::int32_t c = 0; c < this->Cells.size(); ++c)
      {
        const std::int32_t before = this->Cells.next(c, a, -1), after = this->Cells.next(c, a, 1);
        const auto add = [&](std::int32_t low, std::int32_t high, double part)
        {
          if (low >= 0)
          {
            this->Of[static_cast<std::size_t>(low)][2 * a + 1] =
              static_cast<std::int32_t>(this->Faces.size());
          }
          if (high >= 0)
          {
            this->Of[static_cast<std::size_t>(high)][2 * a] =
              static_cast<std::int32_t>(this->Faces.size());
          }
          this->Faces.push_back({ low, high, static_cast<std::int32_t>(a),
            static_cast<float>(part * this->Volume), 0 });
        };
        if (before == CellList::Outside && a == this->Axis)
        {
          add(-1, c, 0.5); // half a control volume: the other half is outside
        }
        if (after >= 0)
        {
          add(c, after, 1);
        }
        else if (after == CellList::Outside && a == this->Axis)
        {
          add(c, -1, 0.5);
        }
      }
    }
  }

  void assemble(FlowBoundary boundary)
  {
    // Beside a step half of the side is a wall half a spacing away, half is open towards a velocity
    // of 0 one spacing away: the mean of both couplings.
    constexpr double Step = 1.5;
    // Next to a wall the profile is curved: with force and flux taken as 1 - 1/6 of the value at
    // the centre for each wall, the flow between plates H voxels apart is H^3/12 + 1/36 instead of
    // H^3/12 + H/6, and the matrix stays symmetric. Narrow throats depend on it (ARCHITECTURE.md).
    constexpr double PerWall = 1. / 6;
    this->Viscous.resize(static_cast<std::int64_t>(this->Faces.size()));
    for (std::size_t f = 0; f < this->Faces.size(); ++f)
    {
      Face& face = this->Faces[f];
      const auto a = static_cast<std::size_t>(face.axis);
      double diagonal = 0, share = 1;
      const auto couple = [&](std::size_t k, std::int32_t to, double w)
      {
        diagonal += w;
        if (to >= 0)
        {
          this->Viscous.neighbour[f][k] = to;
          this->Viscous.weight[f][k] = static_cast<float>(w);
        }
      };
      // Along the axis, through each of the two cells to its other face (a wall: velocity 0).
      const double along = this->area(face.axis) / this->H[a];
      if (face.low >= 0)
      {
        couple(2 * a, this->Of[static_cast<std::size_t>(face.low)][2 * a], along);
      }
      if (face.high >= 0)
      {
        couple(2 * a + 1, this->Of[static_cast<std::size_t>(face.high)][2 * a + 1], along);
      }
      // To the sides: the face between the two cells' neighbours.
      for (std::size_t b = 0; b < 3; ++b)
      {
        if (b == a)
        {
          continue;
        }
        const double w = static_cast<double>(face.volume) / (this->H[b] * this->H[b]);
        double walls = 0;
        for (const int direction : { -1, 1 })
        {
          const std::size_t k = 2 * b + (direction > 0);
          const std::int32_t low =
            face.low >= 0 ? this->Cells.next(face.low, b, direction) : CellList::Wall;
          const std::int32_t high =
            face.high >= 0 ? this->Cells.next(face.high, b, direction) : CellList::Wall;
          const bool atSide = low == CellList::Outside || high == CellList::Outside;
          if (atSide && b == this->Axis)
          {
            couple(k, -1, 2 * w); // at the two ends the flow is normal to the plane
            continue;
          }
          if (atSide && boundary == FlowBoundary::Slip)
          {
            continue; // no shear
          }
          if (low >= 0 && (high >= 0 || face.high < 0))
          {
            couple(k, this->Of[static_cast<std::size_t>(low)][2 * a + 1], w);
          }
          else if (high >= 0 && face.low < 0)
          {
            couple(k, this->Of[static_cast<std::size_t>(high)][2 * a], w);
          }
          else if (low >= 0 || high >= 0)
          {
            couple(k, -1, Step * w);
            walls += 0.5;
          }
          else
          {
            couple(k, -1, 2 * w); // a wall half a spacing away
            walls += 1;
          }
        }
        share *= 1 - walls * PerWall;
      }
      face.share = static_cast<float>(this->area(face.axis) * share);
      this->Viscous.diagonal[f] = static_cast<float>(diagonal);
    }
  }
};

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

} // namespace

Flow solveFlow(const Mask& mask, int axis, const PermeabilityOptions& options, const Work& work,
  const FlowProgress& progress)
{
  check(options, mask.dims);
  const auto d = static_cast<std::size_t>(axis);
  const bool periodic = options.boundary == FlowBoundary::Periodic;
  if (mask.dims[d] < 2)
  {
    throw std::invalid_argument(
      std::string("Direction is ") + "XYZ"[axis] + ", along which the input has only one voxel");
  }
  Mask part;
  if (periodic)
  {
    part = mask;
  }
  else
  {
    const Components components = findComponents(mask, Connectivity::Faces, work.part(0, 0.01));
    part = spanningPart(mask, components, axis);
  }
  const std::int64_t pores = volumeOf(part);
  requireVoxels(pores, MostNumbers / 4, "flow"); // a cell has three faces of its own
  if (pores == 0)
  {
    throw std::invalid_argument(std::string("Nothing flows along ") + "xyz"[axis] +
      ": no part of the phase touches both faces of the volume");
  }
  const Staggered grid(part, axis, options.boundary);
  const auto faces = static_cast<std::int64_t>(grid.Faces.size());
  const std::int64_t cells = grid.Cells.size();
  const Work loop = Work(work.threads(), work.quiet());

  // The force of a unit pressure gradient, and the flow without any other pressure.
  std::vector<float> force = vectorOf(faces), unitForce = vectorOf(faces);
  double total = 0; // of all control volumes, the whole volume's
  for (std::size_t f = 0; f < grid.Faces.size(); ++f)
  {
    const Staggered::Face& face = grid.Faces[f];
    unitForce[f] = static_cast<float>(face.share / grid.area(face.axis) * face.volume);
    force[f] = static_cast<std::size_t>(face.axis) == d ? unitForce[f] : 0;
  }
  total = static_cast<double>(mask.count()) * grid.Volume;
  constexpr int Inner = 5000;
  constexpr double InnerTolerance = 1e-4;

  // Conductances: the flow in each face under a unit force in its own direction.
  std::vector<float> conductance = vectorOf(faces);
  grid.Viscous.solve(unitForce, conductance, InnerTolerance, Inner, loop);
  Stencil darcy;
  darcy.resize(cells);
  for (std::int64_t c = 0; c < cells; ++c)
  {
    const auto i = static_cast<std::size_t>(c);
    for (std::size_t k = 0; k < 6; ++k)
    {
      const std::int32_t f = grid.Of[i][k];
      if (f < 0)
      {
        continue;
      }
      const Staggered::Face& face = grid.Faces[static_cast<std::size_t>(f)];
      const double w = static_cast<double>(conductance[static_cast<std::size_t>(f)]) / face.volume *
        face.share * grid.area(face.axis);
      const std::int32_t to = k % 2 == 0 ? face.low : face.high;
      if (to >= 0)
      {
        darcy.neighbour[i][k] = to;
        darcy.weight[i][k] = static_cast<float>(w);
      }
      darcy.diagonal[i] += static_cast<float>(w);
    }
  }

  std::vector<float> u = vectorOf(faces), p = vectorOf(cells), r = vectorOf(cells);
  for (std::size_t f = 0; f < grid.Faces.size(); ++f)
  {
    u[f] = force[f] > 0 ? conductance[f] : 0;
  }
  grid.inflow(u, r, loop);
  // Where the section does not change, as in a duct, that is the flow: what is left is rounding.
  const bool straight = dot(r, r) < 1e-8 * dot(u, u);
  const double start = straight ? 0 : std::sqrt(dot(r, r));
  // Pressure of the Darcy model; the true flow under it.
  const auto precondition =
    [&](const std::vector<float>& in, std::vector<float>& out, double tolerance)
  {
    std::fill(out.begin(), out.end(), 0.f);
    darcy.solve(in, out, tolerance, Inner, loop);
  };
  std::vector<float> g = vectorOf(faces), z = vectorOf(cells);
  Flow flow;
  const auto meanAlong = [&](std::size_t a)
  {
    double sum = 0;
    for (std::size_t f = 0; f < grid.Faces.size(); ++f)
    {
      if (static_cast<std::size_t>(grid.Faces[f].axis) == a)
      {
        sum += grid.flux(u, static_cast<std::int32_t>(f)) / grid.area(grid.Faces[f].axis) *
          grid.Faces[f].volume;
      }
    }
    return sum / total;
  };
  if (start > 0)
  {
    precondition(r, p, 1e-3);
    grid.gradient(p, g, loop);
    std::vector<float> load = force;
    addTo(load, -1, g);
    grid.Viscous.solve(load, u, InnerTolerance, Inner, loop);
    grid.inflow(u, r, loop);
  }
  double residual = start > 0 ? std::sqrt(dot(r, r)) / start : 0;
  double k = meanAlong(d);
  flow.history.push_back(k);
  flow.residual.push_back(residual);
  flow.converged = start == 0;
  std::vector<float> s = vectorOf(cells), w = vectorOf(faces), before = vectorOf(cells);
  double rz = 0;
  int calm = 0;
  for (int iteration = 1; iteration <= options.maximumIterations && !flow.converged; ++iteration)
  {
    precondition(r, z, 1e-2);
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
    grid.gradient(s, g, loop);
    std::fill(w.begin(), w.end(), 0.f);
    // The smaller the residual, the less its direction's velocity weighs.
    grid.Viscous.solve(
      g, w, std::clamp(InnerTolerance / residual, InnerTolerance, 1e-2), Inner, loop);
    const double curvature = dot(g, w);
    if (!(curvature > 0))
    {
      break;
    }
    const double alpha = dot(r, s) / curvature;
    addTo(p, alpha, s);
    addTo(u, -alpha, w);
    grid.inflow(u, r, loop);
    residual = std::sqrt(dot(r, r)) / start;
    const double last = k;
    k = meanAlong(d);
    flow.history.push_back(k);
    flow.residual.push_back(residual);
    calm = std::abs(k - last) < options.tolerance * std::abs(k) ? calm + 1 : 0;
    flow.converged = residual < options.tolerance && calm >= 2;
    if (progress)
    {
      progress(iteration, k, residual);
    }
    // The residual falls evenly on a logarithmic scale.
    work.report(std::clamp(std::log(residual) / std::log(options.tolerance), 0.02, 0.99));
  }

  const double unit = std::min({ mask.spacing[0], mask.spacing[1], mask.spacing[2] });
  const double scale = unit * unit;
  for (std::size_t a = 0; a < 3; ++a)
  {
    flow.permeability[a] = meanAlong(a) * scale;
  }
  for (double& v : flow.history)
  {
    v *= scale;
  }
  flow.velocity.assign(3 * mask.data.size(), 0);
  flow.pressure.assign(mask.data.size(), 0);
  double speed = 0, along = 0;
  const std::int64_t step = d == 0 ? 1 : d == 1 ? mask.dims[0] : mask.dims[0] * mask.dims[1];
  for (std::int64_t c = 0; c < cells; ++c)
  {
    const auto i = static_cast<std::size_t>(c);
    const auto v = static_cast<std::size_t>(grid.Cells.voxel[i]);
    double squares = 0;
    for (std::size_t a = 0; a < 3; ++a)
    {
      const std::int32_t low = grid.Of[i][2 * a], high = grid.Of[i][2 * a + 1];
      const double mean = (grid.flux(u, low) + grid.flux(u, high)) / 2 /
        grid.area(static_cast<std::int32_t>(a)) * scale;
      flow.velocity[3 * v + a] = static_cast<float>(mean);
      squares += mean * mean;
      along += a == d ? mean : 0;
    }
    speed += std::sqrt(squares);
    // Of the whole pressure: the mean gradient too, 0 at the upper end.
    const double place =
      static_cast<double>(mask.dims[d] - 1 - grid.Cells.voxel[i] / step % mask.dims[d]) + 0.5;
    flow.pressure[v] = static_cast<float>((static_cast<double>(p[i]) + place * grid.H[d]) * unit);
  }
  flow.tortuosity = speed / along;
  work.report(1);
  return flow;
}

} // namespace vae::statistics
