#include "arithmetic.h"
#include "cpu/parallel.h"
#include "kernels.h"

namespace arttl {

void class_evidence_cpu(std::uintptr_t logits, std::uintptr_t classes, std::uintptr_t against, std::uintptr_t output,
                        std::int64_t images, std::int64_t outputs, std::int64_t pixels, int threads) {
  const auto* all_logits = reinterpret_cast<const float*>(logits);
  const auto* labels = reinterpret_cast<const std::int64_t*>(classes);
  const auto* rivals = reinterpret_cast<const std::int64_t*>(against);
  auto* result = reinterpret_cast<float*>(output);
  // An exponential takes as long as some thirty bytes of a sum.
  parallel_for(images, useful_threads(threads, images * outputs * pixels * 32), [&](std::int64_t image) {
    const float* first = all_logits + image * outputs * pixels;
    for (std::int64_t pixel = 0; pixel < pixels; ++pixel) {
      result[image * pixels + pixel] =
          evidence_for(first + pixel, outputs, pixels, labels[image], rivals == nullptr ? -1 : rivals[image]);
    }
  });
}

}  // namespace arttl
