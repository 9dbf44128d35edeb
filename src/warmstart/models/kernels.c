/* Two kernels for a few rows against much memory, as decoding needs them, for processors with AVX-512 BF16.

   A product of a few rows is over sooner than its weights come from memory, and so is attention over keys and values that
   many steps have left. Libraries wait for memory and multiply in turns; here what is multiplied next is asked for while
   this is multiplied. All sums are float32, and no result depends on threads or on the rows beside it. The numbers are
   bfloat16, passed as uint16_t. kernels.py is the only caller; tiles.c has one more kernel, for AMX. */

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define VERSION 2 /* of what the functions are given; kernels.py takes no other */

#if defined(__x86_64__) && defined(__GNUC__)

#include <cpuid.h>
#include <omp.h>

/* VERSION where this processor has what the kernels need, else 0. With AMX they are not measured, and oneDNN uses that. */
int warmstart_kernels(void) {
    unsigned a, b, c, d;
    const int amx = __get_cpuid_count(7, 0, &a, &b, &c, &d) && (d >> 22 & 1);
    const int has = __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
                    __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512bf16");
    return has && !amx ? VERSION : 0;
}

#pragma GCC target("avx512f,avx512bw,avx512dq,avx512vl,avx512bf16")

#include "vectors.h"

enum {
    ROWS = 8,    /* of a tile of a product: with 3 vectors of columns its sums fill 24 registers */
    COLUMNS = 48,
    CHUNK = 64,  /* rows that stay in the cache while all columns go by */
    KEYS = 16,   /* columns of a table whose keys stand pair by pair beside each other */
    READERS = 8, /* queries that read a key at a time */
    VALUES = 32  /* of a value that are added up at a time */
};

/* Two neighbours in every lane. */
INLINE __m512bh pair(const bf16 *x) {
    int both;
    memcpy(&both, x, sizeof both);
    return (__m512bh)_mm512_set1_epi32(both);
}

typedef struct {
    const bf16 *x, *weight;
    const float *bias;
    void *out;
    long rows, width, columns;
    int gelu, single; /* gelu 0: none, 1: itself, 2: by tanh; single: float32 is given */
} Product;

/* [rows, 48] of the output; ``ahead`` is what will be read next, ``lines`` of 64 bytes of it for each step. */
INLINE void tile(const int rows, const Product *p, long row, long column, const char *ahead, const int lines) {
    const bf16 *x = p->x + row * p->width, *weight = p->weight + column * p->width;
    __m512 sums[ROWS][3];
    for (int r = 0; r < rows; r++)
        for (int v = 0; v < 3; v++) sums[r][v] = _mm512_setzero_ps();
    for (long k = 0; k < p->width; k += 2, weight += 2 * COLUMNS) {
        __m512bh w[3];
        for (int v = 0; v < 3; v++) w[v] = (__m512bh)_mm512_loadu_si512(weight + 32 * v);
        for (int line = 0; line < lines; line++, ahead += 64) _mm_prefetch(ahead, _MM_HINT_T1);
        for (int r = 0; r < rows; r++) {
            const __m512bh both = pair(x + r * p->width + k);
            for (int v = 0; v < 3; v++) sums[r][v] = _mm512_dpbf16_ps(sums[r][v], both, w[v]);
        }
    }
    for (int v = 0; v < 3 && column + 16 * v < p->columns; v++) {
        const long left = p->columns - column - 16 * v;
        const __mmask16 inside = left >= 16 ? 0xffff : (1 << left) - 1;
        for (int r = 0; r < rows; r++) {
            const long place = (row + r) * p->columns + column + 16 * v;
            __m512 y = sums[r][v];
            if (p->bias) y = _mm512_add_ps(y, _mm512_maskz_loadu_ps(inside, p->bias + column + 16 * v));
            if (p->gelu) y = p->gelu == 1 ? gelu_erf(y) : gelu_tanh(y);
            if (p->single) _mm512_mask_storeu_ps((float *)p->out + place, inside, y);
            else _mm256_mask_storeu_epi16((bf16 *)p->out + place, inside, narrowed(y));
        }
    }
}

/* Up to CHUNK rows of 48 columns, in even tiles; between them these ask for the columns that come next. */
static void strip(const Product *p, long row, long count, long column, long next) {
    const int tiles = (count + ROWS - 1) / ROWS;
    for (int t = 0; t < tiles; t++) {
        const long first = row + count * t / tiles;
        const int lines = tiles > 2 ? t < 3 : t ? 0 : 3; /* 3 lines a step in all: a third in each tile, or all in the first */
        const char *ahead = (const char *)(p->weight + next * p->width) + (tiles > 2 ? 32 * t * p->width : 0);
        switch (row + count * (t + 1) / tiles - first) {
#define CASE(R)                                                                                                        \
    case R:                                                                                                            \
        if (lines == 1) tile(R, p, first, column, ahead, 1);                                                           \
        else if (lines) tile(R, p, first, column, ahead, 3);                                                           \
        else tile(R, p, first, column, ahead, 0);                                                                      \
        break;
            CASE(1) CASE(2) CASE(3) CASE(4) CASE(5) CASE(6) CASE(7) CASE(8)
#undef CASE
        }
    }
}

