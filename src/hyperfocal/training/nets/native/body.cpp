// A row of 3x3 convolutions with activations in between, forward and backward, on the matrix tiles
// of Intel AMX (Intel Architecture Instruction Set Extensions Programming Reference, chapter 3).
//
// Values are bfloat16, sums float32. Where a framework goes through a whole batch layer by layer,
// here one picture goes through all layers, so that what a layer makes is still in the cache when
// the next one asks for it; and activations, their borders and their gradients' masks are no
// operations of their own, but happen as the sums are rounded.
//
// A picture of H by W pixels lies in memory as a stream of (H + 2) * (W + 2) pixels with all their
// channels, with zeros around it: the neighbour of a pixel is then a fixed distance away, and so are
// those of sixteen pixels in a row, which is what a tile holds. What is computed for the border is
// thrown away.

#include <immintrin.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <cstring>
#include <exception>
#include <memory>
#include <mutex>
#include <new>
#include <system_error>
#include <thread>
#include <vector>

namespace {

using bf16 = uint16_t;

constexpr long TILE = 16;   // rows of a tile, and float32 columns
constexpr long DEPTH = 32;  // bfloat16 values along which a tile multiplies
constexpr long UNIT = 64;   // pixels that are rounded together
constexpr long GUARD = 192; // zero pixels before and after a stream
constexpr long TAPS = 9;

// Linux gives tiles to those who ask: arch_prctl(ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA).
constexpr long REQUEST_PERMISSION = 0x1023, TILE_DATA = 18;

// All tiles of this thread at full size, for as long as this lives. What they were set to before is
// set again: other libraries remember what they have set, and do not look.
struct Tiles {
    struct __attribute__((packed)) Config {
        uint8_t palette = 1, start = 0;
        uint8_t reserved[14] = {};
        uint16_t bytes[16] = {};
        uint8_t rows[16] = {};
    };
    alignas(64) Config before;
    Tiles() {
        _tile_storeconfig(&before);
        alignas(64) Config config;
        for (int i = 0; i < 8; i++) config.bytes[i] = 64, config.rows[i] = TILE;
        _tile_loadconfig(&config);
    }
    ~Tiles() { _tile_loadconfig(&before); }
    Tiles(const Tiles &) = delete;
    Tiles(Tiles &&) = delete;
};

template <typename T> struct Free {
    void operator()(T *at) const { std::free(at); }
};
template <typename T> using Buffer = std::unique_ptr<T[], Free<T>>;

template <typename T> Buffer<T> zeros(long count) {
    long bytes = (count * long(sizeof(T)) + 63) / 64 * 64;
    T *at = static_cast<T *>(std::aligned_alloc(64, bytes));
    if (at == nullptr) throw std::bad_alloc();
    std::memset(at, 0, bytes);
    return Buffer<T>(at);
}

struct Shape {
    long images, height, width, channels, layers;
    long row() const { return width + 2; }
    long stream() const { return (height + 2) * row() + 2 * GUARD; }
    // The first pixel that is computed, and how many are: whole rows, with their borders.
    long first() const { return GUARD + row(); }
    long count() const { return height * row(); }
    long units() const { return (count() + UNIT - 1) / UNIT; }
    long blocks() const { return channels / TILE; }
    // Steps along three neighbours with all their channels.
    long steps() const { return (3 * channels + DEPTH - 1) / DEPTH; }
    // Where the values of a row of the picture begin in a stream.
    long pixel(long y) const { return (first() + y * row() + 1) * channels; }
    // Values of the gradient of a kernel, as tiles.
    long tiles() const { return TAPS * channels * channels; }
    // Values of the computed pixels.
    long area() const { return units() * UNIT * channels; }
    long packed() const { return blocks() * 3 * steps() * TILE * DEPTH; }
};

inline __m512 wide(__m256i values) {
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(values), 16));
}

inline bf16 rounded(float value) {
    uint32_t bits;
    std::memcpy(&bits, &value, 4);
    return bf16((bits + 0x7fff + ((bits >> 16) & 1)) >> 16);
}

inline __m256i narrow(__m512 values) { return (__m256i)_mm512_cvtneps_pbh(values); }

