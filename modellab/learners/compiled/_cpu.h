/* Whether this processor, and the system on it, can run the AVX2 twins of the compiled loops. */
#ifndef MODELLAB_CPU_H
#define MODELLAB_CPU_H
static int lab_has_avx2(void)
{
#if defined(__GNUC__) && defined(__x86_64__)
    __builtin_cpu_init();
    return __builtin_cpu_supports("avx2") != 0;
#else
    return 0;
#endif
}
#endif
