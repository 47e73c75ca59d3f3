// Huffman decoding of blocks (ITU-T T.81, annex F.2.2), for speed: the data are copied once without their stuffed
// zeroes and markers, so that bits are refilled eight bytes at a time without a branch, and one look-up gives the runs
// of zeroes, the values and the length of up to two short codes with their value bits.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "cpu/jpeg_header.h"
#include "cpu/parallel.h"

namespace arttl {
namespace jpeg {

constexpr int kLookup = 11;  // bits that index a table

// How many positions a block advances by a code, with two more meanings: the block ends; or code and value do not both
// fit in the index, which is kLong more than the advance, or kLong alone where not even the code fits.
constexpr std::uint32_t kEndOfBlock = 64, kLong = 128;

// What the bits of an index begin with.
struct Entry {
  std::uint8_t length;   // bits of everything
  std::uint8_t first;    // bits of the first code and its value; of the code alone, where it is a long one
  std::uint8_t advance;  // by the first code
  std::uint8_t further;  // by the second one, which is never a long one; 0: there is none, its value is the first again
  std::int16_t value;    // of the first code; its size in bits, where it is a long one
  std::int16_t second;
};

struct HuffmanTable {
  HuffmanCodes codes;
  std::array<Entry, 1 << kLookup> entries;
  std::array<std::uint32_t, 18> past;    // of each length: one more than its last code, as 16 bits
  std::array<std::uint32_t, 17> offset;  // from a code to its symbol, modulo 2^32

  // Returns false for codes that are none. Costs nothing where the codes are those of the last call.
  bool build(const HuffmanCodes& from, bool of_dc);
};

// The entropy-coded bytes of a scan without stuffing, one segment per restart interval.
struct Scan {
  struct Segment {
    std::size_t begin, end;
  };

  std::vector<std::uint8_t> bytes;  // zeroes follow the last segment
  std::vector<Segment> segments;

  // Returns false unless the scan has exactly the segments that the header implies and is followed by the end of the
  // image.
  bool read(const std::uint8_t* data, std::size_t length, const Header& header);
};

// A block of damaged data takes up to 8 * 64 more bytes than there are before it is noticed.
constexpr std::size_t kPadding = 1024;

// Bits of a segment, the next ones on top.
struct Bits {
  std::uint64_t buffer = 0;
  std::int64_t count = 0;  // how many of the buffer are known to be valid
  const std::uint8_t* next = nullptr;
  const std::uint8_t* end = nullptr;

  void start(const Scan& scan, const Scan::Segment& segment) {
    *this = {0, 0, scan.bytes.data() + segment.begin, scan.bytes.data() + segment.end};
  }

  ARTTL_ALWAYS_INLINE void refill() {  // to at least 56 bits
    std::uint64_t bytes = 0;
    for (int i = 0; i < 8; ++i) bytes = bytes << 8 | next[i];
    buffer |= bytes >> count;
    next += (63 - count) >> 3;
    count |= 56;
  }
  ARTTL_ALWAYS_INLINE std::uint32_t top(int bits) const { return static_cast<std::uint32_t>(buffer >> (64 - bits)); }
  ARTTL_ALWAYS_INLINE void drop(std::uint32_t bits) {
    buffer <<= bits;
    count -= bits;
  }

  bool exceeded() const { return (next - end) * 8 > count; }
  // Whether nothing but the bits that fill the last byte is left.
  bool finished() const { return (next - end) * 8 <= count && count < (next - end + 1) * 8; }
};

// Figure F.12 of T.81.
ARTTL_ALWAYS_INLINE int extended(int value, int bits) {
  const int negative = (value >> (bits - 1)) - 1;  // all ones or none
  return value + (negative & (1 - (1 << bits)));
}

// The number of bits, 1 to 16, of the code at the top of 16 bits, with its symbol; 0 for a code that is none.
std::uint32_t find_code(const HuffmanTable& table, std::uint32_t bits, std::uint32_t* symbol);

// Takes a value of 1 to 15 bits.
ARTTL_ALWAYS_INLINE int take_value(Bits* bits, int size) {
  const int value = extended(static_cast<int>(bits->top(size)), size);
  bits->drop(static_cast<std::uint32_t>(size));
  return value;
}

// Decodes a block whose coefficients are all zero before; returns the last position that was written, in the order of
// the file, or -1 for damaged data. Without kKeep only `predictor` is updated.
template <bool kKeep>
ARTTL_ALWAYS_INLINE int decode_block(Bits* state, const HuffmanTable& dc, const HuffmanTable& ac,
                                     std::uint32_t* predictor, std::int16_t* block) {
  Bits bits = *state;  // in registers: its address is given to nobody
  bits.refill();
  const Entry start = dc.entries[bits.top(kLookup)];
  int difference = start.value;
  bits.drop(start.first);
  if (start.advance >= kLong) {
    auto size = static_cast<std::uint32_t>(start.value);
    if (start.advance == kLong) {
      const std::uint32_t length = find_code(dc, bits.top(16), &size);
      if (!length) return -1;
      bits.drop(length);
    }
    difference = size ? take_value(&bits, static_cast<int>(size)) : 0;
  }
  *predictor += static_cast<std::uint32_t>(difference);
  if (kKeep) block[0] = static_cast<std::int16_t>(*predictor);
  std::uint32_t position = 0;
  for (;;) {
    bits.refill();  // enough for a look-up of short codes and a code of any length
    for (int step = 0; step < 2; ++step) {
      const Entry entry = ac.entries[bits.top(kLookup)];
      position += entry.advance;
      const std::uint32_t end = position + entry.further;
      if (end < kBlock - 1) {
        if (kKeep) {
          block[kNaturalOrder[position]] = entry.value;
          block[kNaturalOrder[end]] = entry.second;
        }
        position = end;
        bits.drop(entry.length);
        continue;
      }
      if (entry.advance == kEndOfBlock) {
        position -= kEndOfBlock;
        bits.drop(entry.first);
      } else if (entry.advance < kLong) {
        if (position >= kBlock) return -1;
        if (kKeep) block[kNaturalOrder[position]] = entry.value;
        if (position == kBlock - 1) {
          bits.drop(entry.first);
        } else {
          if (entry.further != kEndOfBlock) {
            position = end;
            if (position >= kBlock) return -1;
            if (kKeep) block[kNaturalOrder[position]] = entry.second;
          }
          bits.drop(entry.length);
        }
      } else {
        position -= kLong;
        bits.drop(entry.first);
        auto size = static_cast<std::uint32_t>(entry.value);
        bool ended = false;
        if (entry.advance == kLong) {
          std::uint32_t symbol = 0;
          const std::uint32_t length = find_code(ac, bits.top(16), &symbol);
          if (!length) return -1;
          bits.drop(length);
          size = symbol & 15;
          ended = !size && symbol != 0xf0;
          if (!ended) position += (symbol >> 4) + 1;
        }
        if (position >= kBlock) return -1;
        if (size) {
          const int value = take_value(&bits, static_cast<int>(size));
          if (kKeep) block[kNaturalOrder[position]] = static_cast<std::int16_t>(value);
        }
        if (!ended && position < kBlock - 1) break;
      }
      if (bits.exceeded()) return -1;
      *state = bits;
      return static_cast<int>(position);
    }
  }
}

}  // namespace jpeg
}  // namespace arttl
