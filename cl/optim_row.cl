/* optim_row.cl: what a step's launches read that was written before them; after the rules' functions.
 *
 *   -D RULE=adam     the rule; without: no row
 *   -D CONTROLLED    with a rule: as in optim.cl
 */
#ifdef RULE
/* What the host sends. */
typedef struct {
  float gradient;          /* what gradients are multiplied with */
  float threshold, shrink; /* of the proximal step */
  CAT(RULE, _scalars) rule;
} row;
#endif

#if defined(CONTROLLED) || !defined(RULE)
/* What optim_control.cl made of all gradients. */
typedef struct {
  float factor, stop, bound, norm;
} control;
#endif
