/* optim_user.cl: the types of a rule of the user's own, in front of its text.
 *
 *   -D RULE=mine
 *   -D STATE_NAMES=exp_avg,exp_avg_sq      all its states; absent where there are none
 *   -D SCALAR_NAMES=lr,beta1,step,keep     its hyper-parameters, `step`, its scalars
 */
typedef struct {
#ifdef STATE_NAMES
  real STATE_NAMES;
#else
  real none;
#endif
} CAT(RULE, _state);

typedef struct {
  float SCALAR_NAMES;
} CAT(RULE, _scalars);
