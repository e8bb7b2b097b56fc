// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#include "FilterTest.h"

#include "vtkCellData.h"
#include "vtkCompositeDataSet.h"
#include "vtkMultiBlockDataSet.h"
#include "vtkStringArray.h"
#include "vtkUnsignedCharArray.h"

#include <functional>

using namespace test;

namespace
{

/// A quick model of an image, and volumes of it.
struct Generation : Pipeline
{
  vtkNew<vtkVAEGenerate> Generate;
  explicit Generation(vtkImageData* image, int epochs = 3, const char* shared = nullptr)
    : Pipeline(image, epochs, shared)
  {
    this->Generate->SetInputConnection(this->Train->GetOutputPort());
    this->Generate->SetDimensions(40, 33, 26);
    this->Generate->SetDevice("cpu");
  }
  const vae::Model& Model()
  {
    this->Train->Update();
    return *vtkVAEModel::SafeDownCast(this->Train->GetOutput())->GetModel();
  }
  vtkImageData* New()
  {
    this->Generate->Update();
    return vtkImageData::SafeDownCast(this->Generate->GetOutputDataObject(0));
  }
};

std::vector<double> ValuesOf(vtkDataArray* array)
{
  std::vector<double> values;
  for (vtkIdType i = 0; array && i < array->GetNumberOfTuples(); ++i)
  {
    values.push_back(array->GetTuple1(i));
  }
  return values;
}

std::vector<double> Rocks(vtkDataObject* image, const char* name = "rock")
{
  return ValuesOf(vtkImageData::SafeDownCast(image)->GetPointData()->GetArray(name));
}

double FractionOf(const std::vector<double>& values, double label)
{
  return static_cast<double>(std::count(values.begin(), values.end(), label)) /
    static_cast<double>(values.size());
}

double Reported(vtkDataObject* data, const char* name, vtkIdType i = 0)
{
  vtkDataArray* array = data->GetFieldData()->GetArray(name);
  return array && i < array->GetNumberOfTuples() ? array->GetTuple1(i) : std::nan("");
}

/// A map of f(x, y, z), in coordinates, on points or cells between 0 and `size`.
vtkSmartPointer<vtkImageData> Map(double size, int cells, bool cellData,
  const std::function<double(const double*)>& f, const char* name = "wanted")
{
  auto image = vtkSmartPointer<vtkImageData>::New();
  image->SetExtent(4, 4 + cells, -2, cells - 2, 0, cells);
  image->SetSpacing(size / cells, size / cells, size / cells);
  image->SetOrigin(-4 * size / cells, 2 * size / cells, 0);
  vtkNew<vtkDoubleArray> array;
  array->SetName(name);
  const vtkIdType n = cellData ? image->GetNumberOfCells() : image->GetNumberOfPoints();
  for (vtkIdType i = 0; i < n; ++i)
  {
    double at[3];
    image->GetPoint(i, at);
    if (cellData)
    {
      double bounds[6];
      image->GetCellBounds(i, bounds);
      for (int a = 0; a < 3; ++a)
      {
        at[a] = 0.5 * (bounds[2 * a] + bounds[2 * a + 1]);
      }
    }
    array->InsertNextValue(f(at));
  }
  cellData ? image->GetCellData()->AddArray(array) : image->GetPointData()->AddArray(array);
  return image;
}

/// What a program without VTK (Testing/Model/GenerateAlone.cpp) makes of a model file.
std::string Alone(const std::string& model, const std::string& arguments)
{
  const std::string output = Shared("alone-" + std::to_string(::getpid()));
  const std::string command = VAE_GENERATE " '" + model + "' '" + output + "' " + arguments;
  EXPECT_EQ(std::system(command.c_str()), 0) << command;
  std::ifstream in(output, std::ios::binary);
  const std::string bytes{ std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>() };
  std::filesystem::remove(output);
  return bytes;
}

std::string BytesOf(vtkImageData* image)
{
  std::string bytes;
  for (const char* name : { "rock", "rock_probability" })
  {
    vtkDataArray* array = image->GetPointData()->GetArray(name);
    bytes.append(static_cast<const char*>(array->GetVoidPointer(0)),
      static_cast<std::size_t>(array->GetDataSize() * array->GetDataTypeSize()));
  }
  return bytes;
}

template <typename T>
std::string Raw(const std::string& name, const std::vector<T>& values)
{
  const std::string file = Shared(name + std::to_string(::getpid()));
  std::ofstream(file, std::ios::binary)
    .write(reinterpret_cast<const char*>(values.data()),
      static_cast<std::streamsize>(values.size() * sizeof(T)));
  return file;
}

std::string Said(vtkDataObject* data, const char* name)
{
  auto array = vtkStringArray::SafeDownCast(data->GetFieldData()->GetAbstractArray(name));
  return array && array->GetNumberOfValues() == 1 ? array->GetValue(0) : std::string();
}

} // namespace