// Which of the pixels of each unit are no border.
std::vector<uint64_t> insides(const Shape &s) {
    std::vector<uint64_t> found(s.units(), 0);
    for (long j = 0; j < s.count(); j++) {
        long x = j % s.row();
        if (x >= 1 && x <= s.width) found[j / UNIT] |= uint64_t(1) << (j % UNIT);
    }
    return found;
}

// A kernel (out, in, 3, 3) as the right-hand tiles of a product, block of outputs by block. Turned:
// as the gradient of the input takes it, outputs for inputs and upside down.
void pack(const float *kernel, const Shape &s, bool turned, bf16 *packed) {
    long c = s.channels;
    std::memset(packed, 0, s.packed() * sizeof(bf16));
    for (long out = 0; out < c; out++)
        for (long in = 0; in < c; in++)
            for (long tap = 0; tap < TAPS; tap++) {
                float value = turned ? kernel[(in * c + out) * TAPS + (TAPS - 1 - tap)]
                                     : kernel[(out * c + in) * TAPS + tap];
                long k = (tap % 3) * c + in, step = k / DEPTH, within = k % DEPTH;
                long tile = ((out / TILE) * 3 + tap / 3) * s.steps() + step;
                packed[tile * TILE * DEPTH + (within / 2) * 2 * TILE + (out % TILE) * 2 +
                       within % 2] = rounded(value);
            }
}

inline void clear_four() {
    _tile_zero(0);
    _tile_zero(1);
    _tile_zero(2);
    _tile_zero(3);
}

inline void store_four(float *t0, float *t1, float *t2, float *t3, long stride) {
    _tile_stored(0, t0, stride);
    _tile_stored(1, t1, stride);
    _tile_stored(2, t2, stride);
    _tile_stored(3, t3, stride);
}

// Sums for 32 pixels and two blocks of outputs, of which a unit's scratch has rows.
inline void sums_2x2(const bf16 *at, const bf16 *packed, const Shape &s, float *out) {
    long pixel = s.channels * 2, steps = s.steps(), width = 2 * TILE;
    const bf16 *other = packed + 3 * steps * TILE * DEPTH;
    clear_four();
    for (long dy = 0; dy < 3; dy++) {
        const bf16 *from = at + dy * s.row() * s.channels;
        for (long k = 0; k < steps; k++, packed += TILE * DEPTH, other += TILE * DEPTH) {
            _tile_loadd(4, from + k * DEPTH, pixel);
            _tile_loadd(6, packed, 64);
            _tile_loadd(7, other, 64);
            _tile_dpbf16ps(0, 4, 6);
            _tile_loadd(5, from + k * DEPTH + TILE * s.channels, pixel);
            _tile_dpbf16ps(1, 4, 7);
            _tile_dpbf16ps(2, 5, 6);
            _tile_dpbf16ps(3, 5, 7);
        }
    }
    store_four(out, out + TILE, out + TILE * width, out + TILE * width + TILE, width * 4);
}

// Sums for 64 pixels and one block of outputs.
inline void sums_4x1(const bf16 *at, const bf16 *packed, const Shape &s, float *out) {
    long pixel = s.channels * 2, steps = s.steps(), width = TILE;
    clear_four();
    for (long dy = 0; dy < 3; dy++) {
        const bf16 *from = at + dy * s.row() * s.channels;
        for (long k = 0; k < steps; k++, packed += TILE * DEPTH) {
            const bf16 *here = from + k * DEPTH;
            _tile_loadd(7, packed, 64);
            _tile_loadd(4, here, pixel);
            _tile_loadd(5, here + TILE * s.channels, pixel);
            _tile_dpbf16ps(0, 4, 7);
            _tile_loadd(6, here + 2 * TILE * s.channels, pixel);
            _tile_dpbf16ps(1, 5, 7);
            _tile_loadd(4, here + 3 * TILE * s.channels, pixel);
            _tile_dpbf16ps(2, 6, 7);
            _tile_dpbf16ps(3, 4, 7);
        }
    }
    store_four(out, out + TILE * width, out + 2 * TILE * width, out + 3 * TILE * width, width * 4);
}

