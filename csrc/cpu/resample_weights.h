// The weights of Pillow's antialiased resize (its src/libImaging/Resample.c): a filter stretched by the step where it
// shrinks, cut off at the part's ends and normalised to sum to one.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

namespace arttl {

enum class Filter : int { kNearest = 0, kBilinear = 1, kBicubic = 2 };

// One axis of a picture: positions [begin, end) may be read, and output i is centred at start + (i + 0.5) * step.
struct Span {
  std::int64_t begin, end;
  double start, step;
};

// Half the width of a filter, in outputs.
inline double support_of(Filter filter) { return filter == Filter::kBicubic ? 2.0 : 1.0; }

inline double bilinear(double x) {
  x = std::fabs(x);
  return x < 1.0 ? 1.0 - x : 0.0;
}

inline double bicubic(double x) {  // Keys 1981, a = -0.5
  constexpr double a = -0.5;
  x = std::fabs(x);
  if (x < 1.0) return ((a + 2.0) * x - (a + 3.0)) * x * x + 1.0;
  return x < 2.0 ? (((x - 5.0) * x + 8.0) * x - 4.0) * a : 0.0;
}

// For each output, the first position, how many there are, and their weights, which sum to one.
struct Weights {
  std::int64_t stride = 0;  // from one output's weights to the next
  std::vector<std::int64_t> first, count;
  std::vector<float> value;
  std::vector<std::int16_t> fixed;  // the same in 1/16384, where they are few enough to be exact to 0.1 grey

  static constexpr int kOne = 1 << 14;
  static constexpr std::int64_t kMostFixed = 512;

  void compute(Filter filter, const Span& span, std::int64_t size) {
    compute(filter, span, size, value, [](double weight) { return static_cast<float>(weight); });
  }

  // As above, with the weights converted to another type: convert(weight), at the same indices of `kept`.
  template <class Number, class Convert>
  void compute(Filter filter, const Span& span, std::int64_t size, std::vector<Number>& kept, const Convert& convert) {
    const double scale = std::max(span.step, 1.0), support = support_of(filter) * scale, inverse = 1.0 / scale;
    stride = 2 * static_cast<std::int64_t>(std::ceil(support)) + 2;
    first.resize(size);
    count.resize(size);
    kept.resize(size * stride);
    exact_.resize(stride);
    for (std::int64_t i = 0; i < size; ++i) {
      const double centre = span.start + (static_cast<double>(i) + 0.5) * span.step;
      // A square that exceeds its part by a rounding error still has the nearest position.
      const std::int64_t begin = std::clamp(floor_of(centre - support + 0.5), span.begin, span.end - 1);
      const std::int64_t end = std::clamp(floor_of(centre + support + 0.5), begin + 1, span.end);
      double sum = 0.0;
      for (std::int64_t k = 0; k < end - begin; ++k) {
        const double x = (static_cast<double>(begin + k) - centre + 0.5) * inverse;  // rounded as Pillow rounds it
        exact_[k] = filter == Filter::kBicubic ? bicubic(x) : bilinear(x);
        sum += exact_[k];
      }
      if (sum == 0.0) sum = exact_[0] = 1.0;
      first[i] = begin;
      count[i] = end - begin;
      for (std::int64_t k = 0; k < count[i]; ++k) kept[i * stride + k] = convert(exact_[k] / sum);
    }
  }

  bool fits_fixed() const { return stride <= kMostFixed; }

  // An even number of weights for each output, the last one zero where there is one more than it has positions.
  void fix() {
    fixed.assign(value.size(), 0);
    for (std::size_t i = 0; i < first.size(); ++i) {
      const float* from = &value[i * stride];
      std::int16_t* to = &fixed[i * stride];
      int left = kOne;
      std::int64_t largest = 0;
      for (std::int64_t k = 0; k < count[i]; ++k) {
        to[k] = static_cast<std::int16_t>(std::lround(from[k] * kOne));
        left -= to[k];
        if (to[k] > to[largest]) largest = k;
      }
      to[largest] = static_cast<std::int16_t>(to[largest] + left);  // so that a flat picture stays as it is
    }
  }

 private:
  static std::int64_t floor_of(double x) { return static_cast<std::int64_t>(std::floor(x)); }

  std::vector<double> exact_;
};

}  // namespace arttl
