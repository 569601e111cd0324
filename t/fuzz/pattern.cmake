tayori_fuzz(pattern NEEDS dict)
