tayori_fuzz(cidr NEEDS dict)