// Past the caches: who reads it comes late, and what it would displace is needed soon.
inline void put_away(const bf16 *from, bf16 *to, long count) {
    for (long i = 0; i < count; i += DEPTH)
        _mm512_stream_si512((__m512i *)(to + i), _mm512_loadu_si512(from + i));
}

// A layer over a whole stream, the computed pixels of which are kept. For each pixel and each block
// of outputs `finish(pixel, block, sums, inner)` is called, with its 16 sums and whether it is no
// border. Blocks by two at most, so that their weights stay in the first cache while pixels go by.
template <typename Finish>
inline void layer(const bf16 *in, bf16 *kept, const bf16 *packed, const Shape &s,
                  const uint64_t *inside, Finish finish) {
    alignas(64) float scratch[UNIT * 2 * TILE];
    long block = 3 * s.steps() * TILE * DEPTH;
    for (long n = 0; n < s.blocks(); n += 2) {
        long width = std::min(s.blocks() - n, 2L);
        for (long unit = 0; unit < s.units(); unit++) {
            long pixel = s.first() + unit * UNIT;
            const bf16 *at = in + (pixel - s.row() - 1) * s.channels;
            if (kept != nullptr && n == 0)
                put_away(in + pixel * s.channels, kept + unit * UNIT * s.channels,
                         UNIT * s.channels);
            if (width == 2) {
                sums_2x2(at, packed + n * block, s, scratch);
                sums_2x2(at + 2 * TILE * s.channels, packed + n * block, s,
                         scratch + 2 * TILE * 2 * TILE);
            } else {
                sums_4x1(at, packed + n * block, s, scratch);
            }
            for (long j = 0; j < UNIT; j++) {
                __mmask16 inner = (inside[unit] >> j) & 1 ? 0xffff : 0;
                const float *sums = scratch + j * width * TILE;
                finish(pixel + j, n, _mm512_load_ps(sums), inner);
                if (width == 2) finish(pixel + j, n + 1, _mm512_load_ps(sums + TILE), inner);
            }
        }
    }
}

void forward_layer(const bf16 *in, bf16 *kept, bf16 *out, const bf16 *packed, const float *bias,
                   float ceiling, const Shape &s, const uint64_t *inside) {
    __m512 most = _mm512_set1_ps(ceiling), zero = _mm512_setzero_ps();
    layer(in, kept, packed, s, inside, [=](long pixel, long block, __m512 sums, __mmask16 inner) {
        sums = _mm512_add_ps(sums, _mm512_loadu_ps(bias + block * TILE));
        sums = _mm512_min_ps(_mm512_max_ps(sums, zero), most);
        auto to = (__m256i *)(out + pixel * s.channels + block * TILE);
        _mm256_store_si256(to, narrow(_mm512_maskz_mov_ps(inner, sums)));
    });
}

// Where a value was neither 0 nor at its ceiling, between which alone it could move.
inline __mmask16 movable(const bf16 *values, __m512 ceiling) {
    __m512 was = wide(_mm256_loadu_si256((const __m256i *)values));
    return _mm512_cmp_ps_mask(was, _mm512_setzero_ps(), _CMP_GT_OQ) &
           _mm512_cmp_ps_mask(was, ceiling, _CMP_LT_OQ);
}

// The gradient of a layer's input from that of its output, zero where the input could not move. No
// input: that has an activation which somebody else knows about.
void backward_layer(const bf16 *gradient, const bf16 *input, bf16 *out, const bf16 *packed,
                    float ceiling, const Shape &s, const uint64_t *inside) {
    __m512 most = _mm512_set1_ps(ceiling);
    layer(gradient, nullptr, packed, s, inside, [=](long pixel, long block, __m512 sums,
                                                    __mmask16 inner) {
        long at = pixel * s.channels + block * TILE;
        if (input != nullptr) inner &= movable(input + at - s.first() * s.channels, most);
        _mm256_store_si256((__m256i *)(out + at), narrow(_mm512_maskz_mov_ps(inner, sums)));
    });
}

