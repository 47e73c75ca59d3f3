// Lines of samples to lines of red, green and blue: interpolation of the colour components and the change of colours,
// with libjpeg's rounding.
#pragma once

#include <cstddef>
#include <cstdint>

namespace arttl {
namespace jpeg {

// sums = 3 * near + far, of `count` samples.
void mix_lines(const std::uint8_t* near, const std::uint8_t* far, std::ptrdiff_t count, std::uint16_t* sums);

// out = (3 * near + far + bias) / 4.
void interpolate_lines(const std::uint8_t* near, const std::uint8_t* far, std::ptrdiff_t count, int bias,
                       std::uint8_t* out);

// out [2 * count]: each sample twice.
void repeat2(const std::uint8_t* line, std::ptrdiff_t count, std::uint8_t* out);

// out [2 * count] = the triangle filter over samples, or over the sums of mix_lines. line[-1] and line[count] are read.
void triangle2(const std::uint8_t* line, std::ptrdiff_t count, std::uint8_t* out);
void triangle2(const std::uint16_t* sums, std::ptrdiff_t count, std::uint8_t* out);

// out [count, 3] = the colours of YCbCr samples (JFIF 1.02; full range, ITU-R BT.601).
void ycc_to_rgb(const std::uint8_t* y, const std::uint8_t* cb, const std::uint8_t* cr, std::ptrdiff_t count,
                std::uint8_t* out);

// out [count, 3] = three components, or one three times.
void interleave(const std::uint8_t* red, const std::uint8_t* green, const std::uint8_t* blue, std::ptrdiff_t count,
                std::uint8_t* out);

}  // namespace jpeg
}  // namespace arttl
