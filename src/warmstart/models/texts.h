/* The kernels of texts.c for vectors of LANES numbers; included once for each kind of processor, under its target.

   NAMED gives each copy its own names. */

#define vf_any NAMED(vf_any)
#define vh_any NAMED(vh_any)
#define vf NAMED(vf)
#define vi NAMED(vi)
#define vu NAMED(vu)
#define vh NAMED(vh)
#define load NAMED(load)
#define store NAMED(store)
#define exponential NAMED(exponential)
#define sum NAMED(sum)
#define tile NAMED(tile)
#define strip NAMED(strip)
#define product NAMED(product)
#define take NAMED(take)
#define give NAMED(give)
#define turn NAMED(turn)
#define kept NAMED(kept)
#define soften NAMED(soften)
#define weigh NAMED(weigh)
#define forward NAMED(forward)
#define backward NAMED(backward)

typedef float vf __attribute__((vector_size(4 * LANES)));
typedef float vf_any __attribute__((vector_size(4 * LANES), aligned(4)));
typedef int32_t vi __attribute__((vector_size(4 * LANES)));
typedef uint32_t vu __attribute__((vector_size(4 * LANES)));
typedef uint16_t vh __attribute__((vector_size(2 * LANES)));
typedef uint16_t vh_any __attribute__((vector_size(2 * LANES), aligned(2)));

/* LANES numbers of a row of bfloat16 (``half``) or float32. */
INLINE void load(vf *to, const void *row, long at, const int half) {
    if (half) *to = (vf)(__builtin_convertvector(*(const vh_any *)((const uint16_t *)row + at), vu) << 16);
    else *to = *(const vf_any *)((const float *)row + at);
}

INLINE void store(void *row, long at, const vf *from, const int half) {
    if (!half) {
        *(vf_any *)((float *)row + at) = *from;
        return;
    }
    const vu bits = (vu)*from;
    *(vh_any *)((uint16_t *)row + at) = __builtin_convertvector((bits + 0x7fff + ((bits >> 16) & 1)) >> 16, vh);
}

/* e^x of numbers up to 0, to 2e-7; 0 below -87; what is no number stays so, and so does all that reads it. */
INLINE void exponential(vf *x) {
    const vf shift = {0}, power = *x * 1.44269504f;
    const vf whole = (power + (12582912.0f + shift)) - (12582912.0f + shift), rest = power - whole;
    vf y = 1.5403530e-4f + shift;
    y = y * rest + 1.3333558e-3f;
    y = y * rest + 9.6181291e-3f;
    y = y * rest + 5.5504109e-2f;
    y = y * rest + 2.4022651e-1f;
    y = y * rest + 6.9314718e-1f;
    y = y * rest + 1.0f;
    const vi seen = ~(*x < -87.0f);
    *x = (vf)(((vi)y + (__builtin_convertvector(whole, vi) << 23)) & seen);
}

INLINE float sum(const vf *x) {
    float total = 0;
    for (int lane = 0; lane < LANES; lane++) total += (*x)[lane];
    return total;
}

/* [rows, LANES · vectors] of out = left · right, for which left stands at ``left[r · down + k · along]``. */
INLINE void tile(const int rows, const int vectors, const float *left, long down, long along, const float *right, long pitch,
                 float *out, long wide, long depth) {
    vf sums[TALL][VECTORS];
    for (int r = 0; r < rows; r++)
        for (int v = 0; v < vectors; v++) sums[r][v] = (vf){0};
    for (long k = 0; k < depth; k++) {
        vf beside[VECTORS];
        for (int v = 0; v < vectors; v++) beside[v] = *(const vf *)(right + k * pitch + v * LANES);
        for (int r = 0; r < rows; r++) {
            const float one = left[r * down + k * along];
            for (int v = 0; v < vectors; v++) sums[r][v] += beside[v] * one;
        }
    }
    for (int r = 0; r < rows; r++)
        for (int v = 0; v < vectors; v++) *(vf *)(out + r * wide + v * LANES) = sums[r][v];
}