TEST(Generate, SaysHowLikeTheDataAModelDraws)
{
  // Stripes whose blocks are all alike, but for a few voxels. So few steps do not draw any.
  const int extent[6] = { 0, 71, 0, 71, 0, 0 };
  Generation g(Image<vtkUnsignedCharArray>(extent, false,
                 [](vtkIdType i)
  {
    const bool stripe = (i % 72 + 2 * (i / 72)) % 5 < 2, flipped = i * 7919 % 101 < 3;
    return stripe != flipped;
  }),
    1);
  vtkNew<Errors> warnings;
  g.Generate->AddObserver(vtkCommand::WarningEvent, warnings);
  const vae::ModelInfo& info = g.Model().info();
  ASSERT_TRUE(info.verdict.judged()) << g.Train->GetStatus();
  const std::string words = vae::verdictInWords(info);
  EXPECT_NE(g.Train->GetStatus().find(words), std::string::npos) << g.Train->GetStatus();
  EXPECT_EQ(Said(g.Train->GetOutput(), "Verdict"), words);
  EXPECT_EQ(Reported(g.Train->GetOutput(), "Verdict Score"), info.verdict.generated);
  EXPECT_EQ(Said(g.New(), "Verdict"), words);
  EXPECT_EQ(Said(g.New(), "Prior"), "random field");
  EXPECT_EQ(Reported(g.New(), "Verdict Score"), info.verdict.generated);
  EXPECT_EQ(g.Generate->GetVerdict(), words);
  EXPECT_EQ(vae::likenessOf(info.verdict), vae::Likeness::Apart) << info.verdict.generated;
  EXPECT_EQ(warnings->Sentence(), words);
  // Once a model; and of another prior nothing is known.
  g.Generate->SetSeed(1);
  g.New();
  g.Generate->SetPrior(static_cast<int>(vae::Prior::Normal));
  EXPECT_EQ(Said(g.New(), "Verdict"), vae::verdictInWords(info, vae::Prior::Normal));
  EXPECT_TRUE(std::isnan(Reported(g.New(), "Verdict Score")));
  EXPECT_EQ(warnings->Count, 1);
}

TEST(Generate, SaysWhyAModelIsNotJudged)
{
  Generation g(Rock(), 3, "rock");
  EXPECT_EQ(Said(g.New(), "Verdict"), vae::verdictInWords(g.Model().info()));
  EXPECT_NE(g.Generate->GetVerdict().find("room for 8 blocks of 16 voxels"), std::string::npos)
    << g.Generate->GetVerdict();
}

