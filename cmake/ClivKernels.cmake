# cliv_embed_kernels(OUT): a generated C file that holds every cl/*.cl as bytes, and a table of names.
function(cliv_embed_kernels out)
  set(folder ${CMAKE_CURRENT_SOURCE_DIR}/cl)
  file(GLOB names CONFIGURE_DEPENDS RELATIVE ${folder} ${folder}/*.cl)
  list(TRANSFORM names PREPEND ${folder}/ OUTPUT_VARIABLE kernels)
  set(generated ${CMAKE_CURRENT_BINARY_DIR}/kernels.c)
  string(REPLACE ";" "," list "${names}") # of names alone: the path may have commas
  add_custom_command(OUTPUT ${generated}
    COMMAND ${CMAKE_COMMAND} -DFOLDER=${folder} -DNAMES=${list} -DOUT=${generated}
            -P ${CMAKE_CURRENT_SOURCE_DIR}/cmake/embed.cmake
    DEPENDS ${kernels} ${CMAKE_CURRENT_SOURCE_DIR}/cmake/embed.cmake VERBATIM)
  set(${out} ${generated} PARENT_SCOPE)
endfunction()
