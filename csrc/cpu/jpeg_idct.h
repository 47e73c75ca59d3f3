// The inverse DCT of Loeffler, Ligtenberg and Moschytz (1989), in integers as libjpeg has it ("islow"), and the reduced
// ones of 4x4, 2x2 and 1x1 samples, which leave out the high frequencies. Every intermediate value is rounded, wrapped
// to 16 bits or limited to them exactly where libjpeg-turbo's x86-64 code does, so that the samples are the same to the
// bit for any coefficients, and on any processor. (libjpeg-turbo's code for ARM wraps others of them.)
//
// Each function takes 64 coefficients in rows, aligned to 32 bytes, the quantisation table in rows, and where the
// samples go.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "cpu/avx2.h"
#include "cpu/parallel.h"

namespace arttl {
namespace jpeg {

// Constants of the transforms in 1/8192, by their values.
constexpr int k0_211 = 1730, k0_298 = 2446, k0_390 = 3196, k0_509 = 4176, k0_541 = 4433, k0_601 = 4926, k0_720 = 5906,
              k0_765 = 6270, k0_850 = 6967, k0_899 = 7373, k1_061 = 8697, k1_175 = 9633, k1_272 = 10426, k1_451 = 11893,
              k1_501 = 12299, k1_847 = 15137, k1_961 = 16069, k2_053 = 16819, k2_172 = 17799, k2_562 = 20995,
              k3_072 = 25172, k3_624 = 29692;

ARTTL_ALWAYS_INLINE std::int16_t wrapped16(int value) { return static_cast<std::int16_t>(value); }
ARTTL_ALWAYS_INLINE std::int32_t limited16(std::int32_t value) { return std::clamp(value, -32768, 32767); }
ARTTL_ALWAYS_INLINE std::uint8_t sample(std::int32_t value) {
  return static_cast<std::uint8_t>(std::clamp(value, -128, 127) + 128);
}
ARTTL_ALWAYS_INLINE std::int32_t descaled(std::uint32_t value, int bits) {
  return static_cast<std::int32_t>(value + (1u << (bits - 1))) >> bits;
}
ARTTL_ALWAYS_INLINE std::uint32_t times(std::int32_t value, int constant) {
  return static_cast<std::uint32_t>(value * constant);
}

// A block that has no coefficient but the first, at a side of 8 or 4: every sample is this.
ARTTL_ALWAYS_INLINE std::uint8_t flat_sample(std::int16_t dc, std::uint16_t quantum) {
  return sample((wrapped16(4 * wrapped16(dc * quantum)) + 16) >> 5);
}

struct PlainIdct {
  static void idct8(const std::int16_t* block, const std::uint16_t* quantisation, std::uint8_t* out,
                    std::ptrdiff_t line) {
    std::int32_t in[64], columns[64];
    for (int i = 0; i < 64; ++i) in[i] = wrapped16(block[i] * quantisation[i]);
    if (std::all_of(block + 8, block + 64, [](std::int16_t value) { return value == 0; })) {
      for (int i = 0; i < 64; ++i) columns[i % 8 * 8 + i / 8] = wrapped16(in[i % 8] * 4);
    } else {
      pass8<11>(in, columns);
    }
    pass8<18>(columns, in);
    for (int y = 0; y < 8; ++y) {
      for (int x = 0; x < 8; ++x) out[y * line + x] = sample(in[8 * y + x]);
    }
  }

  static void idct4(const std::int16_t* block, const std::uint16_t* quantisation, std::uint8_t* out,
                    std::ptrdiff_t line) {
    std::int32_t in[64], columns[4][8];
    for (int i = 0; i < 64; ++i) in[i] = wrapped16(block[i] * quantisation[i]);
    bool flat = true;
    for (int i = 8; i < 64; ++i) flat &= i / 8 == 4 || block[i] == 0;
    for (int x = 0; x < 8; ++x) {
      std::int32_t column[4];
      if (flat) {
        std::fill(column, column + 4, wrapped16(in[x] * 4));
      } else {
        std::int32_t from[8];
        for (int k = 0; k < 8; ++k) from[k] = in[8 * k + x];
        line4<12>(from, column);
      }
      for (int y = 0; y < 4; ++y) columns[y][x] = column[y];
    }
    for (int y = 0; y < 4; ++y) {
      std::int32_t row[4];
      line4<19>(columns[y], row);
      for (int x = 0; x < 4; ++x) out[y * line + x] = sample(row[x]);
    }
  }

