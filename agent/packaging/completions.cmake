# The completion scripts are ordinary shell files; `codex-agent completion SHELL` prints them, so they are
# also compiled in. Sets CODEX_COMPLETION_SOURCE, a .cc file to add to the command line's library.
set(COMPLETION_DIRECTORY ${CMAKE_CURRENT_LIST_DIR}/completions)
foreach(shell bash zsh fish)
  set(file ${COMPLETION_DIRECTORY}/codex-agent.${shell})
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${file})
  file(READ ${file} COMPLETION_${shell})
endforeach()
set(CODEX_COMPLETION_SOURCE ${CMAKE_BINARY_DIR}/generated/completion.cc)
configure_file(${CMAKE_CURRENT_LIST_DIR}/completion.cc.in ${CODEX_COMPLETION_SOURCE} @ONLY)
