/* Products of float32 rows on processors with AMX, which multiplies bfloat16 sixteen times as fast as float32.

   A number is split in two: high = bfloat16(x), low = bfloat16(x - high), which is exact to 2^-17 of it. The product is then
   low · high + high · high + high · low, summed in float32; what is missing, low · low, is of the size of that rounding. All
   sums have one order: no result depends on threads or on the rows beside it. kernels.py is the only caller. */

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define VERSION 2 /* of what the functions are given; kernels.py takes no other */

#if defined(__x86_64__) && defined(__linux__) && defined(__GNUC__) && __GNUC__ >= 11

#include <cpuid.h>
#include <omp.h>
#include <sys/syscall.h>
#include <unistd.h>

/* VERSION where this processor has what the kernel needs and the system lets this process use it, else 0. */
int warmstart_tiles(void) {
    enum { ARCH_REQ_XCOMP_PERM = 0x1023, TILE_DATA = 18 };
    unsigned a, b, c, d;
    const int amx = __get_cpuid_count(7, 0, &a, &b, &c, &d) && (d >> 22 & 1) && (d >> 24 & 1); /* bf16, tiles */
    const int has = __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
                    __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512bf16");
    return has && amx && !syscall(SYS_arch_prctl, ARCH_REQ_XCOMP_PERM, TILE_DATA) ? VERSION : 0;
}

#pragma GCC target("avx512f,avx512bw,avx512dq,avx512vl,avx512bf16,amx-tile,amx-bf16")

#include "vectors.h"

enum {
    PANEL = 128, /* rows that stay in the cache while all columns go by */
    EDGE = 32,   /* of a square of the output, whose sums fill four tiles */
    DEPTH = 32,  /* numbers of a row in a tile */
    TILE = 512   /* numbers of a tile: 16 rows of 32, or 16 pairs of 16 columns */
};

typedef struct {
    uint8_t palette, start, unused[14];
    uint16_t bytes[16];
    uint8_t rows[16];
} TileConfig;

/* Rows to parts [rows / 32, width / 32, low and high, 2, 16, 32]; the last square is filled up with zeros. */
static void split_rows(const float *x, long rows, long width, bf16 *parts) {
    const long whole = (rows + EDGE - 1) / EDGE * EDGE;
    for (long r = 0; r < whole; r++) {
        const __mmask16 there = r < rows ? 0xffff : 0;
        bf16 *place = parts + r / EDGE * EDGE * width * 2 + r % EDGE * DEPTH;
        for (long k = 0; k < width; k += DEPTH, place += 4 * TILE)
            for (int half = 0; half < 2; half++) {
                const __m512 number = _mm512_maskz_loadu_ps(there, x + r * width + k + 16 * half);
                const __m256i high = narrowed(number);
                _mm256_store_si256((__m256i *)(place + 2 * TILE + 16 * half), high);
                const __m256i low = narrowed(_mm512_sub_ps(number, widened((const bf16 *)&high)));
                _mm256_store_si256((__m256i *)(place + 16 * half), low);
            }
    }
}

/* Tiles 0 to 3 add up what tiles 4 and 5, of rows, make with 6 and 7, of columns. */
INLINE void add_products(void) {
    _tile_dpbf16ps(0, 4, 6);
    _tile_dpbf16ps(1, 4, 7);
    _tile_dpbf16ps(2, 5, 6);
    _tile_dpbf16ps(3, 5, 7);
}

INLINE void load_rows(const bf16 *two) {
    _tile_loadd(4, two, 64);
    _tile_loadd(5, two + TILE, 64);
}

INLINE void load_columns(const bf16 *two) {
    _tile_loadd(6, two, 64);
    _tile_loadd(7, two + TILE, 64);
}

/* sums [32, 32] of 32 rows and 32 columns. */
INLINE void square(const bf16 *rows, const bf16 *columns, long width, float *sums) {
    _tile_zero(0);
    _tile_zero(1);
    _tile_zero(2);
    _tile_zero(3);
    for (long k = 0; k < width; k += DEPTH, rows += 4 * TILE, columns += 4 * TILE) {
        load_rows(rows); /* low */
        load_columns(columns); /* high */
        add_products();
        load_rows(rows + 2 * TILE); /* high */
        add_products();
        load_columns(columns + 2 * TILE); /* low */
        add_products();
    }
    _tile_stored(0, sums, 4 * EDGE);
    _tile_stored(1, sums + 16, 4 * EDGE);
    _tile_stored(2, sums + 16 * EDGE, 4 * EDGE);
    _tile_stored(3, sums + 16 * EDGE + 16, 4 * EDGE);
}

/* Sums of some rows to their place in the output, with bias and GELU (0: none, 1: itself, 2: by tanh). */
INLINE void finish(const float *sums, long rows, const float *bias, long column, long columns, int gelu, float *out) {
    for (long r = 0; r < rows; r++)
        for (long c = column; c < column + EDGE && c < columns; c += 16) {
            const __mmask16 inside = columns - c >= 16 ? 0xffff : (1 << (columns - c)) - 1;
            __m512 y = _mm512_load_ps(sums + r * EDGE + c - column);
            if (bias) y = _mm512_add_ps(y, _mm512_maskz_loadu_ps(inside, bias + c));
            if (gelu) y = gelu == 1 ? gelu_erf(y) : gelu_tanh(y);
            _mm512_mask_storeu_ps(out + r * columns + c, inside, y);
        }
}

/* out [rows, columns] = gelu(x [rows, width] · weight [columns / 32, width / 32, high and low, 2, 16, 16, 2] + bias [columns]),
   0 where there was no memory, else 1. */
int warmstart_split_product(const float *x, const bf16 *weight, const float *bias, float *out, long rows, long width,
                            long columns, int gelu, int threads) {
    int done = 1;
#pragma omp parallel num_threads(threads)
    {
        TileConfig config = {.palette = 1};
        for (int t = 0; t < 8; t++) config.bytes[t] = 64, config.rows[t] = 16;
        _tile_loadconfig(&config);
        bf16 *parts = aligned_alloc(64, PANEL * width * 2 * sizeof *parts);
        float sums[EDGE * EDGE] __attribute__((aligned(64)));
        if (!parts) done = 0;
#pragma omp for schedule(static)
        for (long first = 0; first < rows; first += PANEL) {
            const long count = parts ? rows - first < PANEL ? rows - first : PANEL : 0;
            split_rows(x + first * width, count, width, parts);
            for (long column = 0; column < columns; column += EDGE)
                for (long row = 0; row < count; row += EDGE) {
                    const long here = count - row < EDGE ? count - row : EDGE;
                    square(parts + row * width * 2, weight + column * width * 2, width, sums);
                    finish(sums, here, bias, column, columns, gelu, out + (first + row) * columns);
                }
        }
        free(parts);
        _tile_release();
    }
    return done;
}

#else

int warmstart_tiles(void) { return 0; }

#endif
