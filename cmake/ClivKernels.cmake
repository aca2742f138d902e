# cliv_embed_kernels(OUT): a generated C file that holds every cl/*.cl as bytes, and a table of names.
function(cliv_embed_kernels out)
  file(GLOB kernels CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/cl/*.cl)
  set(generated ${CMAKE_CURRENT_BINARY_DIR}/kernels.c)
  string(REPLACE ";" "," list "${kernels}")
  add_custom_command(OUTPUT ${generated}
    COMMAND ${CMAKE_COMMAND} -DKERNELS=${list} -DOUT=${generated} -P ${CMAKE_CURRENT_SOURCE_DIR}/cmake/embed.cmake
    DEPENDS ${kernels} ${CMAKE_CURRENT_SOURCE_DIR}/cmake/embed.cmake VERBATIM)
  set(${out} ${generated} PARENT_SCOPE)
endfunction()
