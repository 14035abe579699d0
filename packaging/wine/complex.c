/* Functions of C99's complex numbers, which every Windows has and Wine's C library lacks. For tests
   under Wine only; never shipped. Structures, so that they are passed as Microsoft's compiler does. */
#include <math.h>

typedef struct { double r, i; } dc;
typedef struct { float r, i; } fc;

static dc of(double r, double i) { dc z; z.r = r; z.i = i; return z; }
static fc off(float r, float i) { fc z; z.r = r; z.i = i; return z; }
static dc wide(fc z) { return of(z.r, z.i); }
static fc narrow(dc z) { return off((float)z.r, (float)z.i); }

static dc times(dc a, dc b) { return of(a.r * b.r - a.i * b.i, a.r * b.i + a.i * b.r); }
static dc over(dc a, dc b) {
    double s = b.r * b.r + b.i * b.i;
    return of((a.r * b.r + a.i * b.i) / s, (a.i * b.r - a.r * b.i) / s);
}
static dc plus(dc a, dc b) { return of(a.r + b.r, a.i + b.i); }
static dc minus(dc a, dc b) { return of(a.r - b.r, a.i - b.i); }
static const dc one = {1, 0};
/* i * z and -i * z */
static dc turn(dc z) { return of(-z.i, z.r); }
static dc back(dc z) { return of(z.i, -z.r); }

static dc root(dc z) {
    double m = sqrt(hypot(z.r, z.i)), a = atan2(z.i, z.r) / 2;
    return of(m * cos(a), m * sin(a));
}
static dc ln(dc z) { return of(log(hypot(z.r, z.i)), atan2(z.i, z.r)); }
static dc ex(dc z) { double m = exp(z.r); return of(m * cos(z.i), m * sin(z.i)); }
static dc sinh_(dc z) { return of(sinh(z.r) * cos(z.i), cosh(z.r) * sin(z.i)); }
static dc cosh_(dc z) { return of(cosh(z.r) * cos(z.i), sinh(z.r) * sin(z.i)); }
static dc tanh_(dc z) { return over(sinh_(z), cosh_(z)); }
static dc asinh_(dc z) { return ln(plus(z, root(plus(times(z, z), one)))); }
static dc acosh_(dc z) { return ln(plus(z, times(root(plus(z, one)), root(minus(z, one))))); }
static dc atanh_(dc z) {
    dc w = ln(over(plus(one, z), minus(one, z)));
    return of(w.r / 2, w.i / 2);
}
static dc acos_(dc z) {
    dc w = turn(ln(plus(z, turn(root(minus(one, times(z, z)))))));
    return of(-w.r, -w.i);
}

#define TWO(name, value) \
    __declspec(dllexport) dc name(dc z) { return value; } \
    __declspec(dllexport) fc name##f(fc x) { dc z = wide(x); return narrow(value); }
#define REAL(name, value) \
    __declspec(dllexport) double name(dc z) { return value; } \
    __declspec(dllexport) float name##f(fc x) { dc z = wide(x); return (float)(value); }

REAL(creal, z.r)
REAL(cimag, z.i)
REAL(cabs, hypot(z.r, z.i))
REAL(carg, atan2(z.i, z.r))
REAL(norm, z.r * z.r + z.i * z.i)
TWO(conj, of(z.r, -z.i))
TWO(csqrt, root(z))
TWO(clog, ln(z))
TWO(cexp, ex(z))
TWO(csinh, sinh_(z))
TWO(ccosh, cosh_(z))
TWO(ctanh, tanh_(z))
TWO(csin, back(sinh_(turn(z))))
TWO(ccos, cosh_(turn(z)))
TWO(ctan, back(tanh_(turn(z))))
TWO(casinh, asinh_(z))
TWO(cacosh, acosh_(z))
TWO(catanh, atanh_(z))
TWO(casin, back(asinh_(turn(z))))
TWO(catan, back(atanh_(turn(z))))
TWO(cacos, acos_(z))
__declspec(dllexport) dc cpow(dc a, dc b) { return ex(times(b, ln(a))); }
__declspec(dllexport) fc cpowf(fc a, fc b) { return narrow(ex(times(wide(b), ln(wide(a))))); }
__declspec(dllexport) dc _Cbuild(double r, double i) { return of(r, i); }
__declspec(dllexport) fc _FCbuild(float r, float i) { return off(r, i); }
__declspec(dllexport) dc _Cmulcc(dc a, dc b) { return times(a, b); }
__declspec(dllexport) fc _FCmulcc(fc a, fc b) { return narrow(times(wide(a), wide(b))); }
__declspec(dllexport) dc _Cmulcr(dc a, double b) { return of(a.r * b, a.i * b); }
__declspec(dllexport) fc _FCmulcr(fc a, float b) { return off(a.r * b, a.i * b); }
