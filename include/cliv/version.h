/* cliv/version.h: which library this is. Semantic versioning; before 1.0 a minor version may change the interface. */
#ifndef CLIV_VERSION_H
#define CLIV_VERSION_H

#include <cliv/status.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Of the header that the caller was compiled with; cliv_version() is of the library that it runs with. */
#define CLIV_VERSION_MAJOR 0
#define CLIV_VERSION_MINOR 1
#define CLIV_VERSION_PATCH 0

CLIV_API const char *cliv_version(void); /* "0.1.0" */

/* The parts and the compiler of this build in one line: "with CLBlast, without clFFT; gcc 12.2.0". */
CLIV_API const char *cliv_build_info(void);

#ifdef __cplusplus
}
#endif
#endif
