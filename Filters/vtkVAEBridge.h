// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#ifndef vtkVAEBridge_h
#define vtkVAEBridge_h

#include "Backend.h"
#include "Statistics/Mask.h"

#include "vtkSmartPointer.h"

#include <functional>
#include <string>
#include <type_traits>
#include <vector>

class vtkAlgorithm;
class vtkDataArray;
class vtkDataObject;
class vtkFieldData;
class vtkImageData;
class vtkInformation;
class vtkInformationVector;

// What the filters share: VTK arrays as views for Model, and the border across which no
// exception passes. Private to this module.
namespace vtkVAEBridge
{

/// The input as an image. \throws std::invalid_argument that says what to do with other grids
vtkImageData* ImageOf(vtkDataObject* input);

/// A volume over these arrays of the image; the arrays are kept alive by it, not copied
/// (arrays that are not one block of memory are, once).
vae::Volume VolumeOf(vtkImageData* image, const std::vector<vtkDataArray*>& arrays, bool cellData);

/// The arrays a model was trained on, by name; a model of one array takes the only array that
/// fits where its name is not there.
/// \throws std::invalid_argument naming the array that is missing
std::vector<vtkDataArray*> ArraysFor(
  vtkImageData* image, const vae::ModelInfo& info, bool& cellData);

/// Whether the array to process is said to be a column of a table. ParaView's Python sets it so
/// when a table was the active source, before it sets the input that was asked for: it is no
/// choice.
bool NamesRows(vtkAlgorithm* algorithm);

/// The array that `algorithm` is to process: `chosen`, what its GetInputArrayToProcess(0) found, or
/// else, where none was named, the active scalars or the first array, of the points or
/// else of the cells. `property` is the label of the property that names it.
/// \throws std::invalid_argument naming the array that is missing
vtkDataArray* ScalarsOf(vtkAlgorithm* algorithm, vtkDataArray* chosen, vtkImageData* image,
  bool& cellData, const std::string& property = "Scalars");

/// \throws std::invalid_argument unless the array has one component
/// \param property the label of the property that names it
void RequireOneComponent(vtkDataArray* array, const std::string& property);

/// The array of another image that corresponds to `array`: of the same name, or else the only one.
/// \param input what the other image is, for messages
vtkDataArray* ArrayLike(
  vtkImageData* image, vtkDataArray* array, bool& cellData, const std::string& input = "reference");

/// For each array of a model, in order: its name and how many components it has.
struct ArrayLayout
{
  std::string Name;
  int Components;
  int VTKType;
};
std::vector<ArrayLayout> LayoutOf(const vae::ModelInfo& info);

/// New arrays of `tuples` tuples for each array of the model, and views of their components
/// in the order of its channels. `suffix` is appended to the names; `type` is a VTK type, or
/// VTK_VOID for the training data's own.
std::vector<vtkSmartPointer<vtkDataArray>> NewArrays(const vae::ModelInfo& info,
  const std::string& suffix, int type, vtkIdType tuples, std::vector<vae::OutputChannel>& views);

/// One such array.
vtkSmartPointer<vtkDataArray> NewArray(const std::string& name, int type, int components,
  vtkIdType tuples, std::vector<vae::OutputChannel>& views);

/// Float arrays of the probabilities of phases, 0 to 1: of the larger label of each two-phase array
/// (X_probability), or of each label (X_probability_L). None for grey values.
std::vector<vtkSmartPointer<vtkDataArray>> NewProbabilities(
  const vae::ModelInfo& info, vtkIdType tuples, std::vector<vae::OutputChannel>& views);

/// Bytes of them, a voxel.
double ProbabilityBytes(const vae::ModelInfo& info);

/// The network in a pipeline object. \throws std::invalid_argument if there is none, Pending if a
/// training under way has none yet
const vae::Model& ModelOf(vtkDataObject* object);
struct Pending : std::exception
{
};

/// What is known of a model before the pipeline has run: null, or what it was last.
const vae::ModelInfo* KnownModel(vtkInformationVector* input);

///@{
/// A number, or a text, in field data.
void AddField(vtkFieldData* data, const std::string& name, double value);
void AddField(vtkFieldData* data, const std::string& name, const std::string& text);
///@}

///@{
/// The phase that was taken: "rock = 0, the rarer of two values", and the field data array Phase,
/// "rock = 0".
std::string InWords(const vae::statistics::PhaseChoice& choice);
void AddPhase(vtkFieldData* data, const std::string& phase);
///@}

/// Progress of `algorithm` between two fractions, stopped by its abort flag.
class Progress
{
public:
  Progress(vtkAlgorithm* algorithm, double from, double to);
  vae::Monitor Monitor();

private:
  vtkAlgorithm* Algorithm;
  double From, To;
  std::stop_source Stop;
};

/// For the beginning of ProcessRequest: whether the values of the properties are refused. That is
/// told once, as a rule where the pipeline asks what there will be; then the request has failed.
/// \param check throws, with one sentence, where a value cannot be used
/// \param told when the algorithm that was last refused had been modified
bool Refused(vtkAlgorithm* algorithm, vtkInformation* request, vtkInformationVector* outputs,
  const std::function<void()>& check, vtkMTimeType& told);

/// Dims of the point or cell data of an image.
vae::Dims DimsOf(vtkImageData* image, bool cellData);

/// The value within [low, high] that is nearest; low of what is no number.
double Within(double value, double low, double high);

/// Ask for the whole of an image, whatever part of the output is wanted: a voxel of ours depends
/// on a neighbourhood.
void RequestWholeExtent(vtkInformation* input);

/// Ask for the first time step, where the time steps of the output are not those of the input.
void RequestFirstTimeStep(vtkInformation* input);

} // namespace vtkVAEBridge

/// SetName and GetName of a class whose property is a member of its options; enumerations are ints.
#define vtkVAEOptionMacro(Class, Name, Type, member)                                               \
  void Class::Set##Name(Type value)                                                                \
  {                                                                                                \
    auto& option = this->Internal->member;                                                         \
    const auto wanted = static_cast<std::remove_reference_t<decltype(option)>>(value);             \
    if (option != wanted)                                                                          \
    {                                                                                              \
      option = wanted;                                                                             \
      this->Modified();                                                                            \
    }                                                                                              \
  }                                                                                                \
  Type Class::Get##Name() { return static_cast<Type>(this->Internal->member); }                    \
  static_assert(true, "")

/// End of a RequestData body: `try { ... } vtkVAECatchMacro`. Every exception becomes one
/// error message; an abort is no error.
#define vtkVAECatchMacro                                                                           \
  catch (const vae::Stopped&) { return 1; }                                                        \
  catch (const std::bad_alloc&)                                                                    \
  {                                                                                                \
    vtkErrorMacro(<< "There is not enough memory for this; choose a smaller volume or budget.");   \
    return 0;                                                                                      \
  }                                                                                                \
  catch (const std::exception& e)                                                                  \
  {                                                                                                \
    vtkErrorMacro(<< vtkVAEBridge::FirstLine(e.what()));                                           \
    return 0;                                                                                      \
  }

namespace vtkVAEBridge
{
/// LibTorch's messages go on with a stack trace; the first line says what is wrong. What a message
/// quotes may be of any length and any characters: a long one is shortened in its middle.
std::string FirstLine(const std::string& message);
}

#endif
// VTK-HeaderTest-Exclude: vtkVAEBridge.h
