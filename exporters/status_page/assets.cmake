# The page's style and script are ordinary files, and its documentation is the README: all are compiled in.
# Sets PAGE_ASSETS_SOURCE, a .cc file to add to the exporters.
set(PAGE_STYLE_FILE ${CMAKE_CURRENT_LIST_DIR}/page.css)
set(PAGE_SCRIPT_FILE ${CMAKE_CURRENT_LIST_DIR}/page.js)
set(PAGE_README_FILE ${CMAKE_SOURCE_DIR}/README.md)
foreach(asset STYLE SCRIPT README)
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${PAGE_${asset}_FILE})
  file(READ ${PAGE_${asset}_FILE} PAGE_${asset})
endforeach()
string(SHA256 PAGE_VERSION "${PAGE_STYLE}${PAGE_SCRIPT}")
string(SUBSTRING ${PAGE_VERSION} 0 12 PAGE_VERSION)
set(PAGE_ASSETS_SOURCE ${CMAKE_BINARY_DIR}/generated/status_page_assets.cc)
configure_file(${CMAKE_CURRENT_LIST_DIR}/assets.cc.in ${PAGE_ASSETS_SOURCE} @ONLY)
