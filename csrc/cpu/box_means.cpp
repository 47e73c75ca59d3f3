#include <algorithm>
#include <vector>

#include "cpu/parallel.h"
#include "kernels.h"

// Pillow's `Image.reduce` (its src/libImaging/Reduce.c), with the same integers: a mean is the sum plus half the count,
// times 2^24 over the count as a `float`, rounded down.

namespace arttl {
namespace {

constexpr std::int64_t kMostRows = 257;  // whose sum fits into 16 bits
constexpr std::int64_t kBlock = 4096;    // bytes of a row whose sums stay in the first cache

// sums [count] = the sums of `rows` rows of `count` bytes.
ARTTL_CLONES void down(const std::uint8_t* first, std::int64_t stride, std::int64_t rows, std::int64_t count,
                       std::uint16_t* sums) {
  for (std::int64_t begin = 0; begin < count; begin += kBlock) {
    const std::int64_t size = std::min(kBlock, count - begin);
    std::uint16_t* block = sums + begin;
    std::fill(block, block + size, std::uint16_t{0});
    std::int64_t y = 0;
    for (; y + 4 <= rows; y += 4) {
      const std::uint8_t* a = first + y * stride + begin;
      const std::uint8_t *b = a + stride, *c = b + stride, *d = c + stride;
      for (std::int64_t i = 0; i < size; ++i)
        block[i] = static_cast<std::uint16_t>(block[i] + a[i] + b[i] + c[i] + d[i]);
    }
    for (; y < rows; ++y) {
      const std::uint8_t* a = first + y * stride + begin;
      for (std::int64_t i = 0; i < size; ++i) block[i] = static_cast<std::uint16_t>(block[i] + a[i]);
    }
  }
}

// out [boxes, channels] += the sums of boxes of `factor` pixels of a row of sums, `step` apart.
template <int kChannels>
void along(const std::uint16_t* sums, std::int64_t width, int step, std::int64_t factor, std::uint32_t* out) {
  for (std::int64_t left = 0; left < width; left += factor, out += kChannels) {
    const std::int64_t right = std::min(left + factor, width);
    std::uint32_t box[kChannels] = {};
    for (const std::uint16_t* pixel = sums + left * kChannels * step; pixel != sums + right * kChannels * step;
         pixel += kChannels * step) {
      for (int c = 0; c < kChannels; ++c) box[c] += pixel[c * step];
    }
    for (int c = 0; c < kChannels; ++c) out[c] += box[c];
  }
}

std::uint32_t reciprocal(std::int64_t count) {
  return static_cast<std::uint32_t>(4294967296.0f / static_cast<float>(static_cast<std::uint32_t>(count << 8)));
}

}  // namespace

void box_means_cpu(std::uintptr_t samples, const std::array<std::int64_t, 3>& size, std::int64_t stride, int step,
                   const std::array<std::int64_t, 2>& factors, std::uintptr_t output) {
  const auto [height, width, channels] = size;
  const auto [down_factor, along_factor] = factors;
  const auto* first = reinterpret_cast<const std::uint8_t*>(samples);
  auto* out = reinterpret_cast<std::uint8_t*>(output);
  const std::int64_t count = (width * channels - 1) * step + 1, boxes = (width + along_factor - 1) / along_factor;
  std::vector<std::uint16_t> sums(static_cast<std::size_t>(width * channels * step));
  std::vector<std::uint32_t> totals(static_cast<std::size_t>(boxes * channels));
  for (std::int64_t top = 0; top < height; top += down_factor) {
    const std::int64_t bottom = std::min(top + down_factor, height);
    std::fill(totals.begin(), totals.end(), 0);
    for (std::int64_t y = top; y < bottom; y += kMostRows) {
      down(first + y * stride, stride, std::min(kMostRows, bottom - y), count, sums.data());
      switch (channels) {
        case 1:
          along<1>(sums.data(), width, step, along_factor, totals.data());
          break;
        case 2:
          along<2>(sums.data(), width, step, along_factor, totals.data());
          break;
        case 3:
          along<3>(sums.data(), width, step, along_factor, totals.data());
          break;
        default:
          along<4>(sums.data(), width, step, along_factor, totals.data());
      }
    }
    for (std::int64_t box = 0; box < boxes; ++box) {
      const std::int64_t pixels = (bottom - top) * std::min(along_factor, width - box * along_factor);
      const std::uint32_t half = static_cast<std::uint32_t>(pixels / 2), scale = reciprocal(pixels);
      for (std::int64_t c = 0; c < channels; ++c, ++out) {
        *out = static_cast<std::uint8_t>(((totals[box * channels + c] + half) * scale) >> 24);
      }
    }
  }
}

}  // namespace arttl