TEST(Generate, AFractionIsExact)
{
  Generation p(Rock(87, 182), 3, "labels");
  const std::vector<double> rock = Rocks(Rock(87, 182));
  const std::vector<double> free = Rocks(p.New());
  const double n = 40 * 33 * 26;
  ASSERT_EQ(static_cast<double>(free.size()), n);
  EXPECT_DOUBLE_EQ(Reported(p.New(), "Phase Fraction", 0), FractionOf(free, 87));
  EXPECT_DOUBLE_EQ(Reported(p.New(), "Phase Fraction", 1), FractionOf(free, 182));
  EXPECT_EQ(Reported(p.New(), "Phase Label", 1), 182);

  p.Generate->SetFractionMode(static_cast<int>(vae::FractionMode::TrainingData));
  const double rarer = std::min(FractionOf(rock, 87), FractionOf(rock, 182));
  const double rarest = FractionOf(rock, 87) < 0.5 ? 87 : 182;
  EXPECT_LE(std::abs(FractionOf(Rocks(p.New()), rarest) - rarer), 1 / n);

  p.Generate->SetFractionMode(static_cast<int>(vae::FractionMode::TargetFraction));
  p.Generate->ComputeProbabilityOn();
  for (const char* phase : { "87", "182" })
  {
    p.Generate->SetPhase(phase);
    for (const double target : { 0., 0.123, 0.5, 1. })
    {
      p.Generate->SetTargetFraction(target);
      const std::vector<double> values = Rocks(p.New());
      const std::vector<double> probability = Rocks(p.New(), "rock_probability");
      const double label = std::stod(phase);
      EXPECT_LE(std::abs(FractionOf(values, label) - target), 1 / n) << phase;
      EXPECT_DOUBLE_EQ(FractionOf(values, 87) + FractionOf(values, 182), 1);
      EXPECT_DOUBLE_EQ(
        Reported(p.New(), "Phase Fraction", label == 87 ? 0 : 1), FractionOf(values, label));
      // By the network's own judgement: nowhere else is it likelier. That judgement is the same.
      double least = 2, most = -1;
      for (std::size_t i = 0; i < values.size(); ++i)
      {
        const double mine = label == 182 ? probability[i] : 1 - probability[i];
        (values[i] == label ? least : most) =
          values[i] == label ? std::min(least, mine) : std::max(most, mine);
      }
      EXPECT_GE(least, most);
    }
  }
  p.Generate->SetFractionMode(0);
  EXPECT_EQ(Rocks(p.New()), free);
}

TEST(Generate, OtherPhasesTakeTheRest)
{
  Generation p(Shells(), 12, "shells");
  p.Generate->ComputeProbabilityOn();
  const std::vector<double> free = Rocks(p.New());
  std::vector<double> probability[3];
  for (int k = 0; k < 3; ++k)
  {
    const char* names[] = { "rock_probability_2", "rock_probability_5", "rock_probability_9" };
    probability[k] = Rocks(p.New(), names[k]);
    ASSERT_EQ(probability[k].size(), free.size());
  }
  p.Generate->SetFractionMode(static_cast<int>(vae::FractionMode::TargetFraction));
  p.Generate->SetTargetFraction(0.3);
  const double n = static_cast<double>(free.size());
  EXPECT_LE(std::abs(FractionOf(Rocks(p.New()), 9) - 0.3), 1 / n) << "the rarest";
  p.Generate->SetPhase("5");
  const std::vector<double> values = Rocks(p.New());
  EXPECT_LE(std::abs(FractionOf(values, 5) - 0.3), 1 / n);
  double sum = 0;
  for (int k = 0; k < 3; ++k)
  {
    sum += Reported(p.New(), "Phase Fraction", k);
  }
  EXPECT_NEAR(sum, 1, 1e-12);
  for (std::size_t i = 0; i < values.size(); ++i)
  {
    if (values[i] != 5)
    {
      ASSERT_GE(probability[values[i] == 2 ? 0 : 2][i], probability[values[i] == 2 ? 2 : 0][i]);
    }
  }
}

