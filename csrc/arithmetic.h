// The arithmetic of every kernel, compiled for the CPU and for CUDA alike, so that a machine without a GPU tests it.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>

#if defined(__CUDACC__)
#include <cuda_fp16.h>
#define ARTTL_INLINE __host__ __device__ __forceinline__
#else
#define ARTTL_INLINE inline
#endif

namespace arttl {

enum class DType : int { kFloat32 = 0, kFloat16 = 1, kBFloat16 = 2 };

struct Float16 {
  std::uint16_t bits;
};

struct BFloat16 {
  std::uint16_t bits;
};

ARTTL_INLINE std::uint32_t bits_of(float value) {
  std::uint32_t bits;
  memcpy(&bits, &value, sizeof bits);
  return bits;
}

ARTTL_INLINE float float_of(std::uint32_t bits) {
  float value;
  memcpy(&value, &bits, sizeof value);
  return value;
}

ARTTL_INLINE float to_float(float value) { return value; }

ARTTL_INLINE float to_float(BFloat16 value) { return float_of(static_cast<std::uint32_t>(value.bits) << 16); }

// Branchless, so that it vectorises without a half-precision instruction set: the exponent is shifted by a
// multiplication, which also normalises the subnormal numbers; infinities and NaNs get their exponent back.
ARTTL_INLINE float to_float(Float16 value) {
#if defined(__CUDA_ARCH__)
  return __half2float(__ushort_as_half(value.bits));
#else
  const std::uint32_t magnitude = value.bits & 0x7fffu;
  const std::uint32_t sign = static_cast<std::uint32_t>(value.bits & 0x8000u) << 16;
  const std::uint32_t scaled = bits_of(float_of(magnitude << 13) * 0x1p112f);
  const std::uint32_t special = magnitude >= 0x7c00u ? 0x7f800000u : 0u;
  return float_of(scaled | special | sign);
#endif
}

// max(value, floor) that keeps a NaN. The floor is 0 for a rectified map and -infinity for the map as it is.
ARTTL_INLINE float at_least(float value, float floor) {
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 800
  float larger;
  asm("max.NaN.f32 %0, %1, %2;" : "=f"(larger) : "f"(value), "f"(floor));
  return larger;
#else
  return value < floor ? floor : value;
#endif
}

// One axis of an all-ones transposed convolution, from `deep` positions to `shallow` ones.
struct Axis {
  int kernel, stride, padding, deep, shallow;
};

struct Window {
  int first, last;  // inclusive; empty when last < first
};

// The deep positions i that contribute to a shallow position y: 0 <= y + padding - i * stride < kernel. kStride is the
// axis's stride where the compiler is to know it, since a division by any number is slow, else 0.
template <int kStride = 0>
ARTTL_INLINE Window window_of(int position, const Axis& axis) {
  const int stride = kStride ? kStride : axis.stride;
  const int reach = position + axis.padding;
  const int start = reach - axis.kernel + 1;
  const int first = start <= 0 ? 0 : (start + stride - 1) / stride;
  const int last = reach / stride;
  return {first, last < axis.deep ? last : axis.deep - 1};
}

// What a window's sum is multiplied by on one axis for the average over the window: 1 / its length. An empty one, whose
// sum is 0, has 0. Without averaging 1, which changes no digit.
ARTTL_INLINE float share_of(Window window, bool averages) {
  const int length = window.last - window.first + 1;
  if (!averages) return 1.0f;
  return length > 0 ? 1.0f / static_cast<float>(length) : 0.0f;
}

// The sum over the window's rows of one column of a map [*, width]. A window's sum is the sum of its column sums, in
// this order in both backends: for each row of the output a thread of the CPU, or a warp, keeps the column sums.
ARTTL_INLINE float column_sum(const float* map, std::int64_t width, std::int64_t column, Window rows) {
  float sum = 0.0f;
  for (int row = rows.first; row <= rows.last; ++row) sum += map[row * width + column];
  return sum;
}

// The power of two that brings a map's peak to [1, 2). A power of two leaves every digit unchanged, so the rescaled
// product is the exact product except for its exponent, which the final min-max normalisation cancels.
ARTTL_INLINE float rescale_of(float peak) {
  const std::uint32_t exponent = (bits_of(peak) >> 23) & 0xffu;
  std::uint32_t inverse = 254u - exponent;
  if (exponent < 1u) inverse = 253u;
  if (exponent > 253u) inverse = 1u;
  return float_of(inverse << 23);
}

// The bits of |value|: they order as the magnitudes do, with NaN above infinity, so a maximum of them keeps a NaN.
ARTTL_INLINE std::uint32_t magnitude_bits(float value) { return bits_of(value) & 0x7fffffffu; }

// An unsigned code that orders as the numbers do, for maxima and minima by integer instructions and atomics.
ARTTL_INLINE std::uint32_t ordered_of(float value) {
  const std::uint32_t bits = bits_of(value);
  return bits & 0x80000000u ? ~bits : bits | 0x80000000u;
}

ARTTL_INLINE float number_of(std::uint32_t ordered) {
  return float_of(ordered & 0x80000000u ? ordered & 0x7fffffffu : ~ordered);
}

// What speaks for a class at one position: max(0, l_c - l_a) for against >= 0, else its log-odds, see kernels.h. The
// logits of a position are `stride` numbers apart. A NaN among those that are read is kept.
ARTTL_INLINE float evidence_for(const float* logits, std::int64_t outputs, std::int64_t stride, std::int64_t label,
                                std::int64_t against) {
  const float own = logits[label * stride];
  float rival = against >= 0 ? logits[against * stride] : 0.0f;
  if (against < 0 && outputs > 1) {
    float peak = logits[(label == 0 ? 1 : 0) * stride];
    for (std::int64_t b = 0; b < outputs; ++b) {
      if (b != label) peak = at_least(logits[b * stride], peak);
    }
    float sum = 0.0f;
    for (std::int64_t b = 0; b < outputs; ++b) {
      if (b != label) sum += expf(logits[b * stride] - peak);
    }
    rival = peak + logf(sum);
  }
  return at_least(own - rival, 0.0f);
}

// (value - low) / span, where span is high - low + epsilon, and 0 for the constant map that has no span.
ARTTL_INLINE float normalised(float value, float low, float span) { return span == 0.0f ? 0.0f : (value - low) / span; }

}  // namespace arttl
