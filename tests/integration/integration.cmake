# One ctest test for each pytest module; the modules start the real binaries of this build. COST: ctest begins with
# what may take longest.
find_program(PYTEST_PYTHON python3 PATHS /usr/bin NO_DEFAULT_PATH REQUIRED)

# codex_integration_test(NAME SECONDS [SANITIZED]): the module test_NAME.py. The sanitized build runs those that lead the
# daemon through lives which no unit test leads it through: the others ask the same code for other right answers.
function(codex_integration_test name timeout)
  set(test integration.${name})
  if(CODEX_SANITIZE)
    if(NOT SANITIZED IN_LIST ARGN)
      return()
    endif()
    set(test asan.${test})
  endif()
  add_test(NAME ${test}
    COMMAND ${PYTEST_PYTHON} -m pytest -q -p no:cacheprovider ${CMAKE_SOURCE_DIR}/tests/integration/test_${name}.py
    WORKING_DIRECTORY ${CMAKE_BINARY_DIR})
  set_tests_properties(${test} PROPERTIES TIMEOUT ${timeout} COST ${timeout} LABELS integration ENVIRONMENT
    "CODEX_AGENT=$<TARGET_FILE:codex-agent>;CODEX_SANITIZED=$<BOOL:${CODEX_SANITIZE}>;CODEX_NODE_MODULES=${CMAKE_SOURCE_DIR}/build/npm/node_modules;PYTHONDONTWRITEBYTECODE=1")
endfunction()

codex_integration_test(oracles 60)
codex_integration_test(lifecycle 300 SANITIZED)
codex_integration_test(stop 300)
codex_integration_test(never_healthy 300)
codex_integration_test(exits 300 SANITIZED)
codex_integration_test(port_taken 120)
codex_integration_test(database 500)
if(NOT CODEX_SANITIZE)
  # A minute without the database, and no restart in it.
  set_property(TEST integration.database APPEND PROPERTY ENVIRONMENT "CODEX_OUTAGE_SECONDS=60")
endif()
codex_integration_test(prometheus 300)
codex_integration_test(http_front 120 SANITIZED)
codex_integration_test(secrets 180)
codex_integration_test(config_errors 120)
codex_integration_test(cli 300)
codex_integration_test(output 300 SANITIZED)
codex_integration_test(adoption 120)
codex_integration_test(hangs 300 SANITIZED)
codex_integration_test(one_hang 120)
codex_integration_test(evidence 300 SANITIZED)
codex_integration_test(takeover 240 SANITIZED)
codex_integration_test(causes 300)
codex_integration_test(last_words 240)
codex_integration_test(listeners 120)
codex_integration_test(network_namespace 120)
codex_integration_test(wrapper_idle 240)
codex_integration_test(policies 240)
codex_integration_test(wreckage 180 SANITIZED)
codex_integration_test(workers 120)
codex_integration_test(strangers 240 SANITIZED)
codex_integration_test(frozen_disk 180)
codex_integration_test(interleavings 300 SANITIZED)
codex_integration_test(chaos 900 SANITIZED)
codex_integration_test(hooks 120)

# The sanitizers need descriptors themselves, and end the program without.
if(NOT CODEX_SANITIZE)
  codex_integration_test(few_descriptors 120)
endif()

# Rules, routes and the page are the same for every build, and Chromium is slow enough without the sanitizers.
if(NOT CODEX_SANITIZE)
  codex_integration_test(alerting 300)
  add_executable(page_server ${CMAKE_CURRENT_LIST_DIR}/page_server.cc ${CMAKE_SOURCE_DIR}/tests/exporters/sample_snapshot.cc)
  target_link_libraries(page_server PRIVATE codex_exporters_status codex_exporters_status_page)
  set_target_properties(page_server PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
  codex_integration_test(status_page 600)
  set_property(TEST integration.status_page APPEND PROPERTY ENVIRONMENT "CODEX_PAGE_SERVER=$<TARGET_FILE:page_server>")
endif()

# They measure how soon a stop is complete and a hang is told. The zoo's limit is generous, and its lanes take a
# processor in all; the others need the machine to themselves.
if(NOT CODEX_SANITIZE)
  codex_integration_test(hang_zoo 500)
  codex_integration_test(hang_controls 300)
  codex_integration_test(field_servers 240)
  set_tests_properties(integration.hang_zoo integration.field_servers PROPERTIES PROCESSORS 2)
  set_tests_properties(integration.hang_controls PROPERTIES RUN_SERIAL ON)
  set_tests_properties(integration.stop PROPERTIES RUN_SERIAL ON)
endif()

# What is installed is the release build. The quickstart builds and uses it with the ports of the README, so it has a turn
# of its own.
if(CMAKE_BINARY_DIR STREQUAL "${CMAKE_SOURCE_DIR}/build/release")
  codex_integration_test(install 120)
  # pytest ends with 5 when the module is skipped as a whole: not everybody may boot a container.
  codex_integration_test(systemd 120)
  set_tests_properties(integration.systemd PROPERTIES SKIP_RETURN_CODE 5)
  codex_integration_test(quickstart 600)
  set_tests_properties(integration.quickstart PROPERTIES RUN_SERIAL ON)
endif()
