set(pure access address decide expand policy remote route)
list(TRANSFORM pure PREPEND ${CMAKE_SOURCE_DIR}/agents/lookupd/)
list(TRANSFORM pure APPEND .c)
tayori_fuzz(lookup NEEDS base conf ipc mail smtp dict SOURCES ${pure})
