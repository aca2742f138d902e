/* prefix.cl: what the shells of scans share: how elements are read, and the order in which prefixes are joined, which
 * include/cliv/scan.h defines.
 *
 *   -D X_T=f32 -D OUT_T=f32   storage of input and result
 *   -D COLUMNS                W neighbouring lines are joined at a time (scan_columns.cl), otherwise one (scan.cl)
 *
 * A prefix of m elements is m's binary parts, from the largest to the smallest, joined from the left; a part is a
 * balanced tree. So the prefixes of pairs are the prefixes of even length, and those of odd length follow by one more
 * join: totals go up the tree, prefixes come down.
 */
typedef CAT(X_T, _t) stored_x;
typedef CAT(OUT_T, _t) stored_out;
#define LOAD CAT(load_, X_T)
#define STORE CAT(store_, OUT_T)

#ifdef COLUMNS
typedef acc part;
static part join_parts(part a, part b) { return join(a, b); }
#else
#if W == 1
#define LANE0(v) (v)
#else
#define LANE0(v) (v).s0
#endif
typedef acc1 part;
static part join_parts(part a, part b) { return LANE0(join((acc)a, (acc)b)); }
#endif

/* ---- prefixes in order: parts of 1 << from units arrive one after another ----
 * TREE(k) is the part of 1 << k units, where the count of units has bit k. On a GPU an array with such indices would
 * lie in global memory: there trees are in local memory, those of neighbouring lines side by side. */
#ifdef WALK_CPU
typedef part *tree_parts;
#else
typedef __local part *tree_parts;
#endif
#if defined(COLUMNS) && !defined(WALK_CPU)
#define TREE(k) trees[(k) * get_local_size(0)]
#else
#define TREE(k) trees[k]
#endif

/* `count` units are there, *p arrives: joined with those that it makes a larger part with. Gives where that is. */
static uint merge(tree_parts trees, uint from, ulong count, part *p) {
  uint k = from;
  for (; count >> k & 1; k++) *p = join_parts(TREE(k), *p);
  TREE(k) = *p;
  return k;
}

/* The same; the prefix with p, from the one before all. */
static part push(tree_parts trees, uint from, ulong count, part p, part before_all) {
  const uint k = merge(trees, from, count, &p);
  part prefix = before_all;
  for (uint top = 64 - (uint)clz(count | 1); top-- > k + 1;)
    if (count >> top & 1) prefix = join_parts(prefix, TREE(top));
  return join_parts(prefix, p);
}

/* ---- sixteen at a time ---- */

#if defined(COLUMNS) || !defined(WALK_CPU)
/* Totals go up the tree, a[15] is that of all … */
static void up16(part *a) {
#pragma unroll
  for (uint d = 1; d < 16; d *= 2)
#pragma unroll
    for (uint i = 2 * d - 1; i < 16; i += 2 * d) a[i] = join_parts(a[i - d], a[i]);
}
/* … and prefixes come down: before each, from the one before all. */
static void down16(part *a, part carry) {
  a[16 - 1] = carry;
#pragma unroll
  for (uint d = 16 / 2; d; d /= 2)
#pragma unroll
    for (uint i = 2 * d - 1; i < 16; i += 2 * d) {
      const part total = a[i - d];
      a[i - d] = a[i];
      a[i] = join_parts(a[i], total);
    }
}
#endif
