tayori_fuzz(imap_fetch NEEDS imap_session)