/* out [rows, columns] = gelu(x [rows, width] · weight [columns / 48, width / 2, 48, 2] + bias [columns]). */
void warmstart_product(const bf16 *x, const bf16 *weight, const float *bias, void *out, long rows, long width, long columns,
                       int gelu, int single, int threads) {
    const Product p = {x, weight, bias, out, rows, width, columns, gelu, single};
    const long strips = (columns + COLUMNS - 1) / COLUMNS, units = (rows + CHUNK - 1) / CHUNK * strips;
#pragma omp parallel num_threads(threads)
    {
        const long me = omp_get_thread_num(), all = omp_get_num_threads(), last = units * (me + 1) / all;
        for (long unit = units * me / all; unit < last; unit++) {
            const long row = unit / strips * CHUNK, next = unit + 1 < last ? (unit + 1) % strips : unit % strips;
            strip(&p, row, rows - row < CHUNK ? rows - row : CHUNK, unit % strips * COLUMNS, next * COLUMNS);
        }
    }
}

typedef struct {
    long sources, heads, groups, columns, width, asking, fresh; /* B, H, G, C, K, T, N */
    long q_source, q_head, q_token, kv_source, kv_token, kv_value, kv_group, bias_source, bias_head, bias_token;
} Sizes; /* and how far apart neighbours lie; kernels.py gives it as one row of numbers */

typedef struct {
    const bf16 *q, *kv, *bias;
    bf16 *table, *out;
    const int64_t *places;
    float scale;
    Sizes s;
} Reading;

/* Queries that read together: where each finds its numbers and its sight, and where its result goes. */
typedef struct {
    const bf16 *asks[READERS], *sees[READERS];
    bf16 *gives[READERS];
} Readers;

/* Scores of some readers in 16 columns, where any of them sees one; whether one does. */
INLINE int score(const int readers, const Reading *r, const Readers *who, const bf16 *keys, long column, const char *ahead,
                 float *scores, __m512 *most) {
    __m512 sums[READERS][2], shown[READERS];
    int seen = 0;
    for (int t = 0; t < readers; t++) {
        shown[t] = widened(who->sees[t] + column);
        seen |= _mm512_cmp_ps_mask(shown[t], _mm512_set1_ps(-INFINITY), _CMP_NEQ_UQ);
        sums[t][0] = sums[t][1] = _mm512_setzero_ps();
    }
    if (!seen) return 0;
    for (long k = 0; k < r->s.width; k += 4, keys += 4 * KEYS)
        for (int half = 0; half < 2; half++, ahead += 64) {
            const __m512bh key = (__m512bh)_mm512_loadu_si512(keys + 2 * KEYS * half);
            _mm_prefetch(ahead, _MM_HINT_T1);
            for (int t = 0; t < readers; t++)
                sums[t][half] = _mm512_dpbf16_ps(sums[t][half], pair(who->asks[t] + k + 2 * half), key);
        }
    for (int t = 0; t < readers; t++) {
        const __m512 sum = _mm512_add_ps(sums[t][0], sums[t][1]);
        const __m512 y = _mm512_fmadd_ps(sum, _mm512_set1_ps(r->scale), shown[t]);
        most[t] = _mm512_max_ps(most[t], y);
        _mm512_storeu_ps(scores + t * r->s.columns + column, y);
    }
    return 1;
}

