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
        PATTERN CMakeLists.txt EXCLUDE)
install(FILES ${CMAKE_SOURCE_DIR}/README.md DESTINATION ${CMAKE_INSTALL_DATADIR}/doc/codex-agent OPTIONAL)
install(DIRECTORY ${CMAKE_SOURCE_DIR}/agent/docs DESTINATION ${CMAKE_INSTALL_DATADIR}/doc/codex-agent/agent)
