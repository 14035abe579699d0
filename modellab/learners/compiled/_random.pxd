# Random numbers by counting: a number is a function of (seed, stream, position) alone, so that the
# order of calls, chunk sizes and saved states cannot matter. The mixing is that of SplitMix64
# (Steele, Lea and Flood 2014).
from libc.stdint cimport uint64_t

from modellab.learners.compiled._math cimport exp_


cdef inline uint64_t mix(uint64_t z) noexcept nogil:
    z = (z ^ (z >> 30)) * <uint64_t>0xBF58476D1CE4E5B9
    z = (z ^ (z >> 27)) * <uint64_t>0x94D049BB133111EB
    return z ^ (z >> 31)


cdef inline uint64_t draw(uint64_t seed, uint64_t stream, uint64_t position) noexcept nogil:
    cdef uint64_t golden = <uint64_t>0x9E3779B97F4A7C15
    return mix(mix(mix(seed + golden) ^ (stream * golden + golden)) + position * golden)


cdef inline double uniform(uint64_t bits) noexcept nogil:
    # [0, 1) in steps of 2^-53
    return <double>(bits >> 11) * 1.1102230246251565e-16


cdef inline double poisson(double mean, double u) noexcept nogil:
    # The smallest k whose distribution function exceeds u; mean at most 50.
    cdef double share = exp_(-mean), total = share, k = 0.0
    while u >= total and k < 400.0:
        k += 1.0
        share = share * mean / k
        total += share
    return k
