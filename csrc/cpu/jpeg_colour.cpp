#include "cpu/jpeg_colour.h"

#include <algorithm>

#include "cpu/avx2.h"
#include "cpu/parallel.h"

namespace arttl {
namespace jpeg {
namespace {

// In 1/65536: the fractions of 1.402 and of 1.772 - 2, and 0.344136 and 0.714136.
constexpr int kRed = 26345, kBlue = -14942, kGreenOfCb = -22554, kGreenOfCr = -46802;

ARTTL_ALWAYS_INLINE std::uint8_t byte(int value) { return static_cast<std::uint8_t>(std::clamp(value, 0, 255)); }

template <int kBefore, int kAfter, int kShift, class T>
ARTTL_ALWAYS_INLINE void triangle(const T* line, std::ptrdiff_t count, std::uint8_t* out) {
  for (std::ptrdiff_t i = 0; i < count; ++i) {
    const int here = 3 * line[i];
    out[2 * i] = static_cast<std::uint8_t>((here + line[i - 1] + kBefore) >> kShift);
    out[2 * i + 1] = static_cast<std::uint8_t>((here + line[i + 1] + kAfter) >> kShift);
  }
}

#if defined(ARTTL_AVX2)

constexpr int kPixels = 16;

// Masks of shuffles: byte i of the 48 bytes of 16 pixels is component i % 3 of pixel i / 3.
struct Masks {
  alignas(16) std::int8_t part[3][3][16];  // of the 16 bytes at 16 * part, from each component
};

constexpr Masks interleaving_masks() {
  Masks masks = {};
  for (int i = 0; i < 48; ++i) {
    for (int c = 0; c < 3; ++c) masks.part[i / 16][c][i % 16] = static_cast<std::int8_t>(i % 3 == c ? i / 3 : -128);
  }
  return masks;
}

constexpr Masks kMasks = interleaving_masks();

ARTTL_AVX2 inline __m128i load16(const void* from) { return _mm_loadu_si128(static_cast<const __m128i*>(from)); }

ARTTL_AVX2 inline void store_interleaved(__m128i red, __m128i green, __m128i blue, std::uint8_t* out) {
  for (int i = 0; i < 3; ++i) {
    const auto& mask = kMasks.part[i];
    const __m128i two = _mm_or_si128(_mm_shuffle_epi8(red, load16(mask[0])), _mm_shuffle_epi8(green, load16(mask[1])));
    const __m128i bytes = _mm_or_si128(two, _mm_shuffle_epi8(blue, load16(mask[2])));
    _mm_storeu_si128(reinterpret_cast<__m128i*>(out + 16 * i), bytes);
  }
}

ARTTL_AVX2 inline __m256i words(const std::uint8_t* from) { return _mm256_cvtepu8_epi16(load16(from)); }

ARTTL_AVX2 inline __m128i bytes_of(__m256i values) {  // limited to 0 to 255
  return _mm_packus_epi16(_mm256_castsi256_si128(values), _mm256_extracti128_si256(values, 1));
}

// value * constant / 65536, rounded; the constant has 16 bits, the value 8 and a sign.
ARTTL_AVX2 inline __m256i scaled(__m256i value, int constant) {
  const auto factor = _mm256_set1_epi16(static_cast<std::int16_t>(constant));
  const __m256i twice = _mm256_mulhi_epi16(_mm256_add_epi16(value, value), factor);
  return _mm256_srai_epi16(_mm256_add_epi16(twice, _mm256_set1_epi16(1)), 1);
}

// The whole vectors of ycc_to_rgb; returns the pixels done.
ARTTL_AVX2 std::ptrdiff_t ycc_to_rgb_avx2(const std::uint8_t* y, const std::uint8_t* cb, const std::uint8_t* cr,
                                          std::ptrdiff_t count, std::uint8_t* out) {
  const __m256i centre = _mm256_set1_epi16(128), half = _mm256_set1_epi32(1 << 15);
  // kGreenOfCr has 17 bits: one Cr is subtracted, and 65536 added to the constant.
  const __m256i green_factors = _mm256_set1_epi32((kGreenOfCr + 65536) * 65536 + (kGreenOfCb & 0xffff));
  std::ptrdiff_t i = 0;
  for (; i + kPixels <= count; i += kPixels) {
    const __m256i light = words(y + i), blueness = _mm256_sub_epi16(words(cb + i), centre);
    const __m256i redness = _mm256_sub_epi16(words(cr + i), centre);
    const __m256i red = _mm256_add_epi16(light, _mm256_add_epi16(redness, scaled(redness, kRed)));
    const __m256i blue =
        _mm256_add_epi16(_mm256_add_epi16(light, scaled(blueness, kBlue)), _mm256_add_epi16(blueness, blueness));
    const __m256i low = _mm256_madd_epi16(_mm256_unpacklo_epi16(blueness, redness), green_factors);
    const __m256i high = _mm256_madd_epi16(_mm256_unpackhi_epi16(blueness, redness), green_factors);
    const __m256i both = _mm256_packs_epi32(_mm256_srai_epi32(_mm256_add_epi32(low, half), 16),
                                            _mm256_srai_epi32(_mm256_add_epi32(high, half), 16));
    const __m256i green = _mm256_add_epi16(light, _mm256_sub_epi16(both, redness));
    store_interleaved(bytes_of(red), bytes_of(green), bytes_of(blue), out + 3 * i);
  }
  return i;
}

ARTTL_AVX2 std::ptrdiff_t interleave_avx2(const std::uint8_t* red, const std::uint8_t* green, const std::uint8_t* blue,
                                          std::ptrdiff_t count, std::uint8_t* out) {
  std::ptrdiff_t i = 0;
  for (; i + kPixels <= count; i += kPixels) {
    store_interleaved(load16(red + i), load16(green + i), load16(blue + i), out + 3 * i);
  }
  return i;
}

#else

std::ptrdiff_t ycc_to_rgb_avx2(const std::uint8_t*, const std::uint8_t*, const std::uint8_t*, std::ptrdiff_t,
                               std::uint8_t*) {
  return 0;
}
std::ptrdiff_t interleave_avx2(const std::uint8_t*, const std::uint8_t*, const std::uint8_t*, std::ptrdiff_t,
                               std::uint8_t*) {
  return 0;
}

#endif

}  // namespace

ARTTL_CLONES void mix_lines(const std::uint8_t* near, const std::uint8_t* far, std::ptrdiff_t count,
                            std::uint16_t* sums) {
  for (std::ptrdiff_t i = 0; i < count; ++i) sums[i] = static_cast<std::uint16_t>(3 * near[i] + far[i]);
}

ARTTL_CLONES void interpolate_lines(const std::uint8_t* near, const std::uint8_t* far, std::ptrdiff_t count, int bias,
                                    std::uint8_t* out) {
  for (std::ptrdiff_t i = 0; i < count; ++i) out[i] = static_cast<std::uint8_t>((3 * near[i] + far[i] + bias) >> 2);
}

ARTTL_CLONES void repeat2(const std::uint8_t* line, std::ptrdiff_t count, std::uint8_t* out) {
  for (std::ptrdiff_t i = 0; i < count; ++i) out[2 * i] = out[2 * i + 1] = line[i];
}

ARTTL_CLONES void triangle2(const std::uint8_t* line, std::ptrdiff_t count, std::uint8_t* out) {
  triangle<1, 2, 2>(line, count, out);
}

ARTTL_CLONES void triangle2(const std::uint16_t* sums, std::ptrdiff_t count, std::uint8_t* out) {
  triangle<8, 7, 4>(sums, count, out);
}

void ycc_to_rgb(const std::uint8_t* y, const std::uint8_t* cb, const std::uint8_t* cr, std::ptrdiff_t count,
                std::uint8_t* out) {
  for (std::ptrdiff_t i = has_avx2() ? ycc_to_rgb_avx2(y, cb, cr, count, out) : 0; i < count; ++i) {
    const int blueness = cb[i] - 128, redness = cr[i] - 128;
    out[3 * i] = byte(y[i] + redness + ((kRed * redness + 32768) >> 16));
    out[3 * i + 1] = byte(y[i] + ((kGreenOfCb * blueness + kGreenOfCr * redness + 32768) >> 16));
    out[3 * i + 2] = byte(y[i] + 2 * blueness + ((kBlue * blueness + 32768) >> 16));
  }
}

void interleave(const std::uint8_t* red, const std::uint8_t* green, const std::uint8_t* blue, std::ptrdiff_t count,
                std::uint8_t* out) {
  for (std::ptrdiff_t i = has_avx2() ? interleave_avx2(red, green, blue, count, out) : 0; i < count; ++i) {
    out[3 * i] = red[i];
    out[3 * i + 1] = green[i];
    out[3 * i + 2] = blue[i];
  }
}

}  // namespace jpeg
}  // namespace arttl
