tayori_fuzz(imap_search NEEDS imap_session)
