/* optim_factor.cl: the squares of gradients that are kept by rows and columns, added up along both, tile by tile; after
 * optim.cl with -D PREPARE. optim_scales.cl goes on from there.
 *
 * A job is one tensor's matrices: `rows` lines of `columns` elements, which lie `between` lines apart. A tile is up to
 * 64 lines by 256 columns of one matrix; a matrix's tiles are numbered along its lines first. Sums have one order:
 *
 *   of a line    lane l of 16 takes columns l, l + 16, … of the tile, in order; lanes are joined by halves
 *   of a column  its lines, in order
 *
 * and go to parts: of line q (as they lie in memory) and the k-th tile along it at row_parts + q * tiles along a line +
 * k; of matrix m, the k-th tile down it and column c at column_parts + (m * tiles down + k) * columns + c.
 *
 * CPU walk: work-item r takes the tiles from runs[r] to runs[r + 1]. GPU walk: a group a tile.
 */
enum { TILE_ROWS = 64, TILE_COLUMNS = 256, TILE_LANES = 16, BY_ROWS = 1, BY_COLUMNS = 2 };

typedef struct {
  ulong g, row_parts, column_parts; /* first element of the gradients' buffer; of the parts */
  ulong unit_length;                /* elements of a unit, where these have numbers of their own */
  uint tile;                        /* the first one */
  uint rows, columns, between;
  uint what, line; /* bits of what is added up; the tensor's row of scalars */
  uint unit, unused;
} job;

/* A tile's place: the first of its lines, the first element of that in the tensor, and how much of either there is. */
typedef struct {
  ulong line, first, columns_out;
  uint across, band, tall, wide;
} tile;

static void find_tile(const job *j, uint k, tile *t) {
  const uint local_ = k - j->tile, down = (j->rows + TILE_ROWS - 1) / TILE_ROWS;
  t->across = (j->columns + TILE_COLUMNS - 1) / TILE_COLUMNS;
  t->band = local_ % t->across;
  const uint strip = local_ / t->across % down, matrix = local_ / t->across / down;
  const uint left = t->band * TILE_COLUMNS, top = strip * TILE_ROWS;
  t->wide = min((uint)TILE_COLUMNS, j->columns - left);
  t->tall = min((uint)TILE_ROWS, j->rows - top);
  t->line = ((ulong)(matrix / j->between) * j->rows + top) * j->between + matrix % j->between;
  t->first = t->line * j->columns + left;
  t->columns_out = j->column_parts + ((ulong)matrix * down + strip) * j->columns + left;
}

/* The last job that begins at tile k or before. */
static uint find_job(__global const job *jobs, uint count, uint k) {
  uint low = 0, high = count;
  while (high - low > 1) {
    const uint middle = low + (high - low) / 2;
    if (jobs[middle].tile <= k) low = middle;
    else high = middle;
  }
  return low;
}

#ifdef UNITS
#define UNIT_TABLE __global const unit *restrict units,
#define UNIT_SOURCE __global const unit *units,
#define FIND_UNIT(at) const unit own = units[j.unit + (uint)((at) / j.unit_length)];
#define TAKE_UNITS units,
#else
#define UNIT_TABLE
#define UNIT_SOURCE
#define FIND_UNIT(at)
#define TAKE_UNITS
#endif
#ifdef CONTROLLED
#define TILE_CONTROL __global const control *restrict all,
#else
#define TILE_CONTROL
#endif

#ifdef WALK_CPU
#define LANES_OF_VECTOR ((ireal)(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15))
/* Lanes by halves. */
static float join_lanes(real a) {
  const float8 b = a.lo + a.hi;
  const float4 c = b.lo + b.hi;
  const float2 d = c.lo + c.hi;
  return d.x + d.y;
}