// Two pixels beside each other, channel by channel.
inline __m512i paired(const bf16 *pixel, long channels) {
    alignas(64) static const uint16_t in_turn[32] = {0, 16, 1, 17, 2,  18, 3,  19, 4,  20, 5,
                                                     21, 6, 22, 7, 23, 8,  24, 9,  25, 10, 26,
                                                     11, 27, 12, 28, 13, 29, 14, 30, 15, 31};
    __m512i both = _mm512_castsi256_si512(_mm256_loadu_si256((const __m256i *)pixel));
    both = _mm512_inserti64x4(both, _mm256_loadu_si256((const __m256i *)(pixel + channels)), 1);
    return _mm512_permutexvar_epi16(_mm512_load_si512(in_turn), both);
}

// Pairs of neighbouring pixels, the right-hand side of a product along pixels: those that begin at
// an even place, and those that begin at an odd one, for taps to either side. Place 0 is the pixel
// before and above the first that is computed.
struct Pairs {
    long places, half;
    explicit Pairs(const Shape &s)
        : places((s.units() * UNIT + 2 * s.row() + 3) / 2 * 2), half(places * s.channels) {}
    long size() const { return 2 * half; }
};

void pair_up(const bf16 *stream, const Shape &s, const Pairs &pairs, bf16 *out) {
    const bf16 *from = stream + (s.first() - s.row() - 1) * s.channels;
    for (long odd = 0; odd < 2; odd++)
        for (long p = 0; p < pairs.places; p += 2)
            for (long n = 0; n < s.blocks(); n++)
                _mm512_store_si512(out + odd * pairs.half + p * s.channels + n * 2 * TILE,
                                   paired(from + (p + odd) * s.channels + n * TILE, s.channels));
}

// The sum over all pixels; borders are zero.
void add_up(const bf16 *stream, const Shape &s, float *total) {
    for (long n = 0; n < s.blocks(); n++) {
        __m512 sums[4] = {};
        const bf16 *from = stream + s.first() * s.channels + n * TILE;
        for (long j = 0; j < s.units() * UNIT; j += 4)
            for (long i = 0; i < 4; i++) {
                auto at = (const __m256i *)(from + (j + i) * s.channels);
                sums[i] = _mm512_add_ps(sums[i], wide(_mm256_loadu_si256(at)));
            }
        __m512 sum = _mm512_add_ps(_mm512_add_ps(sums[0], sums[1]), _mm512_add_ps(sums[2], sums[3]));
        _mm512_storeu_ps(total + n * TILE, _mm512_add_ps(_mm512_loadu_ps(total + n * TILE), sum));
    }
}

inline void transpose(__m512i r[16]) {
    __m512i t[16];
    for (int i = 0; i < 8; i++) {
        t[2 * i] = _mm512_unpacklo_epi32(r[2 * i], r[2 * i + 1]);
        t[2 * i + 1] = _mm512_unpackhi_epi32(r[2 * i], r[2 * i + 1]);
    }
    for (int i = 0; i < 4; i++) {
        r[4 * i] = _mm512_unpacklo_epi64(t[4 * i], t[4 * i + 2]);
        r[4 * i + 1] = _mm512_unpackhi_epi64(t[4 * i], t[4 * i + 2]);
        r[4 * i + 2] = _mm512_unpacklo_epi64(t[4 * i + 1], t[4 * i + 3]);
        r[4 * i + 3] = _mm512_unpackhi_epi64(t[4 * i + 1], t[4 * i + 3]);
    }
    for (int i = 0; i < 4; i++) {
        t[i] = _mm512_shuffle_i32x4(r[i], r[i + 4], 0x88);
        t[i + 4] = _mm512_shuffle_i32x4(r[i], r[i + 4], 0xdd);
        t[i + 8] = _mm512_shuffle_i32x4(r[i + 8], r[i + 12], 0x88);
        t[i + 12] = _mm512_shuffle_i32x4(r[i + 8], r[i + 12], 0xdd);
    }
    for (int i = 0; i < 4; i++) {
        r[i] = _mm512_shuffle_i32x4(t[i], t[i + 8], 0x88);
        r[i + 8] = _mm512_shuffle_i32x4(t[i], t[i + 8], 0xdd);
        r[i + 4] = _mm512_shuffle_i32x4(t[i + 4], t[i + 12], 0x88);
        r[i + 12] = _mm512_shuffle_i32x4(t[i + 4], t[i + 12], 0xdd);
    }
}