TEST(Generate, AMapSaysWhere)
{
  Generation p(Rock(), 3, "rock");
  p.Generate->SetDimensions(96, 40, 33); // 2 wide: 190 x 78 x 64
  p.Generate->SetPhase("0");
  p.Generate->SetFractionMode(static_cast<int>(vae::FractionMode::TrendMap));
  const auto ramp = [](const double* at) { return 0.1 + 0.7 * at[0] / 200 + 0.1 * at[1] / 200; };
  // Linear maps are the same map at any resolution, on points or cells, where they reach.
  p.Generate->SetInputDataObject(1, Map(200, 10, false, ramp));
  const std::vector<double> values = Rocks(p.New());
  double wanted = 0;
  for (int y = 0; y < 40; ++y)
  {
    for (int x = 0; x < 96; ++x)
    {
      const double at[3] = { 2. * x, 2. * y, 0 };
      wanted += ramp(at) / (96 * 40);
    }
  }
  const double n = static_cast<double>(values.size());
  EXPECT_LE(std::abs(FractionOf(values, 0) - wanted), 1 / n);
  for (int block = 0; block < 3; ++block)
  {
    double is = 0, should = 0;
    for (std::size_t i = 0; i < values.size(); ++i)
    {
      const auto x = static_cast<int>(i % 96), y = static_cast<int>(i / 96 % 40);
      if (x / 32 == block)
      {
        const double at[3] = { 2. * x, 2. * y, 0 };
        is += values[i] == 0 ? 3 / n : 0;
        should += 3 / n * ramp(at);
      }
    }
    EXPECT_NEAR(is, should, 0.03) << block;
  }
  const auto differing = [&](const std::vector<double>& other)
  {
    std::size_t different = 0;
    for (std::size_t i = 0; i < values.size(); ++i)
    {
      different += values[i] != other[i];
    }
    return static_cast<double>(different) / n;
  };
  p.Generate->SetInputDataObject(1, Map(200, 37, false, ramp));
  EXPECT_LT(differing(Rocks(p.New())), 1e-3) << "rounding at most";
  auto cells = Map(400, 80, true, [&](const double* at)
  {
    const double inside[3] = { at[0] - 200, at[1] - 200, at[2] };
    return std::clamp(ramp(inside), 0., 1.);
  });
  cells->SetOrigin(cells->GetOrigin()[0] - 200, cells->GetOrigin()[1] - 200, -200);
  p.Generate->SetInputDataObject(1, cells);
  EXPECT_LT(differing(Rocks(p.New())), 1e-3);

  // Beyond its border the map is what its border is; and of two arrays one is chosen.
  auto small = Map(64, 8, false, [](const double* at) { return at[0] / 64; });
  vtkNew<vtkFloatArray> constant;
  constant->SetName("constant");
  constant->SetNumberOfTuples(small->GetNumberOfPoints());
  constant->Fill(0.25);
  small->GetPointData()->AddArray(constant);
  p.Generate->SetInputDataObject(1, small);
  double clamped = 0;
  for (int x = 0; x < 96; ++x)
  {
    clamped += std::min(2. * x / 64, 1.) / 96;
  }
  EXPECT_LE(std::abs(FractionOf(Rocks(p.New()), 0) - clamped), 1 / n);
  p.Generate->SetInputArrayToProcess(0, 1, 0, vtkDataObject::FIELD_ASSOCIATION_POINTS, "constant");
  EXPECT_LE(std::abs(FractionOf(Rocks(p.New()), 0) - 0.25), 1 / n);
}

