#include "backproject.h"

#include "cpu/parallel.h"

namespace arttl {

void backproject_cpu(const std::vector<std::uintptr_t>& means, const std::vector<int>& steps, const Pair& deep_size,
                     std::uintptr_t workspace, std::uintptr_t output, std::int64_t images, int threads) {
  const std::int64_t pixels = pixels_of(last_size(steps));
  const auto backproject_images = [&](std::uintptr_t space, std::int64_t first, std::int64_t count, int share) {
    backproject(
        means, steps, deep_size, space, output + first * pixels * sizeof(float), first, count,
        [share](auto... arguments) { upsample_multiply_cpu(arguments..., share); },
        [share](auto... arguments) { minmax_normalise_cpu(arguments..., 0.0f, share); });
  };
  if (images < threads) return backproject_images(workspace, 0, images, threads);
  // Each thread processes whole images, whose maps then stay in its own cache from one step to the next.
  threads = useful_threads(threads, images * pixels * 16);
  parallel_for(threads, threads, [&](std::int64_t thread) {
    const std::uintptr_t space = workspace + thread * workspace_of(1, pixels) * sizeof(float);
    for (std::int64_t image = thread * images / threads; image < (thread + 1) * images / threads; ++image) {
      backproject_images(space, image, 1, 1);
    }
  });
}

}  // namespace arttl
