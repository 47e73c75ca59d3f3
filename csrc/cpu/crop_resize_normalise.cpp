#include <array>
#include <cstring>
#include <stdexcept>

#include "arithmetic.h"
#include "cpu/avx2.h"
#include "cpu/parallel.h"
#include "cpu/squares.h"

namespace arttl {
namespace {

// The vertical pass comes first, since it processes whole lines of bytes, and only the columns that the square
// needs. Its result is kept as kLanes lines side by side ([column][channel][line]), so that the horizontal pass works
// on all of them at once, whatever the number of channels.
constexpr int kLanes = 8;
constexpr int kChunk = 32;  // bytes of a line at a time, for each of the kLanes lines

ARTTL_ALWAYS_INLINE float clamped(float value) { return std::min(std::max(value, 0.0f), 255.0f); }

ARTTL_ALWAYS_INLINE Color3 recolored(const Color3& pixel, const float* color) {
  Color3 out;
  for (int c = 0; c < 3; ++c, color += 4) {
    out[c] = clamped(color[0] * pixel[0] + color[1] * pixel[1] + color[2] * pixel[2] + color[3]);
  }
  return out;
}

ARTTL_ALWAYS_INLINE std::uint16_t rounded_bfloat16(float value) {  // to nearest, ties to even; values are finite
  const std::uint32_t bits = bits_of(value);
  return static_cast<std::uint16_t>((bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16);
}

ARTTL_ALWAYS_INLINE void store(float value, float* to) { *to = value; }
ARTTL_ALWAYS_INLINE void store(float value, BFloat16* to) { to->bits = rounded_bfloat16(value); }

// columns[i][lane] for `count` bytes from `first` of the pixels' lines, of line y + lane of the output.
void vertical_plain(const Pixels& pixels, const Weights& weights, std::int64_t y, std::int64_t lanes,
                    std::int64_t first, std::int64_t count, float* columns) {
  for (std::int64_t lane = 0; lane < lanes; ++lane) {
    const float* weight = &weights.value[(y + lane) * weights.stride];
    const std::uint8_t* top = pixels.first + (weights.first[y + lane] - pixels.top) * pixels.line + first;
    for (std::int64_t begin = 0; begin < count; begin += kChunk) {
      float sums[kChunk] = {};
      const std::int64_t length = std::min<std::int64_t>(kChunk, count - begin);
      for (std::int64_t k = 0; k < weights.count[y + lane]; ++k) {
        const std::uint8_t* bytes = top + k * pixels.line + begin;
        for (std::int64_t i = 0; i < length; ++i) sums[i] += weight[k] * static_cast<float>(bytes[i]);
      }
      for (std::int64_t i = 0; i < length; ++i) columns[(begin + i) * kLanes + lane] = clamped(sums[i]);
    }
  }
}

// square[x][channel][lane] = the horizontal pass over columns, scaled and shifted.
void horizontal_plain(const Square& square, const Weights& weights, const float* columns, float* out) {
  const std::int64_t origin = weights.first[0];
  for (std::int64_t x = 0; x < square.size; ++x) {
    float sums[3][kLanes] = {};
    const float* weight = &weights.value[x * weights.stride];
    const float* column = columns + (weights.first[x] - origin) * 3 * kLanes;
    for (std::int64_t k = 0; k < weights.count[x]; ++k, column += 3 * kLanes) {
      for (int c = 0; c < 3; ++c) {
        for (int lane = 0; lane < kLanes; ++lane) sums[c][lane] += weight[k] * column[c * kLanes + lane];
      }
    }
    float* to = out + (square.flip ? square.size - 1 - x : x) * 3 * kLanes;
    for (int lane = 0; lane < kLanes; ++lane) {
      Color3 pixel = {clamped(sums[0][lane]), clamped(sums[1][lane]), clamped(sums[2][lane])};
      if (square.color) pixel = recolored(pixel, square.color);
      for (int c = 0; c < 3; ++c) to[c * kLanes + lane] = pixel[c] * square.scale[c] + square.shift[c];
    }
  }
}

template <class T>
void write_lines_plain(const float* square, std::int64_t length, std::int64_t lanes, std::int64_t from, T* out) {
  for (std::int64_t lane = 0; lane < lanes; ++lane) {
    for (std::int64_t i = from; i < length; ++i) store(square[i * kLanes + lane], out + lane * length + i);
  }
}

#if defined(ARTTL_AVX2)

ARTTL_AVX2 inline void transpose8(__m256 (&r)[8]) {
  __m256 t[8], u[8];
  for (int i = 0; i < 8; i += 2) {
    t[i] = _mm256_unpacklo_ps(r[i], r[i + 1]);
    t[i + 1] = _mm256_unpackhi_ps(r[i], r[i + 1]);
  }
  for (int i = 0; i < 8; i += 4) {
    u[i] = _mm256_shuffle_ps(t[i], t[i + 2], 0x44);
    u[i + 1] = _mm256_shuffle_ps(t[i], t[i + 2], 0xee);
    u[i + 2] = _mm256_shuffle_ps(t[i + 1], t[i + 3], 0x44);
    u[i + 3] = _mm256_shuffle_ps(t[i + 1], t[i + 3], 0xee);
  }
  for (int i = 0; i < 4; ++i) {
    r[i] = _mm256_permute2f128_ps(u[i], u[i + 4], 0x20);
    r[i + 4] = _mm256_permute2f128_ps(u[i], u[i + 4], 0x31);
  }
}

// kChunk sums of bytes, in 1/16384, over the lines of one output line, two lines at a time. Each of the four vectors
// holds bytes 4v to 4v + 3 and 16 + 4v to 16 + 4v + 3.
ARTTL_AVX2 inline void sum_chunk(const std::uint8_t* bytes, std::int64_t line, const std::int16_t* weight,
                                 std::int64_t count, __m256i (&sums)[4]) {
  const __m256i zero = _mm256_setzero_si256();
  for (auto& sum : sums) sum = zero;
  for (std::int64_t k = 0; k < count; k += 2) {
    const std::uint8_t* next = k + 1 < count ? bytes + line : bytes;  // of weight zero
    const __m256i a = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(bytes));
    const __m256i b = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(next));
    std::int32_t pair;
    std::memcpy(&pair, weight + k, sizeof pair);
    const __m256i w = _mm256_set1_epi32(pair);
    const __m256i low = _mm256_unpacklo_epi8(a, b), high = _mm256_unpackhi_epi8(a, b);
    sums[0] = _mm256_add_epi32(sums[0], _mm256_madd_epi16(_mm256_unpacklo_epi8(low, zero), w));
    sums[1] = _mm256_add_epi32(sums[1], _mm256_madd_epi16(_mm256_unpackhi_epi8(low, zero), w));
    sums[2] = _mm256_add_epi32(sums[2], _mm256_madd_epi16(_mm256_unpacklo_epi8(high, zero), w));
    sums[3] = _mm256_add_epi32(sums[3], _mm256_madd_epi16(_mm256_unpackhi_epi8(high, zero), w));
    bytes += 2 * line;
  }
}

// The whole chunks of vertical_plain, for all kLanes lines; returns the bytes done. A stripe of kStripe bytes stays in
// the L1 cache while all lanes read it: a large picture comes from memory, each line of it from another page, and too
// slowly without prefetching.
ARTTL_AVX2 std::int64_t vertical_avx2(const Pixels& pixels, const Weights& weights, std::int64_t y, std::int64_t first,
                                      std::int64_t count, float* columns) {
  constexpr std::int64_t kStripe = 8 * kChunk;
  const __m256 unit = _mm256_set1_ps(1.0f / Weights::kOne), top = _mm256_set1_ps(255.0f);
  alignas(32) float lines[kLanes][kStripe];
  const std::int64_t whole = count / kChunk * kChunk;
  for (std::int64_t begin = 0; begin < whole; begin += kStripe) {
    const std::int64_t length = std::min(kStripe, whole - begin);
    for (int lane = 0; lane < kLanes; ++lane) {
      const std::uint8_t* bytes = pixels.first + (weights.first[y + lane] - pixels.top) * pixels.line + first + begin;
      const std::int16_t* weight = &weights.fixed[(y + lane) * weights.stride];
      for (std::int64_t k = 0; k < weights.count[y + lane]; ++k) {
        for (int i = 0; i < kStripe; i += 64) {
          _mm_prefetch(reinterpret_cast<const char*>(bytes + k * pixels.line + kStripe + i), _MM_HINT_T0);
        }
      }
      for (std::int64_t i = 0; i < length; i += kChunk) {
        __m256i sums[4];
        sum_chunk(bytes + i, pixels.line, weight, weights.count[y + lane], sums);
        for (int v = 0; v < 4; ++v) {
          const __m256 value = _mm256_mul_ps(_mm256_cvtepi32_ps(sums[v]), unit);
          _mm256_store_ps(lines[lane] + i + 8 * v, _mm256_min_ps(_mm256_max_ps(value, _mm256_setzero_ps()), top));
        }
      }
    }
    for (std::int64_t i = 0; i < length; i += 8) {
      __m256 values[kLanes];
      for (int lane = 0; lane < kLanes; ++lane) values[lane] = _mm256_load_ps(lines[lane] + i);
      transpose8(values);
      const std::int64_t low = i / kChunk * kChunk + i % kChunk / 2;  // of the first four bytes; the others are 16 on
      for (int k = 0; k < 8; ++k) {
        _mm256_storeu_ps(columns + (begin + low + (k < 4 ? k : 12 + k)) * kLanes, values[k]);
      }
    }
  }
  return whole;
}

ARTTL_AVX2 inline void recolor_avx2(const float* color, __m256 (&pixels)[3]) {
  const __m256 from[3] = {pixels[0], pixels[1], pixels[2]};
  for (int c = 0; c < 3; ++c, color += 4) {
    __m256 sum = _mm256_set1_ps(color[3]);
    for (int k = 0; k < 3; ++k) sum = _mm256_fmadd_ps(_mm256_set1_ps(color[k]), from[k], sum);
    pixels[c] = _mm256_min_ps(_mm256_max_ps(sum, _mm256_setzero_ps()), _mm256_set1_ps(255.0f));
  }
}

ARTTL_AVX2 void horizontal_avx2(const Square& square, const Weights& weights, const float* columns, float* out) {
  const __m256 zero = _mm256_setzero_ps(), top = _mm256_set1_ps(255.0f);
  for (std::int64_t x = 0; x < square.size; ++x) {
    __m256 sums[3] = {zero, zero, zero};
    const float* weight = &weights.value[x * weights.stride];
    const float* column = columns + (weights.first[x] - weights.first[0]) * 3 * kLanes;
    for (std::int64_t k = 0; k < weights.count[x]; ++k, column += 3 * kLanes) {
      const __m256 w = _mm256_set1_ps(weight[k]);
      for (int c = 0; c < 3; ++c) sums[c] = _mm256_fmadd_ps(w, _mm256_loadu_ps(column + c * kLanes), sums[c]);
    }
    float* to = out + (square.flip ? square.size - 1 - x : x) * 3 * kLanes;
    for (auto& sum : sums) sum = _mm256_min_ps(_mm256_max_ps(sum, zero), top);
    if (square.color) recolor_avx2(square.color, sums);
    for (int c = 0; c < 3; ++c) {
      const __m256 scaled = _mm256_fmadd_ps(sums[c], _mm256_set1_ps(square.scale[c]), _mm256_set1_ps(square.shift[c]));
      _mm256_storeu_ps(to + c * kLanes, scaled);
    }
  }
}

// The whole vectors of write_lines_plain, for all kLanes lines; returns the values done of each line.
template <class T>
ARTTL_AVX2 std::int64_t write_lines_avx2(const float* square, std::int64_t length, T* out) {
  std::int64_t i = 0;
  for (; i + 8 <= length; i += 8) {
    __m256 values[8];
    for (int k = 0; k < 8; ++k) values[k] = _mm256_loadu_ps(square + (i + k) * kLanes);
    transpose8(values);
    for (int lane = 0; lane < kLanes; ++lane) {
      if constexpr (sizeof(T) == sizeof(float)) {
        _mm256_storeu_ps(reinterpret_cast<float*>(out) + lane * length + i, values[lane]);
      } else {  // rounded_bfloat16, eight at once
        const __m256i bits = _mm256_castps_si256(values[lane]);
        const __m256i odd = _mm256_and_si256(_mm256_srli_epi32(bits, 16), _mm256_set1_epi32(1));
        const __m256i half = _mm256_add_epi32(odd, _mm256_set1_epi32(0x7fff));
        const __m256i top = _mm256_srli_epi32(_mm256_add_epi32(bits, half), 16);
        const __m128i packed = _mm_packus_epi32(_mm256_castsi256_si128(top), _mm256_extracti128_si256(top, 1));
        _mm_storeu_si128(reinterpret_cast<__m128i*>(out + lane * length + i), packed);
      }
    }
  }
  return i;
}

#else

std::int64_t vertical_avx2(const Pixels&, const Weights&, std::int64_t, std::int64_t, std::int64_t, float*) {
  return 0;
}
void horizontal_avx2(const Square&, const Weights&, const float*, float*) {}
template <class T>
std::int64_t write_lines_avx2(const float*, std::int64_t, T*) {
  return 0;
}

#endif

// The position nearest to each output's centre; the centres are accumulated as in Pillow, so that ties are equal.
void nearest_positions(const Span& span, std::int64_t size, std::vector<std::int64_t>* positions) {
  positions->resize(size);
  double centre = span.start + 0.5 * span.step;
  for (auto& position : *positions) {
    position = std::clamp(static_cast<std::int64_t>(std::floor(centre)), span.begin, span.end - 1);
    centre += span.step;
  }
}

}  // namespace

