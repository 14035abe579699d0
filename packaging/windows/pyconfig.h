/* What CPython's headers must know of 64-bit Windows, to compile our own modules there with
   mingw-w64. Only for that: CPython's own header for it assumes Microsoft's compiler, and is not
   part of a Linux Python. Everything that decides the layout of its values is asserted below. */
#ifndef Py_CONFIG_H
#define Py_CONFIG_H

#define MS_WINDOWS 1
#define MS_WIN32 1
#define MS_WIN64 1
#define NT_THREADS 1
#define Py_ENABLE_SHARED 1
#define HAVE_DECLSPEC_DLL 1
#define PLATFORM "win32"

#define SIZEOF_SHORT 2
#define SIZEOF_INT 4
#define SIZEOF_LONG 4
#define SIZEOF_LONG_LONG 8
#define SIZEOF_VOID_P 8
#define SIZEOF_SIZE_T 8
#define SIZEOF_OFF_T 4
#define SIZEOF_FPOS_T 8
#define SIZEOF_TIME_T 8
#define SIZEOF_WCHAR_T 2
#define SIZEOF__BOOL 1
#define SIZEOF_FLOAT 4
#define SIZEOF_DOUBLE 8
#define ALIGNOF_SIZE_T 8
#define ALIGNOF_MAX_ALIGN_T 8
#define SIZEOF_HKEY 8
#define SIZEOF_PID_T SIZEOF_INT

#define HAVE_LONG_LONG 1
#define HAVE_STDINT_H 1
#define HAVE_STDDEF_H 1
#define HAVE_STDARG_PROTOTYPES 1
#define HAVE_INTTYPES_H 1
#define HAVE_WCHAR_H 1
#define HAVE_SYS_TYPES_H 1
#define HAVE_SYS_STAT_H 1
#define HAVE_ERRNO_H 1
#define HAVE_LIMITS_H 1
#define HAVE_STRFTIME 1
#define HAVE_COPYSIGN 1
#define HAVE_HYPOT 1
#define STDC_HEADERS 1
#define WITH_DOC_STRINGS 1
#define WITH_PYMALLOC 1
#define DOUBLE_IS_LITTLE_ENDIAN_IEEE754 1

#include <io.h>
#include <stddef.h>
#include <basetsd.h>

typedef SSIZE_T Py_ssize_t;
#define HAVE_PY_SSIZE_T 1
#define SIZEOF_PY_SSIZE_T 8
#define PY_SSIZE_T_MAX ((Py_ssize_t)(((size_t)-1) >> 1))

_Static_assert(sizeof(short) == SIZEOF_SHORT, "short");
_Static_assert(sizeof(int) == SIZEOF_INT, "int");
_Static_assert(sizeof(long) == SIZEOF_LONG, "long");
_Static_assert(sizeof(void *) == SIZEOF_VOID_P, "pointers");
_Static_assert(sizeof(size_t) == SIZEOF_SIZE_T, "size_t");
_Static_assert(sizeof(Py_ssize_t) == SIZEOF_SIZE_T, "Py_ssize_t");
_Static_assert(sizeof(wchar_t) == SIZEOF_WCHAR_T, "wchar_t");
_Static_assert(sizeof(double) == SIZEOF_DOUBLE, "double");

#endif
