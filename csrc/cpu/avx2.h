// AVX2 by hand: the attribute of functions that use it, and whether this processor has it. Where the compiler or the
// processor is another kind, ARTTL_AVX2 is not defined.
#pragma once

#if defined(__x86_64__) && defined(__GNUC__)
#include <immintrin.h>
#define ARTTL_AVX2 __attribute__((target("avx2,fma")))
#endif

namespace arttl {

#if defined(ARTTL_AVX2)
inline bool has_avx2() {
  static const bool supported = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  return supported;
}
#else
constexpr bool has_avx2() { return false; }
#endif

}  // namespace arttl
