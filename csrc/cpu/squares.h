// The step from a decoded picture to a normalised square: crop, resize, mirror, change of colours, normalisation.
#pragma once

#include <cstdint>
#include <vector>

#include "cpu/resample_weights.h"
#include "kernels.h"

namespace arttl {

// A square, see crop_resize_normalise_cpu.
struct Square {
  Part part;
  std::array<double, 2> start, step;
  Filter filter;
  bool flip;
  const float* color;  // [3][4]; null: unchanged
  Color3 scale, shift;
  int dtype;
  std::int64_t size;
};

// Pixels of a decoded picture [*, line / 3, 3], of which the first is at (top, left) of the whole.
struct Pixels {
  const std::uint8_t* first;
  std::int64_t line;  // bytes from one line to the next
  std::int64_t top, left;
};

// Makes squares one after another, and keeps its memory for the next.
class SquareMaker {
 public:
  // Computes the weights of a square, which stays where it is until it is written. Returns what is read of the picture:
  // top, left, bottom and right, within the square's part.
  Part plan(const Square& square);

  // Writes the planned square, [size, size, 3], from at least those pixels.
  void write(const Pixels& pixels, std::uintptr_t output);

 private:
  template <class T>
  void resample(const Pixels& pixels, T* out);
  template <class T>
  void pick_nearest(const Pixels& pixels, T* out) const;

  const Square* square_ = nullptr;
  Weights rows_, columns_;                              // of the filters with weights
  std::vector<std::int64_t> near_rows_, near_columns_;  // of the one without
  std::vector<float> lines_;                            // [columns * 3][lanes]
  std::vector<float> finished_;                         // [size * 3][lanes]
};

}  // namespace arttl
