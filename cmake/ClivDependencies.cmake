# What the library links: the OpenCL loader, Jansson (JSON), xxHash (hashing), and CLBlast and clFFT where wanted.
# Fills CLIV_PRIVATE_LIBRARIES, CLIV_DEFINITIONS, CLIV_CLI_LIBRARIES.
find_package(OpenCL REQUIRED)
find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)
pkg_check_modules(JANSSON REQUIRED IMPORTED_TARGET jansson)
pkg_check_modules(XXHASH REQUIRED IMPORTED_TARGET libxxhash)
pkg_check_modules(POPT REQUIRED IMPORTED_TARGET popt)

set(CLIV_DEFINITIONS CL_TARGET_OPENCL_VERSION=300 CL_USE_DEPRECATED_OPENCL_1_2_APIS CLIV_VERSION="${PROJECT_VERSION}")
set(CLIV_PRIVATE_LIBRARIES PkgConfig::JANSSON PkgConfig::XXHASH Threads::Threads ${CMAKE_DL_LIBS} m)
set(CLIV_CLI_LIBRARIES PkgConfig::POPT PkgConfig::JANSSON m)

if(CLIV_CLBLAST)
  enable_language(CXX) # for src/blas/tune.cc; guests that are C need only be linked with its library
  find_package(CLBlast CONFIG REQUIRED)
  pkg_check_modules(CLBLAST QUIET clblast)
  list(APPEND CLIV_DEFINITIONS CLIV_HAVE_CLBLAST=1 CLIV_CLBLAST_VERSION="${CLBLAST_VERSION}")
  list(APPEND CLIV_PRIVATE_LIBRARIES clblast stdc++)
endif()
if(CLIV_CLFFT)
  find_path(CLFFT_INCLUDE_DIR clFFT.h REQUIRED)
  find_library(CLFFT_LIBRARY clFFT REQUIRED)
  list(APPEND CLIV_DEFINITIONS CLIV_HAVE_CLFFT=1)
  add_library(clfft UNKNOWN IMPORTED)
  set_target_properties(clfft PROPERTIES IMPORTED_LOCATION ${CLFFT_LIBRARY}
                        INTERFACE_INCLUDE_DIRECTORIES ${CLFFT_INCLUDE_DIR})
  list(APPEND CLIV_PRIVATE_LIBRARIES clfft)
endif()
