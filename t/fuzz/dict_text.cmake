tayori_fuzz(dict_text NEEDS dict)
