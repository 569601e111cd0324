tayori_fuzz(text NEEDS mail)
