/* One step of LSTM cells, there and back: what a library does in a dozen passes over the gates, in one.

   recurrence.py has the equations, and cells.py is the only caller. All sums are float32; what is kept of a gate is rounded
   as the rows are, and it is the rounded one that goes on. */

#include <stdint.h>

#define VERSION 2 /* of what the functions are given; kernels.py takes no other */

#if defined(__x86_64__) && defined(__GNUC__)

#include "numbers.h"

/* VERSION where this processor has what the kernels need, else 0. */
int warmstart_cells(void) { return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") ? VERSION : 0; }

INLINE float sigmoid(float x) { return 1.0f / (1.0f + exponential(-x)); }

/* Near 0 by its series, where 1 - 2 / (e^2x + 1) would lose digits. */
INLINE float hyperbolic(float x) {
    const float square = x * x, far = 1.0f - 2.0f / (exponential(2.0f * x) + 1.0f);
    float near = 62.0f / 2835.0f;
    near = near * square - 17.0f / 315.0f;
    near = near * square + 2.0f / 15.0f;
    near = near * square - 1.0f / 3.0f;
    return square < 0.04f ? x + x * square * near : far;
}

/* A number as it is kept in a row of bfloat16 or float32, and that number again. */
INLINE float of_half(uint16_t x) { return wide(x); }
INLINE uint16_t as_half(float x) { return narrow(x); }
INLINE float of_float(float x) { return x; }
INLINE float as_float(float x) { return x; }

/* One sequence: the gates stand as four rows [width] (input, forget, cell, output) behind each other. */
#define LINES(KIND, NUMBER)                                                                                            \
    INLINE void forward_##KIND(NUMBER *restrict i, NUMBER *restrict f, NUMBER *restrict g, NUMBER *restrict o,         \
                               const NUMBER *restrict more, const float *restrict before, float *restrict cells,       \
                               NUMBER *restrict out, long width, float clip) {                                         \
        for (long n = 0; n < width; n++) {                                                                             \
            i[n] = as_##KIND(sigmoid(of_##KIND(i[n]) + of_##KIND(more[n])));                                           \
            f[n] = as_##KIND(sigmoid(of_##KIND(f[n]) + of_##KIND(more[n + width])));                                   \
            g[n] = as_##KIND(hyperbolic(of_##KIND(g[n]) + of_##KIND(more[n + 2 * width])));                            \
            o[n] = as_##KIND(sigmoid(of_##KIND(o[n]) + of_##KIND(more[n + 3 * width])));                               \
            const float cell = of_##KIND(f[n]) * before[n] + of_##KIND(i[n]) * of_##KIND(g[n]);                        \
            cells[n] = cell < -clip ? -clip : cell > clip ? clip : cell;                                               \
            out[n] = as_##KIND(of_##KIND(o[n]) * hyperbolic(cells[n]));                                                \
        }                                                                                                              \
    }                                                                                                                  \
    INLINE void backward_##KIND(const NUMBER *restrict gates, const float *restrict before,                            \
                                const float *restrict cells, const NUMBER *restrict grad, NUMBER *restrict by_i,       \
                                NUMBER *restrict by_f, NUMBER *restrict by_g, NUMBER *restrict by_o,                   \
                                float *restrict by_cells, long width, float clip) {                                    \
        for (long n = 0; n < width; n++) {                                                                             \
            const float i = of_##KIND(gates[n]), f = of_##KIND(gates[n + width]);                                      \
            const float g = of_##KIND(gates[n + 2 * width]), o = of_##KIND(gates[n + 3 * width]);                      \
            const float cell = cells[n], squashed = hyperbolic(cell), hidden = of_##KIND(grad[n]);                     \
            const float total = hidden * o * (1.0f - squashed * squashed) + by_cells[n];                               \
            const float inside = cell <= -clip || cell >= clip ? 0.0f : total;                                         \
            by_i[n] = as_##KIND(inside * g * i * (1.0f - i));                                                          \
            by_f[n] = as_##KIND(inside * before[n] * f * (1.0f - f));                                                  \
            by_g[n] = as_##KIND(inside * i * (1.0f - g * g));                                                          \
            by_o[n] = as_##KIND(hidden * squashed * o * (1.0f - o));                                                   \
            by_cells[n] = inside * f;                                                                                  \
        }                                                                                                              \
    }                                                                                                                  \
    INLINE void forth_##KIND(NUMBER *gates, const NUMBER *product, const float *before, float *cells, NUMBER *out,     \
                             long rows, long width, float clip) {                                                      \
        for (long row = 0; row < rows; row++) {                                                                        \
            NUMBER *own = gates + 4 * width * row;                                                                     \
            const long first = width * row;                                                                            \
            forward_##KIND(own, own + width, own + 2 * width, own + 3 * width, product + 4 * first, before + first,    \
                           cells + first, out + first, width, clip);                                                   \
        }                                                                                                              \
    }                                                                                                                  \
    INLINE void back_##KIND(const NUMBER *gates, const float *before, const float *cells, const NUMBER *grad,          \
                            NUMBER *by_gates, float *by_cells, long rows, long width, float clip) {                    \
        for (long row = 0; row < rows; row++) {                                                                        \
            NUMBER *own = by_gates + 4 * width * row;                                                                  \
            const long first = width * row;                                                                            \
            backward_##KIND(gates + 4 * first, before + first, cells + first, grad + first, own, own + width,          \
                            own + 2 * width, own + 3 * width, by_cells + first, width, clip);                          \
        }                                                                                                              \
    }
LINES(half, uint16_t)
LINES(float, float)

#define PASSES(NAME, TARGET)                                                                                           \
    TARGET static void forth_##NAME(void *gates, const void *product, const float *before, float *cells, void *out,    \
                                    long rows, long width, float clip, int half) {                                     \
        if (half) forth_half(gates, product, before, cells, out, rows, width, clip);                                   \
        else forth_float(gates, product, before, cells, out, rows, width, clip);                                       \
    }                                                                                                                  \
    TARGET static void back_##NAME(const void *gates, const float *before, const float *cells, const void *grad,       \
                                   void *by_gates, float *by_cells, long rows, long width, float clip, int half) {     \
        if (half) back_half(gates, before, cells, grad, by_gates, by_cells, rows, width, clip);                        \
        else back_float(gates, before, cells, grad, by_gates, by_cells, rows, width, clip);                            \
    }
PASSES(512, AVX512)
PASSES(2, AVX2)

/* From what enters the gates, ``gates`` [rows, 4 · width] and ``product`` together, to the gates in its place, the cells
   [rows, width] after those ``before``, and out = output gate · tanh(cells); bfloat16 (``half``) or float32, cells float32
   and within ±``clip``. */
void warmstart_cells_forward(void *gates, const void *product, const float *before, float *cells, void *out, long rows,
                             long width, float clip, int half, int wide_vectors) {
    (wide_vectors ? forth_512 : forth_2)(gates, product, before, cells, out, rows, width, clip, half);
}

/* The gradient by what enters the gates, from that by ``out`` and that by the cells, ``by_cells``, from later steps; in its
   place that by the cells before. */
void warmstart_cells_backward(const void *gates, const float *before, const float *cells, const void *grad, void *by_gates,
                              float *by_cells, long rows, long width, float clip, int half, int wide_vectors) {
    (wide_vectors ? back_512 : back_2)(gates, before, cells, grad, by_gates, by_cells, rows, width, clip, half);
}

#else

int warmstart_cells(void) { return 0; }

#endif
