// SPDX-FileCopyrightText: Copyright (c) VAE plugin authors
// SPDX-License-Identifier: BSD-3-Clause
#ifndef vtkVAELatentImage_h
#define vtkVAELatentImage_h

#include "Model.h"
#include "vtkSmartPointer.h"

#include <array>
#include <memory>
#include <vector>

class vtkDataArray;
class vtkDataSet;
class vtkImageData;
class vtkInformation;

// A latent field as image data that overlays its volume, and back. Private to this module.
namespace vtkVAELatentImage
{

/// Cell arrays of the latent image. One cell is the box of stride voxels that it encodes.
constexpr const char* MeanName = "latent_mean";
constexpr const char* LogVarianceName = "latent_log_variance";
constexpr const char* CellName =
  "latent_cell"; ///< number of the cell, which locates the cells that Threshold keeps

/// The grid of a volume, of its points or cells.
struct Grid
{
  std::array<int, 6> Extent{};
  std::array<double, 3> Origin{}, Spacing{ 1, 1, 1 };
  std::array<double, 9> Direction{ 1, 0, 0, 0, 1, 0, 0, 0, 1 };
  bool CellData = false;

  bool operator==(const Grid&) const = default;

  static Grid Of(vtkImageData* image, bool cellData);
  static Grid Of(vtkInformation* pipeline, bool cellData); ///< before the data are there
  /// Of a volume that does not exist yet, with the spacing of the training data.
  static Grid New(const vae::ModelInfo& info, const int dims[3]);

  vae::Dims Dims() const;
  void ApplyTo(vtkImageData* image) const;
  void ApplyTo(vtkInformation* pipeline) const;
};

/// The grid of the latent image of a volume.
Grid LatentGrid(const Grid& volume, const vae::NetworkOptions& network);

/// Make `image` the latent image of a volume on `grid`. Its field data tell the grid.
void Write(vtkImageData* image, const vae::Latent& latent, const Grid& grid,
  const vae::NetworkOptions& network);

/// The grid that a latent image decodes to: that of the volume, if it is known and has as many
/// cells, else stride voxels for each cell.
Grid Decoded(const Grid& latent, const Grid* volume, const vae::ModelInfo& info);

/// The field to decode: an image, whose grid gives the volume's, or the cells of one that Threshold
/// or Extract Selection has kept; missing cells are the mean of each channel.
/// \throws std::invalid_argument if it is neither, or has not the model's channels
std::pair<vae::Latent, Grid> Read(vtkDataSet* data, vtkDataArray* array, const vae::Model& model);

/// Bytes of the arrays of a decoded volume.
double VolumeBytes(const vae::Dims& dims, const vae::ModelInfo& info, bool probability);

/// New arrays for a decoded volume: named and typed as the training data, and X_probability on
/// request.
class Arrays
{
public:
  Arrays(const Grid& grid, const vae::ModelInfo& info, bool probability);

  vae::Outputs Wanted; ///< where decode() writes

  /// Make `output` a volume on the grid with these arrays.
  void PutOn(vtkImageData* output) const;

private:
  Grid Where;
  std::vector<vtkSmartPointer<vtkDataArray>> All;
};

/// Decode to new arrays of `output`; the grid is put on it.
void Decode(vtkImageData* output, const Grid& grid, const vae::Model& model,
  const vae::LatentSample& sample, int margin, bool probability, const vae::RunOptions& run,
  const vae::Monitor& monitor);

/// A latent field to start from. It is made once as long as what it depends on is the same.
class Start
{
public:
  /// \param grid of the volume that it is for; that of `volume` where the source is Volume
  /// \param margin cells wider on each side, as in vae::SampleRequest; 0 for Volume
  const vae::LatentSample& Get(const std::shared_ptr<const vae::Model>& model,
    vae::LatentSource source, std::int64_t seed, const Grid& grid, int margin, vtkImageData* volume,
    const vae::RunOptions& run, const vae::Monitor& monitor);

  /// How often it was made: the same number, the same field.
  int GetVersion() const { return this->Version; }

private:
  int Version = 0;
  std::shared_ptr<const vae::Model> Model;
  vae::LatentSource Source{};
  std::int64_t Seed = 0;
  vae::Dims Size{};
  int Margin = 0;
  std::uint64_t VolumeTime = 0;
  std::string Device;
  vae::Precision Precision{};
  vae::LatentSample Sample;
};

/// Of the array that the model reads from a volume. \throws std::invalid_argument without a volume
Grid GridOf(vtkImageData* volume, const vae::ModelInfo& info, const char* input);

} // namespace vtkVAELatentImage

#endif
// VTK-HeaderTest-Exclude: vtkVAELatentImage.h
