# Elementary functions with the same bits on every system: additions, multiplications, one division
# and table look-ups only, so nothing depends on the C library. Inline, for the other kernels.
from libc.math cimport sqrt
from libc.stdint cimport int64_t, uint64_t
from libc.string cimport memcpy

cdef extern from "_exp_table.h" nogil:
    const uint64_t modellab_exp_table[256]
    const double MODELLAB_EXP_STEPS_PER_UNIT
    const double MODELLAB_EXP_STEP_HIGH
    const double MODELLAB_EXP_STEP_LOW


cdef inline double bits_to_double(uint64_t bits) noexcept nogil:
    cdef double value
    memcpy(&value, &bits, sizeof(double))
    return value


cdef inline uint64_t double_to_bits(double value) noexcept nogil:
    cdef uint64_t bits
    memcpy(&bits, &value, sizeof(double))
    return bits


cdef inline double exp_part(double x, uint64_t *scale) noexcept nogil:
    # x = k ln2/128 + r, |r| <= ln2/256; e^x = 2^(k // 128) * 2^((k % 128)/128) * e^r.
    # Gives the bits of the powers of two, and e^r - 1 plus the rest of the table's entry.
    cdef double shift = 6755399441055744.0  # 1.5 * 2^52: adding it rounds to a whole number
    cdef double k = x * MODELLAB_EXP_STEPS_PER_UNIT + shift
    cdef uint64_t bits = double_to_bits(k) - <uint64_t>0x4338000000000000
    cdef uint64_t index = 2 * (bits & 127)
    cdef double r, r2
    k = k - shift
    r = (x - k * MODELLAB_EXP_STEP_HIGH) - k * MODELLAB_EXP_STEP_LOW
    r2 = r * r
    scale[0] = modellab_exp_table[index + 1] + ((bits >> 7) << 52)
    return (bits_to_double(modellab_exp_table[index]) + r) + (
        r2 * (0.5 + r * 0.16666666666666666)
        + (r2 * r2) * (0.041666666666666664 + r * 0.008333333333333333)
    )


cdef inline double exp_far(double x) noexcept nogil:
    # Where the power of two or the correction would leave the range: 2^64 is taken out, put back.
    cdef uint64_t bits = 0, lift = <uint64_t>64 << 52
    cdef double part, scale
    if x != x:
        return x
    if x > 709.79:
        return bits_to_double(<uint64_t>0x7FF0000000000000)
    if x < -745.14:
        return 0.0
    part = exp_part(x, &bits)
    if x > 0.0:
        scale = bits_to_double(bits - lift)
        return (scale + scale * part) * 18446744073709551616.0
    scale = bits_to_double(bits + lift)
    return (scale + scale * part) * 5.421010862427522e-20


cdef inline double exp_(double x) noexcept nogil:
    # e to the power x; error at most 0.51 ulp for normal results.
    cdef uint64_t bits = 0
    cdef double part, scale
    if not (-660.0 < x < 709.0):
        return exp_far(x)
    part = exp_part(x, &bits)
    scale = bits_to_double(bits)
    return scale + scale * part


cdef inline double log_(double x) noexcept nogil:
    # x = 2^e m with m in [sqrt(1/2), sqrt(2)); log m by the series of 2 artanh(s), s = (m-1)/(m+1).
    cdef uint64_t bits = double_to_bits(x)
    cdef int64_t e = 0
    cdef double f, s, z, half, tail
    if not (x > 0.0):
        if x == 0.0:
            return bits_to_double(<uint64_t>0xFFF0000000000000)
        return bits_to_double(<uint64_t>0x7FF8000000000000)
    if bits >= <uint64_t>0x7FF0000000000000:
        return x
    if bits < <uint64_t>0x0010000000000000:
        bits = double_to_bits(x * 18014398509481984.0)
        e = -54
    e += <int64_t>(bits >> 52) - 1023
    bits = (bits & <uint64_t>0x000FFFFFFFFFFFFF) | <uint64_t>0x3FF0000000000000
    if bits >= <uint64_t>0x3FF6A09E667F3BCD:
        bits -= <uint64_t>0x0010000000000000
        e += 1
    f = bits_to_double(bits) - 1.0
    s = f / (2.0 + f)
    z = s * s
    half = 0.5 * f * f
    tail = z * (2.0 / 3.0 + z * (2.0 / 5.0 + z * (2.0 / 7.0 + z * (2.0 / 9.0 + z * (
        2.0 / 11.0 + z * (2.0 / 13.0 + z * (2.0 / 15.0 + z * (2.0 / 17.0 + z * (
            2.0 / 19.0 + z * (2.0 / 21.0))))))))))
    # ln 2 in two parts, the first with 32 trailing zero bits so that e * high is exact.
    return e * 0.693147180369123816490 - (
        (half - (s * (half + tail) + e * 1.90821492927058770002e-10)) - f
    )


cdef inline double power(double base, double exponent) noexcept nogil:
    # base >= 1, for step-size schedules; the usual exponents are exact to the last rounding.
    if exponent == 0.5:
        return sqrt(base)
    if exponent == 1.0:
        return base
    if exponent == 0.25:
        return sqrt(sqrt(base))
    if exponent == 0.0:
        return 1.0
    return exp_(exponent * log_(base))


cdef inline double sigmoid_(double score) noexcept nogil:
    if score > -37.0:
        return 1.0 / (1.0 + exp_(-score))
    return exp_(score)
