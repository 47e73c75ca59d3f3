#include <algorithm>
#include <cstdlib>
#include <cstring>

#include "kernels.h"

// Rows of samples out of compressed files: TIFF 6.0, sections 13 (LZW) and 14 (differences), and the filters of PNG
// (third edition, clause 9).

namespace arttl {
namespace {

constexpr int kClear = 256, kEnd = 257, kFirst = 258, kMostCodes = 4096;

// The strings of LZW as parts of what has been decoded: each is the previous one and the byte behind it.
struct Strings {
  std::uint32_t start[kMostCodes];
  std::uint32_t length[kMostCodes];
};

// The differences to the pixel before, in rows of `count` samples.
template <typename Sample, int kSamples>
void sum_up(Sample* row, std::int64_t count) {
  Sample pixel[kSamples] = {};
  for (std::int64_t i = 0; i < count; i += kSamples) {
    for (int c = 0; c < kSamples; ++c) row[i + c] = pixel[c] = static_cast<Sample>(pixel[c] + row[i + c]);
  }
}

template <typename Sample>
void sum_up_rows(Sample* samples, std::int64_t rows, std::int64_t count, int pixel) {
  for (std::int64_t y = 0; y < rows; ++y) {
    Sample* row = samples + y * count;
    switch (pixel) {
      case 1:
        sum_up<Sample, 1>(row, count);
        break;
      case 2:
        sum_up<Sample, 2>(row, count);
        break;
      case 3:
        sum_up<Sample, 3>(row, count);
        break;
      default:
        sum_up<Sample, 4>(row, count);
    }
  }
}

inline std::uint8_t paeth(int left, int above, int corner) {
  const int to_left = std::abs(above - corner), to_above = std::abs(left - corner);
  const int to_corner = std::abs(left + above - 2 * corner);
  const int nearer = to_above < to_left ? above : left;
  return static_cast<std::uint8_t>(to_corner < std::min(to_left, to_above) ? corner : nearer);
}

// One row; `above` is the row before, or null. Bytes before the first pixel count as zero.
template <int kPixel>
bool unfilter(int filter, std::uint8_t* row, const std::uint8_t* above, std::int64_t count) {
  switch (filter) {
    case 0:
      return true;
    case 1:
      for (std::int64_t i = kPixel; i < count; ++i) row[i] = static_cast<std::uint8_t>(row[i] + row[i - kPixel]);
      return true;
    case 2:
      for (std::int64_t i = 0; above && i < count; ++i) row[i] = static_cast<std::uint8_t>(row[i] + above[i]);
      return true;
    case 3: {
      std::uint8_t left[kPixel] = {};
      for (std::int64_t i = 0; i < count; i += kPixel) {
        for (int c = 0; c < kPixel; ++c) {
          const int mean = (left[c] + (above ? above[i + c] : 0)) / 2;
          row[i + c] = left[c] = static_cast<std::uint8_t>(row[i + c] + mean);
        }
      }
      return true;
    }
    case 4: {
      std::uint8_t left[kPixel] = {}, corner[kPixel] = {};
      for (std::int64_t i = 0; i < count; i += kPixel) {
        for (int c = 0; c < kPixel; ++c) {
          const std::uint8_t up = above ? above[i + c] : std::uint8_t{0};
          row[i + c] = left[c] = static_cast<std::uint8_t>(row[i + c] + paeth(left[c], up, corner[c]));
          corner[c] = up;
        }
      }
      return true;
    }
    default:
      return false;
  }
}

template <int kPixel>
bool unfilter_rows(std::uint8_t* rows, std::int64_t height, std::int64_t count, const std::uint8_t* above) {
  for (std::int64_t y = 0; y < height; ++y) {
    std::uint8_t* row = rows + y * (count + 1) + 1;
    if (!unfilter<kPixel>(row[-1], row, above, count)) return false;
    above = row;
  }
  return true;
}

}  // namespace

bool decode_lzw_cpu(std::uintptr_t data, std::int64_t length, std::uintptr_t output, std::int64_t size) {
  const auto* in = reinterpret_cast<const std::uint8_t*>(data);
  const std::uint8_t* const in_end = in + length;
  auto* const out = reinterpret_cast<std::uint8_t*>(output);
  thread_local Strings strings;
  std::uint64_t bits = 0;
  int available = 0, width = 9, next = kFirst;
  std::int64_t at = 0, previous = 0, previous_length = 0;  // no previous string: of length 0
  while (at < size) {
    while (available <= 48 && in != in_end) {
      bits = bits << 8 | *in++;
      available += 8;
    }
    if (available < width) return false;
    available -= width;
    const int code = static_cast<int>(bits >> available & ((1u << width) - 1));
    if (code == kClear) {
      width = 9;
      next = kFirst;
      previous_length = 0;
      continue;
    }
    if (code == kEnd) return false;
    if (previous_length) {
      if (next == kMostCodes) return false;
      strings.start[next] = static_cast<std::uint32_t>(previous);
      strings.length[next] = static_cast<std::uint32_t>(previous_length + 1);
      ++next;
      if (next + 1 == 1 << width && width < 12) ++width;
    }
    std::int64_t count = 1;
    if (code < kClear) {
      out[at] = static_cast<std::uint8_t>(code);
    } else {
      if (code >= next || !previous_length) return false;
      const std::int64_t start = strings.start[code];
      count = std::min<std::int64_t>(strings.length[code], size - at);
      if (start + count > at || at + count + 8 > size) {
        for (std::int64_t i = 0; i < count; ++i) out[at + i] = out[start + i];
      } else {
        for (std::int64_t i = 0; i < count; i += 8) {
          std::uint64_t eight;  // may end behind the string; what follows overwrites that
          std::memcpy(&eight, out + start + i, 8);
          std::memcpy(out + at + i, &eight, 8);
        }
      }
    }
    previous = at;
    previous_length = count;
    at += count;
  }
  return true;
}

void sum_differences_cpu(std::uintptr_t samples, std::int64_t rows, std::int64_t count, int pixel, int bytes) {
  if (bytes == 1) {
    sum_up_rows(reinterpret_cast<std::uint8_t*>(samples), rows, count, pixel);
  } else {
    sum_up_rows(reinterpret_cast<std::uint16_t*>(samples), rows, count, pixel);
  }
}

bool unfilter_png_cpu(std::uintptr_t rows, std::int64_t height, std::int64_t count, int pixel, std::uintptr_t above) {
  auto* first = reinterpret_cast<std::uint8_t*>(rows);
  const auto* before = reinterpret_cast<const std::uint8_t*>(above);
  switch (pixel) {
    case 1:
      return unfilter_rows<1>(first, height, count, before);
    case 2:
      return unfilter_rows<2>(first, height, count, before);
    case 3:
      return unfilter_rows<3>(first, height, count, before);
    case 4:
      return unfilter_rows<4>(first, height, count, before);
    case 6:
      return unfilter_rows<6>(first, height, count, before);
    case 8:
      return unfilter_rows<8>(first, height, count, before);
    default:
      return false;
  }
}

}  // namespace arttl
