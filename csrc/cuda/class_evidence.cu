#include "arithmetic.h"
#include "cuda/launch.cuh"
#include "kernels.h"

namespace arttl {
namespace {

constexpr int kThreads = 128;

// A thread per position of a map, whose logits neighbouring threads read side by side.
__global__ void class_evidence(const float* logits, const std::int64_t* classes, const std::int64_t* against,
                               float* output, std::int64_t images, std::int64_t outputs, std::int64_t pixels) {
  const std::int64_t pixel = static_cast<std::int64_t>(blockIdx.x) * kThreads + threadIdx.x;
  if (pixel >= pixels) return;
  for (std::int64_t image = blockIdx.y; image < images; image += gridDim.y) {
    output[image * pixels + pixel] = evidence_for(logits + image * outputs * pixels + pixel, outputs, pixels,
                                                  classes[image], against == nullptr ? -1 : against[image]);
  }
}

}  // namespace

void class_evidence_cuda(std::uintptr_t logits, std::uintptr_t classes, std::uintptr_t against, std::uintptr_t output,
                         std::int64_t images, std::int64_t outputs, std::int64_t pixels, int device,
                         std::uintptr_t stream) {
  if (images == 0 || pixels == 0) return;
  const DeviceGuard guard(device);
  const Shape shape = {dim3(blocks_for(pixels, kThreads), rows_for(images)), kThreads};
  launch("class_evidence", &class_evidence, shape, stream_of(stream), reinterpret_cast<const float*>(logits),
         reinterpret_cast<const std::int64_t*>(classes), reinterpret_cast<const std::int64_t*>(against),
         reinterpret_cast<float*>(output), images, outputs, pixels);
}

}  // namespace arttl
