tayori_fuzz(forward NEEDS forward)
