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

/* Number i of a row of bfloat16 (``half``) or float32. */
INLINE float number_at(const void *row, long i, const int half) {
    return half ? wide(((const uint16_t *)row)[i]) : ((const float *)row)[i];
}

/* e^x to 2e-7 of it; 0 below -87, e^87 beyond 87; what is no number stays so. */
INLINE float exponential(float x) {
    const float shift = 12582912.0f; /* 1.5 · 2²³, which rounds what is added to it to a whole number */
    const float least = x > 87.0f ? 87.0f : x, twos = least * 1.44269504f;
    const float whole = (twos + shift) - shift, rest = twos - whole;
    float y = 1.5403530e-4f; /* ln(2)^n / n!, n = 6 … 0, but for rounding */
    y = y * rest + 1.3333558e-3f;
    y = y * rest + 9.6181291e-3f;
    y = y * rest + 5.5504109e-2f;
    y = y * rest + 2.4022651e-1f;
    y = y * rest + 6.9314718e-1f;
    y = y * rest + 1.0f;
    const float power = number_of(bits_of(y) + ((uint32_t)(int32_t)whole << 23));
    return x < -87.0f ? 0.0f : power;
}
