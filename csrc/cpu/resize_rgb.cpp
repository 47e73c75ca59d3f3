#include "cpu/avx2.h"
#include "cpu/parallel.h"
#include "cpu/resample_weights.h"
#include "kernels.h"

// Pillow's two passes (its src/libImaging/Resample.c), along the rows first and then down the columns, with the same
// integers: weights in 1/4194304 and bytes between the passes.

namespace arttl {
namespace {

constexpr int kBits = 22;
constexpr std::int32_t kHalf = 1 << (kBits - 1);

struct Axis {
  Weights places;
  std::vector<std::int32_t> weight;

  void compute(Filter filter, std::int64_t length, float box, std::int64_t size) {
    const Span span = {0, length, 0.0, static_cast<double>(box) / static_cast<double>(size)};
    places.compute(filter, span, size, weight, [](double exact) {
      return static_cast<std::int32_t>(exact * (1 << kBits) + (exact < 0 ? -0.5 : 0.5));
    });
  }
  const std::int32_t* of(std::int64_t output) const { return &weight[output * places.stride]; }
};

ARTTL_ALWAYS_INLINE std::uint8_t to_byte(std::int32_t sum) {
  return static_cast<std::uint8_t>(std::clamp(sum >> kBits, 0, 255));
}

// One line of `size` outputs.
void along_plain(const std::uint8_t* line, const Axis& axis, std::int64_t size, std::uint8_t* out) {
  for (std::int64_t x = 0; x < size; ++x) {
    const std::int32_t* weight = axis.of(x);
    const std::uint8_t* bytes = line + 3 * axis.places.first[x];
    for (int c = 0; c < 3; ++c) {
      std::int32_t sum = kHalf;
      for (std::int64_t k = 0; k < axis.places.count[x]; ++k) sum += weight[k] * bytes[3 * k + c];
      out[3 * x + c] = to_byte(sum);
    }
  }
}

// The bytes [begin, length) of one line of the output, from `count` lines of `length` bytes.
void down_plain(const std::uint8_t* top, std::int64_t length, const std::int32_t* weight, std::int64_t count,
                std::int64_t begin, std::uint8_t* out) {
  for (std::int64_t i = begin; i < length; ++i) {
    std::int32_t sum = kHalf;
    for (std::int64_t k = 0; k < count; ++k) sum += weight[k] * top[k * length + i];
    out[i] = to_byte(sum);
  }
}

#if defined(ARTTL_AVX2)

// A weight as two numbers of 16 bits, weight = high * 2048 + low, which _mm256_madd_epi16 multiplies exactly.
constexpr int kLowBits = 11;

ARTTL_AVX2 inline __m256i joined(__m256i high, __m256i low) {
  return _mm256_add_epi32(_mm256_slli_epi32(high, kLowBits), low);
}

// The weights of an axis, four at a time: of each output `groups` pairs of vectors, the high and the low parts; in both
// halves of a vector two weights stand side by side, four times.
class Groups {
 public:
  static constexpr std::int64_t kWeights = 4;
  static constexpr std::int64_t kBytes = 16;  // that are read for a group, of which it needs 12

  void compute(const Axis& axis, std::int64_t size) {
    groups_ = ceil_div(axis.places.stride, kWeights);
    values_.assign(size * groups_ * 2 * kWords, 0);
    for (std::int64_t x = 0; x < size; ++x) {
      for (std::int64_t k = 0; k < axis.places.count[x]; ++k) {
        const std::int32_t weight = axis.of(x)[k];
        std::int16_t* to = &values_[(x * groups_ + k / kWeights) * 2 * kWords] + k % kWeights / 2 * 8 + k % 2;
        for (int repeated = 0; repeated < 8; repeated += 2) {
          to[repeated] = static_cast<std::int16_t>(weight >> kLowBits);
          to[kWords + repeated] = static_cast<std::int16_t>(weight & ((1 << kLowBits) - 1));
        }
      }
    }
  }
  static std::int64_t count(std::int64_t weights) { return ceil_div(weights, kWeights); }
  const std::int16_t* of(std::int64_t output) const { return &values_[output * groups_ * 2 * kWords]; }

