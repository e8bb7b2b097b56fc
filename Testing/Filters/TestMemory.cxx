// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
//
// Filters in an address space that has little left: one sentence, and the same filter gives what it
// gave before once there is room again.
#include "FilterTest.h"

#include "Source/Memory.h"
#include "vtkVAEDecode.h"
#include "vtkVAEEncode.h"
#include "vtkVAEFeatures.h"
#include "vtkVAELatentExplorer.h"
#include "vtkVAELatentWalk.h"
#include "vtkVAEMicrostructureStatistics.h"
#include "vtkVAEPermeability.h"

#include <sys/resource.h>

using namespace test;

namespace
{

std::vector<double> ValuesOf(vtkAlgorithm* filter)
{
  std::vector<double> values;
  for (int port = 0; port < filter->GetNumberOfOutputPorts(); ++port)
  {
    vtkDataObject* data = filter->GetOutputDataObject(port);
    for (const int kind : { vtkDataObject::POINT, vtkDataObject::CELL, vtkDataObject::ROW })
    {
      vtkFieldData* arrays = data->GetAttributesAsFieldData(kind);
      for (int a = 0; arrays && a < arrays->GetNumberOfArrays(); ++a)
      {
        vtkDataArray* array = arrays->GetArray(a);
        for (vtkIdType i = 0; array && i < array->GetNumberOfValues(); ++i)
        {
          values.push_back(array->GetVariantValue(i).ToDouble());
        }
      }
    }
  }
  return values;
}

/// The address space that is left in a scope.
class Room
{
public:
  explicit Room(double bytes)
  {
    ::getrlimit(RLIMIT_AS, &this->Before);
    rlimit limit = this->Before;
    limit.rlim_cur = rlim_t(1) << 46;
    ::setrlimit(RLIMIT_AS, &limit);
    limit.rlim_cur -= static_cast<rlim_t>(vae::freeAddressSpace() - bytes);
    ::setrlimit(RLIMIT_AS, &limit);
  }
  ~Room() { ::setrlimit(RLIMIT_AS, &this->Before); }
  Room(const Room&) = delete;
  void operator=(const Room&) = delete;

private:
  rlimit Before{};
};

void ExpectOneSentenceThenTheSame(vtkAlgorithm* filter)
{
  EXPECT_EQ(ErrorOf(filter), "");
  const std::vector<double> before = ValuesOf(filter);
  ASSERT_FALSE(before.empty());
  constexpr double mebibyte = 1 << 20;
  for (const double room : { 0., 1., 8., 32., 100., 250. })
  {
    filter->Modified();
    std::string sentence;
    {
      const Room limited(room * mebibyte);
      sentence = ErrorOf(filter);
    }
    if (sentence.empty())
    {
      EXPECT_EQ(ValuesOf(filter).size(), before.size()) << room;
    }
    else
    {
      EXPECT_NE(sentence.find("memory"), std::string::npos) << sentence;
    }
  }
  filter->Modified();
  EXPECT_EQ(ErrorOf(filter), "");
  const std::vector<double> after = ValuesOf(filter);
  ASSERT_EQ(after.size(), before.size());
  for (std::size_t i = 0; i < after.size(); ++i)
  {
    ASSERT_EQ(std::isnan(after[i]), std::isnan(before[i])) << i; // a curve that has ended
    if (!std::isnan(before[i]))
    {
      ASSERT_NEAR(after[i], before[i], 1e-4 * (1 + std::abs(before[i]))) << i;
    }
  }
}

/// 36^3, with more than a handful of pores.
vtkSmartPointer<vtkImageData> Spheres()
{
  const int extent[6] = { 0, 35, 0, 35, 0, 35 };
  static const rock::Voxels voxels = rock::overlappingSpheres({ 36, 0.4, 6, 1 });
  return Image<vtkUnsignedCharArray>(
    extent, false, [&](vtkIdType i) { return voxels[static_cast<std::size_t>(i)]; });
}

} // namespace

TEST(LittleMemory, FiltersOfAVolume)
{
  Pipeline p(Rock(), 3, "rock");
  p.Reconstruct->SetComputeStandardDeviation(true);
  p.Reconstruct->SetComputeAnomaly(true);
  ExpectOneSentenceThenTheSame(p.Reconstruct);
  vtkNew<vtkVAEEncode> encode;
  encode->SetInputData(Rock());
  encode->SetModelConnection(p.Train->GetOutputPort());
  ExpectOneSentenceThenTheSame(encode);
  vtkNew<vtkVAEDecode> decode;
  decode->SetInputConnection(encode->GetOutputPort());
  decode->SetModelConnection(p.Train->GetOutputPort());
  ExpectOneSentenceThenTheSame(decode);
  vtkNew<vtkVAEFeatures> features;
  features->SetInputData(Rock());
  features->SetModelConnection(p.Train->GetOutputPort());
  ExpectOneSentenceThenTheSame(features);
}

TEST(LittleMemory, FiltersOfAModel)
{
  Pipeline p(Rock(), 3, "rock");
  vtkNew<vtkVAEGenerate> generate;
  generate->SetInputConnection(p.Train->GetOutputPort());
  ExpectOneSentenceThenTheSame(generate);
  vtkNew<vtkVAELatentWalk> walk;
  walk->SetInputConnection(p.Train->GetOutputPort());
  ExpectOneSentenceThenTheSame(walk);
  vtkNew<vtkVAELatentExplorer> explorer;
  explorer->SetInputConnection(p.Train->GetOutputPort());
  ExpectOneSentenceThenTheSame(explorer);
}

TEST(LittleMemory, FiltersOfAMicrostructure)
{
  const auto image = Spheres();
  vtkNew<vtkVAEMicrostructureStatistics> statistics;
  statistics->SetInputData(image);
  ExpectOneSentenceThenTheSame(statistics);
}

TEST(LittleMemory, Permeability)
{
  const auto image = Spheres();
  vtkNew<vtkVAEPermeability> permeability;
  permeability->SetInputData(image);
  permeability->SetTolerance(0.1);
  ExpectOneSentenceThenTheSame(permeability);
}
