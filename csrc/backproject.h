// The backprojection over all maps with a backend's own kernels; which arrays a step reads and writes is the same for
// all.
#pragma once

#include <vector>

#include "kernels.h"

namespace arttl {

constexpr std::size_t kStepNumbers = 9;  // of `steps` in kernels.h

inline std::int64_t pixels_of(const Pair& size) { return static_cast<std::int64_t>(size[0]) * size[1]; }

inline Pair pair_at(const std::vector<int>& numbers, std::size_t index) { return {numbers[index], numbers[index + 1]}; }

// The size of the last step's output, which is the map's.
inline Pair last_size(const std::vector<int>& steps) { return pair_at(steps, steps.size() - kStepNumbers + 1); }

// Working space for `images` images that are backprojected together: one running map per image, two sets of peaks, a
// range.
inline std::int64_t workspace_of(std::int64_t images, std::int64_t pixels) { return images * (pixels + 4); }

// Backprojects images [first, first + images) of `means` to the start of `output`. The running map alternates between
// the workspace and the output, so that it ends in the workspace and the normalisation writes the output.
template <class Upsample, class Normalise>
void backproject(const std::vector<std::uintptr_t>& means, const std::vector<int>& steps, Pair deep_size,
                 std::uintptr_t workspace, std::uintptr_t output, std::int64_t first, std::int64_t images,
                 const Upsample& upsample, const Normalise& normalise) {
  const auto offset = [](std::uintptr_t array, std::int64_t floats) { return array + floats * sizeof(float); };
  const std::int64_t pixels = pixels_of(last_size(steps));
  const std::uintptr_t peaks[] = {offset(workspace, images * pixels), offset(workspace, images * (pixels + 1))};
  std::size_t level = means.size() - 1;
  std::uintptr_t deep = offset(means[level], first * pixels_of(deep_size)), deep_peak = 0;
  std::size_t left = steps.size() / kStepNumbers;
  for (std::size_t index = 0; index < steps.size(); index += kStepNumbers, --left) {
    const Pair size = pair_at(steps, index + 1), kernel = pair_at(steps, index + 3), stride = pair_at(steps, index + 5),
               padding = pair_at(steps, index + 7);
    const std::uintptr_t shallow = steps[index] ? offset(means[--level], first * pixels_of(size)) : 0;
    const std::uintptr_t out = left % 2 ? workspace : output, peak = peaks[left % 2];
    upsample(deep, deep_peak, shallow, out, peak, images, deep_size, size, kernel, stride, padding);
    deep = out;
    deep_peak = peak;
    deep_size = size;
  }
  normalise(deep, output, offset(workspace, images * (pixels + 2)), images, pixels);
}

}  // namespace arttl
