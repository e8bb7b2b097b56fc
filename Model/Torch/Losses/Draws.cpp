// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#include "Draws.h"

#include "Torch/Runtime/Device.h"

#include <vector>

namespace vae
{

struct Draws::Kept
{
  struct Place
  {
    Draw draw;
    at::Tensor there;
  };
  std::vector<Place> places;
  std::size_t next = 0;
};

at::Tensor Draws::operator()(const Draw& draw, const at::Device& device) const
{
  if (!this->All)
  {
    return toDevice(draw(this->generator), device);
  }
  Kept& kept = *this->All;
  if (kept.next == kept.places.size())
  {
    kept.places.push_back({ draw, toDevice(draw(this->generator), device) });
  }
  return kept.places[kept.next++].there;
}

void Draws::keep() { this->All = std::make_shared<Kept>(); }

void Draws::rewind()
{
  if (this->All)
  {
    this->All->next = 0;
  }
}

void Draws::redraw()
{
  for (Kept::Place& place : this->All->places)
  {
    place.there.copy_(toDevice(place.draw(this->generator), place.there.device()));
  }
}

} // namespace vae
