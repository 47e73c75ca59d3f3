// Shared by the CPU kernels: a loop over tasks on a given number of threads, and variants for newer processors.
#pragma once

#include <algorithm>
#include <cstdint>

#include "ceil_div.h"

// The module runs on any x86-64 processor and uses AVX2 where available: the dynamic loader picks the variant. The
// attribute goes on the innermost functions, since a loop that OpenMP moves into a function of its own is not cloned.
#if defined(__x86_64__) && defined(__GLIBC__) && (!defined(__clang__) || __clang_major__ >= 14)
#define ARTTL_CLONES __attribute__((target_clones("avx2", "default")))
#else
#define ARTTL_CLONES
#endif

// A template cannot be cloned; inlined into a function that is, it is compiled for each variant.
#if defined(__GNUC__)
#define ARTTL_ALWAYS_INLINE inline __attribute__((always_inline))
#else
#define ARTTL_ALWAYS_INLINE __forceinline
#endif

namespace arttl {

// All threads, or one where each would process less than 16 KiB. Nothing in between: GNU's OpenMP ends the threads that
// a smaller team does not use, and torch would have to start them again.
inline int useful_threads(int threads, std::int64_t bytes) {
  return threads > 1 && bytes >= threads * std::int64_t{16 * 1024} ? threads : 1;
}

// task(i) for i in [0, tasks). Built with OpenMP, on `threads` threads of the runtime that torch has already loaded.
template <class Task>
void parallel_for(std::int64_t tasks, [[maybe_unused]] int threads, const Task& task) {
#if defined(_OPENMP)
#pragma omp parallel for num_threads(threads) if (threads > 1)
#endif
  for (std::int64_t i = 0; i < tasks; ++i) task(i);
}

}  // namespace arttl