Part SquareMaker::plan(const Square& square) {
  square_ = &square;
  const Part& part = square.part;
  const Span vertical = {part[0], part[2], square.start[0], square.step[0]};
  const Span horizontal = {part[1], part[3], square.start[1], square.step[1]};
  // The centres ascend, so the first output needs the first position and the last one the last.
  if (square.filter == Filter::kNearest) {
    nearest_positions(vertical, square.size, &near_rows_);
    nearest_positions(horizontal, square.size, &near_columns_);
    return {near_rows_.front(), near_columns_.front(), near_rows_.back() + 1, near_columns_.back() + 1};
  }
  rows_.compute(square.filter, vertical, square.size);
  columns_.compute(square.filter, horizontal, square.size);
  return {rows_.first.front(), columns_.first.front(), rows_.first.back() + rows_.count.back(),
          columns_.first.back() + columns_.count.back()};
}

template <class T>
void SquareMaker::resample(const Pixels& pixels, T* out) {
  const Square& square = *square_;
  const bool vectors = has_avx2(), fixed = vectors && rows_.fits_fixed();
  if (fixed) rows_.fix();
  const std::int64_t first = 3 * (columns_.first.front() - pixels.left);
  const std::int64_t count = 3 * (columns_.first.back() + columns_.count.back() - pixels.left) - first;
  const std::int64_t length = 3 * square.size;
  lines_.resize(count * kLanes);
  finished_.resize(length * kLanes);
  for (std::int64_t y = 0; y < square.size; y += kLanes) {
    const std::int64_t lanes = std::min<std::int64_t>(kLanes, square.size - y);
    const std::int64_t done =
        fixed && lanes == kLanes ? vertical_avx2(pixels, rows_, y, first, count, lines_.data()) : 0;
    vertical_plain(pixels, rows_, y, lanes, first + done, count - done, lines_.data() + done * kLanes);
    if (vectors) {
      horizontal_avx2(square, columns_, lines_.data(), finished_.data());
    } else {
      horizontal_plain(square, columns_, lines_.data(), finished_.data());
    }
    T* to = out + y * length;
    const std::int64_t written = vectors && lanes == kLanes ? write_lines_avx2(finished_.data(), length, to) : 0;
    write_lines_plain(finished_.data(), length, lanes, written, to);
  }
}

