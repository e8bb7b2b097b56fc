// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#include "Microstructures.h"

#include "Vectors.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

namespace rock
{
namespace
{

using Field = std::vector<float>;

constexpr float Far = 1e6F;
constexpr double MostDeviations = 2; // of the logarithm of a size
constexpr std::uint8_t Larger = 255;

std::size_t voxelsOf(int size) { return static_cast<std::size_t>(size) * size * size; }

/// An ellipsoid of mean radius 1, turned.
std::array<Point, 3> shapeOf(Random& random, const Recipe& recipe)
{
  const Point tilt = inBall(random), turn = inBall(random);
  const double free = 1 - recipe.order;
  const Point w = unit({ free * tilt[0], free * tilt[1], free * tilt[2] + recipe.order });
  const Point u = unit(cross(w, turn)), v = cross(w, u);
  const double flat = recipe.flatness * random.uniform(0.85, 1.15), wide = std::cbrt(1 / flat);
  const double longer = random.uniform(0.85, 1.15);
  std::array<Point, 3> axes{ u, v, w };
  const Point half{ wide * longer, wide / longer, wide * flat };
  for (std::size_t a = 0; a < 3; ++a)
  {
    for (double& c : axes[a])
    {
      c /= half[a];
    }
  }
  return axes;
}

struct Body
{
  Point centre;
  std::array<Point, 3> axes;
  double radius; ///< mean, voxels
};

/// \param d in voxels \return the same where lengths are not stretched
Point unstretched(const Recipe& recipe, const Point& d)
{
  return { d[0] / recipe.stretch[0], d[1] / recipe.stretch[1], d[2] / recipe.stretch[2] };
}

Body randomBody(Random& random, const Recipe& recipe, int size)
{
  Body body;
  body.centre = random.point(size);
  const double exponent =
    std::clamp(random.normal(), -MostDeviations, MostDeviations) * recipe.spread;
  body.radius = 0.5 * recipe.feature * std::exp(exponent);
  body.axes = shapeOf(random, recipe);
  return body;
}

double volumeOf(const Recipe& recipe)
{
  return 4. / 3 * std::numbers::pi * std::pow(0.5 * recipe.feature, 3);
}

/// At random places, so many that `inside` of the volume is in bodies.
std::vector<Body> scattered(Random& random, const Recipe& recipe, int size)
{
  const double expected =
    -std::log(1 - recipe.inside) * static_cast<double>(voxelsOf(size)) / volumeOf(recipe);
  std::vector<Body> bodies;
  for (int n = std::max(3, static_cast<int>(expected + random.uniform())); n > 0; --n)
  {
    bodies.push_back(randomBody(random, recipe, size));
  }
  return bodies;
}

/// Bodies by the place of their centres, so that only near ones are looked at.
class Near
{
public:
  /// \param reach voxels, farther than which no two touch
  Near(int size, double reach)
    : Cells(std::clamp(static_cast<int>(size / reach), 1, 64))
    , Edge(static_cast<double>(size) / this->Cells)
    , Bodies(voxelsOf(this->Cells))
  {
  }

  void add(const Body& body) { this->Bodies[this->at(this->cell(body.centre))].push_back(body); }

  bool any(const Point& centre, const auto& test) const
  {
    // Fewer than three cells along an axis are all neighbours, and none is looked at twice.
    const int from = this->Cells < 3 ? 0 : -1, to = this->Cells < 3 ? this->Cells - 1 : 1;
    const std::array<int, 3> here = this->Cells < 3 ? std::array{ 0, 0, 0 } : this->cell(centre);
    for (int k = from; k <= to; ++k)
    {
      for (int j = from; j <= to; ++j)
      {
        for (int i = from; i <= to; ++i)
        {
          const auto& there = this->Bodies[this->at({ here[0] + i, here[1] + j, here[2] + k })];
          if (std::any_of(there.begin(), there.end(), test))
          {
            return true;
          }
        }
      }
    }
    return false;
  }

private:
  std::array<int, 3> cell(const Point& p) const
  {
    return { static_cast<int>(p[0] / this->Edge), static_cast<int>(p[1] / this->Edge),
      static_cast<int>(p[2] / this->Edge) };
  }
  std::size_t at(const std::array<int, 3>& cell) const
  {
    const auto n = static_cast<std::size_t>(this->Cells);
    const auto index = [&](std::size_t a)
    { return static_cast<std::size_t>(wrap(cell[a], this->Cells)); };
    return (index(2) * n + index(1)) * n + index(0);
  }

