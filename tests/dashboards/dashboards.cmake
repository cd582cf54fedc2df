# Dashboards, rules and alerts are data, the same in every build; one ctest test for each pytest module, or for those
# that share what is dear to make.
function(codex_dashboard_test name timeout)
  set(modules)
  foreach(module ${name} ${ARGN})
    list(APPEND modules ${CMAKE_SOURCE_DIR}/tests/dashboards/test_${module}.py)
  endforeach()
  add_test(NAME dashboards.${name} COMMAND ${PYTEST_PYTHON} -m pytest -q -p no:cacheprovider ${modules}
    WORKING_DIRECTORY ${CMAKE_BINARY_DIR})
  set_tests_properties(dashboards.${name} PROPERTIES TIMEOUT ${timeout} COST ${timeout} LABELS dashboards ENVIRONMENT
    "CODEX_AGENT=$<TARGET_FILE:codex-agent>;CODEX_SCHEMA_PACKAGES=${CMAKE_SOURCE_DIR}/build/npm-dashboards;PYTHONDONTWRITEBYTECODE=1")
endfunction()

# A Prometheus that knows the generated history.
codex_dashboard_test(history 600 grafana_alerts grafana_queries)
codex_dashboard_test(rules 900)
codex_dashboard_test(quiet 600)
codex_dashboard_test(alertmanager 300)
codex_dashboard_test(grafana_lint 300)