INLINE void strip(const int vectors, const float *left, long down, long along, const float *right, long pitch, float *out,
                  long wide, long rows, long depth) {
    long row = 0;
    for (; row + TALL <= rows; row += TALL)
        tile(TALL, vectors, left + row * down, down, along, right, pitch, out + row * wide, wide, depth);
    left += row * down, out += row * wide;
    switch (rows - row) {
    case 5: tile(5, vectors, left, down, along, right, pitch, out, wide, depth); break;
    case 4: tile(4, vectors, left, down, along, right, pitch, out, wide, depth); break;
    case 3: tile(3, vectors, left, down, along, right, pitch, out, wide, depth); break;
    case 2: tile(2, vectors, left, down, along, right, pitch, out, wide, depth); break;
    case 1: tile(1, vectors, left, down, along, right, pitch, out, wide, depth); break;
    }
}

/* out [rows, columns] = left · right [depth, columns]; columns are a multiple of LANES, right and out rows of vectors. */
INLINE void product(const float *left, long down, long along, const float *right, long pitch, float *out,
                    long wide, long rows, long columns, long depth) {
    long column = 0;
    for (; column + VECTORS * LANES <= columns; column += VECTORS * LANES)
        strip(VECTORS, left, down, along, right + column, pitch, out + column, wide, rows, depth);
    for (; column < columns; column += LANES)
        strip(1, left, down, along, right + column, pitch, out + column, wide, rows, depth);
}

/* Rows [count, width] of a part of the joint projection, in float32, ``scale`` times. */
INLINE void take(float *to, const void *from, long first, long pitch, long count, long width, float scale, const int half) {
    for (long t = 0; t < count; t++)
        for (long c = 0; c < width; c += LANES) {
            vf x;
            load(&x, from, first + t * pitch + c, half);
            *(vf *)(to + t * width + c) = x * scale;
        }
}

INLINE void give(void *to, const float *from, long first, long pitch, long count, long width, const int half) {
    for (long t = 0; t < count; t++)
        for (long c = 0; c < width; c += LANES) store(to, first + t * pitch + c, (const vf *)(from + t * width + c), half);
}

/* [width, wide] of [count, width]; what is beyond ``count`` is 0. */
INLINE void turn(float *to, const float *from, long count, long width, long wide) {
    for (long c = 0; c < width; c++)
        for (long t = 0; t < wide; t++) to[c * wide + t] = t < count ? from[t * width + c] : 0.0f;
}

/* Which of LANES weights are kept: a number for each from the mask's key, its row and its column (Wellons' lowbias32). */
INLINE void kept(vi *keep, uint32_t row, long column, uint32_t limit) {
    vu x = ((vu)NUMBERS + (uint32_t)column) * 0x9E3779B9u + row;
    x = (x ^ (x >> 16)) * 0x7feb352du;
    x = (x ^ (x >> 15)) * 0x846ca68bu;
    *keep = (x ^ (x >> 16)) >= limit;
}

/* Scores → weights, in place; those that are not seen are 0. */
INLINE void soften(float *row, long seen, long wide) {
    const vf unseen = (vf){0} - INFINITY;
    vf most = unseen, total = {0};
    for (long s = 0; s < wide; s += LANES) {
        const vf score = *(vf *)(row + s);
        const vf x = select((vi)NUMBERS + (int32_t)s < (int32_t)seen, score, unseen);
        *(vf *)(row + s) = x;
        most = select(x > most, x, most);
    }
    float top = most[0];
    for (int lane = 1; lane < LANES; lane++) top = most[lane] > top ? most[lane] : top;
    for (long s = 0; s < wide; s += LANES) {
        vf x = *(vf *)(row + s) - top;
        exponential(&x);
        *(vf *)(row + s) = x;
        total += x;
    }
    const float one = 1.0f / sum(&total);
    for (long s = 0; s < wide; s += LANES) *(vf *)(row + s) *= one;
}

/* The weights [count, wide] of one text and head, before dropout. */
INLINE void weigh(const Texts *t, const Room *r, long count) {
    const long wide = up(count, LANES);
    turn(r->turned, r->k, count, t->width, wide);
    product(r->q, t->width, 1, r->turned, wide, r->weights, wide, count, wide, t->width);
    for (long row = 0; row < count; row++) soften(r->weights + row * wide, t->causal ? row + 1 : count, wide);
}

