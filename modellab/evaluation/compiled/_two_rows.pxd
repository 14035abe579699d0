# Scored rows of two classes: their codes, and what follows from their probabilities. Part of
# `_two_classes`.
from libc.math cimport NAN
from libc.stdint cimport int64_t

cdef enum:
    TILE = 1024     # rows that are added up together (`modellab.evaluation.sums.TILE`)
    PIECE = 256     # rows that are taken together
    CODES = 128

    # Bits of a row's code.
    IS_SECOND = 1           # its label is the second class
    SAYS_SECOND = 2         # and so is the answer
    MAJORITY_ERRS = 4
    NOCHANGE_ERRS = 8
    HAS_SHARES = 16
    NO_MAJORITY = 32        # not known whether it errs
    NO_NOCHANGE = 64

    # Of rows with probabilities.
    LOSS = 0        # log loss
    SQUARES = 1     # Brier score
    SECOND = 2      # probability of the second class


cdef inline unsigned char wrong_of(unsigned char code) noexcept nogil:
    return (code ^ (code >> 1)) & 1


cdef struct Rows:
    # Scored rows, one after the other; what is not known is NULL.
    const int64_t *y
    const int64_t *guess
    const double *proba
    const double *logs
    const unsigned char *majority
    const unsigned char *nochange


cdef struct Kept:
    # Room for the scored ones of a piece of rows.
    int64_t y[PIECE]
    int64_t guess[PIECE]
    double proba[2 * PIECE]
    double logs[PIECE]
    unsigned char majority[PIECE]
    unsigned char nochange[PIECE]
    Py_ssize_t at[PIECE]


cdef inline Py_ssize_t keep_scored(Rows *rows, Py_ssize_t n, Kept *kept) noexcept nogil:
    # Put the rows that have a label and an answer into `kept`, and make `rows` these.
    cdef Py_ssize_t i, m = 0
    for i in range(n):
        if (rows.y[i] | rows.guess[i]) < 0:
            continue
        kept.at[m], kept.y[m], kept.guess[m] = i, rows.y[i], rows.guess[i]
        if rows.proba is not NULL:
            kept.proba[2 * m], kept.proba[2 * m + 1] = rows.proba[2 * i], rows.proba[2 * i + 1]
            kept.logs[m] = rows.logs[i]
        if rows.majority is not NULL:
            kept.majority[m] = rows.majority[i]
        if rows.nochange is not NULL:
            kept.nochange[m] = rows.nochange[i]
        m += 1
    rows.y, rows.guess = kept.y, kept.guess
    if rows.proba is not NULL:
        rows.proba, rows.logs = kept.proba, kept.logs
    if rows.majority is not NULL:
        rows.majority = kept.majority
    if rows.nochange is not NULL:
        rows.nochange = kept.nochange
    return m


cdef inline void spread(const double *values, const Py_ssize_t *at, Py_ssize_t m, Py_ssize_t n,
                 double *out) noexcept nogil:
    # Values of the scored ones of n rows; NaN at the others.
    cdef Py_ssize_t i
    for i in range(n):
        out[i] = NAN
    for i in range(m):
        out[at[i]] = values[i]


cdef inline void code_rows(const Rows *rows, Py_ssize_t n, unsigned char *codes) noexcept nogil:
    cdef unsigned char unknown = 0
    cdef Py_ssize_t i
    if rows.majority is NULL:
        unknown |= NO_MAJORITY
    if rows.nochange is NULL:
        unknown |= NO_NOCHANGE
    for i in range(n):
        codes[i] = <unsigned char>((rows.y[i] & 1) | ((rows.guess[i] & 1) << 1)) | unknown
    if rows.majority is not NULL:
        for i in range(n):
            codes[i] |= (rows.majority[i] ^ 1) << 2
    if rows.nochange is not NULL:
        for i in range(n):
            codes[i] |= (rows.nochange[i] ^ 1) << 3


cdef inline void share_rows(
    const Rows *rows, Py_ssize_t n, unsigned char *codes, double *out, Py_ssize_t room
) noexcept nogil:
    # What follows from the probabilities: row by row of fields, `room` apart.
    cdef double seconds[PIECE]
    cdef double there[PIECE]
    cdef double first, second, squares, brier
    cdef int missing = 0
    cdef Py_ssize_t i
    for i in range(n):
        seconds[i] = <double>(<int>(codes[i] & 1))
    for i in range(n):
        first, second = rows.proba[2 * i], rows.proba[2 * i + 1]
        squares = first * first + second * second
        brier = squares - 2.0 * (second if seconds[i] > 0.0 else first) + 1.0
        brier = 0.5 * (brier if brier > 0.0 else 0.0)
        there[i] = squares - squares
        out[LOSS * room + i] = 0.0 - rows.logs[i]
        out[SQUARES * room + i] = brier
        out[SECOND * room + i] = second
    for i in range(n):
        missing |= there[i] != 0.0
    if not missing:
        for i in range(n):
            codes[i] |= HAS_SHARES
        return
    for i in range(n):
        if there[i] == 0.0:
            codes[i] |= HAS_SHARES
        else:
            out[SQUARES * room + i] = 0.0
            out[SECOND * room + i] = NAN


cdef inline void clip_own(
    const int64_t *y, const double *shares, Py_ssize_t n, double low, double high, double *out
) noexcept nogil:
    cdef double second[PIECE]
    cdef double squares, own
    cdef Py_ssize_t i
    for i in range(n):
        second[i] = <double>(<int>(y[i] & 1))
    for i in range(n):
        squares = shares[2 * i] * shares[2 * i] + shares[2 * i + 1] * shares[2 * i + 1]
        own = shares[2 * i + 1] if second[i] > 0.0 else shares[2 * i]
        own = own if own > low else low
        own = own if own < high else high
        out[i] = own if squares - squares == 0.0 else 1.0
