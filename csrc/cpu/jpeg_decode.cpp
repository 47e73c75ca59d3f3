#include "cpu/jpeg_decode.h"

#include <algorithm>
#include <cstring>

#include "cpu/avx2.h"
#include "cpu/jpeg_colour.h"
#include "cpu/jpeg_idct.h"
#include "cpu/parallel.h"

namespace arttl {
namespace jpeg {
namespace {

constexpr std::size_t kKept = std::size_t{32} << 20;  // bytes that a thread keeps between pictures

std::int64_t ceil_of(std::int64_t value, std::int64_t by) { return (value + by - 1) / by; }

// The samples of one block.
template <class Idct>
ARTTL_ALWAYS_INLINE void transform(std::int64_t side, int last, const std::int16_t* block,
                                   const std::uint16_t* quantisation, std::uint8_t* out, std::ptrdiff_t line) {
  if (side == 8 && last == 0) {
    const std::uint64_t samples = 0x0101010101010101u * flat_sample(block[0], quantisation[0]);
    for (int y = 0; y < 8; ++y) std::memcpy(out + y * line, &samples, 8);
  } else if (side == 8) {
    Idct::idct8(block, quantisation, out, line);
  } else if (side == 4) {
    Idct::idct4(block, quantisation, out, line);
  } else if (side == 2) {
    Idct::idct2(block, quantisation, out, line);
  } else {
    *out = Idct::idct1(block[0], quantisation[0]);
  }
}

}  // namespace

bool Decoder::open(const std::uint8_t* data, std::size_t length) {
  header_ = Header();
  if (!read_header(data, length, &header_)) return false;
  for (int i = 0; i < header_.components; ++i) {
    const Component& component = header_.component[i];
    if (!dc_[component.dc].build(header_.dc[component.dc], true)) return false;
    if (!ac_[component.ac].build(header_.ac[component.ac], false)) return false;
  }
  return scan_.read(data + header_.scan, length - header_.scan, header_);
}

void Decoder::plan(int reduction, const Region& region) {
  const std::int64_t side = 8 / reduction;
  for (int i = 0; i < header_.components; ++i) {
    Plane& plane = planes_[i];
    plane.across = i ? 1 : header_.across;
    plane.down = i ? 1 : header_.down;
    // Colour components of fewer samples are reduced less, as far as that brings them to full resolution in both
    // directions (as in libjpeg).
    plane.side = side;
    while (plane.side < 8 && header_.across * side % (plane.across * plane.side * 2) == 0 &&
           header_.down * side % (plane.down * plane.side * 2) == 0) {
      plane.side *= 2;
    }
    plane.width = ceil_of(header_.width * plane.across * plane.side, 8 * header_.across);
    plane.height = ceil_of(header_.height * plane.down * plane.side, 8 * header_.down);
    plane.expand_x = header_.across * side / (plane.across * plane.side);
    plane.expand_y = header_.down * side / (plane.down * plane.side);
    const auto mcus = [](std::int64_t begin, std::int64_t end, std::int64_t expand, std::int64_t length,
                         std::int64_t samples, std::int64_t* first, std::int64_t* count) {
      const std::int64_t margin = expand > 1 ? 1 : 0;  // neighbours that are interpolated from
      const std::int64_t low = std::max<std::int64_t>(begin / expand - margin, 0);
      const std::int64_t high = std::min(ceil_of(end, expand) + margin, length);
      *first = low / samples;
      *count = ceil_of(high, samples) - *first;
    };
    mcus(region.left, region.right, plane.expand_x, plane.width, plane.across * plane.side, &plane.first_column,
         &plane.columns);
    mcus(region.top, region.bottom, plane.expand_y, plane.height, plane.down * plane.side, &plane.first_row,
         &plane.rows);
    plane.line = plane.columns * plane.across * plane.side;
    const auto bytes = static_cast<std::size_t>(plane.rows * plane.down * plane.side * plane.line);
    if (plane.samples.size() < bytes) plane.samples.resize(bytes);  // only grown: what is new is cleared first
  }
}

template <class Idct>
ARTTL_ALWAYS_INLINE bool Decoder::decode_rows() {
  const std::int64_t across = header_.mcus_across(), total = across * header_.mcus_down();
  std::int64_t first_row = planes_[0].first_row, end_row = 0;
  for (int i = 0; i < header_.components; ++i) {
    first_row = std::min(first_row, planes_[i].first_row);
    end_row = std::max(end_row, planes_[i].first_row + planes_[i].rows);
  }
  const std::int64_t interval = header_.restart_interval ? header_.restart_interval : total;
  const std::int64_t end = end_row * across;
  alignas(32) std::int16_t block[kBlock] = {};
  Bits bits;
  for (std::int64_t segment = first_row * across / interval; segment * interval < end; ++segment) {
    bits.start(scan_, scan_.segments[segment]);
    std::uint32_t predictors[3] = {};
    const std::int64_t segment_end = std::min((segment + 1) * interval, total);
    std::int64_t mcu = segment * interval, row = mcu / across, column = mcu % across;
    for (; mcu < std::min(segment_end, end); ++mcu) {
      for (int i = 0; i < header_.components; ++i) {
        const Component& component = header_.component[i];
        const HuffmanTable &dc = dc_[component.dc], &ac = ac_[component.ac];
        Plane& plane = planes_[i];
        const std::int64_t x = column - plane.first_column, y = row - plane.first_row, side = plane.side;
        if (x < 0 || x >= plane.columns || y < 0 || y >= plane.rows) {
          for (std::int64_t k = 0; k < plane.across * plane.down; ++k) {
            if (decode_block<false>(&bits, dc, ac, &predictors[i], block) < 0) return false;
          }
          continue;
        }
        const auto& quantisation = header_.quantisation[component.quantisation];
        for (std::int64_t v = 0; v < plane.down; ++v) {
          std::uint8_t* out = plane.samples.data() + (y * plane.down + v) * side * plane.line;
          for (std::int64_t h = 0; h < plane.across; ++h) {
            const int last = side == 1 ? decode_block<false>(&bits, dc, ac, &predictors[i], block)
                                       : decode_block<true>(&bits, dc, ac, &predictors[i], block);
            if (last < 0) return false;
            block[0] = static_cast<std::int16_t>(predictors[i]);
            transform<Idct>(side, last, block, quantisation.data(), out + (x * plane.across + h) * side, plane.line);
            if (last > 0) Idct::clear(block);
          }
        }
      }
      if (++column == across) {
        column = 0;
        ++row;
      }
    }
    if (mcu == segment_end && !bits.finished()) return false;
  }
  return true;
}

bool Decoder::decode_rows_plain() { return decode_rows<PlainIdct>(); }

#if defined(ARTTL_AVX2)
ARTTL_AVX2 bool Decoder::decode_rows_avx2() { return decode_rows<Avx2Idct>(); }
#else
bool Decoder::decode_rows_avx2() { return decode_rows<PlainIdct>(); }
#endif

// A line of a component at full resolution, from region.left on; in `out`, where it is not in the plane as it is.
const std::uint8_t* Decoder::full_line(int component, std::int64_t y, const Region& region, std::uint8_t* out) {
  const Plane& plane = planes_[component];
  // Columns are counted from the plane's first one.
  const std::int64_t origin = plane.first_column * plane.across * plane.side, width = plane.width - origin;
  if (plane.expand_x == 1 && plane.expand_y == 1) return plane.at(y) + region.left - origin;
  const std::int64_t row = y / plane.expand_y;
  const std::uint8_t* near = plane.at(row);
  const bool between = planes_[0].side > 1 && (plane.expand_x == 1 || plane.width > 2);
  const bool two_lines = between && plane.expand_y == 2;
  const std::uint8_t* far = two_lines ? plane.at(y % 2 ? row + 1 : row - 1) : near;
  if (plane.expand_x == 1) {
    const std::int64_t left = region.left - origin;
    if (!two_lines) return near + left;
    interpolate_lines(near + left, far + left, region.right - region.left, y % 2 ? 2 : 1, out);
    return out;
  }
  const std::int64_t begin = region.left / 2 - origin, end = (region.right + 1) / 2 - origin, count = end - begin;
  if (!between) {
    repeat2(near + begin, count, out);
  } else {
    // With the neighbours; beyond the first and last sample, those. The plane begins at the first sample or before the
    // neighbour.
    const std::int64_t low = std::max<std::int64_t>(begin - 1, 0), high = std::min(end + 1, width);
    if (two_lines) {
      std::uint16_t* sums = sums_.data() + 1;
      mix_lines(near + low, far + low, high - low, sums + (low - begin));
      if (low == begin) sums[-1] = sums[0];
      if (high == end) sums[count] = sums[count - 1];
      triangle2(sums, count, out);
    } else {
      std::uint8_t* line = padded_.data() + 1;
      std::copy(near + low, near + high, line + (low - begin));
      if (low == begin) line[-1] = line[0];
      if (high == end) line[count] = line[count - 1];
      triangle2(line, count, out);
    }
  }
  return out + region.left % 2;
}

bool Decoder::decode(int reduction, const Region& region, std::uint8_t* out) {
  plan(reduction, region);
  if (!(has_avx2() ? decode_rows_avx2() : decode_rows_plain())) return false;
  const std::int64_t count = region.right - region.left;
  sums_.resize(count + 8);
  padded_.resize(count + 8);
  for (auto& line : lines_) line.resize(count + 8);
  for (std::int64_t y = region.top; y < region.bottom; ++y, out += 3 * count) {
    const std::uint8_t* first = full_line(0, y, region, nullptr);
    if (header_.components == 1) {
      interleave(first, first, first, count, out);
      continue;
    }
    const std::uint8_t* second = full_line(1, y, region, lines_[0].data());
    const std::uint8_t* third = full_line(2, y, region, lines_[1].data());
    (header_.rgb ? interleave : ycc_to_rgb)(first, second, third, count, out);
  }
  return true;
}

void Decoder::shrink() {
  std::size_t bytes = scan_.bytes.size();
  for (const auto& plane : planes_) bytes += plane.samples.size();
  if (bytes <= kKept) return;
  scan_.bytes = std::vector<std::uint8_t>();
  for (auto& plane : planes_) plane.samples = std::vector<std::uint8_t>();
}

}  // namespace jpeg
}  // namespace arttl
