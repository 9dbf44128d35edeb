/* Attention inside many short texts, there and back: what a library does in many small calls, in one.

   Between its products the attention of a text of 20 tokens is a few thousand numbers for each head. They stay in the first
   cache here, from the rows of queries, keys and values to the rows of the result, and nothing is padded, gathered or
   kept: the way back makes the weights again. All sums are float32. A text's result depends on nothing beside it.

   The same lines are compiled for AVX-512 and for AVX2. kernels.py is the only caller. */

#include <math.h>
#include <stdint.h>
#include <stdlib.h>

#define VERSION 2 /* of what the functions are given; kernels.py takes no other */

#if defined(__x86_64__) && defined(__GNUC__)

#include <omp.h>

enum { TALL = 6, VECTORS = 2 /* rows and vectors of a tile of a product: its sums fill the registers */ };

#define select(which, one, other) ((vf)(((vi)(one) & (which)) | ((vi)(other) & ~(which))))
#define INLINE static inline __attribute__((always_inline))

static int has_avx512(void) {
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
           __builtin_cpu_supports("avx512vl");
}

/* VERSION where this processor has what the kernels need, else 0. */
int warmstart_texts(void) {
    return has_avx512() || (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) ? VERSION : 0;
}

typedef struct {
    const void *qkv;     /* [N, 3 · H · K] */
    const void *grad;    /* [N, H · K] of what was read; there: null */
    void *out;           /* [N, H · K] what is read, or [N, 3 · H · K] the gradient */
    const int64_t *starts, *lengths; /* [B] */
    long texts, heads, width;
    float scale, rate;
    uint64_t key;
    int causal, half;
} Texts;

/* What one text is for one head; rows of ``width`` or of the text's length, filled up to vectors. */
typedef struct {
    float *q, *k, *v, *grad, *turned, *weights, *scores, *out;
} Room;

static long up(long n, long whole) { return (n + whole - 1) / whole * whole; }

INLINE uint32_t row_key(const Texts *t, long token, long head) {
    uint64_t x = t->key + (uint64_t)(token * t->heads + head + 1) * 0x9E3779B97F4A7C15u;
    x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9u;
    x = (x ^ (x >> 27)) * 0x94D049BB133111EBu;
    return (uint32_t)(x >> 32 ^ x);
}

#pragma GCC push_options
#pragma GCC target("avx512f,avx512bw,avx512dq,avx512vl")
#define LANES 16
#define NUMBERS {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}
#define NAMED(name) name##_512
#include "texts.h"
#undef LANES
#undef NUMBERS
#undef NAMED
#pragma GCC pop_options

#pragma GCC push_options
#pragma GCC target("avx2,fma")
#define LANES 8
#define NUMBERS {0, 1, 2, 3, 4, 5, 6, 7}
#define NAMED(name) name##_2
#include "texts.h"
#pragma GCC pop_options

/* Attention of B texts, or where ``grad`` is given the way back; where asked for, with vectors of AVX-512.

   0 where memory did not suffice. */
int warmstart_attend(const void *qkv, const void *grad, void *out, const int64_t *starts, const int64_t *lengths, long texts,
                     long heads, long width, long longest, float scale, float rate, uint64_t key, int causal, int half,
                     int wide_vectors, int threads) {
    const Texts t = {qkv, grad, out, starts, lengths, texts, heads, width, scale, rate, key, causal, half};
    const long wide = up(longest, 16), rows = wide * width, table = wide * wide;
    void (*const attend)(const Texts *, const Room *, long, long) = wide_vectors && has_avx512() ? attend_512 : attend_2;
    const long size = 6 * rows + 2 * table;
    float *rooms = aligned_alloc(64, sizeof(float) * size * threads);
    if (!rooms) return 0;
#pragma omp parallel num_threads(threads)
    {
        float *room = rooms + size * omp_get_thread_num();
        const Room r = {room,            room + rows,     room + 2 * rows,         room + 3 * rows,
                        room + 4 * rows, room + 6 * rows, room + 6 * rows + table, room + 5 * rows};
#pragma omp for schedule(dynamic, 4)
        for (long one = 0; one < texts * heads; one++) attend(&t, &r, one / heads, one % heads);
    }
    free(rooms);
    return 1;
}

#else

int warmstart_texts(void) { return 0; }

#endif