TEST(Generate, BlocksAreTheTimeSteps)
{
  Generation p(Rock(), 3, "rock");
  p.Generate->SetRealizations(3);
  p.Generate->SetSeed(7);
  std::vector<std::vector<double>> steps;
  for (int i = 0; i < 3; ++i)
  {
    p.Generate->UpdateTimeStep(i);
    vtkDataObject* data = p.Generate->GetOutputDataObject(0);
    steps.push_back(Rocks(data));
    EXPECT_EQ(Reported(data, "Realization"), i);
    EXPECT_EQ(Reported(data, "Seed"), 7);
    auto prior = vtkStringArray::SafeDownCast(data->GetFieldData()->GetAbstractArray("Prior"));
    ASSERT_TRUE(prior);
    EXPECT_EQ(prior->GetValue(0), "random field") << "what Automatic took";
  }
  EXPECT_NE(steps[0], steps[2]);
  p.Generate->SetRealizationsAs(static_cast<int>(vae::RealizationsAs::Blocks));
  p.Generate->Update();
  auto blocks = vtkMultiBlockDataSet::SafeDownCast(p.Generate->GetOutputDataObject(0));
  ASSERT_TRUE(blocks);
  EXPECT_FALSE(
    p.Generate->GetOutputInformation(0)->Has(vtkStreamingDemandDrivenPipeline::TIME_STEPS()));
  ASSERT_EQ(blocks->GetNumberOfBlocks(), 3u);
  for (unsigned int i = 0; i < 3; ++i)
  {
    EXPECT_EQ(Rocks(blocks->GetBlock(i)), steps[i]);
    EXPECT_EQ(
      blocks->GetMetaData(i)->Get(vtkCompositeDataSet::NAME()), "Realization " + std::to_string(i));
    EXPECT_EQ(Reported(blocks->GetBlock(i), "Realization"), i);
  }
  // And back.
  p.Generate->SetRealizationsAs(0);
  p.Generate->UpdateTimeStep(1);
  EXPECT_EQ(Rocks(p.Generate->GetOutputDataObject(0)), steps[1]);
  // An abort ends all of them.
  p.Generate->SetRealizationsAs(1);
  p.Generate->SetRealizations(50);
  vtkNew<Errors> errors;
  p.Generate->AddObserver(vtkCommand::ErrorEvent, errors);
  struct Abort : vtkCommand
  {
    static Abort* New() { return new Abort; }
    void Execute(vtkObject* caller, unsigned long, void*) override
    {
      static_cast<vtkAlgorithm*>(caller)->SetAbortExecute(1);
    }
  };
  vtkNew<Abort> abort;
  p.Generate->AddObserver(vtkCommand::ProgressEvent, abort);
  p.Generate->Update();
  EXPECT_EQ(errors->Count, 0);
  blocks = vtkMultiBlockDataSet::SafeDownCast(p.Generate->GetOutputDataObject(0));
  ASSERT_TRUE(blocks);
  EXPECT_EQ(blocks->GetNumberOfBlocks(), 0u);
}

TEST(Generate, PeriodicVolumesRepeat)
{
  Generation p(Rock(), 3, "rock"); // too small for a learned prior
  p.Generate->SetDimensions(32, 24, 40);
  p.Generate->ComputeProbabilityOn();
  p.Generate->SetPeriodicX(true);
  p.Generate->SetPeriodicZ(true);
  p.Generate->SetSeed(5);
  p.Generate->SetPrecision(static_cast<int>(vae::Precision::Float32));
  const std::vector<double> once = Rocks(p.New(), "rock_probability");
  ASSERT_EQ(once.size(), 32u * 24 * 40);
  // The field itself, laid out twice along x and z without its margins there, decodes to two
  // equal halves each way: nothing is at the seam.
  vae::GenerateOptions options;
  options.seed = 5;
  options.periodic = { true, false, true };
  const vae::Model& model = p.Model();
  const int margin = model.margin(options.periodic);
  const vae::LatentSample drawn = model.sample({ { 32, 24, 40 }, margin, options });
  const vae::Latent& field = drawn.latent;
  const vae::Dims cells{ 4, 3, 5 }, dims{ 64, 24, 80 };
  vae::Latent twice;
  twice.channels = field.channels;
  for (std::size_t a = 0; a < 3; ++a)
  {
    twice.dims[a] = dims[a] / 8 + 2 * margin;
  }
  const auto wrapped = [&](std::int64_t i, std::int64_t n)
  { return ((i - margin) % n + n) % n + margin; };
  for (std::int64_t c = 0; c < field.channels; ++c)
  {
    for (std::int64_t z = 0; z < twice.dims[2]; ++z)
    {
      for (std::int64_t y = 0; y < twice.dims[1]; ++y)
      {
        for (std::int64_t x = 0; x < twice.dims[0]; ++x)
        {
          twice.mean.push_back(field.mean[static_cast<std::size_t>(
            ((c * field.dims[2] + wrapped(z, cells[2])) * field.dims[1] + y) * field.dims[0] +
            wrapped(x, cells[0]))]);
        }
      }
    }
  }
  std::vector<float> probability(static_cast<std::size_t>(vae::voxels(dims)));
  vae::Outputs outputs;
  outputs.probability.resize(1);
  outputs.probability[0].data = probability.data();
  outputs.thresholds = drawn.thresholds;
  vae::RunOptions run;
  run.device = "cpu";
  run.precision = vae::Precision::Float32;
  model.decode(twice, dims, margin, outputs, run);
  for (std::int64_t i = 0; i < vae::voxels(dims); ++i)
  {
    const std::int64_t x = i % 64, y = i / 64 % 24, z = i / 64 / 24;
    ASSERT_NEAR(probability[static_cast<std::size_t>(i)],
      once[static_cast<std::size_t>((z % 40 * 24 + y) * 32 + x % 32)], 1e-5)
      << x << " " << y << " " << z;
  }
}