// Pixels side by side for each channel.
struct Lines {
    long length, stride;
    explicit Lines(const Shape &s) : length(s.units() * UNIT), stride(length + DEPTH) {
        // Lines a multiple of a page apart would all be in the same few places of the cache.
        if (stride % (4 * DEPTH) == 0) stride += DEPTH;
    }
};

void line_up(const bf16 *from, const Shape &s, const Lines &lines, bf16 *out) {
    for (long p = 0; p < lines.length; p += DEPTH)
        for (long n = 0; n < s.blocks(); n++) {
            __m512i r[16];
            for (int i = 0; i < 16; i++)
                r[i] = paired(from + (p + 2 * i) * s.channels + n * TILE, s.channels);
            transpose(r);
            for (int i = 0; i < 16; i++)
                _mm512_store_si512(out + (n * TILE + i) * lines.stride + p, r[i]);
        }
}

// What a picture adds to the gradient of a kernel: tiles (tap, block of inputs, block of outputs),
// rows of which are inputs.
void kernel_gradient(const bf16 *lined, const Lines &lines, const bf16 *pairs, const Pairs &shape,
                     const Shape &s, float *total, const bf16 *coming) {
    auto next = reinterpret_cast<const char *>(coming);
    const char *end = next == nullptr ? next : next + s.area() * 2;
    auto fetch = [&] {
        for (int i = 0; i < 3 && next < end; i++, next += 64) _mm_prefetch(next, _MM_HINT_T1);
    };
    long blocks = s.blocks(), area = TILE * TILE, columns = TAPS * blocks;
    long line = lines.stride * 2, pair = s.channels * 4;
    // Taps that share a copy of the pairs one after the other.
    static const long order[TAPS] = {0, 2, 1, 3, 5, 4, 6, 8, 7};
    auto left = [&](long m) { return lined + m * TILE * lines.stride; };
    // What the pixels of a line meet by a tap lies as far the other way.
    auto right = [&](long column) {
        long tap = order[column / blocks], n = column % blocks;
        long place = (2 - tap / 3) * s.row() + 2 - tap % 3;
        return pairs + place % 2 * shape.half + place / 2 * 2 * s.channels + n * 2 * TILE;
    };
    auto tile = [&](long m, long column) {
        return total + ((order[column / blocks] * blocks + m) * blocks + column % blocks) * area;
    };
    // Six sums at a time, with what is on the left or on the right exchanged in a zigzag. Columns that
    // are too many are computed twice.
    auto load = [&](const float *t0, const float *t1, const float *t2, const float *t3,
                    const float *t4, const float *t5) {
        _tile_loadd(0, t0, 64);
        _tile_loadd(1, t1, 64);
        _tile_loadd(2, t2, 64);
        _tile_loadd(3, t3, 64);
        _tile_loadd(4, t4, 64);
        _tile_loadd(5, t5, 64);
    };
    auto store = [&](float *t0, float *t1, float *t2, float *t3, float *t4, float *t5) {
        _tile_stored(0, t0, 64);
        _tile_stored(1, t1, 64);
        _tile_stored(2, t2, 64);
        _tile_stored(3, t3, 64);
        _tile_stored(4, t4, 64);
        _tile_stored(5, t5, 64);
    };
    for (long m = 0; m < blocks;) {
        long rows = blocks - m == 4 || blocks - m == 2 ? 2 : std::min(blocks - m, 3L);
        if (rows == 3) {
            const bf16 *a = left(m), *b = left(m + 1), *c = left(m + 2);
            for (long i = 0; i < columns; i += 2) {
                long j = std::min(i + 1, columns - 1);
                const bf16 *e = right(i), *f = right(j);
                load(tile(m, i), tile(m + 1, i), tile(m + 2, i), tile(m, j), tile(m + 1, j),
                     tile(m + 2, j));
                for (long p = 0; p < lines.length; p += DEPTH) {
                    fetch();
                    _tile_loadd(7, e + p * s.channels, pair);
                    _tile_loadd(6, a + p, line);
                    _tile_dpbf16ps(0, 6, 7);
                    _tile_loadd(6, b + p, line);
                    _tile_dpbf16ps(1, 6, 7);
                    _tile_loadd(6, c + p, line);
                    _tile_dpbf16ps(2, 6, 7);
                    _tile_loadd(7, f + p * s.channels, pair);
                    _tile_dpbf16ps(5, 6, 7);
                    _tile_loadd(6, b + p, line);
                    _tile_dpbf16ps(4, 6, 7);
                    _tile_loadd(6, a + p, line);
                    _tile_dpbf16ps(3, 6, 7);
                }
                store(tile(m, i), tile(m + 1, i), tile(m + 2, i), tile(m, j), tile(m + 1, j),
                      tile(m + 2, j));
            }
        } else if (rows == 2) {
            const bf16 *a = left(m), *b = left(m + 1);
            for (long i = 0; i < columns; i += 3) {
                long j = std::min(i + 1, columns - 1), k = std::min(i + 2, columns - 1);
                const bf16 *e = right(i), *f = right(j), *g = right(k);
                load(tile(m, i), tile(m, j), tile(m, k), tile(m + 1, i), tile(m + 1, j),
                     tile(m + 1, k));
                for (long p = 0; p < lines.length; p += DEPTH) {
                    fetch();
                    _tile_loadd(6, a + p, line);
                    _tile_loadd(7, e + p * s.channels, pair);
                    _tile_dpbf16ps(0, 6, 7);
                    _tile_loadd(7, f + p * s.channels, pair);
                    _tile_dpbf16ps(1, 6, 7);
                    _tile_loadd(7, g + p * s.channels, pair);
                    _tile_dpbf16ps(2, 6, 7);
                    _tile_loadd(6, b + p, line);
                    _tile_dpbf16ps(5, 6, 7);
                    _tile_loadd(7, f + p * s.channels, pair);
                    _tile_dpbf16ps(4, 6, 7);
                    _tile_loadd(7, e + p * s.channels, pair);
                    _tile_dpbf16ps(3, 6, 7);
                }
                store(tile(m, i), tile(m, j), tile(m, k), tile(m + 1, i), tile(m + 1, j),
                      tile(m + 1, k));
            }
        } else {
            const bf16 *a = left(m);
            for (long i = 0; i < columns; i += 6) {
                const bf16 *from[6];
                float *to[6];
                for (long j = 0; j < 6; j++) {
                    long column = std::min(i + j, columns - 1);
                    from[j] = right(column);
                    to[j] = tile(m, column);
                }
                load(to[0], to[1], to[2], to[3], to[4], to[5]);
                for (long p = 0; p < lines.length; p += DEPTH) {
                    fetch();
                    _tile_loadd(6, a + p, line);
                    _tile_loadd(7, from[0] + p * s.channels, pair);
                    _tile_dpbf16ps(0, 6, 7);
                    _tile_loadd(7, from[1] + p * s.channels, pair);
                    _tile_dpbf16ps(1, 6, 7);
                    _tile_loadd(7, from[2] + p * s.channels, pair);
                    _tile_dpbf16ps(2, 6, 7);
                    _tile_loadd(7, from[3] + p * s.channels, pair);
                    _tile_dpbf16ps(3, 6, 7);
                    _tile_loadd(7, from[4] + p * s.channels, pair);
                    _tile_dpbf16ps(4, 6, 7);
                    _tile_loadd(7, from[5] + p * s.channels, pair);
                    _tile_dpbf16ps(5, 6, 7);
                }
                store(to[0], to[1], to[2], to[3], to[4], to[5]);
            }
        }
        m += rows;
    }
}

