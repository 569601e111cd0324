# smtpd without its main.c: the fuzz target brings what lib/proc would.
file(GLOB smtpd_sources ${CMAKE_SOURCE_DIR}/smtpd/*.c)
list(FILTER smtpd_sources EXCLUDE REGEX "/(main|conf)\\.c$")
tayori_fuzz(smtp_session NEEDS mail smtp sasl tls dns log ipc io conf base SOURCES ${smtpd_sources})
target_include_directories(fuzz-smtp_session PRIVATE ${CMAKE_SOURCE_DIR}/smtpd)