TEST(Generate, TextureIsForALearnedPrior)
{
  // A slice, whose prior is the quicker.
  const rock::Voxels voxels = rock::cementedGrains({ 64, 0.4, 7, 1 });
  const int extent[6] = { 0, 63, 0, 63, 0, 0 };
  const auto slice = [&]
  {
    return Image<vtkUnsignedCharArray>(
      extent, false, [&](vtkIdType i) { return voxels[static_cast<std::size_t>(i)]; });
  };
  Generation p(slice(), 2);
  p.Generate->SetDimensions(64, 64, 1);
  p.Train->SetPriorShare(0.3);
  p.Generate->ComputeProbabilityOn();
  EXPECT_TRUE(p.Generate->GetTexture());
  ASSERT_GT(p.Model().info().textureWidth, 0);
  for (const vae::Prior prior : { vae::Prior::Learned, vae::Prior::RandomField })
  {
    p.Generate->SetPrior(static_cast<int>(prior));
    p.Generate->SetTexture(true);
    const std::vector<double> drawn = Rocks(p.New()), odds = Rocks(p.New(), "rock_probability");
    p.Generate->SetTexture(false);
    const std::vector<double> likeliest = Rocks(p.New());
    EXPECT_EQ(Rocks(p.New(), "rock_probability"), odds);
    EXPECT_EQ(drawn == likeliest, prior != vae::Prior::Learned);
  }

  // Model alone draws the same, of a file.
  const std::string file = Shared("slice-" + std::to_string(::getpid()));
  p.Model().save(file);
  p.Generate->SetPrior(static_cast<int>(vae::Prior::Learned));
  p.Generate->SetTexture(true);
  EXPECT_TRUE(BytesOf(p.New()) == Alone(file, "dims=64,64,1 prior=3"));
  std::filesystem::remove(file);

  // Nor around what is known: a quarter of the rock.
  auto scan = slice();
  vtkNew<vtkUnsignedCharArray> mask;
  mask->SetName("known");
  mask->SetNumberOfTuples(scan->GetNumberOfPoints());
  for (vtkIdType i = 0; i < mask->GetNumberOfValues(); ++i)
  {
    mask->SetValue(i, i < mask->GetNumberOfValues() / 4);
  }
  scan->GetPointData()->AddArray(mask);
  p.Generate->SetPrior(static_cast<int>(vae::Prior::Learned));
  p.Generate->SetInputDataObject(2, scan);
  p.Generate->SetInputArrayToProcess(1, 2, 0, vtkDataObject::FIELD_ASSOCIATION_POINTS, "known");
  p.Generate->SetTexture(true);
  const std::vector<double> drawn = Rocks(p.New());
  p.Generate->SetTexture(false);
  EXPECT_EQ(Rocks(p.New()), drawn);
}

