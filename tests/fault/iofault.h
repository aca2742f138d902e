/* Files that fail: the n-th call that opens, reads, writes, flushes, renames, closes or makes a folder. Linked into a
 * test, or, as a library to be preloaded, for whole programs, told by the environment:
 *   CLIV_IOFAULT_N=n  CLIV_IOFAULT_CODE=errno (28, no space, if not given)  CLIV_IOFAULT_STICKY=1  CLIV_IOFAULT_SHORT=1
 *   CLIV_IOFAULT_BELOW=folder  only calls on paths that begin so, and on files opened there
 *   CLIV_IOFAULT_REPORT=file   gets the name of the call that failed
 * Standard input, output and error never fail, nor does opening a folder. */
#ifndef CLIV_TESTS_FAULT_IOFAULT_H
#define CLIV_TESTS_FAULT_IOFAULT_H

typedef struct iofault_plan {
  long n;            /* the n-th call from now on; 0: none */
  int code;          /* errno */
  int sticky;        /* every later call fails too: the disk stays full */
  int short_write;   /* a write that is to fail writes half of its bytes and succeeds; the next one fails */
  const char *below; /* NULL: everywhere */
} iofault_plan;

void iofault_arm(iofault_plan plan);
/* The first call that failed since, or NULL. */
const char *iofault_fired(void);

#endif