  static void idct2(const std::int16_t* block, const std::uint16_t* quantisation, std::uint8_t* out,
                    std::ptrdiff_t line) {
    constexpr int kColumns[5] = {0, 1, 3, 5, 7};
    std::int32_t rows[2][8] = {};
    for (const int x : kColumns) {
      const auto in = [&](int y) { return wrapped16(block[8 * y + x] * quantisation[8 * y + x]); };
      const std::uint32_t odd =
          times(in(1), k3_624) + times(in(3), -k1_272) + times(in(5), k0_850) + times(in(7), -k0_720);
      const std::uint32_t even = static_cast<std::uint32_t>(in(0)) << 15;
      rows[0][x] = descaled(even + odd, 13);
      rows[1][x] = descaled(even - odd, 13);
      if (x) {
        for (auto& row : rows) row[x] = limited16(row[x]);
      }
    }
    for (int y = 0; y < 2; ++y) {
      const std::int32_t* in = rows[y];
      const std::uint32_t odd =
          times(in[1], k3_624) + times(in[3], -k1_272) + times(in[5], k0_850) + times(in[7], -k0_720);
      const std::uint32_t even = static_cast<std::uint32_t>(in[0]) << 15;
      out[y * line] = sample(descaled(even + odd, 20));
      out[y * line + 1] = sample(descaled(even - odd, 20));
    }
  }

  static void clear(std::int16_t* block) { std::fill(block, block + 64, std::int16_t{0}); }

  // The mean of a block. Values beyond the samples wrap at ten bits before they are limited, as in libjpeg.
  static std::uint8_t idct1(std::int16_t dc, std::uint16_t quantum) {
    const int mean = (dc * static_cast<std::int16_t>(quantum) + 4) >> 3;
    return sample(((mean & 1023) ^ 512) - 512);
  }

 private:
  // One dimension of the transform over eight columns [k][column], transposed: out [column][k].
  template <int kShift>
  static void pass8(const std::int32_t (&in)[64], std::int32_t (&out)[64]) {
    for (int x = 0; x < 8; ++x) {
      const auto at = [&](int k) { return in[8 * k + x]; };
      const std::uint32_t even2 = times(at(2), k0_541) + times(at(6), k0_541 - k1_847);
      const std::uint32_t even3 = times(at(2), k0_541 + k0_765) + times(at(6), k0_541);
      const std::uint32_t even0 = static_cast<std::uint32_t>(wrapped16(at(0) + at(4))) << 13;
      const std::uint32_t even1 = static_cast<std::uint32_t>(wrapped16(at(0) - at(4))) << 13;
      const std::int32_t z3 = wrapped16(at(7) + at(3)), z4 = wrapped16(at(5) + at(1));
      const std::uint32_t odd3 = times(z3, k1_175 - k1_961) + times(z4, k1_175);
      const std::uint32_t odd4 = times(z3, k1_175) + times(z4, k1_175 - k0_390);
      const std::uint32_t odd[4] = {
          times(at(7), k0_298 - k0_899) + times(at(1), -k0_899) + odd3,
          times(at(5), k2_053 - k2_562) + times(at(3), -k2_562) + odd4,
          times(at(5), -k2_562) + times(at(3), k3_072 - k2_562) + odd3,
          times(at(7), -k0_899) + times(at(1), k1_501 - k0_899) + odd4,
      };
      const std::uint32_t even[4] = {even0 + even3, even1 + even2, even1 - even2, even0 - even3};
      for (int k = 0; k < 4; ++k) {
        out[8 * x + k] = limited16(descaled(even[k] + odd[3 - k], kShift));
        out[8 * x + 7 - k] = limited16(descaled(even[k] - odd[3 - k], kShift));
      }
    }
  }

