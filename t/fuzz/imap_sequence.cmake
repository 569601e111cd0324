tayori_fuzz(imap_sequence NEEDS imap_session)
