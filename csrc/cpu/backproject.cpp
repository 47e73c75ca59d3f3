#include "cpu/parallel.h"
#include "kernels.h"
#include "steps.h"

namespace arttl {
namespace {

// Backprojects images [first, first + images) to the start of `output`. The running map alternates between the
// workspace and the output, so that it ends in the workspace and the normalisation writes the output.
void backproject(const std::vector<std::uintptr_t>& means, const std::vector<Step>& steps, Pair deep_size,
                 std::optional<float> epsilon, std::uintptr_t workspace, std::uintptr_t output, std::int64_t first,
                 std::int64_t images, int threads) {
  const auto offset = [](std::uintptr_t array, std::int64_t floats) { return array + floats * sizeof(float); };
  const std::int64_t pixels = pixels_of(steps.back().size);
  const std::uintptr_t peaks[] = {offset(workspace, images * pixels), offset(workspace, images * (pixels + 1))};
  const std::uintptr_t range = offset(workspace, images * (pixels + 2));
  const auto mean_of = [&](std::size_t level, const Pair& size, std::uintptr_t normalised) {
    const std::uintptr_t mean = offset(means[level], first * pixels_of(size));
    if (!epsilon) return mean;
    minmax_normalise_cpu(mean, normalised, range, images, pixels_of(size), *epsilon, threads);
    return normalised;
  };
  const auto running = [&](std::size_t left) { return left % 2 ? workspace : output; };
  std::size_t level = means.size() - 1, left = steps.size();
  std::uintptr_t deep = mean_of(level, deep_size, running(left + 1)), deep_peak = 0;
  for (const Step& step : steps) {
    const std::uintptr_t factor =
        step.multiplies ? mean_of(--level, step.size, offset(workspace, images * (pixels + 4))) : 0;
    const std::uintptr_t out = running(left), peak = peaks[left % 2];
    upsample_multiply_cpu(deep, deep_peak, factor, out, peak, images, deep_size, step.size, step.kernel, step.stride,
                          step.padding, step.averages, threads);
    deep = out;
    deep_peak = peak;
    deep_size = step.size;
    --left;
  }
  minmax_normalise_cpu(deep, output, range, images, pixels, 0.0f, threads);
}

}  // namespace

void backproject_cpu(const std::vector<std::uintptr_t>& means, const std::vector<int>& steps, const Pair& deep_size,
                     std::optional<float> epsilon, std::uintptr_t workspace, std::uintptr_t output, std::int64_t images,
                     int threads) {
  const std::vector<Step> all_steps = steps_of(steps);
  const std::int64_t pixels = pixels_of(all_steps.back().size);
  const auto backproject_images = [&](std::uintptr_t space, std::int64_t first, std::int64_t count, int share) {
    backproject(means, all_steps, deep_size, epsilon, space, output + first * pixels * sizeof(float), first, count,
                share);
  };
  if (images < threads) return backproject_images(workspace, 0, images, threads);
  // Each thread processes whole images, whose maps then stay in its own cache from one step to the next.
  threads = useful_threads(threads, images * pixels * 16);
  parallel_for(threads, threads, [&](std::int64_t thread) {
    const std::uintptr_t space = workspace + thread * (pixels * (epsilon ? 2 : 1) + 4) * sizeof(float);
    for (std::int64_t image = thread * images / threads; image < (thread + 1) * images / threads; ++image) {
      backproject_images(space, image, 1, 1);
    }
  });
}

}  // namespace arttl