/* What some readers read of one table. */
INLINE void read_some(const int readers, const Reading *r, const Readers *who, const bf16 *keys, const bf16 *values,
                      float *scores, int *seen) {
    const bf16 *after = keys + r->s.columns * r->s.width; /* the keys of the next table */
    __m512 most[READERS];
    float share[READERS];
    int count = 0;
    for (int t = 0; t < readers; t++) most[t] = _mm512_set1_ps(-INFINITY);
    for (long c = 0; c < r->s.columns; c += KEYS) /* the values are asked for meanwhile */
        if (score(readers, r, who, keys + c * r->s.width, c, (const char *)(values + c * r->s.width), scores, most))
            seen[count++] = c;
    for (int t = 0; t < readers; t++) {
        const __m512 highest = _mm512_set1_ps(_mm512_reduce_max_ps(most[t]));
        __m512 total = _mm512_setzero_ps();
        for (int s = 0; s < count; s++) {
            float *place = scores + t * r->s.columns + seen[s];
            const __m512 part = exponential(_mm512_sub_ps(_mm512_loadu_ps(place), highest));
            total = _mm512_add_ps(total, part);
            _mm512_storeu_ps(place, part);
        }
        share[t] = 1.0f / _mm512_reduce_add_ps(total);
    }
    for (long k = 0; k < r->s.width; k += VALUES) {
        __m512 sums[READERS][2];
        for (int t = 0; t < readers; t++) sums[t][0] = sums[t][1] = _mm512_setzero_ps();
        for (int s = 0; s < count; s++)
            for (long c = seen[s]; c < seen[s] + KEYS; c++) {
                const bf16 *value = values + c * r->s.width + k;
                const __m512 low = widened(value), high = widened(value + 16);
                _mm_prefetch((const char *)(after + c * r->s.width + k), _MM_HINT_T1);
                for (int t = 0; t < readers; t++) {
                    const __m512 part = _mm512_set1_ps(scores[t * r->s.columns + c]);
                    sums[t][0] = _mm512_fmadd_ps(part, low, sums[t][0]);
                    sums[t][1] = _mm512_fmadd_ps(part, high, sums[t][1]);
                }
            }
        for (int t = 0; t < readers; t++)
            for (int half = 0; half < 2; half++) {
                const __m512 y = _mm512_mul_ps(sums[t][half], _mm512_set1_ps(share[t]));
                _mm256_storeu_si256((__m256i *)(who->gives[t] + k + 16 * half), narrowed(y));
            }
    }
}

/* Takes in the new keys and values of one table; of 16 columns the first pairs of all keys stand first. */
static void take(const Reading *r, long source, long group, bf16 *keys, bf16 *values) {
    for (long n = 0; n < r->s.fresh; n++) {
        const long column = r->places[source * r->s.fresh + n];
        const bf16 *key = r->kv + source * r->s.kv_source + n * r->s.kv_token + group * r->s.kv_group;
        bf16 *place = keys + column / KEYS * KEYS * r->s.width + column % KEYS * 2;
        for (long k = 0; k < r->s.width; k += 2, place += 2 * KEYS) memcpy(place, key + k, 2 * sizeof *key);
        memcpy(values + column * r->s.width, key + r->s.kv_value, r->s.width * sizeof *key);
    }
}

/* Readers ``first`` to ``last`` of a table: its first head's tokens, then its next head's. */
static void read_part(const Reading *r, long table, long first, long last, float *scores, int *seen) {
    const Sizes *s = &r->s;
    const long source = table / s->groups, size = s->columns * s->width;
    const bf16 *keys = r->table + table * size, *values = keys + s->sources * s->groups * size;
    Readers who;
    for (long reader = first; reader < last; reader++) {
        const long head = table % s->groups * (s->heads / s->groups) + reader / s->asking, token = reader % s->asking;
        who.asks[reader - first] = r->q + source * s->q_source + head * s->q_head + token * s->q_token;
        who.sees[reader - first] = r->bias + source * s->bias_source + head * s->bias_head + token * s->bias_token;
        who.gives[reader - first] = r->out + ((source * s->asking + token) * s->heads + head) * s->width;
    }
    switch (last - first) {
#define CASE(R) case R: read_some(R, r, &who, keys, values, scores, seen); break;
        CASE(1) CASE(2) CASE(3) CASE(4) CASE(5) CASE(6) CASE(7) CASE(8)
#undef CASE
    }
}

/* New keys and values kv [B, N, 2, G, K] go to ``places`` [B, N] of the table [2, B, G, C, K]; then queries q [B, H, T, K]
   read it: out [B, T, H, K] = softmax(q · keys · scale + bias [B, H, T, C]) · values. */
void warmstart_read(const bf16 *q, const bf16 *kv, bf16 *table, const int64_t *places, const bf16 *bias, bf16 *out,
                    const Sizes *sizes, float scale, int threads) {
    const Reading r = {q, kv, bias, table, out, places, scale, *sizes};
    const long size = r.s.columns * r.s.width, tables = r.s.sources * r.s.groups;
    const long readers = r.s.heads / r.s.groups * r.s.asking, parts = (readers + READERS - 1) / READERS;
#pragma omp parallel num_threads(threads)
    {
        float *scores = malloc(READERS * r.s.columns * sizeof *scores);
        int *seen = malloc(r.s.columns / KEYS * sizeof *seen);
#pragma omp for schedule(static)
        for (long t = 0; t < tables; t++)
            take(&r, t / r.s.groups, t % r.s.groups, table + t * size, table + (tables + t) * size);
#pragma omp for schedule(static)
        for (long unit = 0; unit < tables * parts; unit++) {
            const long part = unit % parts;
            read_part(&r, unit / parts, readers * part / parts, readers * (part + 1) / parts, scores, seen);
        }
        free(scores);
        free(seen);
    }
}

#else

int warmstart_kernels(void) { return 0; }

#endif