// Threads that each make a worker, and then take one of `count` pieces of work after the other: one
// that has to share its core with somebody else takes fewer.
template <typename Make> void shared_out(long count, long threads, Make make) {
    std::atomic<long> next{0};
    std::mutex telling;
    std::exception_ptr failure;
    auto run = [&] {
        try {
            auto work = make();
            for (long i = next++; i < count; i = next++) work(i);
        } catch (...) {
            std::lock_guard<std::mutex> alone(telling);
            failure = std::current_exception();
            next = count;
        }
    };
    std::vector<std::thread> others;
    others.reserve(std::max(threads, 1L));
    try {
        for (long t = 1; t < std::min(threads, count); t++) others.emplace_back(run);
    } catch (const std::system_error &) {
        // Those that there are do it.
    }
    run();
    for (auto &other : others) other.join();
    if (failure) std::rethrow_exception(failure);
}

// No exception may reach the caller, who is written in another language.
template <typename Work> int told(Work work) {
    try {
        work();
        return 0;
    } catch (...) {
        return 1;
    }
}

// Kernels of all layers, packed.
Buffer<bf16> packed_up(const float *kernels, const Shape &s, bool turned, long threads) {
    auto packed = zeros<bf16>(s.layers * s.packed());
    shared_out(s.layers, threads, [&] {
        return [&](long l) {
            pack(kernels + l * s.channels * s.channels * TAPS, s, turned,
                 packed.get() + l * s.packed());
        };
    });
    return packed;
}

