/* Reads by 32 bits. */
__kernel void narrow(__global const float *x, __global float *y) { y[get_global_id(0)] = x[2 * get_global_id(0)]; }
