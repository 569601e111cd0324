tayori_fuzz(address_list NEEDS mail)
