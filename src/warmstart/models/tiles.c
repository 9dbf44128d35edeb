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

/* Rows to parts [rows / 32, width / 32, high or high and low, 2, 16, 32]; the last square is filled up with zeros. */
INLINE void split_rows(const int halves, const float *x, long rows, long width, bf16 *parts) {
    const long whole = (rows + EDGE - 1) / EDGE * EDGE;
    for (long r = 0; r < whole; r++) {
        const __mmask16 there = r < rows ? 0xffff : 0;
        bf16 *place = parts + r / EDGE * EDGE * width * halves + r % EDGE * DEPTH;
        for (long k = 0; k < width; k += DEPTH, place += 2 * TILE * halves)
            for (int side = 0; side < 2; side++) {
                const __m512 number = _mm512_maskz_loadu_ps(there, x + r * width + k + 16 * side);
                const __m256i high = narrowed(number);
                _mm256_store_si256((__m256i *)(place + 16 * side), high);
                if (halves == 1) continue;
                const __m256i low = narrowed(_mm512_sub_ps(number, widened((const bf16 *)&high)));
                _mm256_store_si256((__m256i *)(place + 2 * TILE + 16 * side), low);
            }
    }
}

/* The same of rows that are rounded already. */
INLINE void lay_rows(const bf16 *x, long rows, long width, bf16 *parts) {
    const long whole = (rows + EDGE - 1) / EDGE * EDGE;
    for (long r = 0; r < whole; r++) {
        const __mmask32 there = r < rows ? ~0u : 0;
        bf16 *place = parts + r / EDGE * EDGE * width + r % EDGE * DEPTH;
        for (long k = 0; k < width; k += DEPTH, place += 2 * TILE)
            _mm512_store_si512(place, _mm512_maskz_loadu_epi16(there, x + r * width + k));
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

/* A product; of ``halves`` the first is high, the second low. Bits of ``half``: x is bfloat16 (1), out is (2). */
typedef struct {
    const void *x;
    const bf16 *weight;
    const float *bias;
    void *out;
    long width, columns;
    int half, gelu; /* gelu 0: none, 1: itself, 2: by tanh */
} Product;

/* The sums [32, 32] of a square, and where they go. */
typedef struct {
    _Alignas(64) float sums[EDGE * EDGE];
    long row, rows, column;
    int done; /* rows that are out */
} Square;

/* The next ``count`` rows of a square to their place. */
INLINE void finish(const Product *p, Square *s, int count) {
    const int last = s->done + count < s->rows ? s->done + count : s->rows;
    for (int r = s->done; r < last; r++)
        for (long c = s->column; c < s->column + EDGE && c < p->columns; c += 16) {
            const long place = (s->row + r) * p->columns + c;
            const __mmask16 inside = p->columns - c >= 16 ? 0xffff : (1 << (p->columns - c)) - 1;
            __m512 y = _mm512_load_ps(s->sums + r * EDGE + c - s->column);
            if (p->bias) y = _mm512_add_ps(y, _mm512_maskz_loadu_ps(inside, p->bias + c));
            if (p->gelu) y = p->gelu == 1 ? gelu_erf(y) : gelu_tanh(y);
            if (p->half & 2) _mm256_mask_storeu_epi16((bf16 *)p->out + place, inside, narrowed(y));
            else _mm512_mask_storeu_ps((float *)p->out + place, inside, y);
        }
    s->done = last;
}

/* The sums of 32 rows and 32 columns; meanwhile the vector units finish the square before. */
INLINE void multiply(const int halves, const Product *p, const bf16 *rows, Square *s, Square *before) {
    const int share = (EDGE * DEPTH + p->width - 1) / p->width;
    const bf16 *columns = p->weight + s->column * p->width * halves;
    _tile_zero(0);
    _tile_zero(1);
    _tile_zero(2);
    _tile_zero(3);
    for (long k = 0; k < p->width; k += DEPTH, rows += 2 * TILE * halves, columns += 2 * TILE * halves) {
        load_columns(columns); /* high */
        if (halves == 2) {
            load_rows(rows + 2 * TILE); /* low */
            add_products();
        }
        load_rows(rows); /* high */
        add_products();
        if (halves == 2) {
            load_columns(columns + 2 * TILE); /* low */
            add_products();
        }
        finish(p, before, share);
    }
    _tile_stored(0, s->sums, 4 * EDGE);
    _tile_stored(1, s->sums + 16, 4 * EDGE);
    _tile_stored(2, s->sums + 16 * EDGE, 4 * EDGE);
    _tile_stored(3, s->sums + 16 * EDGE + 16, 4 * EDGE);
}

/* Up to PANEL rows of the output, all of whose columns go by. */
INLINE void panel(const int halves, const Product *p, long first, long rows, bf16 *parts) {
    Square both[2];
    Square *s = both, *before = both + 1;
    before->rows = before->done = 0;
    if (p->half & 1) lay_rows((const bf16 *)p->x + first * p->width, rows, p->width, parts);
    else split_rows(halves, (const float *)p->x + first * p->width, rows, p->width, parts);
    for (long column = 0; column < p->columns; column += EDGE)
        for (long row = 0; row < rows; row += EDGE) {
            s->row = first + row, s->rows = rows - row < EDGE ? rows - row : EDGE, s->column = column, s->done = 0;
            multiply(halves, p, parts + row * p->width * halves, s, before);
            Square *const next = before;
            before = s, s = next;
        }
    finish(p, before, EDGE);
}

/* out [rows, columns] = gelu(x [rows, width] · weight [columns / 32, width / 32, halves, 2, 16, 16, 2] + bias [columns]),
   0 where there was no memory, else 1. Rows of bfloat16 have one half. */
int warmstart_split_product(const void *x, const bf16 *weight, const float *bias, void *out, long rows, long width,
                            long columns, int halves, int half, int gelu, int threads) {
    const Product p = {x, weight, bias, out, width, columns, half, gelu};
    int done = 1;
#pragma omp parallel num_threads(threads)
    {
        TileConfig config = {.palette = 1};
        for (int t = 0; t < 8; t++) config.bytes[t] = 64, config.rows[t] = 16;
        _tile_loadconfig(&config);
        bf16 *parts = aligned_alloc(64, PANEL * width * halves * sizeof *parts);
        if (!parts) done = 0;
#pragma omp for schedule(static)
        for (long first = 0; first < rows; first += PANEL) {
            const long count = parts ? rows - first < PANEL ? rows - first : PANEL : 0;
            if (halves == 2) panel(2, &p, first, count, parts);
            else panel(1, &p, first, count, parts);
        }
        free(parts);
        _tile_release();
    }
    return done;
}

#else

int warmstart_tiles(void) { return 0; }

#endif
