// The steps of a backprojection, as both backends take them from the list of numbers that kernels.h describes.
#pragma once

#include <vector>

#include "kernels.h"

namespace arttl {

struct Step {
  bool multiplies;  // by the next shallower map; else by ones
  bool averages;    // its windows instead of adding them up
  Pair size, kernel, stride, padding;
};

inline std::vector<Step> steps_of(const std::vector<int>& numbers) {
  const auto pair_at = [&](std::size_t index) { return Pair{numbers[index], numbers[index + 1]}; };
  std::vector<Step> steps;
  for (std::size_t i = 0; i < numbers.size(); i += 9) {
    steps.push_back({(numbers[i] & kMultiplies) != 0, (numbers[i] & kAverages) != 0, pair_at(i + 1), pair_at(i + 3),
                     pair_at(i + 5), pair_at(i + 7)});
  }
  return steps;
}

inline std::int64_t pixels_of(const Pair& size) { return static_cast<std::int64_t>(size[0]) * size[1]; }

}  // namespace arttl
