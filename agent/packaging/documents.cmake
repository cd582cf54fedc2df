# All documents, by their paths in the repository. They are installed below share/doc/codex-agent and compiled into the
# status page under these paths, so that the links between them hold there, too.
file(GLOB CODEX_DOCUMENTS RELATIVE ${CMAKE_SOURCE_DIR} CONFIGURE_DEPENDS
     ${CMAKE_SOURCE_DIR}/README.md ${CMAKE_SOURCE_DIR}/agent/docs/*.md ${CMAKE_SOURCE_DIR}/agent/examples/*/README.md
     ${CMAKE_SOURCE_DIR}/exporters/docs/*.md ${CMAKE_SOURCE_DIR}/dashboards/*.md ${CMAKE_SOURCE_DIR}/tests/README.md
     ${CMAKE_SOURCE_DIR}/tests/*/README.md)
