// Parts of JPEGs to pixels: libjpeg-turbo's pixels to the bit, at its scales 1, 1/2, 1/4 and 1/8.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "cpu/jpeg_entropy.h"
#include "cpu/jpeg_header.h"

namespace arttl {
namespace jpeg {

// Of a decoded picture, in its pixels.
struct Region {
  std::int64_t top, left, bottom, right;
};

// The samples of a component in the MCUs that a region needs.
struct Plane {
  std::int64_t side = 0;                       // samples of a block, in each direction
  std::int64_t across = 1, down = 1;           // blocks per MCU
  std::int64_t width = 0, height = 0;          // of the component in samples; what follows is the blocks' padding
  std::int64_t expand_x = 1, expand_y = 1;     // pixels per sample
  std::int64_t first_column = 0, columns = 0;  // MCUs
  std::int64_t first_row = 0, rows = 0;
  std::int64_t line = 0;  // bytes from one line to the next
  std::vector<std::uint8_t> samples;

  // The line of the component; beyond its first and last, those. The samples before first_column are missing in it.
  const std::uint8_t* at(std::int64_t y) const {
    const std::int64_t row = y < 0 ? 0 : y >= height ? height - 1 : y;
    return samples.data() + (row - first_row * down * side) * line;
  }
};

// Decodes pictures one after another, and keeps its memory and tables for the next.
class Decoder {
 public:
  // Reads the header and the structure of a file. Returns false where libjpeg has to decide: for what is decoded
  // elsewhere, and for damage. The data are not needed any more after it.
  bool open(const std::uint8_t* data, std::size_t length);

  const Header& header() const { return header_; }

  // Decodes a region, which is not empty, of the picture at 1/reduction of its size, rounded up; reduction is 1, 2, 4
  // or 8. `out` [bottom - top, right - left, 3] receives red, green and blue. Returns false for damage in what had to
  // be read.
  bool decode(int reduction, const Region& region, std::uint8_t* out);

  // Frees the memory of a large picture.
  void shrink();

 private:
  void plan(int reduction, const Region& region);
  const std::uint8_t* full_line(int component, std::int64_t y, const Region& region, std::uint8_t* out);

  template <class Idct>
  ARTTL_ALWAYS_INLINE bool decode_rows();
  bool decode_rows_plain();
  bool decode_rows_avx2();

  Header header_;
  Scan scan_;
  std::array<HuffmanTable, kTables> dc_, ac_;
  std::array<Plane, 3> planes_;
  std::vector<std::uint16_t> sums_;
  std::array<std::vector<std::uint8_t>, 2> lines_;  // of the colour components at full resolution
  std::vector<std::uint8_t> padded_;
};

}  // namespace jpeg
}  // namespace arttl
