#include "cpu/jpeg_header.h"

#include <algorithm>
#include <cstring>

#include "cpu/parallel.h"

namespace arttl {
namespace jpeg {

namespace {

constexpr std::int64_t kLongestSide = 65500;  // libjpeg's JPEG_MAX_DIMENSION

enum Marker : std::uint8_t {
  kBaseline = 0xc0,
  kExtended = 0xc1,
  kHuffmanTables = 0xc4,
  kStartOfImage = 0xd8,
  kStartOfScan = 0xda,
  kQuantisationTables = 0xdb,
  kRestartInterval = 0xdd,
  kApplication0 = 0xe0,
  kApplication14 = 0xee,
  kApplication15 = 0xef,
  kComment = 0xfe,
};

// The bytes of one segment, without its marker and length.
struct Segment {
  const std::uint8_t* at;
  std::size_t left;

  bool has(std::size_t count) const { return left >= count; }
  int byte() {
    --left;
    return *at++;
  }
  int two() {
    const int high = byte();
    return high << 8 | byte();
  }
  bool begins_with(const char* text, std::size_t count) const { return left >= count && !std::memcmp(at, text, count); }
};

bool read_quantisation(Segment body, Header* header) {
  while (body.left) {
    const int head = body.byte(), table = head & 15, bytes = head >> 4 ? 2 : 1;
    if (table >= kTables || !body.has(static_cast<std::size_t>(bytes) * kBlock)) return false;
    for (const auto position : kNaturalOrder) {
      header->quantisation[table][position] = static_cast<std::uint16_t>(bytes == 2 ? body.two() : body.byte());
    }
    header->has_quantisation[table] = true;
  }
  return true;
}

bool read_huffman(Segment body, Header* header) {
  while (body.left) {
    if (!body.has(17)) return false;
    const int head = body.byte(), table = head & 15;
    if (table >= kTables || head >> 4 > 1) return false;
    HuffmanCodes& codes = (head >> 4 ? header->ac : header->dc)[table];
    codes = HuffmanCodes{};
    std::size_t count = 0;
    for (auto& of_length : codes.counts) count += of_length = static_cast<std::uint8_t>(body.byte());
    if (count > codes.symbols.size() || !body.has(count)) return false;
    for (std::size_t i = 0; i < count; ++i) codes.symbols[i] = static_cast<std::uint8_t>(body.byte());
    codes.present = true;
  }
  return true;
}

bool read_frame(Segment body, Header* header) {
  if (header->components || !body.has(6) || body.byte() != 8) return false;
  header->height = body.two();
  header->width = body.two();
  header->components = body.byte();
  if (header->components != 1 && header->components != 3) return false;
  if (!header->height || !header->width || std::max(header->height, header->width) > kLongestSide) return false;
  if (body.left != static_cast<std::size_t>(3 * header->components)) return false;
  for (int i = 0; i < header->components; ++i) {
    Component& component = header->component[i];
    component.id = body.byte();
    const int factors = body.byte();
    component.across = factors >> 4;
    component.down = factors & 15;
    component.quantisation = body.byte();
    if (component.quantisation >= kTables) return false;
    for (int k = 0; k < i; ++k) {
      if (header->component[k].id == component.id) return false;
    }
    const bool valid = component.across >= 1 && component.across <= 4 && component.down >= 1 && component.down <= 4;
    if (!valid || (i && (component.across != 1 || component.down != 1))) return false;
  }
  Component& first = header->component[0];
  if (header->components == 1) first.across = first.down = 1;  // one block per MCU, whatever the factors (A.2.2)
  if (first.across > 2 || first.down > 2) return false;
  header->across = first.across;
  header->down = first.down;
  return true;
}

bool read_scan(Segment body, Header* header) {
  const auto count = static_cast<std::size_t>(header->components);
  if (!count || body.left != 2 * count + 4 || body.byte() != header->components) return false;
  for (int i = 0; i < header->components; ++i) {
    Component& component = header->component[i];
    if (body.byte() != component.id) return false;
    const int tables = body.byte();
    component.dc = tables >> 4;
    component.ac = tables & 15;
    if (component.dc >= kTables || component.ac >= kTables) return false;
    if (!header->dc[component.dc].present || !header->ac[component.ac].present) return false;
    if (!header->has_quantisation[component.quantisation]) return false;
  }
  return body.byte() == 0 && body.byte() == kBlock - 1 && body.byte() == 0;
}

// What a file says of its colours, by libjpeg's rules.
struct Colours {
  bool jfif = false, adobe = false;
  int transform = 0;

  bool read_application(int marker, Segment body) {
    if (marker == kApplication0 && body.has(14) && body.begins_with("JFIF\0", 5)) {
      jfif = true;
      return body.at[5] == 1;  // libjpeg warns of another major version
    }
    if (marker == kApplication14 && body.has(12) && body.begins_with("Adobe", 5)) {
      adobe = true;
      transform = body.at[11];
    }
    return true;
  }

  bool decide(Header* header) const {
    if (header->components == 1) return true;
    const auto& [red, green, blue] = header->component;
    if (jfif) {
      header->rgb = false;
    } else if (adobe) {
      header->rgb = transform == 0;
      return transform <= 1;
    } else {
      header->rgb = red.id == 'R' && green.id == 'G' && blue.id == 'B';
    }
    return true;
  }
};

}  // namespace

bool read_header(const std::uint8_t* data, std::size_t length, Header* header) {
  if (length < 4 || data[0] != 0xff || data[1] != kStartOfImage) return false;
  Colours colours;
  std::size_t at = 2;
  for (;;) {
    if (length - at < 4 || data[at] != 0xff) return false;
    while (data[at + 1] == 0xff) {  // any number of them may precede a marker
      if (length - ++at < 4) return false;
    }
    const int marker = data[at + 1];
    const std::size_t size = static_cast<std::size_t>(data[at + 2]) << 8 | data[at + 3];
    if (size < 2 || length - at - 2 < size) return false;
    const Segment body = {data + at + 4, size - 2};
    at += 2 + size;
    bool valid = true;
    if (marker == kStartOfScan) {
      header->scan = at;
      return read_scan(body, header) && colours.decide(header);
    } else if (marker == kBaseline || marker == kExtended) {
      valid = read_frame(body, header);
    } else if (marker == kHuffmanTables) {
      valid = read_huffman(body, header);
    } else if (marker == kQuantisationTables) {
      valid = read_quantisation(body, header);
    } else if (marker == kRestartInterval) {
      valid = body.left == 2;
      if (valid) header->restart_interval = Segment(body).two();
    } else if (marker >= kApplication0 && marker <= kApplication15) {
      valid = colours.read_application(marker, body);
    } else if (marker != kComment) {
      return false;
    }
    if (!valid) return false;
  }
}

ARTTL_CLONES std::int64_t count_scans(const std::uint8_t* data, std::size_t length) {
  std::int64_t scans = 0;
  constexpr std::size_t kPart = 128;  // of so many bytes the count fits in a byte
  for (std::size_t begin = 0; begin + 1 < length; begin += kPart) {
    std::uint8_t count = 0;
    const std::size_t pairs = std::min(kPart, length - 1 - begin);
    const std::uint8_t* bytes = data + begin;
    for (std::size_t i = 0; i < pairs; ++i) count += (bytes[i] == 0xff) & (bytes[i + 1] == kStartOfScan);
    scans += count;
  }
  return scans;
}

}  // namespace jpeg
}  // namespace arttl
