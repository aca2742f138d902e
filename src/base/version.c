/* version.c: see cliv/version.h. The number itself comes from CMakeLists.txt. */
#include <cliv/version.h>

#define TEXT_(x) #x
#define TEXT(x) TEXT_(x)

#ifdef CLIV_HAVE_CLBLAST
#define CLBLAST_PART "with CLBlast"
#else
#define CLBLAST_PART "without CLBlast"
#endif
#ifdef CLIV_HAVE_CLFFT
#define CLFFT_PART "with clFFT"
#else
#define CLFFT_PART "without clFFT"
#endif
#if defined(__clang__)
#define COMPILER_PART "clang " TEXT(__clang_major__) "." TEXT(__clang_minor__) "." TEXT(__clang_patchlevel__)
#elif defined(__GNUC__)
#define COMPILER_PART "gcc " TEXT(__GNUC__) "." TEXT(__GNUC_MINOR__) "." TEXT(__GNUC_PATCHLEVEL__)
#else
#define COMPILER_PART "another compiler"
#endif

const char *cliv_version(void) { return CLIV_VERSION; }

const char *cliv_build_info(void) { return CLBLAST_PART ", " CLFFT_PART "; " COMPILER_PART; }
