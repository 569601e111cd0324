tayori_fuzz(address NEEDS mail smtp)
