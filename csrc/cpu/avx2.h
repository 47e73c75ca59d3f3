// AVX2 intrinsics: the attribute of functions that use them, and whether this processor supports them. With other
// compilers and processors ARTTL_AVX2 is not defined. BMI2, which came with AVX2, shifts by variable amounts.
#pragma once

#if defined(__x86_64__) && defined(__GNUC__)
#include <immintrin.h>
#define ARTTL_AVX2 __attribute__((target("avx2,fma,bmi2")))
#endif

namespace arttl {

#if defined(ARTTL_AVX2)
inline bool has_avx2() {
  static const bool supported =
      __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("bmi2");
  return supported;
}
#else
constexpr bool has_avx2() { return false; }
#endif

}  // namespace arttl
