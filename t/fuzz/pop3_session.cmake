tayori_fuzz(pop3_session NEEDS mbox smtp io base SOURCES ${CMAKE_SOURCE_DIR}/pop3d/session/session.c ${CMAKE_SOURCE_DIR}/pop3d/session/wire.c)
target_include_directories(fuzz-pop3_session PRIVATE ${CMAKE_SOURCE_DIR}/pop3d/session)