INLINE void forward(const Texts *t, const Room *r, long text, long head, const int half) {
    const long start = t->starts[text], count = t->lengths[text], wide = up(count, LANES), width = t->width;
    const long row = t->heads * width, first = start * 3 * row + head * width;
    take(r->q, t->qkv, first, 3 * row, count, width, t->scale, half);
    take(r->k, t->qkv, first + row, 3 * row, count, width, 1.0f, half);
    take(r->v, t->qkv, first + 2 * row, 3 * row, count, width, 1.0f / (1.0f - t->rate), half);
    weigh(t, r, count);
    if (t->rate > 0)
        for (long q = 0; q < count; q++) {
            const uint32_t key = row_key(t, start + q, head), limit = (uint32_t)(t->rate * 4294967296.0);
            for (long s = 0; s < wide; s += LANES) {
                vi keep;
                kept(&keep, key, s, limit);
                vi *weights = (vi *)(r->weights + q * wide + s);
                *weights &= keep;
            }
        }
    product(r->weights, wide, 1, r->v, width, r->out, width, count, width, count);
    give(t->out, r->out, start * row + head * width, row, count, width, half);
}

INLINE void backward(const Texts *t, const Room *r, long text, long head, const int half) {
    const long start = t->starts[text], count = t->lengths[text], wide = up(count, LANES), width = t->width;
    const long row = t->heads * width, first = start * 3 * row + head * width;
    const float whole = 1.0f / (1.0f - t->rate);
    take(r->q, t->qkv, first, 3 * row, count, width, t->scale, half);
    take(r->k, t->qkv, first + row, 3 * row, count, width, 1.0f, half);
    take(r->v, t->qkv, first + 2 * row, 3 * row, count, width, 1.0f, half);
    take(r->grad, t->grad, start * row + head * width, row, count, width, whole, half);
    weigh(t, r, count);
    turn(r->turned, r->v, count, width, wide);
    product(r->grad, width, 1, r->turned, wide, r->scores, wide, count, wide, width);
    for (long q = 0; q < count; q++) { /* scores become their gradient, weights those that dropout has left */
        float *scores = r->scores + q * wide, *weights = r->weights + q * wide;
        const uint32_t key = row_key(t, start + q, head), limit = (uint32_t)(t->rate * 4294967296.0);
        vf mean = {0};
        for (long s = 0; s < wide; s += LANES) {
            vi keep = {0};
            if (t->rate > 0) kept(&keep, key, s, limit);
            else keep = ~keep;
            const vf grad = (vf)(*(vi *)(scores + s) & keep);
            *(vf *)(scores + s) = grad;
            mean += grad * *(vf *)(weights + s);
        }
        const float level = sum(&mean);
        for (long s = 0; s < wide; s += LANES) {
            vi keep = {0};
            if (t->rate > 0) kept(&keep, key, s, limit);
            else keep = ~keep;
            const vf weight = *(vf *)(weights + s);
            *(vf *)(scores + s) = weight * (*(vf *)(scores + s) - level);
            *(vi *)(weights + s) = (vi)weight & keep;
        }
    }
    product(r->scores, wide, 1, r->k, width, r->out, width, count, width, count);
    for (long at = 0; at < count * width; at += LANES) *(vf *)(r->out + at) *= t->scale;
    give(t->out, r->out, first, 3 * row, count, width, half);
    product(r->scores, 1, wide, r->q, width, r->out, width, count, width, count);
    give(t->out, r->out, first + row, 3 * row, count, width, half);
    product(r->weights, 1, wide, r->grad, width, r->out, width, count, width, count);
    give(t->out, r->out, first + 2 * row, 3 * row, count, width, half);
}

static void NAMED(attend)(const Texts *t, const Room *r, long text, long head) {
    if (t->grad && t->half) backward(t, r, text, head, 1);
    else if (t->grad) backward(t, r, text, head, 0);
    else if (t->half) forward(t, r, text, head, 1);
    else forward(t, r, text, head, 0);
}

#undef vf_any
#undef vh_any
#undef vf
#undef vi
#undef vu
#undef vh
#undef load
#undef store
#undef exponential
#undef sum
#undef tile
#undef strip
#undef product
#undef take
#undef give
#undef turn
#undef kept
#undef soften
#undef weigh
#undef forward
#undef backward