// What one thread needs to bring pictures forward.
class Forward {
  public:
    Forward(const Shape &s)
        : s(s), here(zeros<bf16>(s.stream() * s.channels)),
          next(zeros<bf16>(s.stream() * s.channels)) {}

    void picture(const bf16 *x, bf16 *y, const bf16 *packed, const float *biases,
                 const float *ceilings, bf16 *kept, const uint64_t *inside) {
        long values = s.width * s.channels;
        for (long row = 0; row < s.height; row++)
            std::memcpy(here.get() + s.pixel(row), x + row * values, values * 2);
        for (long l = 0; l < s.layers; l++, kept += s.area()) {
            forward_layer(here.get(), kept, next.get(), packed + l * s.packed(),
                          biases + l * s.channels, ceilings[l + 1], s, inside);
            std::swap(here, next);
        }
        put_away(here.get() + s.first() * s.channels, kept, s.area());
        for (long row = 0; row < s.height; row++)
            std::memcpy(y + row * values, here.get() + s.pixel(row), values * 2);
        _mm_sfence();
    }

  private:
    Tiles tiles;
    Shape s;
    Buffer<bf16> here, next;
};

// What one thread needs to bring gradients back.
class Backward {
  public:
    Backward(const Shape &s)
        : s(s), lines(s), paired_up(s), here(zeros<bf16>(s.stream() * s.channels)),
          next(zeros<bf16>(s.stream() * s.channels)), pairs(zeros<bf16>(paired_up.size())),
          lined(zeros<bf16>(lines.stride * s.channels)) {}

    // Adds to what there is of the gradients of kernels, as tiles, and of biases.
    void picture(const bf16 *gradient, bf16 *of_x, const bf16 *packed, const float *ceilings,
                 const bf16 *entered, float *of_kernels, float *of_biases,
                 const uint64_t *inside) {
        long values = s.width * s.channels;
        const bf16 *made = entered + s.layers * s.area() - s.first() * s.channels;
        __m512 most = _mm512_set1_ps(ceilings[s.layers]);
        for (long row = 0; row < s.height; row++)
            for (long c = 0; c < values; c += TILE) {
                long at = s.pixel(row) + c;
                auto given = (const __m256i *)(gradient + row * values + c);
                _mm256_storeu_si256((__m256i *)(here.get() + at),
                                    _mm256_maskz_mov_epi16(movable(made + at, most),
                                                           _mm256_loadu_si256(given)));
            }
        for (long l = s.layers - 1; l >= 0; l--) {
            const bf16 *input = entered + l * s.area();
            add_up(here.get(), s, of_biases + l * s.channels);
            pair_up(here.get(), s, paired_up, pairs.get());
            line_up(input, s, lines, lined.get());
            kernel_gradient(lined.get(), lines, pairs.get(), paired_up, s,
                            of_kernels + l * s.tiles(), l > 0 ? input - s.area() : nullptr);
            backward_layer(here.get(), l > 0 ? input : nullptr, next.get(),
                           packed + l * s.packed(), ceilings[l], s, inside);
            std::swap(here, next);
        }
        for (long row = 0; row < s.height; row++)
            std::memcpy(of_x + row * values, here.get() + s.pixel(row), values * 2);
    }

