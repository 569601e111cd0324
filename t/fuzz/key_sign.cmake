tayori_fuzz(key_sign NEEDS tls SOURCES ${CMAKE_SOURCE_DIR}/agents/keyd/decide.c)
