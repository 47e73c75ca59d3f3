// The kernels behind the bindings. Arrays are passed as addresses, since the module does not include torch; all are
// contiguous (except for the layout named below) and none may overlap. Sizes are counts of elements.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <vector>

namespace arttl {

using Pair = std::array<int, 2>;  // of the vertical axis, of the horizontal one

constexpr int kMostChannels = 1 << 24;
constexpr int kMostPixels = 1 << 30;

// output [images, pixels] float32 = mean over the channels of input, [images, channels, pixels] of `dtype` (a DType),
// or [images, pixels, channels] when channels_last. With rectify, of max(input, 0). At most kMostChannels, and on a
// CUDA device kMostPixels of one image.
void channel_mean_cpu(std::uintptr_t input, std::uintptr_t output, int dtype, bool channels_last, std::int64_t images,
                      std::int64_t channels, std::int64_t pixels, bool rectify, int threads);

// output [images, *size] = shallow * scale * (deep [images, *deep_size] through the all-ones transposed convolution of
// the given kernel, stride and padding), all float32. scale brings deep_peak [images] to [1, 2), and is 1 where
// deep_peak is null; shallow counts as 1 where it is null. With average, each sum is divided by the number of deep
// positions in it. peak [images] = max |output| of each image.
void upsample_multiply_cpu(std::uintptr_t deep, std::uintptr_t deep_peak, std::uintptr_t shallow, std::uintptr_t output,
                           std::uintptr_t peak, std::int64_t images, const Pair& deep_size, const Pair& size,
                           const Pair& kernel, const Pair& stride, const Pair& padding, bool average, int threads);

// output = (maps - min) / (max - min + epsilon) with each image's own min and max; maps, output [images, pixels]
// float32. A constant map gives zeros. range [2, images] uint32 is working space.
void minmax_normalise_cpu(std::uintptr_t maps, std::uintptr_t output, std::uintptr_t range, std::int64_t images,
                          std::int64_t pixels, float epsilon, int threads);

// All steps and the normalisation (with epsilon 0) in one call, from the deepest of `means` [images, h, w], which are
// listed from the image on, to `output` [images, H, W]; with `epsilon`, of the means after `minmax_normalise` with it.
// Each step is nine numbers of `steps`, the deepest first: kMultiplies where the next shallower map is the factor (else
// ones), plus kAverages where windows are averaged; then size, kernel, stride and padding of `upsample_multiply`, two
// each; no map has more pixels than the last step's output. workspace [min(images, threads), H * W + 4] float32 on the
// CPU, with epsilon H * W more; [images, H * W] on a CUDA device. There are at most kMostSteps steps, no map but the
// last output is wider than kWidestMap, and it has at most kMostPixels: what a CUDA device has room for.
void backproject_cpu(const std::vector<std::uintptr_t>& means, const std::vector<int>& steps, const Pair& deep_size,
                     std::optional<float> epsilon, std::uintptr_t workspace, std::uintptr_t output, std::int64_t images,
                     int threads);

constexpr int kMultiplies = 1;
constexpr int kAverages = 2;
constexpr int kMostSteps = 80;
constexpr int kWidestMap = 8192;

// output [images, pixels] = what speaks for a class at each position: with l = logits [images, outputs, pixels]
// float32, c = classes[image] and a = against[image] (both int64, below outputs), max(0, l_c - l_a); where against is
// null, the log-odds of c against all other outputs together, max(0, l_c - log sum_{b != c} exp l_b), or max(0, l_c)
// where there is one output.
void class_evidence_cpu(std::uintptr_t logits, std::uintptr_t classes, std::uintptr_t against, std::uintptr_t output,
                        std::int64_t images, std::int64_t outputs, std::int64_t pixels, int threads);

using Part = std::array<std::int64_t, 4>;  // top, left, bottom, right
using Color3 = std::array<float, 3>;       // of red, green and blue

// output [size, size, 3] (a DType: float32 or bfloat16) = the square of picture [*, width, 3] uint8 whose pixel (y, x)
// is centred at start + (y + 0.5, x + 0.5) * step, by Pillow's resize with the given Filter (resample_weights.h), read
// without reading outside `part`, mirrored left to right when flip; its colours changed by `color`, [3][4] (each new
// channel's weights of red, green and blue, and its offset) or empty, and clipped to 0 to 255; then times scale plus
// shift.
void crop_resize_normalise_cpu(std::uintptr_t picture, std::int64_t width, const Part& part,
                               const std::array<double, 2>& start, const std::array<double, 2>& step, int filter,
                               bool flip, const std::vector<float>& color, const Color3& scale, const Color3& shift,
                               std::uintptr_t output, int dtype, std::int64_t size);

// output [*size, 3] uint8 = what Pillow's `resize` with the given Filter (not the nearest) makes of picture [height,
// width, 3] uint8 and the box from its corner to `box` (height, width), first along the rows, then down the columns:
// the same to the bit. (Pillow 13 processes some pictures in the other order, so that its bytes differ from Pillow
// 12's.)
void resize_rgb_cpu(std::uintptr_t picture, std::int64_t height, std::int64_t width, const std::array<float, 2>& box,
                    int filter, std::uintptr_t output, const std::array<std::int64_t, 2>& size);

// output [ceil(height / down), ceil(width / along), channels] uint8 = the means of boxes of factors (down, along)
// pixels of samples, size (height, width, channels, of which there are at most four) in bytes `step` apart and rows
// `stride` bytes apart: what Pillow's `reduce` makes of it, to the bit; boxes at the ends have fewer pixels.
void box_means_cpu(std::uintptr_t samples, const std::array<std::int64_t, 3>& size, std::int64_t stride, int step,
                   const std::array<std::int64_t, 2>& factors, std::uintptr_t output);

// output [size] uint8 = what `length` bytes of LZW of a TIFF (the highest bit first) stand for. Returns false where
// they stand for less, or are no LZW of a usual encoder.
bool decode_lzw_cpu(std::uintptr_t data, std::int64_t length, std::uintptr_t output, std::int64_t size);

// Samples [rows, count] of 1 or 2 `bytes`, differences to the sample `pixel` (1 to 4) before in the row, become sums.
void sum_differences_cpu(std::uintptr_t samples, std::int64_t rows, std::int64_t count, int pixel, int bytes);

// Rows of a PNG [height, 1 + count], each with its filter first, become plain; a pixel has `pixel` bytes, and `above`
// [count] is the plain row before the first, or null. Returns false for a filter or a pixel that PNG has not.
bool unfilter_png_cpu(std::uintptr_t rows, std::int64_t height, std::int64_t count, int pixel, std::uintptr_t above);

// pixels [bottom - top, right - left, 3] uint8 = the part of a JPEG of `length` bytes, decoded at 1/reduction (1, 2, 4
// or 8) of its size, rounded up: what libjpeg-turbo decodes, to the bit; where coefficients overflow, what it decodes
// on x86-64. Returns false for a file that is not decoded here, damaged or not, or not of the given size (height,
// width).
bool decode_jpeg_cpu(std::uintptr_t data, std::int64_t length, const std::array<std::int64_t, 2>& size, int reduction,
                     const Part& part, std::uintptr_t pixels);

// On a CUDA device, queued on `stream` (a cudaStream_t) as one kernel, without a synchronisation or an allocation.
void channel_mean_cuda(std::uintptr_t input, std::uintptr_t output, int dtype, bool channels_last, std::int64_t images,
                       std::int64_t channels, std::int64_t pixels, bool rectify, int device, std::uintptr_t stream);

void class_evidence_cuda(std::uintptr_t logits, std::uintptr_t classes, std::uintptr_t against, std::uintptr_t output,
                         std::int64_t images, std::int64_t outputs, std::int64_t pixels, int device,
                         std::uintptr_t stream);

void backproject_cuda(const std::vector<std::uintptr_t>& means, const std::vector<int>& steps, const Pair& deep_size,
                      std::optional<float> epsilon, std::uintptr_t workspace, std::uintptr_t output,
                      std::int64_t images, int device, std::uintptr_t stream);

}  // namespace arttl
