#include <vector>

#include "arithmetic.h"
#include "cpu/parallel.h"
#include "kernels.h"

namespace arttl {
namespace {

struct Range {
  std::uint32_t low = 0xffffffffu, high = 0;  // ordered_of codes
};

ARTTL_CLONES Range range_of(const float* maps, std::int64_t count) {
  Range range;
  for (std::int64_t i = 0; i < count; ++i) {
    const std::uint32_t code = ordered_of(maps[i]);
    range.low = std::min(range.low, code);
    range.high = std::max(range.high, code);
  }
  return range;
}

ARTTL_CLONES void normalise(const float* maps, float* output, std::int64_t count, float low, float span) {
  for (std::int64_t i = 0; i < count; ++i) output[i] = normalised(maps[i], low, span);
}

}  // namespace

void minmax_normalise_cpu(std::uintptr_t maps, std::uintptr_t output, std::uintptr_t range, std::int64_t images,
                          std::int64_t pixels, float epsilon, int threads) {
  const auto* input = reinterpret_cast<const float*>(maps);
  auto* result = reinterpret_cast<float*>(output);
  threads = useful_threads(threads, images * pixels * 4);
  const std::int64_t pieces = ceil_div(threads, std::max<std::int64_t>(images, 1));
  const auto begin_of = [&](std::int64_t piece) { return piece * pixels / pieces; };

  std::vector<Range> ranges(images * pieces);
  parallel_for(images * pieces, threads, [&](std::int64_t task) {
    const std::int64_t image = task / pieces, begin = begin_of(task % pieces), end = begin_of(task % pieces + 1);
    ranges[task] = range_of(input + image * pixels + begin, end - begin);
  });
  auto* low = reinterpret_cast<std::uint32_t*>(range);
  auto* high = low + images;
  for (std::int64_t image = 0; image < images; ++image) {
    low[image] = 0xffffffffu;
    high[image] = 0;
    for (std::int64_t piece = image * pieces; piece < (image + 1) * pieces; ++piece) {
      low[image] = std::min(low[image], ranges[piece].low);
      high[image] = std::max(high[image], ranges[piece].high);
    }
  }
  parallel_for(images * pieces, threads, [&](std::int64_t task) {
    const std::int64_t image = task / pieces, begin = begin_of(task % pieces), end = begin_of(task % pieces + 1);
    const float least = number_of(low[image]);
    const float span = number_of(high[image]) - least + epsilon;
    normalise(input + image * pixels + begin, result + image * pixels + begin, end - begin, least, span);
  });
}

}  // namespace arttl
