#include <algorithm>

#include "arithmetic.h"
#include "cuda/launch.cuh"
#include "kernels.h"
#include "steps.h"

namespace arttl {
namespace {

constexpr int kMostWarps = 32;

struct CudaStep {
  const float* factor;  // of all images, or null
  Axis y, x;
};

// Everything that a launch needs, within the 4 KiB that every card takes.
struct Plan {
  const float* deepest;
  float *workspace, *output;
  int steps;
  bool normalises;
  float epsilon;
  int widest;     // of the maps that steps read
  int floats[2];  // of shared memory for the running map after an even, an odd number of steps; 0: it is not there
  std::uint32_t averages[(kMostSteps + 31) / 32];  // a bit per step
  CudaStep step[kMostSteps];
};
static_assert(sizeof(Plan) <= 4096);

// Maxima over a cluster, all from 0: of ordered_of codes, and for minima of their complements.
struct Range {
  std::uint32_t below, above;
};
struct Maxima {
  std::uint32_t peaks[kMostSteps];     // magnitude_bits of the outputs
  Range factors[kMostSteps], deepest;  // of the means, if they are normalised
  Range output;
};

// The steps of one image, by the blocks of a team. Each row of an output belongs to a warp, which first adds up the
// columns of the deep rows that it reads, as a thread of the CPU does.
template <class Team, bool kShared>
struct Image {
  __device__ __forceinline__ static int pixels_of(const CudaStep& step) { return step.y.shallow * step.x.shallow; }

  const Plan& plan;
  std::int64_t image;
  Maxima* maxima;
  float* sums;        // of the warp: [plan.widest]
  float *even, *odd;  // the running map after an even, an odd number of steps
  int lane, first_row, row_step;

  __device__ __forceinline__ Image(const Plan& plan_) : plan(plan_), image(blockIdx.x / Team::size()) {
    const int warp = threadIdx.x / kWarp, warps = blockDim.x / kWarp;
    lane = threadIdx.x % kWarp;
    first_row = warp * Team::size() + Team::rank();
    row_step = warps * Team::size();
    maxima = dynamic_shared<Maxima>();
    auto* shared = reinterpret_cast<float*>(maxima + 1);
    sums = shared + warp * plan.widest;
    if (kShared) {
      even = shared + warps * plan.widest;
      odd = even + plan.floats[0];
    } else {
      // The last step reads the workspace while it writes the output.
      const std::int64_t pixels = pixels_of(plan.step[plan.steps - 1]);
      float *workspace = plan.workspace + image * pixels, *output = plan.output + image * pixels;
      even = plan.steps % 2 ? workspace : output;
      odd = plan.steps % 2 ? output : workspace;
    }
  }

  // The largest of all values given for a maximum, known to every block after the next sync.
  __device__ __forceinline__ void give(std::uint32_t* maximum, std::uint32_t value) const {
    value = warp_max(value);
    if (lane < static_cast<int>(Team::size())) atomicMax(Team::of_block(maximum, lane), value);
  }

  __device__ __forceinline__ void give(Range* range, std::uint32_t below, std::uint32_t above) const {
    give(&range->below, below);
    give(&range->above, above);
  }

  // A pixel of a running map, of which each block has a copy in shared memory.
  __device__ __forceinline__ void store(float* map, int pixel, float value) const {
    if (!kShared) {
      map[pixel] = value;
    } else {
      for (unsigned block = 0; block < Team::size(); ++block) Team::of_block(map, block)[pixel] = value;
    }
  }

  // item(i) for all i below count, divided among the threads of the team.
  template <class Item>
  __device__ __forceinline__ void for_each(int count, const Item& item) const {
    for (int i = first_row * kWarp + lane; i < count; i += row_step * kWarp) item(i);
  }

  __device__ __forceinline__ static float least_of(const Range& range) { return number_of(~range.below); }

  __device__ __forceinline__ float mean_at(const float* mean, int pixel, const Range& range) const {
    if (!plan.normalises) return mean[pixel];
    const float least = least_of(range);
    return normalised(mean[pixel], least, number_of(range.above) - least + plan.epsilon);
  }

  __device__ __forceinline__ void find_range(const float* mean, int pixels, Range* range) const {
    std::uint32_t below = 0, above = 0;
    for_each(pixels, [&](int pixel) {
      const std::uint32_t code = ordered_of(mean[pixel]);
      below = max(below, ~code);
      above = max(above, code);
    });
    give(range, below, above);
  }

  template <int kStride, class Item>
  __device__ __forceinline__ void for_each_output_by(int index, const Item& item) const {
    const CudaStep& step = plan.step[index];
    const int height = step.y.shallow, width = step.x.shallow, deep_width = step.x.deep;
    const float* deep = index % 2 ? odd : even;
    const float* factor = step.factor;
    if (factor != nullptr) factor += image * height * width;
    const bool averages = plan.averages[index / 32] >> index % 32 & 1;
    const float scale = index == 0 ? 1.0f : rescale_of(float_of(maxima->peaks[index - 1]));
    for (int y = first_row; y < height; y += row_step) {
      const Window rows = window_of<kStride>(y, step.y);
      for (int column = lane; column < deep_width; column += kWarp) {
        sums[column] = column_sum(deep, deep_width, column, rows);
      }
      const float row_scale = scale * share_of(rows, averages);
      __syncwarp();
      for (int x = lane; x < width; x += kWarp) {
        const Window columns = window_of<kStride>(x, step.x);
        float sum = 0.0f;
        for (int column = columns.first; column <= columns.last; ++column) sum += sums[column];
        const int pixel = y * width + x;
        float value = sum * row_scale * share_of(columns, averages);
        if (factor != nullptr) value *= mean_at(factor, pixel, maxima->factors[index]);
        item(pixel, value);
      }
      __syncwarp();
    }
  }

