/* No compiler takes this. */
kernel void refused(global float *y) { y[get_global_id(0)] = nowhere_declared; }
