/* A table of words, and the splitting of UTF-8 text into them as byte-level BPE does (GPT-2's pattern):

       's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+

   What kind a character is, the caller says. word_table.py is the only caller: one thread at a time for a table. */

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define VERSION 1 /* of what the functions are given; word_table.py takes no other */

enum { UNKNOWN, LETTER, NUMBER, OTHER, SPACE }; /* kinds of characters */
enum { FAILED = -1, ASKS = -2 };

typedef struct {
    uint32_t hash;
    int32_t word; /* its number plus 1; 0: free */
} Slot;

typedef struct {
    uint8_t *bytes; /* of all words, end to end */
    int64_t *ends;  /* of each word in them */
    Slot *slots;
    long num_words, word_space, byte_space, num_slots;
} Table;

typedef struct {
    const uint8_t *text, *kinds;
    long end;
    int64_t unknown; /* a character whose kind nobody has said yet, else -1 */
} Reader;

int warmstart_words(void) { return VERSION; }

void warmstart_words_free(Table *t) {
    free(t->bytes);
    free(t->ends);
    free(t->slots);
    free(t);
}

Table *warmstart_words_new(void) {
    Table *t = calloc(1, sizeof *t);
    if (t == NULL) return NULL;
    t->word_space = 1 << 12, t->byte_space = 1 << 16, t->num_slots = 1 << 14;
    t->bytes = malloc(t->byte_space);
    t->ends = malloc(t->word_space * sizeof *t->ends);
    t->slots = calloc(t->num_slots, sizeof *t->slots);
    if (t->bytes && t->ends && t->slots) return t;
    warmstart_words_free(t);
    return NULL;
}

long warmstart_words_size(const Table *t) { return t->num_words; }
const uint8_t *warmstart_words_bytes(const Table *t) { return t->bytes; }
const int64_t *warmstart_words_ends(const Table *t) { return t->ends; }

/* More room for words, bytes and slots where one more word of some length may not fit; 0 where there is no memory. */
static int make_room(Table *t, long length) {
    if (t->num_words == t->word_space) {
        int64_t *ends = realloc(t->ends, 2 * t->word_space * sizeof *ends);
        if (ends == NULL) return 0;
        t->ends = ends, t->word_space *= 2;
    }
    const long used = t->num_words ? t->ends[t->num_words - 1] : 0;
    if (used + length > t->byte_space) {
        const long space = 2 * t->byte_space + length;
        uint8_t *bytes = realloc(t->bytes, space);
        if (bytes == NULL) return 0;
        t->bytes = bytes, t->byte_space = space;
    }
    if (2 * t->num_words < t->num_slots) return 1;
    const long count = 2 * t->num_slots;
    Slot *slots = calloc(count, sizeof *slots);
    if (slots == NULL) return 0;
    for (long old = 0; old < t->num_slots; old++) {
        long place = t->slots[old].hash & (count - 1);
        if (t->slots[old].word == 0) continue;
        while (slots[place].word) place = (place + 1) & (count - 1);
        slots[place] = t->slots[old];
    }
    free(t->slots);
    t->slots = slots, t->num_slots = count;
    return 1;
}

/* FNV's mixture, eight bytes at a time. */
static inline uint32_t hash_of(const uint8_t *word, long length) {
    uint64_t hash = 0xcbf29ce484222325u ^ (uint64_t)length, part;
    for (; length >= 8; length -= 8, word += 8) {
        memcpy(&part, word, 8);
        hash = (hash ^ part) * 0x9e3779b97f4a7c15u;
        hash ^= hash >> 32;
    }
    part = 0;
    for (long i = 0; i < length; i++) part |= (uint64_t)word[i] << (8 * i);
    hash = (hash ^ part) * 0x9e3779b97f4a7c15u;
    return (uint32_t)(hash >> 32);
}

