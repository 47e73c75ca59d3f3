// The header of the JPEGs that arttl decodes itself (ITU-T T.81, annex B): baseline or extended sequential Huffman
// coding, 8 bits, grey, YCbCr or RGB, one scan of all components.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace arttl {
namespace jpeg {

constexpr int kBlock = 64;  // coefficients of a block
constexpr int kTables = 4;

// From the order of a file, along diagonals, to rows of a block (T.81, figure A.6).
inline constexpr std::array<std::uint8_t, kBlock> kNaturalOrder = {
    0,  1,  8,  16, 9,  2,  3,  10, 17, 24, 32, 25, 18, 11, 4,  5,  12, 19, 26, 33, 40, 48,
    41, 34, 27, 20, 13, 6,  7,  14, 21, 28, 35, 42, 49, 56, 57, 50, 43, 36, 29, 22, 15, 23,
    30, 37, 44, 51, 58, 59, 52, 45, 38, 31, 39, 46, 53, 60, 61, 54, 47, 55, 62, 63};

// Huffman codes as a file gives them (T.81, B.2.4.2). Equal specifications give equal tables.
struct HuffmanCodes {
  bool present = false;
  std::array<std::uint8_t, 16> counts{};  // of the codes of 1 to 16 bits
  std::array<std::uint8_t, 256> symbols{};
};

struct Component {
  int id = 0, across = 1, down = 1;  // blocks per MCU in each direction
  int quantisation = 0, dc = 0, ac = 0;
};

struct Header {
  std::int64_t width = 0, height = 0;  // in pixels
  int components = 0;                  // 1 or 3
  bool rgb = false;                    // no change of colours is needed
  int across = 1, down = 1;            // blocks per MCU of the first component, 1 or 2; of the others 1
  std::int64_t restart_interval = 0;   // in MCUs; 0: none
  std::array<Component, 3> component;
  std::array<std::array<std::uint16_t, kBlock>, kTables> quantisation{};  // in rows of a block
  std::array<bool, kTables> has_quantisation{};
  std::array<HuffmanCodes, kTables> dc, ac;
  std::size_t scan = 0;  // where the entropy-coded data begin

  std::int64_t mcus_across() const { return (width + 8 * across - 1) / (8 * across); }
  std::int64_t mcus_down() const { return (height + 8 * down - 1) / (8 * down); }
};

// Whether the header was read and is of such a JPEG. It is not where libjpeg would refuse the file, or decode it with
// a warning. No byte beyond the length is read.
bool read_header(const std::uint8_t* data, std::size_t length, Header* header);

// How often the marker of a scan's begin occurs in a file, in whatever part of it.
std::int64_t count_scans(const std::uint8_t* data, std::size_t length);

}  // namespace jpeg
}  // namespace arttl