  int Cells; ///< along each axis
  double Edge;
  std::vector<std::vector<Body>> Bodies;
};

/// Random sequential addition by spheres, until it becomes hard or, unless `dense`, there are
/// enough for the fraction.
std::vector<Body> packed(Random& random, const Recipe& recipe, int size, bool dense)
{
  constexpr double reach = 0.85; // of two radii, that centres are apart
  constexpr std::size_t fewest = 3, tries = 8;
  const double enough = dense
    ? std::numeric_limits<double>::infinity()
    : 1.2 * recipe.inside * static_cast<double>(voxelsOf(size)) / volumeOf(recipe);
  // Flat bodies that all lie the same way come nearer to each other across.
  const double across = 1 + recipe.order * (recipe.flatness - 1);
  const double stretched = *std::max_element(recipe.stretch.begin(), recipe.stretch.end());
  Near near(size, stretched * reach * recipe.feature * std::exp(MostDeviations * recipe.spread));
  std::vector<Body> bodies;
  for (std::size_t failures = 0; failures < tries * bodies.size() + 500 &&
    (bodies.size() < fewest || static_cast<double>(bodies.size()) < enough);)
  {
    const Body body = randomBody(random, recipe, size);
    const bool taken = near.any(body.centre, [&](const Body& other)
    {
      Point d;
      for (std::size_t a = 0; a < 3; ++a)
      {
        d[a] = periodic(body.centre[a] - other.centre[a], size);
      }
      d = unstretched(recipe, d);
      d[2] /= across;
      const double apart = reach * (body.radius + other.radius);
      return dot(d, d) < apart * apart;
    });
    if (taken)
    {
      ++failures;
    }
    else
    {
      bodies.push_back(body);
      near.add(body);
    }
  }
  return bodies;
}

/// Of each voxel the distances from the nearest three bodies, about as far as `reach` radii.
std::array<Field, 3> distances(
  const std::vector<Body>& bodies, const Recipe& recipe, int size, double reach, std::size_t count)
{
  std::array<Field, 3> nearest;
  for (std::size_t i = 0; i < count; ++i)
  {
    nearest[i].assign(voxelsOf(size), Far);
  }
  const double longest = *std::max_element(recipe.stretch.begin(), recipe.stretch.end()) *
    std::cbrt(1 / recipe.flatness) * 1.15;
  for (const Body& body : bodies)
  {
    around(body.centre, std::min(reach * body.radius * longest, 2.5 * recipe.feature), size,
      [&](std::size_t i, double x, double y, double z)
    {
      const Point d = unstretched(recipe, { x, y, z });
      double s = 0;
      for (const Point& axis : body.axes)
      {
        const double along = dot(axis, d);
        s += along * along;
      }
      auto distance = static_cast<float>((std::sqrt(s) - 1) * body.radius);
      for (std::size_t n = 0; n < count; ++n)
      {
        if (distance < nearest[n][i])
        {
          std::swap(distance, nearest[n][i]);
        }
      }
    });
  }
  return nearest;
}

/// A periodic convolution with a Gaussian along each axis.
void blur(Field& field, int size, const std::array<double, 3>& sigma)
{
  const auto n = static_cast<std::size_t>(size);
  for (std::size_t a = 0, stride = 1; a < 3; ++a, stride *= n)
  {
    const int half = std::min(static_cast<int>(std::ceil(3 * sigma[a])), size / 2 - 1);
    std::vector<float> kernel, line(n + 2 * static_cast<std::size_t>(half)), out(n);
    float sum = 0;
    for (int i = -half; i <= half; ++i)
    {
      kernel.push_back(static_cast<float>(std::exp(-0.5 * i * i / (sigma[a] * sigma[a]))));
      sum += kernel.back();
    }
    for (std::size_t row = 0; row < n * n; ++row)
    {
      const std::size_t first = row / stride * stride * n + row % stride;
      for (std::size_t i = 0; i < line.size(); ++i)
      {
        line[i] =
          field[first + static_cast<std::size_t>(wrap(static_cast<int>(i) - half, size)) * stride];
      }
      std::fill(out.begin(), out.end(), 0.F);
      for (std::size_t k = 0; k < kernel.size(); ++k)
      {
        const float weight = kernel[k] / sum;
        for (std::size_t i = 0; i < n; ++i)
        {
          out[i] += weight * line[i + k];
        }
      }
      for (std::size_t i = 0; i < n; ++i)
      {
        field[first + i * stride] = out[i];
      }
    }
  }
}

/// A Gaussian field of mean 0 and variance 1 with the covariance exp(-r^2 / 4 sigma^2), or, as far
/// as `wave` is above 0, without its longer waves.
Field gaussian(
  Random& random, int size, double sigma, double wave, const std::array<double, 3>& stretch)
{
  const auto scaled = [&](double s)
  { return std::array{ s * stretch[0], s * stretch[1], s * stretch[2] }; };
  Field field(voxelsOf(size));
  for (float& f : field)
  {
    f = static_cast<float>(random.uniform(-1, 1)); // a blur makes it normal
  }
  blur(field, size, scaled(sigma));
  if (wave > 0)
  {
    Field longer = field;
    blur(longer, size, scaled(1.2 * sigma));
    std::transform(field.begin(), field.end(), longer.begin(), field.begin(),
      [wave](float f, float l) { return f - static_cast<float>(wave) * l; });
  }
  double sum = 0, squares = 0;
  for (const float f : field)
  {
    sum += f;
    squares += static_cast<double>(f) * f;
  }
  const auto count = static_cast<double>(field.size());
  const double mean = sum / count, scale = 1 / std::sqrt(squares / count - mean * mean);
  for (float& f : field)
  {
    f = static_cast<float>((f - mean) * scale);
  }
  return field;
}

/// Curved lines of random length and direction, until they fill the fraction if they do not
/// overlap.
Field fibres(Random& random, const Recipe& recipe, int size)
{
  const double radius = 0.5 * recipe.feature, step = std::max(1., radius / 3);
  const double expected = -std::log(1 - recipe.inside) * static_cast<double>(voxelsOf(size)) /
    (std::numbers::pi * radius * radius * step);
  const double bend = random.uniform(0, 0.15);
  Field field(voxelsOf(size), Far);
  const auto total = std::max(20, static_cast<int>(expected));
  Point at{}, along{};
  for (int i = 0, left = 0; i < total; ++i, --left)
  {
    if (left <= 0)
    {
      at = random.point(size);
      const Point first = inBall(random);
      along = unit({ first[0], first[1], (1 - recipe.order) * first[2] });
      left = static_cast<int>(random.uniform(0.3, 1.5) * size / step);
    }
    around(at, std::min(2 * radius + 2, 20.), size, [&](std::size_t v, double x, double y, double z)
    { field[v] = std::min(field[v], static_cast<float>(std::sqrt(x * x + y * y + z * z))); });
    const Point turn = inBall(random);
    along = unit({ along[0] + bend * turn[0], along[1] + bend * turn[1],
      along[2] + (1 - recipe.order) * bend * turn[2] });
    for (std::size_t a = 0; a < 3; ++a)
    {
      at[a] += step * along[a];
    }
  }
  return field;
}

/// Distances from the nearest of a few planes. A plane of the cube has about the area of a face.
Field fractures(Random& random, const Recipe& recipe, int size)
{
  const int count = std::clamp(static_cast<int>(recipe.inside * size / recipe.feature), 1, 24);
  const Field rough = gaussian(random, size, recipe.feature, 0, recipe.stretch);
  Field field(voxelsOf(size), Far);
  for (int p = 0; p < count; ++p)
  {
    const std::array<Point, 3> axes = shapeOf(random, recipe);
    const Point normal = unit(axes[2]), through = random.point(size);
    const double amplitude = random.uniform(0, 0.5) * recipe.feature,
                 width = random.uniform(0.6, 1.6);
    std::size_t i = 0;
    for (int z = 0; z < size; ++z)
    {
      for (int y = 0; y < size; ++y)
      {
        for (int x = 0; x < size; ++x, ++i)
        {
          const double d = dot(normal, { x - through[0], y - through[1], z - through[2] });
          field[i] =
            std::min(field[i], static_cast<float>(std::abs(d + amplitude * rough[i]) / width));
        }
      }
    }
  }
  return field;
}

Field fieldOf(Random& random, const Recipe& recipe, int size)
{
  using enum Recipe::Kind;
  // Mean chords of a field with covariance exp(-r^2 / 4 sigma^2), cut at its mean, are 4.4 sigma.
  const double sigma = recipe.feature / 4.4;
  switch (recipe.kind)
  {
    case Grains:
      return distances(packed(random, recipe, size, recipe.inside > 0.35), recipe, size, 2.4, 1)[0];
    case Spheres:
      return distances(scattered(random, recipe, size), recipe, size, 2, 1)[0];
    case Excursions:
    case Sheets:
    {
      Field field = gaussian(random, size, sigma, recipe.wave, recipe.stretch);
      for (float& f : field)
      {
        f = static_cast<float>(sigma * std::numbers::sqrt2) *
          (recipe.kind == Sheets ? std::abs(f) : f);
      }
      return field;
    }
    case Walls:
    case Struts:
    {
      const std::size_t count = recipe.kind == Walls ? 2 : 3;
      const std::array<Field, 3> nearest =
        distances(packed(random, recipe, size, true), recipe, size, 4.5, count);
      Field field = nearest[count - 1];
      std::transform(field.begin(), field.end(), nearest[0].begin(), field.begin(),
        [](float other, float first) { return other < Far ? 0.5F * (other - first) : Far; });
      return field;
    }
    case Fibres:
      return fibres(random, recipe, size);
    case Fractures:
      return fractures(random, recipe, size);
  }
  return {};
}

/// Fractions that a material may have: 0.03 to 0.7, the rarer ones more often.
double randomFraction(Random& random) { return 0.03 + 0.67 * std::pow(random.uniform(), 1.5); }

Recipe randomRecipe(Random& random, double smallest, double largest)
{
  using enum Recipe::Kind;
  // Grains, as rocks, powders and electrodes have them, most often.
  constexpr Recipe::Kind kinds[] = { Grains, Grains, Grains, Grains, Spheres, Spheres, Spheres,
    Excursions, Excursions, Excursions, Sheets, Walls, Struts, Fibres, Fibres, Fractures };
  Recipe recipe;
  recipe.kind = kinds[static_cast<std::size_t>(random.uniform() * std::size(kinds))];
  recipe.feature = smallest * std::pow(largest / smallest, random.uniform());
  const double fraction = randomFraction(random);
  recipe.inside = random.uniform() < 0.5 ? fraction : 1 - fraction;
  recipe.spread = random.uniform() < 0.7 ? random.uniform(0, 0.45) : 0;
  recipe.flatness = random.uniform() < 0.4 ? random.uniform(0.25, 1) : 1;
  recipe.order = recipe.flatness < 1 || recipe.kind == Fibres ? random.uniform() : 0;
  recipe.wave = random.uniform() < 0.5 ? random.uniform(0.5, 0.98) : 0;
  if (random.uniform() < 0.4)
  {
    for (double& s : recipe.stretch)
    {
      s = std::exp(random.uniform(-0.25, 0.25));
    }
    const double mean = std::cbrt(recipe.stretch[0] * recipe.stretch[1] * recipe.stretch[2]);
    for (double& s : recipe.stretch)
    {
      s /= mean;
    }
  }
  if (recipe.kind == Walls || recipe.kind == Struts || recipe.kind == Fractures)
  {
    recipe.inside = std::min(fraction, 0.5); // what is left are cells
    recipe.flatness = 1;
    recipe.spread = std::min(recipe.spread, 0.2);
  }
  if (recipe.kind == Walls || recipe.kind == Struts)
  {
    recipe.feature = std::max(recipe.feature, 8.); // walls are thinner
  }
  if (recipe.kind == Fractures || recipe.kind == Fibres)
  {
    recipe.feature = std::min(recipe.feature, 14.);
    recipe.inside = std::min(recipe.inside, 0.7);
  }
  recipe.roughness = random.uniform() < 0.4 ? random.uniform(0.1, 0.8) : 0;
  recipe.trend = random.uniform() < 0.35 ? random.uniform(0.02, 0.2) : 0;
  recipe.seed = static_cast<std::uint64_t>(random.uniform() * 0x1.0p53);
  return recipe;
}

} // namespace

Microstructure randomMicrostructure(std::uint64_t seed)
{
  constexpr double smallest = 3, largest = 40;
  Random random(seed);
  Microstructure m;
  m.twoScales = random.uniform() < 0.15;
  m.first = randomRecipe(random, m.twoScales ? 14 : smallest, largest);
  m.first.largerInside = random.uniform() < 0.5;
  m.second = randomRecipe(random, smallest, 8);
  m.second.inside = randomFraction(random);
  m.cutsOut = random.uniform() < 0.5;
  return m;
}

Voxels make(const Recipe& recipe, int size)
{
  Random random(recipe.seed);
  Field field = fieldOf(random, recipe, size);
  if (recipe.roughness > 0)
  {
    const Field rough = gaussian(random, size, random.uniform(0.7, 1.6), 0, { 1, 1, 1 });
    std::transform(field.begin(), field.end(), rough.begin(), field.begin(),
      [&](float f, float r) { return f + static_cast<float>(recipe.roughness) * r; });
  }
  if (recipe.trend > 0)
  {
    const Field slow = gaussian(random, size, size / 5., 0, { 1, 1, 1 });
    std::transform(field.begin(), field.end(), slow.begin(), field.begin(),
      [&](float f, float s) { return f + static_cast<float>(recipe.trend * recipe.feature) * s; });
  }
  const float level = quantile(field, recipe.inside);
  const std::uint8_t in = recipe.largerInside ? Larger : 0, out = recipe.largerInside ? 0 : Larger;
  Voxels voxels(field.size());
  std::transform(
    field.begin(), field.end(), voxels.begin(), [&](float f) { return f < level ? in : out; });
  return voxels;
}

Voxels make(const Microstructure& m, int size)
{
  Voxels voxels = make(m.first, size);
  if (m.twoScales)
  {
    Recipe second = m.second;
    second.largerInside = true;
    const Voxels fine = make(second, size);
    const bool larger = m.first.largerInside;
    const std::uint8_t in = larger ? Larger : 0, out = larger ? 0 : Larger;
    for (std::size_t i = 0; i < voxels.size(); ++i)
    {
      if (fine[i] == Larger)
      {
        voxels[i] = m.cutsOut ? out : in;
      }
    }
  }
  return voxels;
}

} // namespace rock
