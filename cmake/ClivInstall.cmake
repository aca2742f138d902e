# cmake --install: headers, both libraries, the program and its helper, cliv.pc, and find_package(cliv) with the targets
# cliv::cliv (shared) and cliv::cliv_static.
include(CMakePackageConfigHelpers)

set_target_properties(cliv_shared PROPERTIES EXPORT_NAME cliv)
add_library(cliv::cliv ALIAS cliv_shared)
add_library(cliv::cliv_static ALIAS cliv_static)

install(DIRECTORY include/cliv DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} FILES_MATCHING PATTERN "*.h")
install(TARGETS cliv_shared EXPORT clivTargets)
install(TARGETS cliv_static EXPORT clivStaticTargets)
if(TARGET cliv)
  install(TARGETS cliv)
endif()
if(TARGET cliv-probe)
  install(TARGETS cliv-probe DESTINATION ${CMAKE_INSTALL_LIBEXECDIR})
endif()

# Two sets, because only the static library needs to be told what it is linked with.
set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/cliv)
install(EXPORT clivTargets NAMESPACE cliv:: DESTINATION ${package_dir})
install(EXPORT clivStaticTargets NAMESPACE cliv:: DESTINATION ${package_dir})
configure_package_config_file(cmake/clivConfig.cmake.in clivConfig.cmake INSTALL_DESTINATION ${package_dir}
  NO_SET_AND_CHECK_MACRO NO_CHECK_REQUIRED_COMPONENTS_MACRO)
write_basic_package_version_file(clivConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/clivConfig.cmake ${CMAKE_CURRENT_BINARY_DIR}/clivConfigVersion.cmake
  DESTINATION ${package_dir})

# cliv.pc finds itself, so that an installed tree may be moved.
file(RELATIVE_PATH CLIV_PC_PREFIX /${CMAKE_INSTALL_LIBDIR}/pkgconfig /)
string(REGEX REPLACE "/$" "" CLIV_PC_PREFIX ${CLIV_PC_PREFIX})
set(CLIV_PC_LIBS "-pthread -ldl -lm")
if(CLIV_CLBLAST)
  set(CLIV_PC_LIBS "-lclblast -lstdc++ ${CLIV_PC_LIBS}")
endif()
if(CLIV_CLFFT)
  set(CLIV_PC_LIBS "-lclFFT ${CLIV_PC_LIBS}")
endif()
configure_file(cmake/cliv.pc.in cliv.pc @ONLY)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/cliv.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