 private:
  static constexpr std::int64_t kWords = 16;  // of a vector

  std::int64_t groups_ = 0;
  std::vector<std::int16_t> values_;
};

// along_plain for kLines lines, `line` bytes apart. Pixels are read in whole groups, beyond the last that has a weight.
template <int kLines>
ARTTL_AVX2 void along_avx2(const std::uint8_t* top, std::int64_t line, const Axis& axis, const Groups& groups,
                           std::int64_t size, std::uint8_t* out) {
  const __m256i side_by_side = _mm256_setr_epi8(0, -1, 3, -1, 1, -1, 4, -1, 2, -1, 5, -1, -1, -1, -1, -1,  //
                                                6, -1, 9, -1, 7, -1, 10, -1, 8, -1, 11, -1, -1, -1, -1, -1);
  for (std::int64_t x = 0; x < size; ++x) {
    const auto* weights = reinterpret_cast<const __m256i*>(groups.of(x));
    const std::uint8_t* bytes = top + 3 * axis.places.first[x];
    __m256i high[kLines], low[kLines];
    for (int y = 0; y < kLines; ++y) high[y] = low[y] = _mm256_setzero_si256();
    for (std::int64_t group = 0; group < Groups::count(axis.places.count[x]); ++group) {
      const __m256i high_weights = _mm256_loadu_si256(weights + 2 * group);
      const __m256i low_weights = _mm256_loadu_si256(weights + 2 * group + 1);
      for (int y = 0; y < kLines; ++y) {
        const auto* four = reinterpret_cast<const __m128i*>(bytes + y * line + 12 * group);
        const __m256i pixels = _mm256_shuffle_epi8(_mm256_broadcastsi128_si256(_mm_loadu_si128(four)), side_by_side);
        high[y] = _mm256_add_epi32(high[y], _mm256_madd_epi16(pixels, high_weights));
        low[y] = _mm256_add_epi32(low[y], _mm256_madd_epi16(pixels, low_weights));
      }
    }
    for (int y = 0; y < kLines; ++y) {
      const __m256i halves = joined(high[y], low[y]);
      __m128i sum = _mm_add_epi32(_mm256_castsi256_si128(halves), _mm256_extracti128_si256(halves, 1));
      sum = _mm_srai_epi32(_mm_add_epi32(sum, _mm_set1_epi32(kHalf)), kBits);
      sum = _mm_packus_epi16(_mm_packs_epi32(sum, sum), sum);
      const std::int32_t pixel = _mm_cvtsi128_si32(sum);
      __builtin_memcpy(out + 3 * (y * size + x), &pixel, 3);
    }
  }
}

// along_plain for the first of `lines` lines, a few at a time; returns their number. For the last ones, more would be
// read than the `bytes` of the picture.
ARTTL_AVX2 std::int64_t lines_along_avx2(const std::uint8_t* picture, std::int64_t bytes, std::int64_t line,
                                         std::int64_t lines, const Axis& axis, std::int64_t size, std::uint8_t* out) {
  constexpr int kLines = 4;
  Groups groups;
  groups.compute(axis, size);
  // No output begins after the last, and none has more weights than the stride.
  const std::int64_t reach = 3 * axis.places.first[size - 1] + 12 * Groups::count(axis.places.stride) + Groups::kBytes;
  std::int64_t y = 0;
  for (; y + kLines <= lines && (y + kLines - 1) * line + reach <= bytes; y += kLines) {
    along_avx2<kLines>(picture + y * line, line, axis, groups, size, out + 3 * y * size);
  }
  return y;
}

// down_plain for the first bytes; returns how many.
ARTTL_AVX2 std::int64_t down_avx2(const std::uint8_t* top, std::int64_t length, const std::int32_t* weight,
                                  std::int64_t count, std::uint8_t* out) {
  const __m256i zero = _mm256_setzero_si256(), half = _mm256_set1_epi32(kHalf);
  std::int64_t i = 0;
  for (; i + 32 <= length; i += 32) {
    __m256i high[4], low[4];  // of bytes 4v to 4v + 3 and 16 + 4v to 16 + 4v + 3
    for (int v = 0; v < 4; ++v) high[v] = low[v] = zero;
    for (std::int64_t k = 0; k < count; k += 2) {
      const std::uint8_t* bytes = top + k * length + i;
      const std::int32_t next = k + 1 < count ? weight[k + 1] : 0;
      const __m256i a = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(bytes));
      const __m256i b = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(k + 1 < count ? bytes + length : bytes));
      constexpr std::int32_t kLow = (1 << kLowBits) - 1;
      const std::uint32_t high_pair = (next >> kLowBits) * 65536u + ((weight[k] >> kLowBits) & 0xffff);
      const std::uint32_t low_pair = (next & kLow) * 65536u + (weight[k] & kLow);
      const __m256i high_weights = _mm256_set1_epi32(static_cast<int>(high_pair));
      const __m256i low_weights = _mm256_set1_epi32(static_cast<int>(low_pair));
      const __m256i left = _mm256_unpacklo_epi8(a, b), right = _mm256_unpackhi_epi8(a, b);
      const __m256i pairs[4] = {_mm256_unpacklo_epi8(left, zero), _mm256_unpackhi_epi8(left, zero),
                                _mm256_unpacklo_epi8(right, zero), _mm256_unpackhi_epi8(right, zero)};
      for (int v = 0; v < 4; ++v) {
        high[v] = _mm256_add_epi32(high[v], _mm256_madd_epi16(pairs[v], high_weights));
        low[v] = _mm256_add_epi32(low[v], _mm256_madd_epi16(pairs[v], low_weights));
      }
    }
    __m256i sums[4];
    for (int v = 0; v < 4; ++v) {
      sums[v] = _mm256_srai_epi32(_mm256_add_epi32(joined(high[v], low[v]), half), kBits);
    }
    const __m256i words[2] = {_mm256_packs_epi32(sums[0], sums[1]), _mm256_packs_epi32(sums[2], sums[3])};
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(out + i), _mm256_packus_epi16(words[0], words[1]));
  }
  return i;
}

