#include "backproject.h"

namespace arttl {

void backproject_cuda(const std::vector<std::uintptr_t>& means, const std::vector<int>& steps, const Pair& deep_size,
                      std::uintptr_t workspace, std::uintptr_t output, std::int64_t images, int device,
                      std::uintptr_t stream) {
  backproject(
      means, steps, deep_size, workspace, output, 0, images,
      [=](auto... arguments) { upsample_multiply_cuda(arguments..., device, stream); },
      [=](auto... arguments) { minmax_normalise_cuda(arguments..., 0.0f, device, stream); });
}

}  // namespace arttl