  // One dimension of the transform of eight coefficients to four samples.
  template <int kShift>
  static void line4(const std::int32_t (&in)[8], std::int32_t (&out)[4]) {
    const std::uint32_t even0 = static_cast<std::uint32_t>(in[0]) << 14;
    const std::uint32_t even2 = times(in[2], k1_847) + times(in[6], -k0_765);
    const std::uint32_t odd0 =
        times(in[1], k1_061) + times(in[3], -k2_172) + times(in[5], k1_451) + times(in[7], -k0_211);
    const std::uint32_t odd2 =
        times(in[1], k2_562) + times(in[3], k0_899) + times(in[5], -k0_601) + times(in[7], -k0_509);
    out[0] = limited16(descaled(even0 + even2 + odd2, kShift));
    out[3] = limited16(descaled(even0 + even2 - odd2, kShift));
    out[1] = limited16(descaled(even0 - even2 + odd0, kShift));
    out[2] = limited16(descaled(even0 - even2 - odd0, kShift));
  }
};

#if defined(ARTTL_AVX2)

// The same with eight columns in one register: their halves of 16 bits are multiplied and added in pairs.
struct Avx2Idct : PlainIdct {
  // Compilers make a slow instruction for strings of the plain one.
  ARTTL_AVX2 static void clear(std::int16_t* block) {
    for (int i = 0; i < 4; ++i) _mm256_store_si256(reinterpret_cast<__m256i*>(block + 16 * i), _mm256_setzero_si256());
  }

  ARTTL_AVX2 static void idct8(const std::int16_t* block, const std::uint16_t* quantisation, std::uint8_t* out,
                               std::ptrdiff_t line) {
    __m256i pairs[4];  // rows 2i and 2i + 1
    for (int i = 0; i < 4; ++i) pairs[i] = _mm256_mullo_epi16(load(block + 16 * i), load(quantisation + 16 * i));
    const __m256i ac = _mm256_or_si256(_mm256_or_si256(load(block + 16), load(block + 32)), load(block + 48));
    const __m128i second = _mm_loadu_si128(reinterpret_cast<const __m128i*>(block + 8));
    __m256i rows[8];
    if (_mm256_testz_si256(ac, ac) && _mm_testz_si128(second, second)) {
      const __m128i first = _mm_slli_epi16(_mm256_castsi256_si128(pairs[0]), 2);
      alignas(16) std::int16_t values[8];
      _mm_store_si128(reinterpret_cast<__m128i*>(values), first);
      for (int k = 0; k < 8; ++k) rows[k] = _mm256_set1_epi16(values[k]);
    } else {
      for (int i = 0; i < 4; ++i) {
        rows[2 * i] = _mm256_permute4x64_epi64(pairs[i], 0x50);
        rows[2 * i + 1] = _mm256_permute4x64_epi64(pairs[i], 0xfa);
      }
      __m256i columns[4];
      pass8<11>(rows, columns);
      for (int k = 0; k < 4; ++k) {
        rows[k] = _mm256_permute4x64_epi64(columns[k], 0x50);
        rows[k + 4] = _mm256_permute4x64_epi64(columns[k], 0xfa);
      }
    }
    __m256i lines[4];  // lines k and k + 4
    pass8<18>(rows, lines);
    const __m256i centre = _mm256_set1_epi8(-128);
    const __m256i low = _mm256_add_epi8(_mm256_packs_epi16(lines[0], lines[1]), centre);   // lines 0, 1; 4, 5
    const __m256i high = _mm256_add_epi8(_mm256_packs_epi16(lines[2], lines[3]), centre);  // lines 2, 3; 6, 7
    store_two(_mm256_castsi256_si128(low), out, line);
    store_two(_mm256_castsi256_si128(high), out + 2 * line, line);
    store_two(_mm256_extracti128_si256(low, 1), out + 4 * line, line);
    store_two(_mm256_extracti128_si256(high, 1), out + 6 * line, line);
  }