#else

std::int64_t lines_along_avx2(const std::uint8_t*, std::int64_t, std::int64_t, std::int64_t, const Axis&, std::int64_t,
                              std::uint8_t*) {
  return 0;
}
std::int64_t down_avx2(const std::uint8_t*, std::int64_t, const std::int32_t*, std::int64_t, std::uint8_t*) {
  return 0;
}

#endif

}  // namespace

void resize_rgb_cpu(std::uintptr_t picture, std::int64_t height, std::int64_t width, const std::array<float, 2>& box,
                    int filter, std::uintptr_t output, const std::array<std::int64_t, 2>& size) {
  Axis down, along;
  down.compute(static_cast<Filter>(filter), height, box[0], size[0]);
  along.compute(static_cast<Filter>(filter), width, box[1], size[1]);
  const bool vectors = has_avx2();
  // The centres ascend: the first output needs the first line and the last one the last.
  const std::int64_t top = down.places.first.front();
  const std::int64_t lines = down.places.first.back() + down.places.count.back() - top;
  const std::int64_t length = 3 * size[1];
  const std::int64_t line = 3 * width;
  const std::uint8_t* first = reinterpret_cast<const std::uint8_t*>(picture) + top * line;
  std::vector<std::uint8_t> shortened(lines * length);
  std::int64_t done = 0;
  if (vectors) done = lines_along_avx2(first, (height - top) * line, line, lines, along, size[1], shortened.data());
  for (std::int64_t y = done; y < lines; ++y) along_plain(first + y * line, along, size[1], &shortened[y * length]);
  for (std::int64_t y = 0; y < size[0]; ++y) {
    const std::uint8_t* from = &shortened[(down.places.first[y] - top) * length];
    std::uint8_t* out = reinterpret_cast<std::uint8_t*>(output) + y * length;
    const std::int64_t count = down.places.count[y];
    const std::int64_t done = vectors ? down_avx2(from, length, down.of(y), count, out) : 0;
    down_plain(from, length, down.of(y), count, done, out);
  }
}

}  // namespace arttl