/* The number of a word, which is the next one where it is new; FAILED without memory. */
static inline long number_of(Table *t, const uint8_t *word, long length) {
    const uint32_t hash = hash_of(word, length);
    long place = hash & (t->num_slots - 1);
    for (; t->slots[place].word; place = (place + 1) & (t->num_slots - 1)) {
        if (t->slots[place].hash != hash) continue;
        const long number = t->slots[place].word - 1, start = number ? t->ends[number - 1] : 0;
        if (t->ends[number] - start == length && memcmp(t->bytes + start, word, length) == 0) return number;
    }
    if (t->num_words == INT32_MAX - 1 || !make_room(t, length)) return FAILED;
    const long start = t->num_words ? t->ends[t->num_words - 1] : 0;
    memcpy(t->bytes + start, word, length);
    t->ends[t->num_words++] = start + length;
    place = hash & (t->num_slots - 1);
    while (t->slots[place].word) place = (place + 1) & (t->num_slots - 1);
    t->slots[place] = (Slot){hash, (int32_t)t->num_words};
    return t->num_words - 1;
}

/* The kind of the character at a place, and how many bytes it has. */
static inline int kind_at(Reader *r, long place, int *width) {
    const uint8_t *text = r->text + place;
    uint32_t code = text[0];
    *width = code < 0x80 ? 1 : code < 0xe0 ? 2 : code < 0xf0 ? 3 : 4;
    if (*width == 2) code = (code & 0x1f) << 6 | (text[1] & 0x3f);
    if (*width == 3) code = (code & 0x0f) << 12 | (text[1] & 0x3f) << 6 | (text[2] & 0x3f);
    if (*width == 4) code = (code & 0x07) << 18 | (text[1] & 0x3f) << 12 | (text[2] & 0x3f) << 6 | (text[3] & 0x3f);
    if (r->kinds[code] == UNKNOWN) r->unknown = code;
    return r->kinds[code];
}

/* The bytes of an English ending behind an apostrophe, with it; 0 where there is none. */
static inline int ending(const uint8_t *text, long left) {
    if (text[0] != '\'' || left < 2) return 0;
    if (strchr("stmd", text[1]) && text[1]) return 2;
    if (left < 3) return 0;
    const int e = text[2] == 'e' && (text[1] == 'r' || text[1] == 'v');
    return e || (text[1] == 'l' && text[2] == 'l') ? 3 : 0;
}

/* Where the word ends that begins at a place. */
static inline long word_end(Reader *r, long start) {
    int width;
    const int length = ending(r->text + start, r->end - start);
    if (length) return start + length;
    long place = start + (r->text[start] == ' ' && start + 1 < r->end);
    const int kind = kind_at(r, place, &width);
    if (kind != SPACE) {
        for (place += width; place < r->end && kind_at(r, place, &width) == kind;) place += width;
        return place;
    }
    long last = start; /* character of the run of blanks, which goes with the word behind it */
    for (place = start; place < r->end && kind_at(r, place, &width) == SPACE; place += width) last = place;
    return place == r->end || last == start ? place : last;
}

/* Puts the numbers of the words of some texts, which lie end to end, into ``numbers``, and into ``counts`` how many each text
   has. Returns the number of words; FAILED without memory, or ASKS where the kind of a character is wanted, which is then in
   ``asked``: the texts are to be given again. */
long warmstart_words_split(Table *t, const uint8_t *text, const int64_t *ends, long texts, const uint8_t *kinds,
                           int32_t *numbers, int64_t *counts, int64_t *asked) {
    Reader r = {text, kinds, 0, -1};
    long place = 0, count = 0;
    for (long i = 0; i < texts; i++) {
        const long before = count;
        for (r.end = ends[i]; place < r.end;) {
            const long end = word_end(&r, place);
            if (r.unknown >= 0) {
                *asked = r.unknown;
                return ASKS;
            }
            const long number = number_of(t, text + place, end - place);
            if (number < 0) return FAILED;
            numbers[count++] = (int32_t)number;
            place = end;
        }
        counts[i] = count - before;
    }
    return count;
}