  // item(pixel, value) for the output of a step in the rows of this warp.
  template <class Item>
  __device__ __forceinline__ void for_each_output(int index, const Item& item) const {
    const int stride = plan.step[index].x.stride;
    switch (plan.step[index].y.stride == stride ? stride : 0) {
      case 1:
        return for_each_output_by<1>(index, item);
      case 2:
        return for_each_output_by<2>(index, item);
      default:
        return for_each_output_by<0>(index, item);
    }
  }

  __device__ __forceinline__ void run() const {
    auto* words = reinterpret_cast<std::uint32_t*>(maxima);
    for (unsigned i = threadIdx.x; i < sizeof(Maxima) / sizeof *words; i += blockDim.x) words[i] = 0;
    Team::sync();  // from here on all blocks run
    const int deep_pixels = plan.step[0].y.deep * plan.step[0].x.deep;
    const float* deepest = plan.deepest + image * deep_pixels;
    if (plan.normalises) {
      find_range(deepest, deep_pixels, &maxima->deepest);
      for (int index = 0; index < plan.steps; ++index) {
        const float* factor = plan.step[index].factor;
        const int pixels = pixels_of(plan.step[index]);
        if (factor != nullptr) find_range(factor + image * pixels, pixels, &maxima->factors[index]);
      }
      Team::sync();
    }
    for_each(deep_pixels, [&](int pixel) { store(even, pixel, mean_at(deepest, pixel, maxima->deepest)); });
    Team::sync();
    // The last output is computed twice, for its range and to be written, which takes less time than to keep it where
    // every block can read it.
    const int last = plan.steps - 1;
    float* output = plan.output + image * pixels_of(plan.step[last]);
    for (int pass = 0; pass <= plan.steps; ++pass) {
      const int index = min(pass, last);
      float* map = index % 2 ? even : odd;
      float least = 0.0f, span = 0.0f;
      if (pass > last) {
        least = least_of(maxima->output);
        span = number_of(maxima->output.above) - least;
      }
      std::uint32_t below = 0, above = 0;
      for_each_output(index, [&](int pixel, float value) {
        if (pass < last) {
          store(map, pixel, value);
          above = max(above, magnitude_bits(value));
        } else if (pass == last) {
          below = max(below, ~ordered_of(value));
          above = max(above, ordered_of(value));
        } else {
          output[pixel] = normalised(value, least, span);
        }
      });
      if (pass < last) give(&maxima->peaks[index], above);
      if (pass == last) give(&maxima->output, below, above);
      if (pass <= last) Team::sync();
    }
  }
};

template <class Team, bool kShared>
__global__ void __launch_bounds__(kMostWarps* kWarp, 1) backproject(const __grid_constant__ Plan plan) {
  Image<Team, kShared>(plan).run();
}

}  // namespace

void backproject_cuda(const std::vector<std::uintptr_t>& means, const std::vector<int>& steps, const Pair& deep_size,
                      std::optional<float> epsilon, std::uintptr_t workspace, std::uintptr_t output,
                      std::int64_t images, int device, std::uintptr_t stream) {
  if (images == 0) return;
  const DeviceGuard guard(device);
  const auto mean_at = [&](std::size_t level) { return reinterpret_cast<const float*>(means[level]); };
  std::size_t level = means.size() - 1;
  Plan plan = {};
  plan.deepest = mean_at(level);
  plan.workspace = reinterpret_cast<float*>(workspace);
  plan.output = reinterpret_cast<float*>(output);
  plan.normalises = epsilon.has_value();
  plan.epsilon = epsilon.value_or(0.0f);
  Pair size = deep_size;
  for (const Step& step : steps_of(steps)) {
    if (plan.steps == kMostSteps || size[1] > kWidestMap) throw std::invalid_argument("backproject: see kernels.h");
    plan.widest = std::max(plan.widest, size[1]);
    int& floats = plan.floats[plan.steps % 2];
    floats = std::max(floats, static_cast<int>(pixels_of(size)));
    if (step.averages) plan.averages[plan.steps / 32] |= 1u << plan.steps % 32;
    plan.step[plan.steps++] = {step.multiplies ? mean_at(--level) : nullptr,
                               {step.kernel[0], step.stride[0], step.padding[0], size[0], step.size[0]},
                               {step.kernel[1], step.stride[1], step.padding[1], size[1], step.size[1]}};
    size = step.size;
  }

  // As many blocks per image as the card has room for; the running map in shared memory if it fits there.
  unsigned blocks = 1;
  const std::int64_t processors = attribute_of(device, cudaDevAttrMultiProcessorCount);
  while (blocks < blocks_of_cluster(device) && images * blocks * 2 <= processors) blocks *= 2;
  const std::int64_t limit =
      (attribute_of(device, cudaDevAttrMaxSharedMemoryPerBlockOptin) - sizeof(Maxima)) / sizeof(float);
  const std::int64_t maps = static_cast<std::int64_t>(plan.floats[0]) + plan.floats[1];
  const bool fits = maps + kMostWarps * plan.widest <= limit;
  const std::int64_t warps = fits ? kMostWarps : std::min<std::int64_t>(kMostWarps, limit / plan.widest);
  const Shape shape = {static_cast<unsigned>(images) * blocks, static_cast<unsigned>(warps) * kWarp, blocks,
                       sizeof(Maxima) + (warps * plan.widest + (fits ? maps : 0)) * sizeof(float)};
  const auto kernel = blocks > 1 ? fits ? &backproject<Team<0>, true> : &backproject<Team<0>, false>
                      : fits     ? &backproject<Team<1>, true>
                                 : &backproject<Team<1>, false>;
  launch("backproject", kernel, shape, stream_of(stream), plan);
}

}  // namespace arttl
