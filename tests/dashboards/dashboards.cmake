# Dashboards, rules and alerts are data, the same in every build; one ctest test for each pytest module.
function(codex_dashboard_test name timeout)
  add_test(NAME dashboards.${name}
    COMMAND ${PYTEST_PYTHON} -m pytest -q -p no:cacheprovider ${CMAKE_SOURCE_DIR}/tests/dashboards/test_${name}.py
    WORKING_DIRECTORY ${CMAKE_BINARY_DIR})
  set_tests_properties(dashboards.${name} PROPERTIES TIMEOUT ${timeout} COST ${timeout} LABELS dashboards ENVIRONMENT
    "CODEX_AGENT=$<TARGET_FILE:codex-agent>;CODEX_SCHEMA_PACKAGES=${CMAKE_SOURCE_DIR}/build/npm-dashboards;PYTHONDONTWRITEBYTECODE=1")
endfunction()

codex_dashboard_test(history 300)
codex_dashboard_test(rules 900)
codex_dashboard_test(quiet 600)
codex_dashboard_test(alertmanager 300)
codex_dashboard_test(grafana_alerts 600)
codex_dashboard_test(grafana_lint 300)
codex_dashboard_test(grafana_queries 600)