TEST(Generate, AProgramWithoutVTKDrawsTheSameBytes)
{
  Generation p(Rock(), 3, "rock");
  p.Generate->ComputeProbabilityOn();
  p.Generate->SetDimensions(32, 24, 40);
  p.Generate->SetSeed(5);
  const std::string model = Shared("rock");
  p.Model(); // it is there
  EXPECT_TRUE(BytesOf(p.New()) == Alone(model, "dims=32,24,40 seed=5"));
  p.Generate->SetPrior(static_cast<int>(vae::Prior::Normal));
  p.Generate->SetPeriodicX(true);
  EXPECT_TRUE(BytesOf(p.New()) == Alone(model, "dims=32,24,40 seed=5 prior=1 periodic=1,0,0"));
  p.Generate->SetPrior(static_cast<int>(vae::Prior::RandomField));
  p.Generate->SetFractionMode(static_cast<int>(vae::FractionMode::TargetFraction));
  p.Generate->SetTargetFraction(0.3);
  p.Generate->SetPhase("255");
  EXPECT_TRUE(BytesOf(p.New()) ==
    Alone(model, "dims=32,24,40 seed=5 prior=2 periodic=1,0,0 fraction=2 target=0.3 phase=255"));

  // A map with a value on each voxel, which are 2 wide.
  p.Generate->SetPeriodicX(false);
  p.Generate->SetFractionMode(static_cast<int>(vae::FractionMode::TrendMap));
  auto map = vtkSmartPointer<vtkImageData>::New();
  map->SetDimensions(32, 24, 40);
  map->SetSpacing(2, 2, 2);
  vtkNew<vtkFloatArray> wanted;
  wanted->SetName("wanted");
  std::vector<float> values;
  for (vtkIdType i = 0; i < map->GetNumberOfPoints(); ++i)
  {
    values.push_back(static_cast<float>(0.1 + 0.02 * static_cast<double>(i % 32)));
    wanted->InsertNextValue(values.back());
  }
  map->GetPointData()->AddArray(wanted);
  p.Generate->SetInputDataObject(1, map);
  const std::string trend = Raw("trend", values);
  EXPECT_TRUE(BytesOf(p.New()) ==
    Alone(model, "dims=32,24,40 seed=5 prior=2 fraction=3 phase=255 trend='" + trend + "'"));
  std::filesystem::remove(trend);
  p.Generate->SetInputDataObject(1, nullptr);
  p.Generate->SetFractionMode(0);

  // A quarter of a rock is known.
  auto scan = Rock();
  const auto n = static_cast<std::size_t>(scan->GetNumberOfPoints());
  vtkNew<vtkUnsignedCharArray> mask;
  mask->SetName("known");
  std::vector<unsigned char> known(2 * n);
  for (std::size_t i = 0; i < n; ++i)
  {
    known[i] = static_cast<unsigned char>(
      scan->GetPointData()->GetScalars()->GetTuple1(static_cast<vtkIdType>(i)));
    known[n + i] = i < n / 4;
    mask->InsertNextValue(known[n + i]);
  }
  scan->GetPointData()->AddArray(mask);
  p.Generate->SetInputDataObject(2, scan);
  p.Generate->SetInputArrayToProcess(1, 2, 0, vtkDataObject::FIELD_ASSOCIATION_POINTS, "known");
  const std::string file = Raw("known", known);
  EXPECT_TRUE(
    BytesOf(p.New()) == Alone(model, "dims=32,32,32 seed=5 prior=2 known='" + file + "'"));
  std::filesystem::remove(file);
}

TEST(BadInput, OfKnownData)
{
  Generation p(Shells(), 12, "shells"); // the labels are 2, 5 and 9
  auto scan = Shells();
  vtkDataArray* labels = scan->GetPointData()->GetScalars();
  vtkNew<vtkUnsignedCharArray> mask;
  mask->SetName("known");
  mask->SetNumberOfTuples(labels->GetNumberOfTuples());
  mask->Fill(0);
  mask->SetValue(1000, 1);
  mask->SetValue(1001, 1);
  labels->SetTuple1(1001, 77);
  labels->SetTuple1(1002, 78); // not known: it does not matter
  scan->GetPointData()->AddArray(mask);
  p.Generate->SetInputDataObject(2, scan);
  p.Generate->SetInputArrayToProcess(1, 2, 0, vtkDataObject::FIELD_ASSOCIATION_POINTS, "known");
  EXPECT_EQ(ErrorOf(p.Generate),
    "Known Data has the value 77 where Known Mask is not 0; the phases of this model are 2, 5, 9");
}