  ARTTL_AVX2 static void idct4(const std::int16_t* block, const std::uint16_t* quantisation, std::uint8_t* out,
                               std::ptrdiff_t line) {
    __m256i rows[8];
    __m256i ac = _mm256_setzero_si256();
    for (int i = 0; i < 4; ++i) {
      const __m256i coefficients = load(block + 16 * i);
      const __m256i pair = _mm256_mullo_epi16(coefficients, load(quantisation + 16 * i));
      rows[2 * i] = _mm256_permute4x64_epi64(pair, 0x50);
      rows[2 * i + 1] = _mm256_permute4x64_epi64(pair, 0xfa);
      const bool first_unused = i == 0 || i == 2;  // rows 0 and 4
      ac = _mm256_or_si256(
          ac, first_unused ? _mm256_blend_epi32(coefficients, _mm256_setzero_si256(), 0x0f) : coefficients);
    }
    __m256i low, high;  // rows 0 and 1, rows 2 and 3, of columns 0 to 3 and 4 to 7
    if (_mm256_testz_si256(ac, ac)) {
      const __m256i first = _mm256_slli_epi16(rows[0], 2);
      low = high = _mm256_unpacklo_epi64(first, first);
    } else {
      const __m256i p13 = pair(rows[1], rows[3]), p57 = pair(rows[5], rows[7]), p26 = pair(rows[2], rows[6]);
      const __m256i odd0 = _mm256_add_epi32(madd(p13, k1_061, -k2_172), madd(p57, k1_451, -k0_211));
      const __m256i odd2 = _mm256_add_epi32(madd(p13, k2_562, k0_899), madd(p57, -k0_601, -k0_509));
      const __m256i even0 = _mm256_srai_epi32(_mm256_unpacklo_epi16(_mm256_setzero_si256(), rows[0]), 2);
      const __m256i even2 = madd(p26, k1_847, -k0_765), round = _mm256_set1_epi32(1 << 11);
      const __m256i plus = _mm256_add_epi32(_mm256_add_epi32(even0, even2), round);
      const __m256i minus = _mm256_add_epi32(_mm256_sub_epi32(even0, even2), round);
      low = _mm256_packs_epi32(_mm256_srai_epi32(_mm256_add_epi32(plus, odd2), 12),
                               _mm256_srai_epi32(_mm256_add_epi32(minus, odd0), 12));
      high = _mm256_packs_epi32(_mm256_srai_epi32(_mm256_sub_epi32(minus, odd0), 12),
                                _mm256_srai_epi32(_mm256_sub_epi32(plus, odd2), 12));
    }
    // Of each row the odd columns in a pair, then the even ones: columns 1, 3, 0, 2 and 5, 7, 4, 6.
    const __m256i order = _mm256_setr_epi8(2, 3, 6, 7, 0, 1, 4, 5, 10, 11, 14, 15, 8, 9, 12, 13,  //
                                           2, 3, 6, 7, 0, 1, 4, 5, 10, 11, 14, 15, 8, 9, 12, 13);
    const __m256 a = _mm256_castsi256_ps(_mm256_shuffle_epi8(low, order));
    const __m256 b = _mm256_castsi256_ps(_mm256_shuffle_epi8(high, order));
    const __m256i odd = _mm256_castps_si256(_mm256_shuffle_ps(a, b, 0x88));
    const __m256i even = _mm256_castps_si256(_mm256_shuffle_ps(a, b, 0xdd));
    const __m128i even0 = _mm_srai_epi32(_mm_slli_epi32(_mm256_castsi256_si128(even), 16), 2);
    const __m128i even2 = halves(_mm256_madd_epi16(even, two(0, k1_847, 0, -k0_765)));
    const __m128i odd0 = halves(_mm256_madd_epi16(odd, two(k1_061, -k2_172, k1_451, -k0_211)));
    const __m128i odd2 = halves(_mm256_madd_epi16(odd, two(k2_562, k0_899, -k0_601, -k0_509)));
    const __m128i round = _mm_set1_epi32(1 << 18);
    const __m128i plus = _mm_add_epi32(_mm_add_epi32(even0, even2), round);
    const __m128i minus = _mm_add_epi32(_mm_sub_epi32(even0, even2), round);
    const __m128i first = _mm_packs_epi32(_mm_srai_epi32(_mm_add_epi32(plus, odd2), 19),  // columns 0 and 1
                                          _mm_srai_epi32(_mm_add_epi32(minus, odd0), 19));
    const __m128i last = _mm_packs_epi32(_mm_srai_epi32(_mm_sub_epi32(minus, odd0), 19),  // columns 2 and 3
                                         _mm_srai_epi32(_mm_sub_epi32(plus, odd2), 19));
    const __m128i columns = _mm_add_epi8(_mm_packs_epi16(first, last), _mm_set1_epi8(-128));
    const __m128i lines =
        _mm_shuffle_epi8(columns, _mm_setr_epi8(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15));
    alignas(16) std::uint32_t words[4];
    _mm_store_si128(reinterpret_cast<__m128i*>(words), lines);
    for (int y = 0; y < 4; ++y) std::copy_n(reinterpret_cast<const std::uint8_t*>(words + y), 4, out + y * line);
  }

