#include <limits>
#include <stdexcept>
#include <vector>

#include "arithmetic.h"
#include "cpu/parallel.h"
#include "kernels.h"

namespace arttl {
namespace {

constexpr std::int64_t kMaxRun = 4096;  // pixels at a time: 16 KiB of sums stay in the L1 cache
constexpr std::int64_t kMinRun = 64;
constexpr std::int64_t kTile = 64;
constexpr int kLanes = 16;  // separate sums, so that their additions need not wait for one another

// A run of pixels of one image: the number of channels to add and their distance, the number of pixels, the divisor.
struct Run {
  std::int64_t channels, channel_step, pixels;
  float floor, divisor;
};

template <class T>
ARTTL_ALWAYS_INLINE void mean_of_planes(const T* first, float* out, const Run& run) {
  float sums[kMaxRun];
  const std::int64_t pixels = run.pixels, plane = run.channel_step;
  const float floor = run.floor;
  for (std::int64_t i = 0; i < pixels; ++i) sums[i] = 0.0f;
  std::int64_t c = 0;
  // Eight planes at a time: the sums are read and written an eighth as often, and eight streams come from memory.
  for (; c + 8 <= run.channels; c += 8) {
    const T* a = first + c * plane;
    const auto pair = [&](int k, std::int64_t i) {
      return at_least(to_float(a[k * plane + i]), floor) + at_least(to_float(a[(k + 1) * plane + i]), floor);
    };
    for (std::int64_t i = 0; i < pixels; ++i) {
      sums[i] += (pair(0, i) + pair(2, i)) + (pair(4, i) + pair(6, i));
    }
  }
  for (; c < run.channels; ++c) {
    const T* a = first + c * plane;
    for (std::int64_t i = 0; i < pixels; ++i) sums[i] += at_least(to_float(a[i]), floor);
  }
  for (std::int64_t i = 0; i < pixels; ++i) out[i] = sums[i] / run.divisor;
}

template <class T>
ARTTL_ALWAYS_INLINE void mean_of_pixels(const T* first, float* out, const Run& run) {
  // Two passes over a tile of pixels: a pixel's lanes added up at once would wait for its last channel.
  constexpr int kHalf = kLanes / 2;
  static_assert(kHalf == 8, "the sum of a pixel below is written out");
  float lanes[kTile][kHalf];
  const std::int64_t channels = run.channels, whole = channels / kLanes * kLanes;
  const float floor = run.floor;
  for (std::int64_t begin = 0; begin < run.pixels; begin += kTile) {
    const std::int64_t count = std::min(kTile, run.pixels - begin);
    for (std::int64_t i = 0; i < count; ++i) {
      const T* pixel = first + (begin + i) * channels;
      float sums[kLanes] = {};
      for (std::int64_t c = 0; c < whole; c += kLanes) {
        for (int k = 0; k < kLanes; ++k) sums[k] += at_least(to_float(pixel[c + k]), floor);
      }
      for (int k = 0; k < kHalf; ++k) lanes[i][k] = sums[k] + sums[k + kHalf];
      for (std::int64_t c = whole; c < channels; ++c) lanes[i][c % kHalf] += at_least(to_float(pixel[c]), floor);
    }
    for (std::int64_t i = 0; i < count; ++i) {
      const float* lane = lanes[i];
      out[begin + i] = ((lane[0] + lane[4]) + (lane[1] + lane[5])) + ((lane[2] + lane[6]) + (lane[3] + lane[7]));
    }
    for (std::int64_t i = 0; i < count; ++i) out[begin + i] /= run.divisor;
  }
}

ARTTL_CLONES void mean_planar(const float* first, float* out, const Run& run) { mean_of_planes(first, out, run); }
ARTTL_CLONES void mean_planar(const Float16* first, float* out, const Run& run) { mean_of_planes(first, out, run); }
ARTTL_CLONES void mean_planar(const BFloat16* first, float* out, const Run& run) { mean_of_planes(first, out, run); }
ARTTL_CLONES void mean_interleaved(const float* first, float* out, const Run& run) { mean_of_pixels(first, out, run); }
ARTTL_CLONES void mean_interleaved(const Float16* first, float* out, const Run& run) {
  mean_of_pixels(first, out, run);
}
ARTTL_CLONES void mean_interleaved(const BFloat16* first, float* out, const Run& run) {
  mean_of_pixels(first, out, run);
}

// Small planar maps of fewer images than threads: each thread adds up its own channels. It then reads without gaps, and
// mostly from its own cache, where the previous layer left them, which torch divides among threads in the same way.
template <class T>
void mean_by_parts(const T* input, float* output, std::int64_t images, std::int64_t channels, std::int64_t pixels,
                   float floor, int threads) {
  const std::int64_t parts = ceil_div(threads, images);
  std::vector<float> sums(images * parts * pixels);
  parallel_for(images * parts, threads, [&](std::int64_t task) {
    const std::int64_t image = task / parts, part = task % parts;
    const std::int64_t begin = part * channels / parts, end = (part + 1) * channels / parts;
    const Run run = {end - begin, pixels, pixels, floor, 1.0f};
    mean_planar(input + (image * channels + begin) * pixels, sums.data() + task * pixels, run);
  });
  const Run run = {parts, pixels, pixels, -std::numeric_limits<float>::infinity(), static_cast<float>(channels)};
  for (std::int64_t image = 0; image < images; ++image) {
    mean_planar(sums.data() + image * parts * pixels, output + image * pixels, run);
  }
}

template <class T>
void channel_mean(const T* input, float* output, bool channels_last, std::int64_t images, std::int64_t channels,
                  std::int64_t pixels, float floor, int threads) {
  threads = useful_threads(threads, images * channels * pixels * static_cast<std::int64_t>(sizeof(T)));
  if (!channels_last && images > 0 && images < threads && pixels <= kMaxRun) {
    return mean_by_parts(input, output, images, channels, pixels, floor, threads);
  }
  const std::int64_t share = ceil_div(images * pixels, threads);
  const std::int64_t run_length = std::clamp(std::min(share, pixels), kMinRun, kMaxRun);
  const std::int64_t runs = ceil_div(pixels, run_length);
  parallel_for(images * runs, threads, [&](std::int64_t task) {
    const std::int64_t image = task / runs, begin = task % runs * run_length;
    const Run run = {channels, channels_last ? 1 : pixels, std::min(run_length, pixels - begin), floor,
                     static_cast<float>(channels)};
    const T* first = input + image * channels * pixels + (channels_last ? begin * channels : begin);
    float* out = output + image * pixels + begin;
    channels_last ? mean_interleaved(first, out, run) : mean_planar(first, out, run);
  });
}

}  // namespace

void channel_mean_cpu(std::uintptr_t input, std::uintptr_t output, int dtype, bool channels_last, std::int64_t images,
                      std::int64_t channels, std::int64_t pixels, bool rectify, int threads) {
  const float floor = rectify ? 0.0f : -std::numeric_limits<float>::infinity();
  const auto run = [&](auto* typed) {
    channel_mean(typed, reinterpret_cast<float*>(output), channels_last, images, channels, pixels, floor, threads);
  };
  switch (static_cast<DType>(dtype)) {
    case DType::kFloat32:
      return run(reinterpret_cast<const float*>(input));
    case DType::kFloat16:
      return run(reinterpret_cast<const Float16*>(input));
    case DType::kBFloat16:
      return run(reinterpret_cast<const BFloat16*>(input));
  }
  throw std::invalid_argument("channel_mean: unknown dtype code");
}

}  // namespace arttl
