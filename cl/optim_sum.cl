/* optim_sum.cl: a sum in the order in which its terms come, with what each addition loses kept apart. */
typedef struct {
  float total, lost;
} long_sum;

static void add_to(long_sum *s, float x) {
  const float sum = s->total + x, moved = sum - s->total;
  s->lost += (s->total - (sum - moved)) + (x - moved);
  s->total = sum;
}

static float value_of(long_sum s) { return is_finite(s.total) ? s.total + s.lost : s.total; }
