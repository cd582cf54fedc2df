# What `cmake --install` puts where. The thin command line finds the daemon beside itself.
set(CODEX_PACKAGING ${CMAKE_CURRENT_LIST_DIR})

install(TARGETS codex-agent codex-agentd RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
install(FILES ${CODEX_PACKAGING}/codex-agent.service DESTINATION lib/systemd/system)
install(FILES ${CODEX_PACKAGING}/completions/codex-agent.bash
        DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions RENAME codex-agent)
install(FILES ${CODEX_PACKAGING}/completions/codex-agent.zsh
        DESTINATION ${CMAKE_INSTALL_DATADIR}/zsh/vendor-completions RENAME _codex-agent)
install(FILES ${CODEX_PACKAGING}/completions/codex-agent.fish
        DESTINATION ${CMAKE_INSTALL_DATADIR}/fish/vendor_completions.d)
install(DIRECTORY ${CMAKE_SOURCE_DIR}/dashboards/ DESTINATION ${CMAKE_INSTALL_DATADIR}/codex-agent/dashboards
        PATTERN CMakeLists.txt EXCLUDE PATTERN README.md EXCLUDE PATTERN pictures EXCLUDE)
# As in the repository: the links between the documents hold.
include(${CODEX_PACKAGING}/documents.cmake)
foreach(document ${CODEX_DOCUMENTS})
  get_filename_component(folder ${document} DIRECTORY)
  install(FILES ${CMAKE_SOURCE_DIR}/${document} DESTINATION ${CMAKE_INSTALL_DATADIR}/doc/codex-agent/${folder})
endforeach()
install(DIRECTORY ${CMAKE_SOURCE_DIR}/dashboards/pictures
        DESTINATION ${CMAKE_INSTALL_DATADIR}/doc/codex-agent/dashboards)
