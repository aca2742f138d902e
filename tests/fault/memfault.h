/* Memory that runs out: the n-th allocation of the library fails (the linker's --wrap sends it here; CMakeLists.txt).
 * What other libraries allocate does not count, but for Jansson's where it is asked for. */
#ifndef CLIV_TESTS_FAULT_MEMFAULT_H
#define CLIV_TESTS_FAULT_MEMFAULT_H

/* The n-th allocation from now on fails, with `sticky` every later one too; 0: none. */
void memfault_arm(long n, int sticky);
/* 1: an allocation has failed since. */
int memfault_fired(void);
/* Allocations since, where one was to fail. */
long memfault_calls(void);
/* Whether Jansson's allocations count too. Not while it reads: its lexer writes beyond its memory when one fails. */
void memfault_json(int counts);

#endif
