tayori_fuzz(alias_list NEEDS mail)
