tayori_fuzz(mutf7 NEEDS mail)