TEST(BadInput, OfGenerate)
{
  Generation p(Rock(), 3, "rock");
  const auto error = [&] { return ErrorOf(p.Generate); };
  p.Generate->SetPeriodicX(true);
  p.Generate->SetPeriodicY(true);
  p.Generate->SetDimensions(32, 20, 20);
  EXPECT_EQ(error(),
    "Dimensions is 32 x 20 x 20; along y, which is to be periodic, this model needs a multiple of "
    "8 "
    "voxels, the size of a latent cell");
  p.Generate->SetPeriodicY(false);
  p.Generate->SetTemperature(-1);
  EXPECT_EQ(error(), "Temperature is -1; it must be in [0, 10]");
  p.Generate->SetTemperature(1);
  p.Generate->SetFractionMode(static_cast<int>(vae::FractionMode::TargetFraction));
  p.Generate->SetTargetFraction(1.2);
  EXPECT_EQ(error(), "Target Fraction is 1.2; it must be in [0, 1]");
  p.Generate->SetTargetFraction(0.2);
  p.Generate->SetPhase("3");
  EXPECT_EQ(error(), "Phase is '3'; this model knows 0, 255, and Automatic");
  p.Generate->SetPhase("auto");
  p.Generate->SetFractionMode(static_cast<int>(vae::FractionMode::TrendMap));
  EXPECT_EQ(error(), "Fraction Mode is 'Trend Map', but no Trend Map is set");
  p.Generate->SetInputDataObject(1, Map(64, 4, false, [](const double* at) { return at[0]; }));
  EXPECT_EQ(error(), "The Trend Map has the value 16; a wanted fraction is in [0, 1]");
  p.Generate->SetInputDataObject(
    1, Map(64, 4, false, [](const double* at) { return at[1] > 40 ? std::nan("") : 0.5; }));
  EXPECT_EQ(error(), "The Trend Map has the value nan; a wanted fraction is in [0, 1]");
  p.Generate->SetInputDataObject(1, Map(64, 4, false, [](const double*) { return 0.5; }));
  p.Generate->SetInputArrayToProcess(0, 1, 0, vtkDataObject::FIELD_ASSOCIATION_POINTS, "other");
  EXPECT_EQ(error(), "Trend Array is 'other', but the input has no such array of numbers");
  p.Generate->SetInputArrayToProcess(0, 1, 0, vtkDataObject::FIELD_ASSOCIATION_POINTS, "");
  EXPECT_EQ(error(), "");
  p.Generate->SetFractionMode(0);
  p.Generate->SetPrior(static_cast<int>(vae::Prior::RandomField));
  EXPECT_EQ(error(),
    "Trend Map is set, but nothing follows it: the prior is 'random field'; choose the Fraction "
    "Mode 'Trend Map'");

  const int extent[6] = { 0, 15, 0, 15, 0, 15 };
  Generation grey(Image<vtkFloatArray>(
    extent, false, [](vtkIdType i) { return std::sin(0.02 * static_cast<double>(i)); }));
  grey.Generate->SetFractionMode(static_cast<int>(vae::FractionMode::TrainingData));
  EXPECT_EQ(ErrorOf(grey.Generate),
    "Fraction Mode needs data with phases; this model's 'rock' has grey values");
  grey.Generate->SetFractionMode(0);
  EXPECT_EQ(ErrorOf(grey.Generate), "");
  EXPECT_FALSE(grey.New()->GetFieldData()->GetArray("Phase Fraction"));
}