  ARTTL_AVX2 static void idct2(const std::int16_t* block, const std::uint16_t* quantisation, std::uint8_t* out,
                               std::ptrdiff_t line) {
    __m256i rows[8];
    for (int i = 0; i < 4; ++i) {
      const __m256i pair = _mm256_mullo_epi16(load(block + 16 * i), load(quantisation + 16 * i));
      if (i == 0) rows[0] = _mm256_permute4x64_epi64(pair, 0x50);
      rows[2 * i + 1] = _mm256_permute4x64_epi64(pair, 0xfa);
    }
    const __m256i odd =
        _mm256_add_epi32(madd(pair(rows[1], rows[3]), k3_624, -k1_272), madd(pair(rows[5], rows[7]), k0_850, -k0_720));
    const __m256i even = _mm256_add_epi32(_mm256_srai_epi32(_mm256_unpacklo_epi16(_mm256_setzero_si256(), rows[0]), 1),
                                          _mm256_set1_epi32(1 << 12));
    const __m256i first = _mm256_srai_epi32(_mm256_add_epi32(even, odd), 13);  // two rows of eight columns
    const __m256i second = _mm256_srai_epi32(_mm256_sub_epi32(even, odd), 13);
    const __m256i factors = _mm256_setr_epi16(0, k3_624, 0, -k1_272, 0, k3_624, 0, -k1_272,  //
                                              0, k0_850, 0, -k0_720, 0, k0_850, 0, -k0_720);
    const __m128i products = halves(_mm256_madd_epi16(_mm256_packs_epi32(first, second), factors));
    const __m128i odds = _mm_hadd_epi32(products, products);
    const __m128i zeroth = _mm_unpacklo_epi32(_mm256_castsi256_si128(first), _mm256_castsi256_si128(second));
    const __m128i evens = _mm_add_epi32(_mm_slli_epi32(zeroth, 15), _mm_set1_epi32(1 << 19));
    const __m128i left = _mm_srai_epi32(_mm_add_epi32(evens, odds), 20);
    const __m128i right = _mm_srai_epi32(_mm_sub_epi32(evens, odds), 20);
    const __m128i samples = _mm_unpacklo_epi32(left, right);  // of the first line, then of the second
    const __m128i bytes =
        _mm_add_epi8(_mm_packs_epi16(_mm_packs_epi32(samples, samples), samples), _mm_set1_epi8(-128));
    const auto four = static_cast<std::uint32_t>(_mm_cvtsi128_si32(bytes));
    for (int i = 0; i < 4; ++i) out[i / 2 * line + i % 2] = static_cast<std::uint8_t>(four >> (8 * i));
  }

 private:
  template <class T>
  ARTTL_AVX2 static __m256i load(const T* from) {
    return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from));
  }
  ARTTL_AVX2 static void store_two(__m128i lines, std::uint8_t* out, std::ptrdiff_t line) {
    _mm_storel_epi64(reinterpret_cast<__m128i*>(out), lines);
    _mm_storel_epi64(reinterpret_cast<__m128i*>(out + line), _mm_unpackhi_epi64(lines, lines));
  }
  // Eight pairs of 16 bits, from rows that have columns 0 to 3 and 4 to 7 in the lower halves of the two lanes.
  ARTTL_AVX2 static __m256i pair(__m256i a, __m256i b) { return _mm256_unpacklo_epi16(a, b); }
  ARTTL_AVX2 static __m256i madd(__m256i pairs, int a, int b) {
    return _mm256_madd_epi16(pairs, _mm256_set1_epi32((b * 65536) + (a & 0xffff)));
  }
  ARTTL_AVX2 static __m256i two(int a, int b, int c, int d) {  // constants of pairs in the lower and the upper lane
    return _mm256_set_m128i(_mm_set1_epi32((d * 65536) + (c & 0xffff)), _mm_set1_epi32((b * 65536) + (a & 0xffff)));
  }
  ARTTL_AVX2 static __m128i halves(__m256i value) {
    return _mm_add_epi32(_mm256_castsi256_si128(value), _mm256_extracti128_si256(value, 1));
  }

