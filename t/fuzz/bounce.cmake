tayori_fuzz(bounce NEEDS base mail queue SOURCES ${CMAKE_SOURCE_DIR}/qmgr/bounce.c)