template <class T>
void SquareMaker::pick_nearest(const Pixels& pixels, T* out) const {
  const Square& square = *square_;
  for (std::int64_t y = 0; y < square.size; ++y) {
    const std::uint8_t* line = pixels.first + (near_rows_[y] - pixels.top) * pixels.line;
    for (std::int64_t x = 0; x < square.size; ++x) {
      const std::uint8_t* from = line + 3 * (near_columns_[x] - pixels.left);
      Color3 pixel = {static_cast<float>(from[0]), static_cast<float>(from[1]), static_cast<float>(from[2])};
      if (square.color) pixel = recolored(pixel, square.color);
      T* to = out + 3 * (y * square.size + (square.flip ? square.size - 1 - x : x));
      for (int c = 0; c < 3; ++c) store(pixel[c] * square.scale[c] + square.shift[c], to + c);
    }
  }
}

void SquareMaker::write(const Pixels& pixels, std::uintptr_t output) {
  const auto run = [&](auto* out) {
    if (square_->filter == Filter::kNearest) {
      pick_nearest(pixels, out);
    } else {
      resample(pixels, out);
    }
  };
  switch (static_cast<DType>(square_->dtype)) {
    case DType::kFloat32:
      return run(reinterpret_cast<float*>(output));
    case DType::kBFloat16:
      return run(reinterpret_cast<BFloat16*>(output));
    default:
      throw std::invalid_argument("crop_resize_normalise: the output is float32 or bfloat16");
  }
}

void crop_resize_normalise_cpu(std::uintptr_t picture, std::int64_t width, const Part& part,
                               const std::array<double, 2>& start, const std::array<double, 2>& step, int filter,
                               bool flip, const std::vector<float>& color, const Color3& scale, const Color3& shift,
                               std::uintptr_t output, int dtype, std::int64_t size) {
  if (!color.empty() && color.size() != 12) {
    throw std::invalid_argument("crop_resize_normalise: a change of colours has 12 numbers");
  }
  thread_local SquareMaker maker;
  const float* change = color.empty() ? nullptr : color.data();
  const Square square = {part, start, step, static_cast<Filter>(filter), flip, change, scale, shift, dtype, size};
  maker.plan(square);
  maker.write({reinterpret_cast<const std::uint8_t*>(picture), 3 * width, 0, 0}, output);
}

}  // namespace arttl
