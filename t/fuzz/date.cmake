tayori_fuzz(date NEEDS mail)
