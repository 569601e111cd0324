tayori_fuzz(header NEEDS mail)
