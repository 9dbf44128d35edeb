/* Passes over much memory, each once: AdamW's update with the rounded copy that computes, the length of a gradient, GELU there
   and back, and dropout.

   A library reads and writes the same numbers once more for every step of such a formula. passes.py is the only caller. */

#include <math.h>
#include <stdint.h>

#define VERSION 2 /* of what the functions are given; kernels.py takes no other */

#if defined(__x86_64__) && defined(__GNUC__)

#include <omp.h>

/* VERSION where this processor has what the kernels need, else 0. */
int warmstart_passes(void) { return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") ? VERSION : 0; }

#include "numbers.h"

enum { BLOCK = 1 << 14 /* numbers that one thread takes at a time */ };

typedef struct {
    float *master, *mean, *square;
    const void *grad;
    int half;       /* whether the gradient is bfloat16, else float32 */
    uint16_t *work; /* the rounded copy, or null */
    float kept;     /* of a weight after its decay */
    float rate, eps, divisor; /* rate: over 1 - β₁ᵗ; divisor: of the gradient */
    float root;               /* √(1 - β₂ᵗ) */
    double beta1, beta2;      /* 1 - β in float32 would be another number */
} Adam;

INLINE void round_off(const Adam *a, long first, long last) {
    const float *restrict master = a->master;
    uint16_t *restrict work = a->work;
    for (long i = first; work && i < last; i++) work[i] = narrow(master[i]);
}

INLINE void update(const Adam *a, long first, long last, const int half) {
    float *restrict master = a->master, *restrict mean = a->mean, *restrict square = a->square;
    const void *restrict grad = a->grad;
    const float fresh1 = 1.0 - a->beta1, beta2 = a->beta2, fresh2 = 1.0 - a->beta2;
    const float over = 1.0f / a->divisor, even = 1.0f / a->root;
    for (long i = first; i < last; i++) {
        const float g = number_at(grad, i, half) * over;
        mean[i] += fresh1 * (g - mean[i]);
        square[i] = beta2 * square[i] + fresh2 * g * g;
        master[i] = master[i] * a->kept - a->rate * mean[i] / (sqrtf(square[i]) * even + a->eps);
    }
    round_off(a, first, last);
}

/* Numbers that have had no gradient yet: all of the formula that is not 0. */
INLINE void decay(const Adam *a, long first, long last) {
    float *restrict master = a->master;
    for (long i = first; i < last; i++) master[i] *= a->kept;
    round_off(a, first, last);
}

#define UPDATE(NAME, TARGET)                                                                                           \
    TARGET static void NAME(const Adam *a, long first, long last) {                                                    \
        if (a->half) update(a, first, last, 1);                                                                        \
        else update(a, first, last, 0);                                                                                \
    }
UPDATE(update_512, AVX512)
UPDATE(update_2, AVX2)
AVX512 static void decay_512(const Adam *a, long first, long last) { decay(a, first, last); }
AVX2 static void decay_2(const Adam *a, long first, long last) { decay(a, first, last); }

typedef void Pass(const Adam *, long, long);

/* One update of ``rows`` rows of ``width`` numbers from a gradient of bfloat16 (``half``) or float32; where ``had`` [rows] is
   given, its zeros are rows without any gradient yet. */
void warmstart_adam(float *master, const void *grad, float *mean, float *square, uint16_t *work, const uint8_t *had,
                    long rows, long width, float kept, float rate, double beta1, double beta2, float eps, float divisor,
                    float root, int half, int wide_vectors, int threads) {
    const Adam a = {master, mean, square, grad, half, work, kept, rate, eps, divisor, root, beta1, beta2};
    Pass *const change = wide_vectors ? update_512 : update_2, *const shrink = wide_vectors ? decay_512 : decay_2;
    const long count = rows * width, unit = had ? (BLOCK + width - 1) / width * width : BLOCK;
#pragma omp parallel for num_threads(threads)
    for (long first = 0; first < count; first += unit) {
        const long last = first + unit < count ? first + unit : count;
        if (!had) change(&a, first, last);
        else
            for (long row = first / width; row < last / width; row++) {
                if (had[row]) change(&a, row * width, (row + 1) * width);
                else if (kept != 1.0f) shrink(&a, row * width, (row + 1) * width);
            }
    }
}

enum { LANES = 16, FEW = 1 << 12 /* squares that are added up in float32 */ };

/* The sum of the squares of bfloat16 numbers. */
INLINE double squares(const uint16_t *restrict x, long count) {
    double total = 0;
    for (long first = 0; first < count; first += FEW) {
        const long last = first + FEW < count ? first + FEW : count, whole = first + (last - first) / LANES * LANES;
        float sums[LANES] = {0}, rest = 0;
        for (long i = first; i < whole; i += LANES)
            for (int lane = 0; lane < LANES; lane++) {
                const float one = number_at(x, i + lane, 1);
                sums[lane] += one * one;
            }
        for (long i = whole; i < last; i++) rest += number_at(x, i, 1) * number_at(x, i, 1);
        for (int lane = 0; lane < LANES; lane++) rest += sums[lane];
        total += rest;
    }
    return total;
}

AVX512 static double squares_512(const uint16_t *x, long count) { return squares(x, count); }
AVX2 static double squares_2(const uint16_t *x, long count) { return squares(x, count); }

/* The sum of the squares of bfloat16 numbers; infinite where one square is beyond float32. */
double warmstart_squares(const uint16_t *x, long count, int wide_vectors) {
    return wide_vectors ? squares_512(x, count) : squares_2(x, count);
}

/* The slope of x · Φ(x), Φ(x) + x · φ(x), with erf as in Abramowitz and Stegun, 7.1.26 (to 1.5e-7). */
INLINE float slope_erf(float x) {
    const float size = fabsf(x), t = 1.0f / (size * 0.23164189f + 1.0f), power = exponential(-0.5f * size * size);
    float y = 1.061405429f;
    y = y * t - 1.453152027f;
    y = y * t + 1.421413741f;
    y = y * t - 0.284496736f;
    y = y * t + 0.254829592f;
    const float beyond = 0.5f * y * t * power, share = x < 0 ? beyond : 1.0f - beyond;
    return share + x * 0.39894228f * power;
}

typedef struct {
    float value, slope;
} Point;

/* x · s for s = sigmoid(2 √(2/π) (x + 0.044715 x³)), and s + x · s · (1 - s) · the slope of what is in brackets. */
INLINE Point gelu_tanh(float x) {
    const float inner = x * (1.5957691216f + 0.0713548162f * x * x), power = exponential(-fabsf(inner));
    const float least = power / (1.0f + power), share = inner < 0 ? least : 1.0f - least;
    const float near = x > 30.0f ? 30.0f : x < -30.0f ? -30.0f : x; /* beyond that nothing is left of the second part */
    return (Point){x * share, share + near * share * (1.0f - share) * (1.5957691216f + 0.2140644486f * near * near)};
}

INLINE void gelu(const void *restrict x, const void *restrict grad, void *restrict out, long count, const int back,
                 const int by_tanh, const int half) {
    for (long i = 0; i < count; i++) {
        const float at = number_at(x, i, half), slope = !back ? 0.0f : by_tanh ? gelu_tanh(at).slope : slope_erf(at);
        const float y = back ? number_at(grad, i, half) * slope : gelu_tanh(at).value;
        if (half) ((uint16_t *)out)[i] = rounded(bits_of(y)) >> 16;
        else ((float *)out)[i] = y;
    }
}

#define GELU(NAME, TARGET)                                                                                             \
    TARGET static void NAME(const void *x, const void *grad, void *out, long count, int by_tanh, int half) {           \
        if (half && by_tanh && grad) gelu(x, grad, out, count, 1, 1, 1);                                               \
        else if (half && grad) gelu(x, grad, out, count, 1, 0, 1);                                                     \
        else if (half) gelu(x, grad, out, count, 0, 1, 1);                                                             \
        else if (by_tanh && grad) gelu(x, grad, out, count, 1, 1, 0);                                                  \
        else if (grad) gelu(x, grad, out, count, 1, 0, 0);                                                             \
        else gelu(x, grad, out, count, 0, 1, 0);                                                                       \
    }
GELU(gelu_512, AVX512)
GELU(gelu_2, AVX2)

/* out [count] = GELU(x) by tanh, or where ``grad`` is given that by the slope, by tanh or exact; bfloat16 (``half``) or float32. */
void warmstart_gelu(const char *x, const char *grad, char *out, long count, int by_tanh, int half, int wide_vectors, int threads) {
    void (*const run)(const void *, const void *, void *, long, int, int) = wide_vectors ? gelu_512 : gelu_2;
    const long size = half ? 2 : 4;
#pragma omp parallel for num_threads(threads)
    for (long first = 0; first < count; first += BLOCK) {
        const long some = count - first < BLOCK ? count - first : BLOCK, at = first * size;
        run(x + at, grad ? grad + at : 0, out + at, some, by_tanh, half);
    }
}

/* Which elements dropout keeps: as dropout.py says, two for each entry of a table of random integers. */
INLINE uint32_t mixed(uint32_t entry, uint32_t start, uint32_t factor) {
    uint32_t x = (entry ^ start) * factor;
    x ^= (uint32_t)((int32_t)x >> 16);
    return x & 0x7fff7fff;
}

/* Pairs of bfloat16 numbers; a mask's half below ``level`` keeps its number. */
INLINE void drop_halves(const uint32_t *restrict x, uint32_t *restrict out, const uint32_t *restrict table, long pairs,
                        uint32_t start, uint32_t factor, uint32_t level, float scale) {
    for (long i = 0; i < pairs; i++) {
        const uint32_t word = mixed(table[i], start, factor);
        const uint32_t low = bits_of(number_of(x[i] << 16) * scale), high = bits_of(number_of(x[i] & 0xffff0000) * scale);
        const uint32_t one = (word & 0xffff) < level ? rounded(low) >> 16 : 0;
        out[i] = one | ((word >> 16) < level ? rounded(high) & 0xffff0000 : 0);
    }
}

INLINE void drop_floats(const float *restrict x, float *restrict out, const uint32_t *restrict table, long pairs,
                        uint32_t start, uint32_t factor, uint32_t level, float scale) {
    for (long i = 0; i < pairs; i++) {
        const uint32_t word = mixed(table[i], start, factor);
        out[2 * i] = (word & 0xffff) < level ? x[2 * i] * scale : 0.0f;
        out[2 * i + 1] = (word >> 16) < level ? x[2 * i + 1] * scale : 0.0f;
    }
}

#define DROP(NAME, TARGET)                                                                                             \
    TARGET static void NAME(const void *x, void *out, const uint32_t *table, long pairs, uint32_t start,               \
                            uint32_t factor, uint32_t level, float scale, int half) {                                  \
        if (half) drop_halves(x, out, table, pairs, start, factor, level, scale);                                      \
        else drop_floats(x, out, table, pairs, start, factor, level, scale);                                           \
    }
DROP(drop_512, AVX512)
DROP(drop_2, AVX2)

/* out [count] = x · scale where the mask keeps it, else 0; bfloat16 (``half``) or float32. */
void warmstart_drop(const void *x, void *out, const uint32_t *table, long count, uint32_t start, uint32_t factor, int level,
                    float scale, int half, int wide_vectors) {
    const long pairs = count / 2;
    void (*const drop)(const void *, void *, const uint32_t *, long, uint32_t, uint32_t, uint32_t, float, int) =
        wide_vectors ? drop_512 : drop_2;
    drop(x, out, table, pairs, start, factor, level, scale, half);
    if (count % 2 == 0) return;
    const int keeps = (mixed(table[pairs], start, factor) & 0xffff) < (uint32_t)level;
    if (half) {
        const uint32_t one = bits_of(wide(((const uint16_t *)x)[count - 1]) * scale);
        ((uint16_t *)out)[count - 1] = keeps ? rounded(one) >> 16 : 0;
    } else
        ((float *)out)[count - 1] = keeps ? ((const float *)x)[count - 1] * scale : 0.0f;
}

#else

int warmstart_passes(void) { return 0; }

#endif
