#include "cpu/jpeg_entropy.h"

#include <algorithm>
#include <cstring>

namespace arttl {
namespace jpeg {
namespace {

constexpr std::uint8_t kRestart = 0xd0, kEndOfImage = 0xd9;

// What the bits of an index that begin with a code stand for, of this code alone.
Entry single(std::uint32_t index, int length, int symbol, bool of_dc) {
  const int size = of_dc ? symbol : symbol & 15, run = of_dc ? 0 : symbol >> 4;
  Entry entry = {};
  entry.length = entry.first = static_cast<std::uint8_t>(length);
  entry.advance = static_cast<std::uint8_t>(run + 1);
  if (!of_dc && size == 0 && run != 15) {
    entry.advance = kEndOfBlock;
  } else if (length + size > kLookup) {
    entry.advance = static_cast<std::uint8_t>(kLong + entry.advance);
    entry.value = static_cast<std::int16_t>(size);
  } else if (size) {
    const int bits = static_cast<int>(index >> (kLookup - length - size)) & ((1 << size) - 1);
    entry.length = entry.first = static_cast<std::uint8_t>(length + size);
    entry.value = static_cast<std::int16_t>(extended(bits, size));
  }  // else a difference of zero, or sixteen zeroes
  entry.second = entry.value;
  return entry;
}

// Add to each entry the code that follows it, where that fits in the index. The second of an entry is the first of
// another, whose own second is not looked at, so that the order does not matter.
void pair_up(std::array<Entry, 1 << kLookup>* entries) {
  for (std::uint32_t index = 0; index < entries->size(); ++index) {
    Entry& entry = (*entries)[index];
    if (entry.advance >= kEndOfBlock) continue;
    const Entry& next = (*entries)[index << entry.first & (entries->size() - 1)];
    if (next.advance >= kLong || entry.first + next.first > kLookup) continue;
    entry.length = static_cast<std::uint8_t>(entry.first + next.first);
    entry.further = next.advance;
    entry.second = next.value;
  }
}

}  // namespace

bool HuffmanTable::build(const HuffmanCodes& from, bool of_dc) {
  if (codes.present && codes.counts == from.counts && codes.symbols == from.symbols) return true;
  codes.present = false;
  entries.fill(Entry{0, 0, kLong, 0, 0, 0});
  std::uint32_t code = 0, index = 0;
  for (int length = 1; length <= 16; ++length) {
    offset[length] = index - code;
    for (int i = 0; i < from.counts[length - 1]; ++i, ++index, ++code) {
      const int symbol = from.symbols[index];
      if (of_dc && symbol > 15) return false;
      if (length > kLookup) continue;
      const std::uint32_t begin = code << (kLookup - length), end = (code + 1) << (kLookup - length);
      if (end > entries.size()) return false;
      for (std::uint32_t entry = begin; entry < end; ++entry) entries[entry] = single(entry, length, symbol, of_dc);
    }
    if (code >= 1u << length) return false;  // no code is all ones (T.81, C.2)
    past[length] = code << (16 - length);
    code <<= 1;
  }
  past[17] = 1 << 16;
  if (!of_dc) pair_up(&entries);
  codes = from;
  return true;
}

std::uint32_t find_code(const HuffmanTable& table, std::uint32_t bits, std::uint32_t* symbol) {
  std::uint32_t length = kLookup + 1;
  while (bits >= table.past[length]) ++length;
  if (length > 16) return 0;
  *symbol = table.codes.symbols[(bits >> (16 - length)) + table.offset[length]];
  return length;
}

bool Scan::read(const std::uint8_t* data, std::size_t length, const Header& header) {
  segments.clear();
  const std::int64_t mcus = header.mcus_across() * header.mcus_down(), interval = header.restart_interval;
  const std::int64_t expected = interval ? (mcus + interval - 1) / interval : 1;
  if (bytes.size() < length + kPadding) bytes.resize(length + kPadding);
  const std::uint8_t *at = data, *const end = data + length;
  std::uint8_t* to = bytes.data();
  std::size_t begin = 0;
  for (;;) {
    const auto* mark = static_cast<const std::uint8_t*>(std::memchr(at, 0xff, end - at));
    if (!mark || end - mark < 2) return false;
    std::memcpy(to, at, mark - at);
    to += mark - at;
    at = mark + 2;
    if (mark[1] == 0) {
      *to++ = 0xff;
      continue;
    }
    const auto stop = static_cast<std::size_t>(to - bytes.data());
    segments.push_back({begin, stop});
    begin = stop;
    const auto count = static_cast<std::int64_t>(segments.size());
    if (mark[1] == kEndOfImage) {
      std::memset(to, 0, kPadding);
      return count == expected;
    }
    if (count >= expected || mark[1] != kRestart + (count - 1) % 8) return false;
  }
}

}  // namespace jpeg
}  // namespace arttl
