// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#include "Torch/Runtime/State.h"

#include <ATen/Functions.h>
#include <gtest/gtest.h>

#include <limits>

using namespace vae;

namespace
{

template <typename F>
std::string refusal(F&& f)
{
  try
  {
    f();
    return "accepted";
  }
  catch (const std::runtime_error& e)
  {
    return e.what();
  }
}

} // namespace

TEST(State, PartsHavePrefixes)
{
  State whole{ { "a", at::zeros({ 2 }) } };
  addPart(whole, "part.", { { "a", at::ones({ 3 }) }, { "b", bytesOf("xyz") } });
  const TensorReader all(whole), part = all.part("part.");
  EXPECT_EQ(all.bytes(), 8 + 12 + 3);
  EXPECT_EQ(part.bytes(), 12 + 3);
  EXPECT_TRUE(part.has("b"));
  EXPECT_FALSE(all.has("b"));
  EXPECT_EQ(part.get("a").numel(), 3);
  EXPECT_EQ(textOf(part.getBytes("b")), "xyz");
  EXPECT_EQ(part.tensors().size(), 2u);
  EXPECT_EQ(all.part("other.").bytes(), 0);
}

TEST(State, RefusesInASentence)
{
  State state{ { "p.a", at::zeros({ 2, 3 }) }, { "p.b", bytesOf("xyz") } };
  state["p.c"] = at::full({ 1 }, std::numeric_limits<float>::infinity());
  const TensorReader reader = TensorReader(state).part("p.");
  EXPECT_EQ(refusal([&] { reader.get("d"); }), "tensor \"p.d\" is missing");
  EXPECT_EQ(refusal([&] { reader.get("a", { 6 }); }),
    "tensor \"p.a\" has the shape [2, 3]; it must be [6]");
  EXPECT_EQ(refusal([&] { reader.get("b"); }), "tensor \"p.b\" is of type U8, not F32");
  EXPECT_EQ(refusal([&] { reader.getBytes("a"); }), "tensor \"p.a\" is of type F32, not U8");
  EXPECT_EQ(refusal([&] { reader.get("c"); }),
    "tensor \"p.c\" has values that are infinite or not a number");
  EXPECT_EQ(refusal([&] { reader.get("c", TensorReader::Values::Any); }), "accepted");
}

TEST(State, OfAListAndOfAGenerator)
{
  const std::vector<at::Tensor> list{ at::rand({ 3 }), at::rand({ 2, 2 }) };
  std::vector<at::Tensor> other{ at::zeros({ 3 }), at::zeros({ 2, 2 }) };
  const State state = stateOf(list);
  restore(other, TensorReader(state));
  EXPECT_TRUE(at::equal(other[0], list[0]) && at::equal(other[1], list[1]));
  other.push_back(at::zeros({ 1 }));
  EXPECT_EQ(refusal([&] { restore(other, TensorReader(state)); }), "tensor \"2\" is missing");

  std::mt19937_64 a(7), b(8);
  a.discard(1000);
  restore(b, stateOf(a));
  EXPECT_EQ(a, b);
  EXPECT_EQ(
    refusal([&] { restore(b, bytesOf("no numbers")); }), "the state of a random generator is none");
}
