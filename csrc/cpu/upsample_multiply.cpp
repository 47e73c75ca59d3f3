#include <vector>

#include "arithmetic.h"
#include "cpu/parallel.h"
#include "kernels.h"

namespace arttl {
namespace {

// Shared by all tasks of a call.
struct Step {
  Axis y, x;
  const Window* columns;  // [x.shallow]: the deep columns that contribute to each output column
  const float* shares;    // [x.shallow]: their share_of
  bool averages;
};

// Rows [begin, end) of one image's output. `sums` [x.deep] is working space; `shallow` may be null. Returns the largest
// magnitude_bits of the output.
ARTTL_CLONES std::uint32_t upsample_rows(const Step& step, const float* deep, const float* shallow, float* output,
                                         float* sums, float scale, int begin, int end) {
  const std::int64_t width = step.x.shallow, deep_width = step.x.deep;
  std::uint32_t peak = 0;
  for (int y = begin; y < end; ++y) {
    const Window rows = window_of(y, step.y);
    for (std::int64_t column = 0; column < deep_width; ++column) {
      sums[column] = column_sum(deep, deep_width, column, rows);
    }
    const float row_scale = scale * share_of(rows, step.averages);
    float* out = output + y * width;
    for (std::int64_t x = 0; x < width; ++x) {
      float sum = 0.0f;
      for (int column = step.columns[x].first; column <= step.columns[x].last; ++column) sum += sums[column];
      out[x] = sum * row_scale * step.shares[x];
    }
    if (shallow != nullptr) {
      const float* factor = shallow + y * width;
      for (std::int64_t x = 0; x < width; ++x) out[x] *= factor[x];
    }
    for (std::int64_t x = 0; x < width; ++x) peak = std::max(peak, magnitude_bits(out[x]));
  }
  return peak;
}

}  // namespace

void upsample_multiply_cpu(std::uintptr_t deep, std::uintptr_t deep_peak, std::uintptr_t shallow, std::uintptr_t output,
                           std::uintptr_t peak, std::int64_t images, const Pair& deep_size, const Pair& size,
                           const Pair& kernel, const Pair& stride, const Pair& padding, bool average, int threads) {
  const auto* deep_maps = reinterpret_cast<const float*>(deep);
  const auto* deep_peaks = reinterpret_cast<const float*>(deep_peak);
  const auto* shallow_maps = reinterpret_cast<const float*>(shallow);
  auto* output_maps = reinterpret_cast<float*>(output);
  auto* peaks = reinterpret_cast<float*>(peak);

  const int height = size[0], width = size[1];
  const std::int64_t pixels = static_cast<std::int64_t>(height) * width;
  const std::int64_t deep_width = deep_size[1], deep_pixels = deep_size[0] * deep_width;
  threads = useful_threads(threads, images * pixels * 16);
  const std::int64_t bands = std::min<std::int64_t>(height, ceil_div(threads, std::max<std::int64_t>(images, 1)));

  const Axis y_axis = {kernel[0], stride[0], padding[0], deep_size[0], height};
  const Axis x_axis = {kernel[1], stride[1], padding[1], deep_size[1], width};
  std::vector<Window> columns(width);
  std::vector<float> shares(width);
  for (int x = 0; x < width; ++x) {
    columns[x] = window_of(x, x_axis);
    shares[x] = share_of(columns[x], average);
  }
  const Step step = {y_axis, x_axis, columns.data(), shares.data(), average};

  std::vector<float> sums(images * bands * deep_width);
  std::vector<std::uint32_t> band_peaks(images * bands);
  parallel_for(images * bands, threads, [&](std::int64_t task) {
    const std::int64_t image = task / bands, band = task % bands;
    const float scale = deep_peaks == nullptr ? 1.0f : rescale_of(deep_peaks[image]);
    band_peaks[task] = upsample_rows(
        step, deep_maps + image * deep_pixels, shallow_maps == nullptr ? nullptr : shallow_maps + image * pixels,
        output_maps + image * pixels, sums.data() + task * deep_width, scale, static_cast<int>(band * height / bands),
        static_cast<int>((band + 1) * height / bands));
  });
  for (std::int64_t image = 0; image < images; ++image) {
    const auto* first = band_peaks.data() + image * bands;
    peaks[image] = float_of(*std::max_element(first, first + bands));
  }
}

}  // namespace arttl
