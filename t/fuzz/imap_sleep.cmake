tayori_fuzz(imap_sleep NEEDS imap_session SOURCES ${CMAKE_SOURCE_DIR}/imapd/session/conf.c)