  private:
    Tiles tiles;
    Shape s;
    Lines lines;
    Pairs paired_up;
    Buffer<bf16> here, next, pairs, lined;
};

} // namespace

extern "C" {

// Whether the system lets this process use tiles.
int hyperfocal_body_permitted() {
    return syscall(SYS_arch_prctl, REQUEST_PERMISSION, TILE_DATA) == 0;
}

// bfloat16 values that `kept` holds: what enters each layer, and what leaves the last.
long hyperfocal_body_kept(long images, long height, long width, long channels, long layers) {
    Shape s{images, height, width, channels, layers};
    return (layers + 1) * images * s.area();
}

// x, y: (images, height, width, channels); kernels: (layers, channels, channels, 3, 3); biases:
// (layers, channels); ceilings: (layers + 1), of what enters each layer and of what leaves the last,
// as bfloat16 has them; kept: begins at a multiple of 64 bytes. Here and below there is a picture and
// a layer at least; returns 0, or 1 for want of memory.
int hyperfocal_body_forward(const bf16 *x, bf16 *y, const float *kernels, const float *biases,
                            const float *ceilings, bf16 *kept, long images, long height,
                            long width, long channels, long layers, long threads) {
    return told([&] {
        Shape s{images, height, width, channels, layers};
        auto inside = insides(s);
        auto packed = packed_up(kernels, s, false, threads);
        shared_out(images, threads, [&] {
            return [&, worker = Forward(s)](long i) mutable {
                long at = i * height * width * channels;
                worker.picture(x + at, y + at, packed.get(), biases, ceilings,
                               kept + i * (layers + 1) * s.area(), inside.data());
            };
        });
    });
}

// gradient: of y; of_x: room for that of x; of_kernels, of_biases: room for theirs.
int hyperfocal_body_backward(const bf16 *gradient, bf16 *of_x, const float *kernels,
                             const float *ceilings, const bf16 *kept, float *of_kernels,
                             float *of_biases, long images, long height, long width, long channels,
                             long layers, long threads) {
    return told([&] {
        Shape s{images, height, width, channels, layers};
        auto inside = insides(s);
        auto packed = packed_up(kernels, s, true, threads);
        // Whoever adds up a group of pictures, its sums are the same, and so is the sum of all. Several
        // for each thread, so that none waits long for the last.
        long groups = std::min(images, 3 * threads);
        std::vector<Buffer<float>> sums(groups), shifts(groups);
        shared_out(groups, threads, [&] {
            return [&, worker = Backward(s)](long group) mutable {
                sums[group] = zeros<float>(layers * s.tiles());
                shifts[group] = zeros<float>(layers * channels);
                for (long i = group * images / groups; i < (group + 1) * images / groups; i++) {
                    long at = i * height * width * channels;
                    worker.picture(gradient + at, of_x + at, packed.get(), ceilings,
                                   kept + i * (layers + 1) * s.area(), sums[group].get(),
                                   shifts[group].get(), inside.data());
                }
            };
        });
        shared_out(layers, threads, [&] {
            return [&](long l) {
                float *total = sums[0].get() + l * s.tiles(), *shift = shifts[0].get() + l * channels;
                for (long group = 1; group < groups; group++) {
                    const float *more = sums[group].get() + l * s.tiles();
                    for (long i = 0; i < s.tiles(); i++) total[i] += more[i];
                    for (long c = 0; c < channels; c++) shift[c] += shifts[group][l * channels + c];
                }
                std::copy(shift, shift + channels, of_biases + l * channels);
                for (long out = 0; out < channels; out++)
                    for (long in = 0; in < channels; in++)
                        for (long tap = 0; tap < TAPS; tap++) {
                            long tile = (tap * s.blocks() + in / TILE) * s.blocks() + out / TILE;
                            of_kernels[((l * channels + out) * channels + in) * TAPS + tap] =
                                total[(tile * TILE + in % TILE) * TILE + out % TILE];
                        }
            };
        });
    });
}
}
