/* Single numbers, in lines that gcc makes vectors of: bfloat16 beside float32, and for which processors such lines are
   compiled. */

#include <stdint.h>

#define INLINE static inline __attribute__((always_inline))
#define AVX512 __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,prefer-vector-width=512")))
#define AVX2 __attribute__((target("avx2,fma")))

typedef union {
    float number;
    uint32_t bits;
} Word;

INLINE uint32_t bits_of(float x) { return ((Word){.number = x}).bits; }
INLINE float number_of(uint32_t bits) { return ((Word){.bits = bits}).number; }

/* The bits of the nearest bfloat16 number stand in the upper half. */
INLINE uint32_t rounded(uint32_t bits) { return bits + 0x7fff + ((bits >> 16) & 1); }

INLINE float wide(uint16_t half) { return number_of((uint32_t)half << 16); }
INLINE uint16_t narrow(float x) { return rounded(bits_of(x)) >> 16; }
