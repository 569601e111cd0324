tayori_fuzz(imap_name NEEDS imap_session)