  // As PlainIdct::pass8: in, eight rows as for `pair`; out, transposed, columns k and k + 4 in the two lanes.
  template <int kShift>
  ARTTL_AVX2 static void pass8(const __m256i (&in)[8], __m256i (&out)[4]) {
    const __m256i zero = _mm256_setzero_si256(), round = _mm256_set1_epi32(1 << (kShift - 1));
    const __m256i p26 = pair(in[2], in[6]), p71 = pair(in[7], in[1]), p53 = pair(in[5], in[3]);
    const __m256i even0 = _mm256_srai_epi32(pair(zero, _mm256_add_epi16(in[0], in[4])), 3);
    const __m256i even1 = _mm256_srai_epi32(pair(zero, _mm256_sub_epi16(in[0], in[4])), 3);
    const __m256i even2 = madd(p26, k0_541, k0_541 - k1_847), even3 = madd(p26, k0_541 + k0_765, k0_541);
    const __m256i z = pair(_mm256_add_epi16(in[7], in[3]), _mm256_add_epi16(in[5], in[1]));
    const __m256i odd3 = madd(z, k1_175 - k1_961, k1_175), odd4 = madd(z, k1_175, k1_175 - k0_390);
    const __m256i odd[4] = {_mm256_add_epi32(madd(p71, k0_298 - k0_899, -k0_899), odd3),
                            _mm256_add_epi32(madd(p53, k2_053 - k2_562, -k2_562), odd4),
                            _mm256_add_epi32(madd(p53, -k2_562, k3_072 - k2_562), odd3),
                            _mm256_add_epi32(madd(p71, -k0_899, k1_501 - k0_899), odd4)};
    const __m256i base0 = _mm256_add_epi32(even0, round), base1 = _mm256_add_epi32(even1, round);
    const __m256i even[4] = {_mm256_add_epi32(base0, even3), _mm256_add_epi32(base1, even2),
                             _mm256_sub_epi32(base1, even2), _mm256_sub_epi32(base0, even3)};
    __m256i value[8];
    for (int k = 0; k < 4; ++k) {
      value[k] = _mm256_srai_epi32(_mm256_add_epi32(even[k], odd[3 - k]), kShift);
      value[7 - k] = _mm256_srai_epi32(_mm256_sub_epi32(even[k], odd[3 - k]), kShift);
    }
    __m256i rows[4];  // rows 2k and 2k + 1, of columns 0 to 3 and 4 to 7
    for (int k = 0; k < 4; ++k) rows[k] = _mm256_packs_epi32(value[2 * k], value[2 * k + 1]);
    __m256i top[2], bottom[2];
    for (int half = 0; half < 2; ++half) {
      const __m256i a = rows[2 * half], b = rows[2 * half + 1];
      const __m256i evens = _mm256_unpacklo_epi16(a, b), odds = _mm256_unpackhi_epi16(a, b);
      top[half] = _mm256_unpacklo_epi16(evens, odds);     // columns 0 and 1
      bottom[half] = _mm256_unpackhi_epi16(evens, odds);  // columns 2 and 3
    }
    out[0] = _mm256_unpacklo_epi64(top[0], top[1]);
    out[1] = _mm256_unpackhi_epi64(top[0], top[1]);
    out[2] = _mm256_unpacklo_epi64(bottom[0], bottom[1]);
    out[3] = _mm256_unpackhi_epi64(bottom[0], bottom[1]);
  }
};

#else
using Avx2Idct = PlainIdct;
#endif

}  // namespace jpeg
}  // namespace arttl
