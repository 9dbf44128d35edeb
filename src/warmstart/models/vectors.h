/* Vectors of numbers, as the kernels share them. Include it where the target has AVX-512 BF16. */

#include <immintrin.h>

typedef uint16_t bf16;
#define INLINE static inline __attribute__((always_inline))

INLINE __m512 widened(const bf16 *x) {
    const __m256i halves = _mm256_loadu_si256((const __m256i *)x);
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(halves), 16));
}

INLINE __m256i narrowed(__m512 x) { return (__m256i)_mm512_cvtneps_pbh(x); }

/* e^x to 4e-6 of it, and to 2e-7 near 0: 2^n of the whole part, and a polynomial of what is left. Beyond 200 it is 0 or
   infinite either way; what is not a number stays so. */
INLINE __m512 exponential(__m512 x) {
    x = _mm512_min_ps(_mm512_set1_ps(200.0f), _mm512_max_ps(_mm512_set1_ps(-200.0f), x));
    const __m512 twos = _mm512_mul_ps(x, _mm512_set1_ps(1.44269504f));
    const __m512 whole = _mm512_roundscale_ps(twos, 8);
    const __m512 rest = _mm512_sub_ps(twos, whole);
    __m512 y = _mm512_set1_ps(1.5403530e-4f); /* ln(2)^n / n!, n = 6 … 0, but for rounding */
    y = _mm512_fmadd_ps(y, rest, _mm512_set1_ps(1.3333558e-3f));
    y = _mm512_fmadd_ps(y, rest, _mm512_set1_ps(9.6181291e-3f));
    y = _mm512_fmadd_ps(y, rest, _mm512_set1_ps(5.5504109e-2f));
    y = _mm512_fmadd_ps(y, rest, _mm512_set1_ps(2.4022651e-1f));
    y = _mm512_fmadd_ps(y, rest, _mm512_set1_ps(6.9314718e-1f));
    y = _mm512_fmadd_ps(y, rest, _mm512_set1_ps(1.0f));
    return _mm512_scalef_ps(y, whole);
}

/* GELU by tanh: x · sigmoid(2 √(2/π) (x + 0.044715 x³)). */
INLINE __m512 gelu_tanh(__m512 x) {
    const __m512 cubic = _mm512_fmadd_ps(_mm512_mul_ps(x, x), _mm512_set1_ps(-0.0713548162f), _mm512_set1_ps(-1.5957691216f));
    const __m512 power = exponential(_mm512_mul_ps(x, cubic));
    return _mm512_div_ps(x, _mm512_add_ps(power, _mm512_set1_ps(1.0f)));
}

/* GELU itself, x · Φ(x), with erf as in Abramowitz and Stegun, 7.1.26 (to 1.5e-7). */
INLINE __m512 gelu_erf(__m512 x) {
    const __m512 one = _mm512_set1_ps(1.0f), z = _mm512_mul_ps(_mm512_abs_ps(x), _mm512_set1_ps(0.7071067812f));
    const __m512 t = _mm512_div_ps(one, _mm512_fmadd_ps(z, _mm512_set1_ps(0.3275911f), one));
    __m512 y = _mm512_set1_ps(1.061405429f);
    y = _mm512_fmadd_ps(y, t, _mm512_set1_ps(-1.453152027f));
    y = _mm512_fmadd_ps(y, t, _mm512_set1_ps(1.421413741f));
    y = _mm512_fmadd_ps(y, t, _mm512_set1_ps(-0.284496736f));
    y = _mm512_fmadd_ps(y, t, _mm512_set1_ps(0.254829592f));
    const __m512 power = exponential(_mm512_fnmadd_ps(z, z, _mm512_setzero_ps()));
    const __m512 beyond = _mm512_mul_ps(_mm512_mul_ps(y, t), _mm512_mul_ps(power, _mm512_set1_ps(0.5f))); /* Φ(-|x|) */
    const __mmask16 negative = _mm512_cmp_ps_mask(x, _mm512_setzero_ps(), _CMP_LT_OQ);
    return _mm512_mul_ps(x, _mm512_mask_mov_ps(_mm512_sub_ps(one, beyond), negative, beyond));
}
