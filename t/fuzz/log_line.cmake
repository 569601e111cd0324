tayori_fuzz(log_line NEEDS log SOURCES ${CMAKE_SOURCE_DIR}/agents/logd/decide.c)
