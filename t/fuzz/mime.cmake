tayori_fuzz(mime NEEDS mail)
