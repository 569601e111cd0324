tayori_fuzz(imap_session NEEDS imap_session SOURCES ${CMAKE_SOURCE_DIR}/imapd/session/conf.c)
