/* scan_ops.cl: what scans carry along and how it is joined.
 *
 *   -D OP=scan_sum -D KIND_value   the operation and its kind
 *
 * A kind has
 *   acc, acc1                  what W elements, and one, are joined as
 *   acc enter(real x)          elements as such
 *   acc join(acc a, acc b)     lane by lane, a before b; associative up to rounding
 *   acc1 nothing()             the exact identity of join
 *   real leave(acc a)          the result
 * EMPTY(given) is what no elements give: for operations of the library, what the host says.
 */
#define JOIN CAT(OP, _join)
#define NOTHING CAT(OP, _nothing)

/* ---- value: sums and products ---- */

#ifdef KIND_value
typedef real acc;
typedef SCALAR acc1;
acc enter(real x) { return x; }
real leave(acc a) { return a; }

acc scan_sum_join(acc a, acc b) { return a + b; }
acc scan_prod_join(acc a, acc b) { return a * b; }
#ifdef REAL_I64
acc1 scan_sum_nothing(void) { return 0; }
#else
acc1 scan_sum_nothing(void) { return -(SCALAR)0; } /* +0 would turn a sum of −0 into +0 */
#endif
acc1 scan_prod_nothing(void) { return 1; }
#endif

/* ---- extreme: the greatest or least so far, as an ordered integer ---- */

#ifdef KIND_extreme
#define ENTER CAT(OP, _enter)
#define LEAVE CAT(OP, _leave)
typedef ireal acc;
typedef SCALAR_INT acc1;
acc scan_max_enter(real x) { return upward(x); }
acc scan_min_enter(real x) { return ~downward(x); }
acc scan_max_leave(acc a) { return a; }
acc scan_min_leave(acc a) { return ~a; }
acc scan_max_join(acc a, acc b) { return max(a, b); }
acc scan_min_join(acc a, acc b) { return max(a, b); }
acc1 scan_max_nothing(void) { return (acc1)1 << (sizeof(acc1) * 8 - 1); }
acc1 scan_min_nothing(void) { return (acc1)1 << (sizeof(acc1) * 8 - 1); }
acc enter(real x) { return ENTER(x); }
real leave(acc a) { return as_real(order(as_real(LEAVE(a)))); }
#endif

/* ---- user: a text's own functions, OP_init and OP_join ---- */

#ifdef KIND_user
typedef real acc;
typedef SCALAR acc1;
acc enter(real x) { return x; }
real leave(acc a) { return a; }
#if W == 1
acc1 nothing(void) { return CAT(OP, _init)(); }
#else
acc1 nothing(void) { return CAT(OP, _init)().s0; }
#endif
#define EMPTY(given) nothing()
#else
acc1 nothing(void) { return NOTHING(); }
#define EMPTY(given) (given)
#endif

acc join(acc a, acc b) { return JOIN(a, b); }
