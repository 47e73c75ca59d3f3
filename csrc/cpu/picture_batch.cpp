#include "cpu/picture_batch.h"

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <stdexcept>

#include "cpu/jpeg_decode.h"
#include "cpu/squares.h"

namespace arttl {
namespace {

constexpr std::int64_t kMemberHeader = 512, kMemberName = 100;  // bytes, of a tar (POSIX ustar)
constexpr std::size_t kKept = std::size_t{32} << 20;            // bytes that a thread keeps between pictures

template <class T>
const T* row(std::uintptr_t array, std::int64_t index, std::int64_t length) {
  return reinterpret_cast<const T*>(array) + index * length;
}

// Memory that grows only, since the new bytes of a vector cost as much as a copy of them.
class Memory {
 public:
  std::uint8_t* of(std::size_t length) {
    if (bytes_.size() < length) bytes_.resize(length);
    return bytes_.data();
  }
  void shrink() {
    if (bytes_.size() > kKept) bytes_ = std::vector<std::uint8_t>();
  }

 private:
  std::vector<std::uint8_t> bytes_;
};

}  // namespace

PictureBatch::PictureBatch(std::vector<std::string> paths, std::vector<std::string> members, const BatchArrays& arrays,
                           const BatchSettings& settings)
    : paths_(std::move(paths)),
      members_(std::move(members)),
      arrays_(arrays),
      settings_(settings),
      count_(static_cast<std::int64_t>(members_.size())) {}

std::int64_t PictureBatch::fill() {
  for (;;) {
    const std::int64_t index = next_.fetch_add(1);
    if (index >= count_) return -1;
    if (!fill_one(index)) return index;
  }
}

// The header and the bytes of a member, if it has its name and is all there.
bool PictureBatch::read(std::int64_t index, std::uint8_t* to) const {
  const std::int64_t* span = row<std::int64_t>(arrays_.span, index, 2);
  const std::string& name = members_[index];
  std::ifstream shard(std::filesystem::u8path(paths_[*row<std::int64_t>(arrays_.shard, index, 1)]), std::ios::binary);
  if (!shard || span[0] < kMemberHeader || static_cast<std::int64_t>(name.size()) > kMemberName) return false;
  shard.seekg(span[0] - kMemberHeader);
  if (!shard.read(reinterpret_cast<char*>(to), kMemberHeader + span[1])) return false;
  std::array<char, kMemberName> padded{};
  std::copy(name.begin(), name.end(), padded.begin());
  return !std::memcmp(to, padded.data(), padded.size());
}

bool PictureBatch::fill_one(std::int64_t index) const {
  thread_local Memory file, pixels;
  thread_local jpeg::Decoder decoder;
  thread_local SquareMaker maker;
  const auto length = static_cast<std::size_t>(row<std::int64_t>(arrays_.span, index, 2)[1]);
  std::uint8_t* const member = file.of(kMemberHeader + length);
  if (!read(index, member)) return false;
  const std::uint8_t* data = member + kMemberHeader;
  if (!decoder.open(data, length)) return false;
  const jpeg::Header& header = decoder.header();
  const std::int32_t* sides = row<std::int32_t>(arrays_.sides, index, 2);
  if (header.height != sides[0] || header.width != sides[1]) return false;
  if (header.height * header.width > settings_.pixels) return false;
  if (jpeg::count_scans(data, length) > settings_.scans) return false;

  Square square = {};
  std::copy_n(row<std::int64_t>(arrays_.part, index, 4), 4, square.part.begin());
  std::copy_n(row<double>(arrays_.start, index, 2), 2, square.start.begin());
  std::copy_n(row<double>(arrays_.step, index, 2), 2, square.step.begin());
  square.filter = static_cast<Filter>(settings_.filter);
  square.flip = *row<bool>(arrays_.flip, index, 1);
  square.color = arrays_.color ? row<float>(arrays_.color, index, 12) : nullptr;
  square.scale = settings_.scale;
  square.shift = settings_.shift;
  square.dtype = settings_.dtype;
  square.size = settings_.size;
  const auto reduction = static_cast<int>(*row<std::int64_t>(arrays_.reduction, index, 1));
  const Part used = maker.plan(square);
  if (used[2] * reduction >= header.height + reduction || used[3] * reduction >= header.width + reduction) {
    throw std::invalid_argument("picture_batch: a square lies outside of its picture");
  }
  const std::int64_t line = 3 * (used[3] - used[1]);
  std::uint8_t* const decoded = pixels.of((used[2] - used[0]) * line);
  const bool done = decoder.decode(reduction, {used[0], used[1], used[2], used[3]}, decoded);
  if (done) {
    const std::int64_t bytes = 3 * square.size * square.size * (settings_.dtype == 0 ? 4 : 2);
    maker.write({decoded, line, used[0], used[1]}, arrays_.output + index * bytes);
  }
  decoder.shrink();
  file.shrink();
  pixels.shrink();
  return done;
}

}  // namespace arttl