/* Without `restrict`: what clang leaves of it when it inlines, oclgrind cannot run. */
static void add_tile(__global const stored_gradient *g, UNIT_SOURCE job j, uint k, row h, float bound,
                     __global float *parts) {
  enum { VECTORS = TILE_COLUMNS / W };
  tile t;
  find_tile(&j, k, &t);
  real down[VECTORS];
  const uint whole = t.wide / W, rest = t.wide % W;
  for (uint v = 0; v < VECTORS; v++) down[v] = (real)0.0f;
  for (uint r = 0; r < t.tall; r++) {
    const ulong line = t.line + (ulong)r * j.between, at = t.first + (ulong)r * j.between * j.columns;
    FIND_UNIT(at)
    real along = (real)0.0f;
    for (uint v = 0; v < whole; v++) {
      const real x = CAT(load_, G_T)(g, j.g + at + v * W), y = GRADIENT(x);
      down[v] += y * y;
      along += y * y;
    }
    if (rest) {
      const real x = CAT(CAT(load_, G_T), _part)(g, j.g + at + whole * W, rest), y = GRADIENT(x);
      const real square = choose(LANES_OF_VECTOR < (ireal)(int)rest, y * y, (real)0.0f);
      down[whole] += square;
      along += square;
    }
    if (j.what & BY_ROWS) parts[j.row_parts + line * t.across + t.band] = join_lanes(along);
  }
  for (uint v = 0; v < whole; v++) store_f32(down[v], parts, t.columns_out + v * W);
  if (rest) store_f32_part(down[whole], parts, t.columns_out + whole * W, rest);
}

__kernel void optim_factor(__global const stored_gradient *restrict g, TILE_CONTROL UNIT_TABLE
                           __global const job *restrict jobs, uint job_count, __global const row *restrict rows,
                           __global const uint *restrict runs, uint first, uint count, __global float *restrict parts) {
  const size_t r = get_global_id(0);
  if (r >= count) return;
  STOP_OR_CONTROL
  const uint end = runs[first + r + 1];
  uint k = runs[first + r], at = find_job(jobs, job_count, k);
  for (; k < end; k++) {
    while (at + 1 < job_count && jobs[at + 1].tile <= k) at++;
    row h = rows[jobs[at].line];
    SCALE(h)
    add_tile(g, TAKE_UNITS jobs[at], k, h, bound, parts);
  }
}
#else
/* Sixteen lines at a time through local memory. */
enum { STAGE = 16, PITCH = TILE_COLUMNS + TILE_LANES };
__kernel void optim_factor(__global const stored_gradient *restrict g, TILE_CONTROL UNIT_TABLE
                           __global const job *restrict jobs, uint job_count, __global const row *restrict rows,
                           uint first, uint count, __global float *restrict parts) {
  __local float squares[STAGE * PITCH], lanes[STAGE * TILE_LANES], down[TILE_COLUMNS];
  if (get_group_id(0) >= count) return;
  STOP_OR_CONTROL
  const uint k = first + (uint)get_group_id(0), me = (uint)get_local_id(0), step = (uint)get_local_size(0);
  const job j = jobs[find_job(jobs, job_count, k)];
  row h = rows[j.line];
  SCALE(h)
  tile t;
  find_tile(&j, k, &t);
  for (uint c = me; c < t.wide; c += step) down[c] = 0.0f;
  for (uint top = 0; top < t.tall; top += STAGE) {
    const uint tall = min((uint)STAGE, t.tall - top);
    for (uint c = me; c < t.wide; c += step) {
      float sum = down[c];
      for (uint r = 0; r < tall; r++) {
        const ulong at = t.first + (ulong)(top + r) * j.between * j.columns;
        FIND_UNIT(at)
        const float x = CAT(load_, G_T)(g, j.g + at + c), y = GRADIENT(x);
        squares[r * PITCH + c] = y * y;
        sum += y * y;
      }
      down[c] = sum;
    }
    barrier(CLK_LOCAL_MEM_FENCE);
    for (uint p = me; p < tall * TILE_LANES; p += step) {
      float sum = 0.0f;
      for (uint c = p % TILE_LANES; c < t.wide; c += TILE_LANES) sum += squares[p / TILE_LANES * PITCH + c];
      lanes[p] = sum;
    }
    barrier(CLK_LOCAL_MEM_FENCE);
    for (uint s = TILE_LANES / 2; s; s >>= 1) {
      for (uint p = me; p < tall * s; p += step) {
        const uint to = p / s * TILE_LANES + p % s;
        lanes[to] += lanes[to + s];
      }
      barrier(CLK_LOCAL_MEM_FENCE);
    }
    for (uint r = me; r < tall && j.what & BY_ROWS; r += step)
      parts[j.row_parts + (t.line + (ulong)(top + r) * j.between) * t.across + t.band] = lanes[r * TILE_LANES];
    barrier(CLK_LOCAL_MEM_FENCE);
  }
  for (uint c = me; c < t.wide; c += step) parts[t.columns_out + c] = down[c];
}
#endif
