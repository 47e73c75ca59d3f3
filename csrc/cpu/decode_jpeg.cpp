#include "cpu/jpeg_decode.h"
#include "kernels.h"

namespace arttl {

bool decode_jpeg_cpu(std::uintptr_t data, std::int64_t length, const std::array<std::int64_t, 2>& size, int reduction,
                     const Part& part, std::uintptr_t pixels) {
  thread_local jpeg::Decoder decoder;
  if (!decoder.open(reinterpret_cast<const std::uint8_t*>(data), static_cast<std::size_t>(length))) return false;
  if (decoder.header().height != size[0] || decoder.header().width != size[1]) return false;
  const jpeg::Region region = {part[0], part[1], part[2], part[3]};
  const bool decoded = decoder.decode(reduction, region, reinterpret_cast<std::uint8_t*>(pixels));
  decoder.shrink();
  return decoded;
}

}  // namespace arttl
